package editor

import "strings"

// A buffer is a text with a cursor. Places in it are offsets in bytes, always at the border of a grapheme cluster: what a
// person sees as one character is passed and deleted as one. A chip, which stands for something folded, is one too.
//
// The text is one string, and its rows on the screen are kept beside it: a key costs a copy of the text, which is 0.1 ms
// for a megabyte, and the wrapping of some three rows.
type buffer struct {
	measure

	text   string
	cursor int
	goal   int   // column that moves up and down aim at; -1: that of the cursor
	width  int   // of a row in cells; a blank may stand behind it, and so may the cursor
	rows   []int // where the rows begin; the first is 0

	past, future []edit // to undo, to redo
	bytes        int    // that past and future hold
	open         bool   // the last edit may grow by the next letter
	group        int    // above 0: edits belong to one step of undo
	step         int    // numbers the steps
}

// An edit is one change of the text.
type edit struct {
	step          int
	at            int
	before, after string // what stood there, what stands there
	from, to      int    // the cursor before and after
}

// Bounds of what can be undone.
const (
	maxEdits     = 2000
	maxEditBytes = 32 << 20
)

func newBuffer(m measure) *buffer {
	return &buffer{measure: m, goal: -1, width: 78, rows: []int{0}}
}

// replace puts s in the place of what stands between two places, and the cursor behind it.
func (b *buffer) replace(from, to int, s string) {
	if from == to && s == "" {
		return
	}
	before, old := b.cursor, b.text[from:to]
	b.put(from, to, s)
	b.cursor = b.snap(from + len(s))
	b.record(edit{at: from, before: old, after: s, from: before, to: b.cursor})
}

// put changes the text and its rows, and nothing else.
func (b *buffer) put(from, to int, s string) {
	b.text = b.text[:from] + s + b.text[to:]
	b.rewrap(from, to, len(s))
	b.goal = -1
}

// insert types s at the cursor.
func (b *buffer) insert(s string) { b.replace(b.cursor, b.cursor, s) }

// reset makes the text s, with nothing to undo and the cursor at its end.
func (b *buffer) reset(s string) {
	b.text, b.cursor, b.goal = s, len(s), -1
	b.past, b.future, b.bytes, b.open, b.group = nil, nil, 0, false, 0
	b.wrap()
}

// record keeps an edit for undo. Letters that are typed one after the other are undone as words.
func (b *buffer) record(e edit) {
	b.future = nil
	if b.group == 0 {
		b.step++
	}
	e.step = b.step
	if n := len(b.past); b.open && n > 0 && b.group == 0 {
		if last := &b.past[n-1]; e.before == "" && last.at+len(last.after) == e.at && joins(last.after, e.after) {
			last.after += e.after
			last.to = e.to
			b.bytes += len(e.after)
			return
		}
	}
	b.open = e.before == "" && len(e.after) <= 8 && b.group == 0
	b.past = append(b.past, e)
	b.bytes += len(e.before) + len(e.after)
	for len(b.past) > 1 && (len(b.past) > maxEdits || b.bytes > maxEditBytes) {
		b.bytes -= len(b.past[0].before) + len(b.past[0].after)
		b.past = b.past[1:]
	}
}

// joins reports whether what is typed goes on with the word before it.
func joins(word, next string) bool {
	return len(next) <= 8 && !strings.HasSuffix(word, " ") && !strings.Contains(next, "\n") && !strings.HasSuffix(word, "\n") && next[0] != chipMark && len(word) < 256
}

// together makes what do changes one step of undo.
func (b *buffer) together(do func()) {
	b.begin()
	do()
	b.end()
}

// begin begins a step of undo that lasts until end.
func (b *buffer) begin() {
	b.seal()
	if b.group == 0 {
		b.step++
	}
	b.group++
}

func (b *buffer) end() {
	b.group = max(b.group-1, 0)
	b.seal()
}

// seal ends the word that is typed, for undo.
func (b *buffer) seal() { b.open = false }

// undo takes the last step back. It is false when there is none.
func (b *buffer) undo() bool {
	b.seal()
	if len(b.past) == 0 {
		return false
	}
	for step := b.past[len(b.past)-1].step; len(b.past) > 0; {
		e := b.past[len(b.past)-1]
		if e.step != step {
			break
		}
		b.past = b.past[:len(b.past)-1]
		b.future = append(b.future, e)
		b.put(e.at, e.at+len(e.after), e.before)
		b.cursor = b.snap(e.from)
	}
	return true
}

// redo does again what was undone last. It is false when there is nothing.
func (b *buffer) redo() bool {
	b.seal()
	if len(b.future) == 0 {
		return false
	}
	for step := b.future[len(b.future)-1].step; len(b.future) > 0; {
		e := b.future[len(b.future)-1]
		if e.step != step {
			break
		}
		b.future = b.future[:len(b.future)-1]
		b.past = append(b.past, e)
		b.put(e.at, e.at+len(e.before), e.after)
		b.cursor = b.snap(e.to)
	}
	return true
}
