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

// The ways in which a match that is not exact was found.
const (
	byLineEnds   = "with other line ends"
	bySpaces     = "with other spaces at the end of lines"
	byCharacters = "with plain quotes, dashes and spaces for typographic ones"
	byIndent     = "with another indentation, which the new text got too"
	byFinalLine  = "without a line end at the end of the file"
)

// folds are the steps between the exact one and that of reindent.go.
var folds = []struct {
	fold
	how string
}{
	{fold{}, byLineEnds},
	{fold{spaces: true}, bySpaces},
	{fold{spaces: true, plain: true}, byCharacters},
}

// find returns the places of the first step that finds any.
func find(data, old, text []byte) match {
	if at := exact(data, old); len(at) > 0 {
		return exactly(data, at, text)
	}
	ix := index(data)
	for _, step := range folds {
		if at := ix.find(old, step.fold); len(at) > 0 {
			return ix.carried(at, old, text, step.fold, step.how)
		}
	}
	if m := ix.finalLine(old, text); len(m.at) > 0 {
		return m
	}
	return ix.reindented(old, text)
}

// exactly makes the match of places that are equal to the last byte. New lines end as those that they replace, else as
// those of the file; half a line end is never replaced.
func exactly(data []byte, at []region, text []byte) match {
	m := match{at: at}
	windows := crlf(data)
	for i, r := range at {
		put := text
		if data[r.from] == '\n' && r.from > 0 && data[r.from-1] == '\r' {
			at[i].from--
		}
		if r.to < len(data) && data[r.to] == '\n' && data[r.to-1] == '\r' {
			at[i].to--
			put = bytes.TrimSuffix(put, []byte{'\r'})
		}
		old := data[at[i].from:at[i].to]
		if breaks := bytes.Contains(old, []byte{'\n'}); breaks && crlf(old) || !breaks && windows {
			put = toCRLF(put)
		}
		m.texts = append(m.texts, put)
	}
	return m
}

// mostOverlapping is up to how many places those are counted that overlap the one before: to find them takes as long as
// the text is, for each.
const mostOverlapping = 1000

// exact returns all places of old, the first that overlap included. An empty text is nowhere.
func exact(data, old []byte) (at []region) {
	for from := 0; len(old) > 0; {
		i := bytes.Index(data[from:], old)
		if i < 0 {
			return at
		}
		at = append(at, region{from + i, from + i + len(old)})
		if from += i + 1; len(at) > mostOverlapping {
			from += len(old) - 1
		}
	}
	return at
}

// indexed is a content with the beginning of each line. A byte order mark is before the first.
type indexed struct {
	data   []byte
	starts []int // of lines; the last is where a next line would begin
	work   *int  // how many lines were compared
}

// maxWork bounds the lines that are compared to find one text: some seconds. Only a long text that begins in the same way
// again and again comes near it; then it is as if it were not there.
const maxWork = 20_000_000

// spend counts a comparison; false: there have been too many.
func (ix indexed) spend() bool {
	*ix.work++
	return *ix.work <= maxWork
}

func index(data []byte) indexed {
	ix := indexed{data: data, starts: []int{0}, work: new(int)}
	if bytes.HasPrefix(data, bom) {
		ix.starts[0] = len(bom)
	}
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

// count is the number of lines; what follows the last line end is one only if it is not empty.
func (ix indexed) count() int {
	if ix.starts[len(ix.starts)-1] == len(ix.data) {
		return len(ix.starts) - 1
	}
	return len(ix.starts)
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
	return ix.found(at)
}

// found is at, or nothing if not all of the file was looked at.
func (ix indexed) found(at []region) []region {
	if *ix.work > maxWork {
		return nil
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
		if !ix.spend() || !bytes.Equal(f.apply(ix.line(i+k)), lines[k]) {
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
	text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte{'\n'}), []byte{'\r'})
	for _, r := range exact(ix.data, short) {
		if r.to == len(ix.data) {
			m := exactly(ix.data, []region{r}, text)
			m.how = byFinalLine
			return m
		}
	}
	for _, step := range folds {
		for _, r := range ix.find(short, step.fold) {
			if r.to+len(ix.data[r.to:])-len(bytes.TrimLeft(ix.data[r.to:], " \t")) == len(ix.data) {
				return ix.carried([]region{r}, short, text, step.fold, byFinalLine)
			}
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
