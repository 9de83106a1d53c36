package editor

import (
	"strings"

	tea "charm.land/bubbletea/v2"
)

// A Key is a row of the help: keys and what they do.
type Key struct{ Keys, Help string }

// A binding is what some keys do.
type binding struct {
	keys string // as Bubble Tea writes them, with blanks between
	help string // "" for what needs no word
	do   func(e *Editor) tea.Cmd
}

// bindings are the keys of the editor, but those of a search, of a list of completions and of vi.
var bindings = []binding{
	{"enter", "send; during a turn: steer it", (*Editor).enter},
	{"alt+enter", "send when the turn is over", func(e *Editor) tea.Cmd { return e.send(true) }},
	{"shift+enter ctrl+j", `break the line, as \ and Enter`, act(func(e *Editor) { e.buf.seal(); e.buf.insert("\n") })},
	{"up ctrl+p", "line up, then back in the history", (*Editor).up},
	{"down ctrl+n", "line down, then forward in the history", (*Editor).down},
	{"ctrl+r", "search the history", (*Editor).openSearch},
	{"ctrl+g", "write in the external editor ($VISUAL or $EDITOR)", (*Editor).external},
	{"alt+o", "open the folded paste at the cursor", act((*Editor).openChip)},
	{"ctrl+_ ctrl+/ ctrl+- ctrl+shift+- ctrl+7", "undo", act(func(e *Editor) { e.buf.undo() })},
	{"alt+_ alt+/ ctrl+alt+_ ctrl+shift+z alt+shift+-", "redo", act(func(e *Editor) { e.buf.redo() })},
	{"left ctrl+b", "", act(func(e *Editor) { e.buf.moveTo(e.buf.prev(e.buf.cursor)) })},
	{"right ctrl+f", "", act(func(e *Editor) { e.buf.moveTo(e.buf.next(e.buf.cursor)) })},
	{"alt+b alt+left ctrl+left", "word back", act(func(e *Editor) { e.buf.moveTo(e.buf.wordStart(e.buf.cursor)) })},
	{"alt+f alt+right ctrl+right", "word forward", act(func(e *Editor) { e.buf.moveTo(e.buf.wordEnd(e.buf.cursor)) })},
	{"ctrl+a home", "beginning of the line", act(func(e *Editor) { e.buf.moveTo(e.buf.lineStart(e.buf.cursor)) })},
	{"ctrl+e end", "end of the line", act(func(e *Editor) { e.buf.moveTo(e.buf.lineEnd(e.buf.cursor)) })},
	{"ctrl+home alt+< alt+shift+,", "beginning of the text", act(func(e *Editor) { e.buf.moveTo(0) })},
	{"ctrl+end alt+> alt+shift+.", "end of the text", act(func(e *Editor) { e.buf.moveTo(len(e.buf.text)) })},
	{"backspace ctrl+h shift+backspace", "", act(func(e *Editor) { e.delete(e.buf.prev(e.buf.cursor), e.buf.cursor) })},
	{"delete ctrl+d", "", act(func(e *Editor) { e.delete(e.buf.cursor, e.buf.next(e.buf.cursor)) })},
	{"ctrl+w", "cut back to a blank", cut(func(b *buffer) (int, int) { return b.blankStart(b.cursor), b.cursor })},
	{"alt+backspace ctrl+backspace alt+ctrl+h ctrl+alt+h", "cut the word before", cut(func(b *buffer) (int, int) { return b.wordStart(b.cursor), b.cursor })},
	{"alt+d ctrl+delete alt+delete", "cut the word behind", cut(func(b *buffer) (int, int) { return b.cursor, b.wordEnd(b.cursor) })},
	{"ctrl+u", "cut to the beginning of the line", cut(cutBefore)},
	{"ctrl+k", "cut to the end of the line", cut(cutBehind)},
	{"ctrl+y", "put back what was cut", act(func(e *Editor) { e.buf.seal(); e.buf.insert(e.kill); e.buf.seal() })},
	{"ctrl+t", "swap two characters", act(func(e *Editor) { e.swap() })},
}

// byKey is bindings by key. It is filled by init, because some bindings lead back to it.
var byKey = make(map[string]*binding)

func init() {
	for i := range bindings {
		for key := range strings.FieldsSeq(bindings[i].keys) {
			byKey[key] = &bindings[i]
		}
	}
}

// Keys returns what the keys of the editor do, for help.
func Keys() []Key {
	list := []Key{
		{"@", "complete the name of a file"},
		{"/", "at the beginning: a command"},
		{"!", "at the beginning: run a shell command"},
	}
	for _, b := range bindings {
		if b.help != "" {
			first, _, _ := strings.Cut(b.keys, " ")
			list = append(list, Key{first, b.help})
		}
	}
	return list
}

