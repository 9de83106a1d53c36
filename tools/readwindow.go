package tools

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// maxColumns is how many characters of a line are shown.
const maxColumns = 2000

// A window collects numbered lines from the first on until the limit, of each the characters from the column on.
type window struct {
	first, most int
	column      int // 0: the first
	at          int // lines seen so far
	lines       []string
	size        int
	cut         int // the first line that goes on behind what is shown; 0: none
	longest     int // characters of the longest line
}

func newWindow(a readArgs, first int) *window {
	w := &window{first: first, most: maxLines}
	if a.Limit > 0 {
		w.most = min(a.Limit, maxLines)
	}
	if a.Column > 1 {
		w.column = a.Column
	}
	return w
}

// add takes the next line; false: the window is full.
func (w *window) add(line []byte) bool {
	if w.at+1 < w.first {
		w.at++
		return true
	}
	s := w.strip()
	s.write(line)
	return w.take(s)
}

// take takes the next line as far as a strip has it; false: the window is full.
func (w *window) take(s *strip) bool {
	w.at++
	kept := string(bytes.TrimRight(s.kept, "\r\n"))
	length := s.length()
	if length > s.from+maxColumns {
		kept += fmt.Sprintf(" … (line cut: %s characters)", thousands(length))
	}
	text := strconv.Itoa(w.at) + ":" + kept + "\n"
	if len(w.lines) == w.most || w.size+len(text) > maxBytes && len(w.lines) > 0 {
		return false
	}
	if length > s.from+maxColumns && w.cut == 0 {
		w.cut = w.at
	}
	w.longest = max(w.longest, length)
	w.lines, w.size = append(w.lines, text), w.size+len(text)
	return true
}

func (w *window) strip() *strip { return &strip{from: max(w.column-1, 0)} }

func (w *window) last() int { return w.first + len(w.lines) - 1 }

func (w *window) text() string { return strings.Join(w.lines, "") }

// beyond says that no line has a character at the column.
func (w *window) beyond(p *place) error {
	if w.column <= 1 || len(w.lines) == 0 || w.longest >= w.column {
		return nil
	}
	return fmt.Errorf("lines %d-%d of %s have at most %s; column %d is past their end", w.first, w.last(), p.shown, many(w.longest, "character"), w.column)
}

// more says which characters are shown, and how to see those behind them.
func (w *window) more() string {
	from := max(w.column, 1)
	switch {
	case w.cut > 0 && w.column > 0:
		return fmt.Sprintf("(characters %d-%d of each line; more of line %d: offset=%d, limit=1, column=%d)\n", from, from+maxColumns-1, w.cut, w.cut, from+maxColumns)
	case w.cut > 0:
		return fmt.Sprintf("(more of line %d: offset=%d, limit=1, column=%d)\n", w.cut, w.cut, from+maxColumns)
	case w.column > 0:
		return fmt.Sprintf("(each line from its character %d on)\n", from)
	}
	return ""
}

// A strip is what is kept of a line that comes in pieces: maxColumns characters behind the first from. A line may be longer
// than memory is large.
type strip struct {
	from int
	n    int // characters so far, the line end among them
	kept []byte
	end  [2]byte // the last two bytes
}

func (s *strip) write(piece []byte) {
	for _, b := range piece {
		if b&0xc0 != 0x80 { // the others continue a character
			s.n++
		}
		if s.n > s.from && s.n <= s.from+maxColumns {
			s.kept = append(s.kept, b)
		}
		s.end[0], s.end[1] = s.end[1], b
	}
}

// length is how many characters the line has without its end.
func (s *strip) length() int {
	switch {
	case s.end == [2]byte{'\r', '\n'}:
		return s.n - 2
	case s.end[1] == '\n':
		return s.n - 1
	}
	return s.n
}
