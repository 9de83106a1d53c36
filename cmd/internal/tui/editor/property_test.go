package editor

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"github.com/coder-agent/coder/agent/plain"
)

// bits are what texts are made of, with all that is hard to draw.
var bits = []string{
	"a", "b", "Z", "0", " ", " ", "  ", "\t", "\n", ".", "/", "@", "!", "#", `\`, "word", "日", "本語", "é", "e\u0301", family, "🇩🇪", "🇩", "👍🏽", "❤\ufe0f",
	"\u200b", "\u200d", "\u0301", "\u202e", "\x1b[31m", "\x1b", "\x00", "\x7f", "\xff", "\xff\x80\x80\x80", "\r\n", "\r", "ﷺ", "ก็", "한국", "한", "\u3000", "ไทย",
	strings.Repeat("long", 20), strings.Repeat("x\n", 12), "\u0915\u094d\u0937",
}

func someText(most int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(bits), 0, most).Draw(t, "bits"), "")
	})
}

// allKeys are those of the editor and some others.
func allKeys() (list []string) {
	for key := range byKey {
		list = append(list, key)
	}
	list = append(list, "esc", "tab", "ctrl+s", "ctrl+c", "ctrl+x", "f", "alt+x", "pgup")
	for _, k := range "hjklwbeWBE0^$GgdcyxXDCYpPuiaIAoOrJ~;,.fFtT123" {
		list = append(list, string(k))
	}
	slices.Sort(list)
	return list
}

// someMessage is what an editor may be sent.
func someMessage(keys []string) *rapid.Generator[tea.Msg] {
	return rapid.Custom(func(t *rapid.T) tea.Msg {
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0:
			return tea.PasteMsg{Content: someText(12).Draw(t, "paste")}
		case 1, 2, 3:
			bit := rapid.SampledFrom(bits).Draw(t, "typed")
			r, _ := utf8.DecodeRuneInString(bit)
			return tea.KeyPressMsg{Code: r, Text: bit}
		case 4:
			if rapid.IntRange(0, 20).Draw(t, "report") == 0 {
				return tea.ModeReportMsg{Mode: ansi.ModeUnicodeCore, Value: ansi.ModeReset}
			}
			return filesFound{query: "", files: []File{{"a/b.go"}, {"日本/" + family + ".go"}, {"with blank.go"}, {strings.Repeat("deep/", 40) + "x"}}}
		}
		return press(rapid.SampledFrom(keys).Draw(t, "key"))
	})
}

// someCommands are what / completes in tests.
func someCommands() []Command {
	return []Command{{"help", "", "shows help"}, {"model", "[NAME]", "chooses the model"}, {"mode", "MODE", "sets 日本語 " + family}, {"quit", "", ""}}
}

func propertyOptions(vim bool) Options {
	return Options{
		Vim: vim, Commands: someCommands, Placeholder: "Ask 日本語",
		Styles: Styles{Match: func(s string) string { return s }},
		Files:  func(string, int) ([]File, error) { return nil, nil }, History: &fakeHistory{}, Drafts: &fakeDrafts{},
	}
}

// A fakeHistory is a history in memory.
type fakeHistory struct{ list []Entry }

func (h *fakeHistory) Entries() ([]Entry, error) { return h.list, nil }
func (h *fakeHistory) Add(e Entry) error         { h.list = append(h.list, e); return nil }

// A fakeDrafts is a draft in memory.
type fakeDrafts struct{ draft Draft }

func (d *fakeDrafts) Load() (Draft, error) { return d.draft, nil }
func (d *fakeDrafts) Save(one Draft) error { d.draft = one; return nil }
func (d *fakeDrafts) Close() error         { return nil }

// TestAnyKeysInAnyOrder: whatever is typed and pasted, nothing breaks, no line is too wide, the cursor is in the view and at the
// border of a character, and nothing that is shown is for the terminal to obey.
func TestAnyKeysInAnyOrder(t *testing.T) {
	keys := allKeys()
	rapid.Check(t, func(rt *rapid.T) {
		d := newDesk(t, propertyOptions(rapid.Bool().Draw(rt, "vim")))
		for _, msg := range rapid.SliceOfN(someMessage(keys), 1, 60).Draw(rt, "messages") {
			d.send1(msg)
			check(rt, d, rapid.IntRange(1, 60).Draw(rt, "width"), rapid.IntRange(1, 12).Draw(rt, "height"))
		}
	})
}

func check(t rapid.TB, d *desk, width, height int) {
	t.Helper()
	lines, cursor := d.View(width, height)
	if len(lines) > height || len(lines) == 0 {
		t.Fatalf("%d lines in a view of %d", len(lines), height)
	}
	for _, line := range lines {
		if w := d.buf.method.StringWidth(line); w > width {
			t.Fatalf("the line %q is %d wide, in a view of %d", line, w, width)
		}
		if plain.Text(line) != line || strings.ContainsAny(line, "\n\t") {
			t.Fatalf("the line %q holds what a terminal obeys", line)
		}
	}
	if cursor.X < 0 || cursor.X >= width || cursor.Y < 0 || cursor.Y >= len(lines) {
		t.Fatalf("the cursor is at %d, %d in a view of %d by %d lines", cursor.X, cursor.Y, width, len(lines))
	}
	if b := d.buf; b.snap(b.cursor) != b.cursor {
		t.Fatalf("the cursor is within a character: %q and %q", b.text[:b.cursor], b.text[b.cursor:])
	}
	rows := slices.Clone(d.buf.rows)
	if d.buf.wrap(); !slices.Equal(rows, d.buf.rows) {
		t.Fatalf("the rows of %q begin at %v, want %v", d.buf.text, rows, d.buf.rows)
	}
	if value := d.Value(); plain.Text(value) != value {
		t.Fatalf("the text %q holds what a terminal obeys", value)
	}
}

// TestUndoGoesBackToTheBeginning, and redo to the end again.
func TestUndoGoesBackToTheBeginning(t *testing.T) {
	keys := []string{"left", "right", "backspace", "delete", "ctrl+w", "ctrl+k", "ctrl+u", "ctrl+y", "ctrl+t", "alt+d", "alt+o", "shift+enter", "up", "down"}
	rapid.Check(t, func(rt *rapid.T) {
		d := newDesk(t, Options{})
		for _, msg := range rapid.SliceOfN(someMessage(keys), 1, 40).Draw(rt, "messages") {
			d.send1(msg)
		}
		want := d.buf.text
		for d.buf.undo() {
			check(rt, d, 20, 5)
		}
		if d.buf.text != "" {
			rt.Fatalf("all undone there is %q", d.buf.text)
		}
		for d.buf.redo() {
			check(rt, d, 20, 5)
		}
		if d.buf.text != want {
			rt.Fatalf("all redone there is %q, want %q", d.buf.text, want)
		}
	})
}

// TestNothingPastedIsLost: what is sent is what was typed and pasted, neutralised, and the history and the draft bring it back.
func TestNothingPastedIsLost(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		drafts := &fakeDrafts{}
		d := newDesk(t, Options{History: &fakeHistory{}, Drafts: drafts})
		want := ""
		for range rapid.IntRange(1, 6).Draw(rt, "pastes") {
			text := someText(20).Draw(rt, "text")
			if !utf8.ValidString(text) {
				continue // where it is cut counts
			}
			d.send1(tea.PasteMsg{Content: text})
			want += plain.Text(text)
		}
		if got := d.Value(); got != want {
			rt.Fatalf("after pasting there is %q, want %q", got, want)
		}
		d.save()
		if again := newDesk(t, Options{Drafts: drafts}); again.Value() != want {
			rt.Fatalf("the draft brings back %q, want %q", again.Value(), want)
		}
		d.collect(d.send(false))
		want = strings.TrimSpace(want) // within a folded paste blanks at the ends stay
		if want == "" || strings.HasPrefix(want, "!") {
			return
		}
		if got := lastSaid[Submit](d); strings.TrimSpace(got.Text) != want {
			rt.Fatalf("sent is %q, want %q", got.Text, want)
		}
		d.do("<up>")
		if got := d.Value(); strings.TrimSpace(got) != want {
			rt.Fatalf("the history brings back %q, want %q", got, want)
		}
	})
}

func FuzzEditor(f *testing.F) {
	f.Add("hello <<paste>> <up><enter>", 20, 5, false)
	f.Add("a\x1b[31m"+family+"<left><ctrl+w><ctrl+_>", 3, 2, true)
	f.Add("<esc>ddp2x.u", 60, 10, true)
	f.Fuzz(func(t *testing.T, script string, width, height int, vim bool) {
		d := newDesk(t, propertyOptions(vim))
		for _, msg := range typing(script) {
			if d.send1(msg); len(d.buf.text) < 4096 { // a count of vi makes it large, and looking at all of it slow
				check(t, d, 1+int(uint(width)%200), 1+int(uint(height)%50))
			}
		}
	})
}

func BenchmarkTypingInAMegabyte(b *testing.B) {
	for _, tt := range []struct{ name, text string }{
		{"lines", strings.Repeat("some words of a line that is wrapped here or there\n", 20_000)},
		{"one line", strings.Repeat("some words ", 90_000)},
		{"wide", strings.Repeat("日本語の文章", 55_000)},
	} {
		b.Run(tt.name, func(b *testing.B) {
			d := newDesk(b, Options{Drafts: &fakeDrafts{}})
			d.buf.reset(tt.text)
			d.buf.moveTo(d.buf.snap(len(tt.text) / 2))
			for b.Loop() {
				d.Update(tea.KeyPressMsg{Code: 'x', Text: "x"})
				d.View(80, 10)
			}
		})
	}
}
