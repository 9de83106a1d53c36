package tools

import (
	"bytes"
	"unicode/utf8"
)

// This file finds the text that an edit means. It tries, in this order: the very bytes; the same lines with other line
// ends; with other spaces at their ends; with typographic characters written plainly; and, in reindent.go, with all
// lines indented more or less alike. It never guesses by similarity: at every step the rest of the text is equal.

// A match says where an edit's old text is, and what goes there.
type match struct {
	at    []region // in order; they may overlap
	texts [][]byte // the new text for each place, or one for all
	how   string   // "" when the match is exact
}

func (m match) text(i int) []byte { return m.texts[min(i, len(m.texts)-1)] }

// find returns the places of the first step that finds any.
func find(data, old, text []byte) match {
	if at := exact(data, old); len(at) > 0 {
		for i, r := range at {
			if r.from > 0 && data[r.from] == '\n' && data[r.from-1] == '\r' {
				at[i].from-- // half a line end cannot be replaced
			}
		}
		return match{at: at, texts: [][]byte{text}}
	}
	ix := index(data)
	for _, step := range []struct {
		fold
		how string
	}{
		{fold{}, "with other line ends"},
		{fold{spaces: true}, "with other spaces at the end of lines"},
		{fold{spaces: true, plain: true}, "with plain quotes, dashes and spaces for typographic ones"},
	} {
		if at := ix.find(old, step.fold); len(at) > 0 {
			return match{at: at, texts: [][]byte{text}, how: step.how}
		}
	}
	if m := ix.finalLine(old, text); len(m.at) > 0 {
		return m
	}
	return ix.reindented(old, text)
}

func exact(data, old []byte) []region {
	var at []region
	for from := 0; ; {
		i := bytes.Index(data[from:], old)
		if i < 0 {
			return at
		}
		at = append(at, region{from + i, from + i + len(old)})
		from += i + 1
	}
}

// indexed is a content with the beginning of each line.
type indexed struct {
	data   []byte
	starts []int // of lines; the last is where a next line would begin
}

func index(data []byte) indexed {
	ix := indexed{data: data, starts: []int{0}}
	for i, b := range data {
		if b == '\n' {
			ix.starts = append(ix.starts, i+1)
		}
	}
	return ix
}

// line returns a line without its LF.
func (ix indexed) line(i int) []byte {
	end := len(ix.data)
	if i+1 < len(ix.starts) {
		end = ix.starts[i+1] - 1
	}
	return ix.data[ix.starts[i]:end]
}

// A fold says which differences do not count. That between LF and CR LF never does.
type fold struct {
	spaces bool // blanks at the end of a line
	plain  bool // typographic characters and their plain form
}

func (f fold) apply(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte{'\r'})
	if f.spaces {
		line = bytes.TrimRight(line, " \t\r")
	}
	if f.plain {
		line, _ = plainText(line, -1)
		line = bytes.TrimRight(line, " ") // a no-break space is one now
	}
	return line
}

// column returns the place in the line at which a column of the folded line is, or false if it is inside a character.
func (f fold) column(line []byte, col int) (int, bool) {
	if !f.plain {
		return col, true
	}
	_, at := plainText(line, col)
	return at, at >= 0
}

// find returns the places at which the lines of old are, when both are folded. Of its first line the end of a line is
// enough, of its last the beginning, unless blanks say that the line ends there.
func (ix indexed) find(old []byte, f fold) []region {
	lines := bytes.Split(old, []byte{'\n'})
	last := len(lines) - 1
	ends := len(f.apply(lines[last])) < len(lines[last])
	for i, l := range lines {
		lines[i] = f.apply(l)
	}
	switch {
	case len(bytes.Join(lines, nil)) == 0:
		return nil // blank lines are everywhere
	case last == 0 && ends:
		return ix.findEnds(lines[0], f)
	case last == 0:
		return ix.findInside(lines[0], f)
	}
	var at []region
	for i := 0; i+last < len(ix.starts); i++ {
		if r, ok := ix.spans(i, lines, ends, f); ok {
			at = append(at, r)
		}
	}
	return at
}

