package render

import "strings"

// A cell is a grapheme cluster of a text that is being broken into rows.
type cell struct {
	span       int // which span it is from
	start, end int // its bytes there
	weight     int // the cells it takes at most
	kind       cellKind
}

type cellKind uint8

const (
	letter cellKind = iota // breaks only where the row ends
	space
	wide    // of a script without spaces: a row may end after it
	closing // like wide, but no row begins with it
	hard    // a line break
)

// wrap breaks spans into rows of at most so many cells: at line breaks, at spaces, which it then drops, around wide
// characters, and inside a word that is longer than a row. There is at least one row.
func wrap(spans []span, width int) []row {
	width = max(width, 1)
	if len(spans) == 1 && len(spans[0].text) <= width && plainASCII(spans[0].text) {
		return []row{{trimRight(spans[0])}}
	}
	spans = separate(spans, width)
	cells := measure(spans)
	var rows []row
	for start := 0; ; {
		end, next := breakAt(cells[start:], width)
		rows = append(rows, gather(spans, cells[start:start+end]))
		if start += next; next == 0 || start >= len(cells) {
			return rows
		}
	}
}

func trimRight(s span) span {
	s.text = strings.TrimRight(s.text, " ")
	return s
}

// separate replaces what no row can hold and tabs, which have no width of their own.
func separate(spans []span, width int) []span {
	changed := false
	for i, s := range spans {
		if plainASCII(s.text) {
			continue
		}
		text := strings.ReplaceAll(s.text, "\t", " ")
		if width < widest {
			text = shrink(text, width)
		}
		if text != s.text {
			if !changed {
				spans, changed = append([]span(nil), spans...), true
			}
			spans[i].text = text
		}
	}
	return spans
}

// widest is more cells than a cluster can take that anybody would write.
const widest = 16

// shrink replaces each cluster that is wider than a row.
func shrink(text string, width int) string {
	var b strings.Builder
	for len(text) > 0 {
		c, _, weight := cluster(text)
		if weight > width {
			b.WriteByte('?')
		} else {
			b.WriteString(c)
		}
		text = text[len(c):]
	}
	return b.String()
}

// measure lists the cells of spans.
func measure(spans []span) []cell {
	n := 0
	for _, s := range spans {
		n += len(s.text)
	}
	cells := make([]cell, 0, n)
	for i, s := range spans {
		for at := 0; at < len(s.text); {
			c := cell{span: i, start: at, weight: 1}
			switch b := s.text[at]; {
			case b == '\n':
				c.kind, c.weight, at = hard, 0, at+1
			case b == ' ':
				c.kind, at = space, at+1
			default:
				text, _, weight := cluster(s.text[at:])
				c.weight, at = weight, at+len(text)
				if len(text) > 1 && weight > 1 {
					c.kind = kindOf(text)
				}
			}
			c.end = at
			cells = append(cells, c)
		}
	}
	return cells
}

func kindOf(text string) cellKind {
	if strings.Contains("、。，．：；！？）」』】》〉〕｝］…―～ー々ゝゞ・", text) {
		return closing
	}
	return wide
}

// breakAt finds the end of the first row, and where the next begins. next is 0 if nothing is left.
func breakAt(cells []cell, width int) (end, next int) {
	used, last := 0, 0 // last: the row may end before this cell
	for i, c := range cells {
		switch c.kind {
		case hard:
			return trim(cells, i), i + 1
		case space:
			if i == 0 || cells[i-1].kind != space {
				last = i
			}
		case wide:
			last = i
		case letter:
			if i > 0 && (cells[i-1].kind == wide || cells[i-1].kind == closing) {
				last = i
			}
		}
		if used += c.weight; used > width && c.kind != space {
			if last == 0 || blank(cells[:last]) {
				last = max(i, 1)
			}
			return trim(cells, last), skip(cells, last)
		}
	}
	return trim(cells, len(cells)), 0
}

func blank(cells []cell) bool {
	for _, c := range cells {
		if c.kind != space {
			return false
		}
	}
	return true
}

// trim returns end without the spaces before it.
func trim(cells []cell, end int) int {
	for end > 0 && cells[end-1].kind == space {
		end--
	}
	return end
}

// skip returns start behind the spaces there.
func skip(cells []cell, start int) int {
	for start < len(cells) && cells[start].kind == space {
		start++
	}
	return start
}

// gather makes a row of cells.
func gather(spans []span, cells []cell) row {
	var r row
	for i := 0; i < len(cells); {
		j := i
		for j+1 < len(cells) && cells[j+1].span == cells[i].span {
			j++
		}
		s := spans[cells[i].span]
		s.text = s.text[cells[i].start:cells[j].end]
		r = append(r, s)
		i = j + 1
	}
	return r
}

// chop breaks one line of spans wherever a row is full and keeps every space: for code, of which copies are made.
func chop(spans []span, width int) []row {
	width = max(width, 1)
	if row(spans).ascii() <= width {
		return []row{spans}
	}
	spans = separate(spans, width)
	cells := measure(spans)
	var rows []row
	start, used := 0, 0
	for i, c := range cells {
		if used+c.weight > width {
			rows = append(rows, gather(spans, cells[start:i]))
			start, used = i, 0
		}
		used += c.weight
	}
	return append(rows, gather(spans, cells[start:]))
}

// ascii returns the cells of a row that is all ASCII, or more than any row has.
func (r row) ascii() (n int) {
	for _, s := range r {
		if !plainASCII(s.text) {
			return 1 << 30
		}
		n += len(s.text)
	}
	return n
}
