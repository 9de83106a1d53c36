package editor

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
)

// names of keys as tests write them, in brackets.
var keyCodes = map[string]rune{
	"enter": tea.KeyEnter, "esc": tea.KeyEscape, "up": tea.KeyUp, "down": tea.KeyDown, "left": tea.KeyLeft, "right": tea.KeyRight,
	"home": tea.KeyHome, "end": tea.KeyEnd, "backspace": tea.KeyBackspace, "delete": tea.KeyDelete, "tab": tea.KeyTab, "space": ' ',
}

// press makes a key of its name, such as ctrl+a.
func press(name string) tea.KeyPressMsg {
	var k tea.Key
	for {
		mod, rest, ok := strings.Cut(name, "+")
		if !ok || rest == "" {
			break
		}
		k.Mod |= map[string]tea.KeyMod{"ctrl": tea.ModCtrl, "alt": tea.ModAlt, "shift": tea.ModShift}[mod]
		name = rest
	}
	code, special := keyCodes[name]
	if !special {
		code, _ = utf8.DecodeRuneInString(name)
	}
	k.Code = code
	if !special && k.Mod&^tea.ModShift == 0 {
		k.Text = name
	}
	return tea.KeyPressMsg(k)
}

// typing is a script of keys: text is typed, <name> is a key, <<text>> a paste.
func typing(script string) (msgs []tea.Msg) {
	for script != "" {
		if rest, ok := strings.CutPrefix(script, "<<"); ok {
			text, after, _ := strings.Cut(rest, ">>")
			msgs, script = append(msgs, tea.PasteMsg{Content: text}), after
			continue
		}
		if rest, ok := strings.CutPrefix(script, "<"); ok && strings.Contains(rest, ">") {
			name, after, _ := strings.Cut(rest, ">")
			msgs, script = append(msgs, press(name)), after
			continue
		}
		r, n := utf8.DecodeRuneInString(script)
		msgs, script = append(msgs, tea.KeyPressMsg{Code: r, Text: script[:n]}), script[n:]
	}
	return msgs
}

// A desk is an editor with what it has said.
type desk struct {
	*Editor
	t    testing.TB
	said []tea.Msg
	cmds []tea.Cmd // that nobody has run
	slow bool      // Options.Files does not answer
}

func newDesk(t testing.TB, o Options) *desk {
	t.Helper()
	d := &desk{t: t}
	o.Emit = func(msg tea.Msg) tea.Cmd { d.said = append(d.said, msg); return nil }
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	d.Editor = e
	d.View(80, 20)
	return d
}

// do types a script.
func (d *desk) do(script string) *desk {
	for _, msg := range typing(script) {
		d.send1(msg)
		d.runFiles()
	}
	return d
}

// runFiles answers what the editor has asked Options.Files, as Bubble Tea would.
func (d *desk) runFiles() {
	for d.complete.asking && !d.slow {
		msg := filesFound{query: d.complete.query}
		msg.files, msg.err = d.opts.Files(msg.query, maxFound)
		d.send1(msg)
	}
}

func (d *desk) send1(msg tea.Msg) {
	d.collect(d.Update(msg))
}

// collect takes a command apart.
func (d *desk) collect(cmd tea.Cmd) {
	if cmd != nil {
		d.cmds = append(d.cmds, cmd)
	}
}

// withCursor is the text with the cursor as a bar.
func (d *desk) withCursor() string {
	b := d.buf
	show := func(s string) string {
		var out strings.Builder
		d.chips.split(s, func(text string, c *chip) {
			if c != nil {
				text = c.label
			}
			out.WriteString(text)
		})
		return out.String()
	}
	return show(b.text[:b.cursor]) + "|" + show(b.text[b.cursor:])
}

// lastSaid returns the last message of a type.
func lastSaid[M any](d *desk) M {
	d.t.Helper()
	for _, msg := range slices.Backward(d.said) {
		if m, ok := msg.(M); ok {
			return m
		}
	}
	var none M
	d.t.Fatalf("the editor has said %v, and no %T", d.said, none)
	return none
}

const family = "👨\u200d👩\u200d👧"

