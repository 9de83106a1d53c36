package plain

import (
	"strings"
	"unicode/utf8"
)

// maxSequence is the length up to which an escape sequence is taken for one, in bytes: an end that never comes must not
// hide the rest of a text.
const maxSequence = 4096

// A Stream is Text for text that arrives in pieces: an escape sequence, a character or a CR LF may be split between two.
// The zero value is ready; each text needs its own.
type Stream struct {
	keepMarks bool // those that reorder text
	state     state
	length    int    // of the sequence so far, in bytes
	cr        bool   // the last character was a carriage return
	tail      string // the beginning of a character
}

type state int

const (
	ground     state = iota
	escape           // after ESC
	control          // in a control sequence, before its final byte
	characters       // in a string sequence (OSC, DCS, APC, PM, SOS), before its end
)

// Next returns what the next piece adds.
func (t *Stream) Next(piece string) string {
	if t.state == ground && t.tail == "" && !t.cr && !rough(piece) {
		return piece
	}
	s := t.tail + piece
	t.tail = ""
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 && !utf8.FullRuneInString(s) {
			t.tail = s
			break
		}
		t.rune(&b, r, n)
		s = s[n:]
	}
	return b.String()
}

// End returns what is left when the text is over: a character that was never completed.
func (t *Stream) End() string {
	tail := t.tail
	t.tail = ""
	var b strings.Builder
	for range len(tail) {
		t.rune(&b, utf8.RuneError, 1)
	}
	return b.String()
}

// rune takes one character of n bytes.
func (t *Stream) rune(b *strings.Builder, r rune, n int) {
	if t.state != ground && t.inside(r, n) {
		return
	}
	after := t.cr
	t.cr = r == '\r'
	switch {
	case r == '\n' && after:
	case r == '\r':
		b.WriteByte('\n')
	case r == 0x1b:
		t.begin(escape)
	case r == 0x9b:
		t.begin(control)
	case r == 0x90, r == 0x98, r == 0x9d, r == 0x9e, r == 0x9f:
		t.begin(characters)
	case controls(r), !t.keepMarks && reorders(r):
	default:
		b.WriteRune(r)
	}
}

func (t *Stream) begin(s state) { t.state, t.length = s, 0 }

// inside reports whether r belongs to the sequence. If it does not, the sequence is over and r is like any other.
func (t *Stream) inside(r rune, n int) bool {
	if t.length += n; t.length > maxSequence {
		t.state = ground
		return false
	}
	switch t.state {
	case escape:
		switch {
		case r == '[':
			t.state = control
		case strings.ContainsRune("]PX^_", r) && t.length == n:
			t.state = characters
		case r >= ' ' && r <= '/':
		case r >= '0' && r <= '~':
			t.state = ground
		default:
			t.state = ground
			return false
		}
		return true
	case control:
		if r >= ' ' && r <= '?' {
			return true
		}
		t.state = ground
		return r >= '@' && r <= '~'
	}
	switch r {
	case 0x1b: // its own end, ESC \, is a sequence of its own; any other begins a new one
		t.state = ground
		return false
	case 0x07, 0x18, 0x1a, 0x9c:
		t.state = ground
	}
	return true
}

// rough reports whether Stream would change s.
func rough(s string) bool {
	for i, r := range s {
		switch {
		case controls(r), reorders(r):
			return true
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			return true
		}
	}
	return false
}

// controls reports the control characters of both sets, but line break and tab.
func controls(r rune) bool {
	return r < 0x20 && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0
}

// reorders reports the embeddings, overrides and isolates of bidirectional text. The marks that only give a place a
// direction belong to the scripts that need them.
func reorders(r rune) bool {
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}