func act(do func(*Editor)) func(*Editor) tea.Cmd {
	return func(e *Editor) tea.Cmd { do(e); return nil }
}

// cut makes a key of a range that it cuts out. What keys in a row cut out is put back as one.
func cut(which func(*buffer) (from, to int)) func(*Editor) tea.Cmd {
	return func(e *Editor) tea.Cmd {
		from, to := which(e.buf)
		if from == to {
			e.killing = true
			return nil
		}
		text, before := e.buf.text[from:to], to == e.buf.cursor
		switch {
		case !e.joins:
			e.kill = text
		case before:
			e.kill = text + e.kill
		default:
			e.kill += text
		}
		e.delete(from, to)
		e.killing, e.vim.lines = true, false
		return nil
	}
}

func cutBefore(b *buffer) (from, to int) {
	from = b.lineStart(b.cursor)
	if from == b.cursor {
		from = b.prev(from)
	}
	return from, b.cursor
}

func cutBehind(b *buffer) (from, to int) {
	to = b.lineEnd(b.cursor)
	if to == b.cursor {
		to = b.next(to)
	}
	return b.cursor, to
}

func (e *Editor) delete(from, to int) {
	e.buf.seal()
	e.buf.replace(from, to, "")
}

// swap exchanges the two characters before the cursor or, within a line, those around it.
func (e *Editor) swap() {
	b := e.buf
	mid := b.cursor
	if mid == b.lineEnd(mid) {
		mid = b.prev(mid)
	}
	from, to := b.prev(mid), b.next(mid)
	if from < b.lineStart(mid) || from == mid || to == mid {
		return
	}
	b.together(func() { b.replace(from, to, b.text[mid:to]+b.text[from:mid]) })
}

// openChip puts the text of the folded paste at the cursor, or before it, in its place.
func (e *Editor) openChip() {
	b := e.buf
	for _, at := range []int{b.cursor, b.prev(b.cursor)} {
		if b.classAt(at) != chipClass {
			continue
		}
		if c := e.chips.list[chipID(b.text[at:])]; c.image == nil {
			b.together(func() { b.replace(at, at+chipLen, c.paste) })
			return
		}
	}
}

// key takes a key.
func (e *Editor) key(msg tea.KeyPressMsg) tea.Cmd {
	key := msg.Keystroke()
	if e.search != nil {
		return e.searchKey(msg, key)
	}
	if e.complete.open() {
		if cmd, taken := e.completeKey(key); taken {
			return cmd
		}
	}
	if key == "esc" {
		e.escape()
		return nil
	}
	e.joins, e.killing = e.killing, false
	if e.vim.on && e.vim.normal {
		return e.vimKey(msg, key)
	}
	if v := &e.vim; v.inserting && !v.replaying {
		v.keys = append(v.keys, msg)
	}
	if b := byKey[key]; b != nil {
		return b.do(e)
	}
	e.typed(msg.Text)
	return nil
}

// typed inserts what a key types.
func (e *Editor) typed(text string) {
	if text = clean(text); text != "" && e.room(len(text)) {
		e.buf.insert(text)
	}
}

// room reports whether so many bytes more fit.
func (e *Editor) room(n int) bool {
	if len(e.buf.text)+e.chips.bytes+n <= MaxText {
		return true
	}
	return len(e.Value())+n <= MaxText && e.chips.bytes+n <= 4*MaxText // deleted ones are kept for undo
}

// escape leaves what can be left: an edit of something else, the insert mode of vi.
func (e *Editor) escape() {
	switch {
	case e.vim.on && !e.vim.normal:
		e.vim.leaveInsert(e)
	case e.vim.on && e.vim.pending():
		e.vim.clear()
	case e.editing != "":
		e.unedit()
	}
}

// Takes reports whether the editor has a use for a key that the program would use too: Esc while there is something to leave, Ctrl+C
// while a search is open, Ctrl+D while there is text. Others are the program's to give.
func (e *Editor) Takes(msg tea.KeyPressMsg) bool {
	switch msg.Keystroke() {
	case "esc":
		return e.search != nil || e.complete.open() || e.editing != "" || e.vim.on && (!e.vim.normal || e.vim.pending())
	case "ctrl+c":
		return e.search != nil
	case "ctrl+d":
		return e.buf.text != ""
	case "up", "down", "ctrl+p", "ctrl+n", "tab":
		return true
	}
	return byKey[msg.Keystroke()] != nil || msg.Text != ""
}