func TestKeys(t *testing.T) {
	for _, tt := range []struct{ name, keys, want string }{
		{"text is typed", "hello", "hello|"},
		{"shift and enter break the line", "a<shift+enter>b", "a\nb|"},
		{"ctrl and j break the line", "a<ctrl+j>b", "a\nb|"},
		{"a backslash and enter break the line", `a\<enter>b`, "a\nb|"},
		{"a family is one character", "a" + family + "b<left><left><backspace>", "|" + family + "b"},
		{"a family is deleted as one", "a" + family + "b<left><backspace>", "a|b"},
		{"a flag is passed as one", "🇩🇪🇫🇷<left>x", "🇩🇪x|🇫🇷"},
		{"an accent belongs to its letter", "e\u0301x<left><left>", "|e\u0301x"},
		{"delete takes the character behind", "日本<left><delete>", "日|"},
		{"word back", "one two_3 <alt+b>", "one |two_3 "},
		{"word back over signs", "one, two<alt+b><alt+b>", "|one, two"},
		{"word forward", "one two<ctrl+a><alt+f>", "one| two"},
		{"words of a script without blanks", "abc日本語 x<alt+b><alt+b>", "abc|日本語 x"},
		{"ctrl and arrows", "one two<ctrl+left><ctrl+left><ctrl+right>", "one| two"},
		{"beginning and end of the line", "a\x00b<ctrl+j>cd<ctrl+a>x<ctrl+e>y", "ab\nxcdy|"},
		{"beginning and end of the text", "a<ctrl+j>b<ctrl+home>x<ctrl+end>y", "xa\nby|"},
		{"cut back to a blank", "go run ./cmd/coder<ctrl+w>", "go run |"},
		{"cut a word", "go run ./cmd/coder<alt+backspace>", "go run ./cmd/|"},
		{"cut forward", "one two<ctrl+a><alt+d>", "| two"},
		{"cut to the end, then the break", "abx<ctrl+j>cd<up><ctrl+k><ctrl+k>", "ab|cd"},
		{"cut to the beginning", "ab cd<left><ctrl+u>", "|d"},
		{"put back", "ab cd<ctrl+w><ctrl+a><ctrl+y>", "cd|ab "},
		{"cuts in a row are one", "ab cd ef<ctrl+w><ctrl+w>x<ctrl+y>", "ab xcd ef|"},
		{"swap", "ab<ctrl+t>", "ba|"},
		{"swap within", "abc<left><ctrl+t>", "acb|"},
		{"undo takes a word", "one two<ctrl+_>", "one |"},
		{"undo and redo", "one two<ctrl+_><ctrl+_><alt+_>", "one |"},
		{"redo is lost by typing", "ab<ctrl+_>c<alt+_>", "c|"},
		{"undo of a cut", "one two<ctrl+w><ctrl+_>", "one two|"},
		{"undo of nothing", "<ctrl+_>a", "a|"},
		{"up keeps the column", "abcdef<ctrl+j>a<ctrl+j>abcdef<left><up><up>", "abcde|f\na\nabcdef"},
		{"a short paste is text", "a<<b\r\nc>>d", "ab\ncd|"},
		{"a paste is no key", "a<<b\x1b[A\x01\x15\x7fc>>d", "abcd|"},
		{"a title in a paste is gone", "<<a\x1b]0;x\x07b>>", "ab|"},
		{"marks that reorder are gone", "<<a\u202eb>>", "ab|"},
		{"a chip is one character", "a<<" + tenLines + ">>b<left><left>x", "ax|[pasted 10 lines #1]b"},
		{"a chip is deleted as one", "a<<" + tenLines + ">>b<left><backspace>", "a|b"},
		{"undo brings a chip back", "a<<" + tenLines + ">>b<left><backspace><ctrl+_>", "a[pasted 10 lines #1]|b"},
		{"a chip is opened", "<<" + tenLines + ">><alt+o>", tenLines + "|"},
		{"a # is a #", "# title", "# title|"},
		{"esc leaves the text alone", "abc<esc>", "abc|"},
		{"tab does nothing", "a<tab>b", "ab|"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := newDesk(t, Options{}).do(tt.keys).withCursor(); got != tt.want {
				t.Errorf("%s gives %q, want %q", tt.keys, got, tt.want)
			}
		})
	}
}

var tenLines = strings.Repeat("line\n", 10)

func TestEnterSends(t *testing.T) {
	for _, tt := range []struct {
		name, keys, text string
		queue            bool
	}{
		{"the text", "fix it<enter>", "fix it", false},
		{"without blanks at its end", "fix it  <ctrl+j><enter>", "fix it", false},
		{"with pastes unfolded", "see: <<" + tenLines + ">> ok<enter>", "see: " + tenLines + " ok", false},
		{"to be queued", "later<alt+enter>", "later", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, Options{}).do(tt.keys)
			got := lastSaid[Submit](d)
			if got.Text != tt.text || got.Queue != tt.queue || got.ID == "" || !d.Empty() {
				t.Errorf("%s sends %+v and leaves %q, want %q (queue: %t)", tt.keys, got, d.Value(), tt.text, tt.queue)
			}
		})
	}
	if d := newDesk(t, Options{}).do(" <ctrl+j><enter>!<enter>"); len(d.said) != 0 {
		t.Errorf("blanks, and a lone !, send %v", d.said)
	}
	if got := lastSaid[Shell](newDesk(t, Options{}).do("! go test ./...<enter>")); got.Command != "go test ./..." {
		t.Errorf("! runs %q, want go test ./...", got.Command)
	}
}

func TestResetCanBeUndone(t *testing.T) {
	d := newDesk(t, Options{}).do("my draft")
	d.Edit("q", "prompt 1", "queued")
	d.Reset()
	if !d.Empty() || d.Editing() != "" {
		t.Errorf("after Reset there is %q, and %q is edited", d.Value(), d.Editing())
	}
	if got := d.do("<ctrl+_>").withCursor(); got != "my draft|" {
		t.Errorf("undo brings back %q, want the draft", got)
	}
}

func TestEditBringsTheDraftBack(t *testing.T) {
	d := newDesk(t, Options{}).do("my <<" + tenLines + ">>draft")
	want := d.withCursor()
	d.Edit("q1", "queued prompt 1", "fix a bug")
	if lines, _ := d.View(60, 10); !strings.Contains(lines[0], "queued prompt 1") {
		t.Errorf("the view does not say what is edited: %q", lines)
	}
	d.do("!<esc>")
	if got := d.withCursor(); got != want || d.Editing() != "" {
		t.Errorf("after Esc there is %q (editing %q), want %q", got, d.Editing(), want)
	}
	d.Edit("q1", "queued prompt 1", "fix a bug")
	d.do("<ctrl+w>typo<enter>")
	if got := lastSaid[Submit](d); got.Editing != "q1" || got.Text != "fix a typo" {
		t.Errorf("the edit sends %+v, want fix a typo for q1", got)
	}
	if got := d.withCursor(); got != want {
		t.Errorf("after sending there is %q, want %q", got, want)
	}
}
