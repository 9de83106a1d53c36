package sandbox

import (
	"bytes"
	"unicode/utf8"
)

// maxLine is the longest piece that a cleaner holds back while it waits for the end of a line, in bytes.
const maxLine = 64 << 10

// A cleaner turns what a program writes for a terminal into plain text: of a progress bar, which returns to the start
// of its line over and over, only the last state stays; colours and other control sequences go; what is not UTF-8
// becomes U+FFFD, one for each run.
type cleaner struct {
	emit     func(text []byte)
	line     []byte
	state    escape
	swallow  int  // bytes of a control string so far
	returned bool // a carriage return came: the next character overwrites the line
	given    bool // the beginning of the line was given out
}

type escape byte

const (
	plain     escape = iota
	escaped          // after ESC
	sequence         // inside ESC [ …
	control          // inside a string that ST or BEL ends: ESC ] …, ESC P …
	controlSt        // ESC inside such a string
	single           // inside ESC with intermediates
)

// maxControl bounds a control string: one that never ends would swallow the rest of the output.
const maxControl = 4 << 10

func (c *cleaner) Write(p []byte) (int, error) {
	for i := 0; i < len(p); {
		if c.state == plain && !c.returned {
			// Most output is printable: take it in runs.
			n := bytes.IndexFunc(p[i:], func(r rune) bool { return r < ' ' || r == 0x7f })
			if n < 0 {
				n = len(p) - i
			}
			c.put(p[i : i+n]...)
			if i += n; i == len(p) {
				break
			}
		}
		c.byte(p[i])
		i++
	}
	return len(p), nil
}

func (c *cleaner) byte(b byte) {
	switch c.state {
	case escaped:
		c.afterEscape(b)
	case sequence:
		if b >= 0x40 && b <= 0x7e || b < ' ' {
			c.state = plain
		}
	case single:
		if b >= 0x30 {
			c.state = plain
		}
	case control:
		c.inControl(b)
	case controlSt:
		c.state = plain
		if b != '\\' {
			c.afterEscape(b)
		}
	default:
		c.plain(b)
	}
}

func (c *cleaner) afterEscape(b byte) {
	switch {
	case b == '[':
		c.state = sequence
	case b == ']' || b == 'P' || b == 'X' || b == '^' || b == '_':
		c.state, c.swallow = control, 0
	case b >= ' ' && b < 0x30:
		c.state = single
	default:
		c.state = plain
	}
}

func (c *cleaner) inControl(b byte) {
	c.swallow++
	switch {
	case b == 0x1b:
		c.state = controlSt
	case b == 0x07:
		c.state = plain
	case b == '\n' || c.swallow > maxControl:
		c.state = plain
		c.plain(b)
	}
}

func (c *cleaner) plain(b byte) {
	if b == '\n' {
		c.returned, c.given = false, false
		c.line = append(c.line, '\n')
		c.flush()
		return
	}
	switch {
	case b == 0x1b:
		c.state = escaped
	case b == '\r':
		c.returned = true
	case b == '\b':
		if len(c.line) > 0 {
			c.line = c.line[:len(c.line)-1]
		}
	case b == '\t' || b >= ' ' && b != 0x7f:
		c.put(b)
	case b == 0:
		c.put(0xff) // not text: shown as U+FFFD
	}
}

func (c *cleaner) put(p ...byte) {
	if c.returned && len(p) > 0 {
		c.line, c.returned = c.line[:0], false
		if c.given { // it cannot be taken back: what overwrites it is a line of its own
			c.line, c.given = append(c.line, '\n'), false
		}
	}
	c.line = append(c.line, p...)
	if len(c.line) >= maxLine {
		c.flush()
	}
}

// give emits what there is of a line, as far as its characters are whole.
func (c *cleaner) give() {
	n := len(c.line)
	for cut := 0; cut < utf8.UTFMax && n > 0 && !utf8.Valid(c.line[max(0, n-utf8.UTFMax):n]); cut++ {
		if r, _ := utf8.DecodeLastRune(c.line[:n]); r != utf8.RuneError {
			break
		}
		n--
	}
	if n == 0 {
		return
	}
	rest := append([]byte(nil), c.line[n:]...)
	c.line, c.given = c.line[:n], true
	c.flush()
	c.line = append(c.line, rest...)
}

func (c *cleaner) flush() {
	if len(c.line) > 0 {
		c.emit(bytes.ToValidUTF8(c.line, []byte("\uFFFD")))
	}
	c.line = c.line[:0]
}