// spans matches folded lines from the i-th line on.
func (ix indexed) spans(i int, lines [][]byte, ends bool, f fold) (region, bool) {
	last := len(lines) - 1
	first, final := ix.line(i), ix.line(i+last)
	head, tail := f.apply(first), f.apply(final)
	if !bytes.HasSuffix(head, lines[0]) || !bytes.HasPrefix(tail, lines[last]) || ends && len(tail) > len(lines[last]) {
		return region{}, false
	}
	for k := 1; k < last; k++ {
		if !bytes.Equal(f.apply(ix.line(i+k)), lines[k]) {
			return region{}, false
		}
	}
	from, ok1 := f.column(first, len(head)-len(lines[0]))
	to, ok2 := f.column(final, len(lines[last]))
	return region{ix.starts[i] + from, ix.starts[i+last] + to}, ok1 && ok2
}

// findInside finds one folded piece inside of lines.
func (ix indexed) findInside(piece []byte, f fold) []region {
	if !f.plain {
		return nil // without typographic characters an exact match would have found it
	}
	var at []region
	for i := range ix.starts {
		line := ix.line(i)
		for _, r := range exact(f.apply(line), piece) {
			from, ok1 := f.column(line, r.from)
			to, ok2 := f.column(line, r.to)
			if ok1 && ok2 {
				at = append(at, region{ix.starts[i] + from, ix.starts[i] + to})
			}
		}
	}
	return at
}

// findEnds finds one folded piece at the end of lines.
func (ix indexed) findEnds(piece []byte, f fold) []region {
	if len(piece) == 0 {
		return nil
	}
	var at []region
	for i := range ix.starts {
		line := ix.line(i)
		folded := f.apply(line)
		if !bytes.HasSuffix(folded, piece) {
			continue
		}
		from, ok1 := f.column(line, len(folded)-len(piece))
		to, ok2 := f.column(line, len(folded))
		if ok1 && ok2 {
			at = append(at, region{ix.starts[i] + from, ix.starts[i] + to})
		}
	}
	return at
}

// finalLine finds old text that ends in a line end at the end of a file that does not, which it then still will not.
func (ix indexed) finalLine(old, text []byte) match {
	short, ok := bytes.CutSuffix(old, []byte{'\n'})
	if !ok || bytes.HasSuffix(ix.data, []byte{'\n'}) || len(bytes.TrimSpace(short)) == 0 {
		return match{}
	}
	at := exact(ix.data, short)
	if len(at) == 0 {
		at = ix.find(short, fold{spaces: true})
	}
	for _, r := range at {
		if r.to == len(ix.data) {
			text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte{'\n'}), []byte{'\r'})
			return match{at: []region{r}, texts: [][]byte{text}, how: "without a line end at the end of the file"}
		}
	}
	return match{}
}

// plainText writes typographic characters plainly. at is the place in line at which the col-th byte of the result
// begins, -1 if that is inside a character.
func plainText(line []byte, col int) (out []byte, at int) {
	if at = -1; isASCII(line) {
		if col >= 0 && col <= len(line) {
			at = col
		}
		return line, at
	}
	out = make([]byte, 0, len(line))
	for i := 0; i < len(line); {
		if len(out) == col {
			at = i
		}
		r, n := utf8.DecodeRune(line[i:])
		if p := plainRune(r); p != "" {
			out = append(out, p...)
		} else {
			out = append(out, line[i:i+n]...)
		}
		i += n
	}
	if len(out) == col {
		at = len(line)
	}
	return out, at
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// plainRune returns what a typographic character is on a plain keyboard, "" if it is none.
func plainRune(r rune) string {
	switch {
	case '\u2018' <= r && r <= '\u201B' || r == '\u2032':
		return "'"
	case '\u201C' <= r && r <= '\u201F' || r == '\u2033':
		return `"`
	case '\u2010' <= r && r <= '\u2015' || r == '\u2212':
		return "-"
	case '\u2000' <= r && r <= '\u200A' || r == '\u00A0' || r == '\u202F' || r == '\u205F' || r == '\u3000':
		return " "
	case r == '\u2026':
		return "..."
	}
	return ""
}
