package tools

import (
	"bytes"
	"strings"
	"unicode"
)

// fewWords is how many words a text must have to be known by its words alone: braces and a "return nil" are everywhere,
// and only their indentation tells them apart.
const fewWords = 3

// reindented finds whole lines that are equal to those of old but for an indentation that differs in the same way on
// all of them, and indents the new text in that way too.
func (ix indexed) reindented(old, text []byte) match {
	body, wholeLine := bytes.CutSuffix(old, []byte{'\n'})
	lines := splitIndents(body)
	if !telling(lines) {
		return match{}
	}
	var found match
	for i := 0; i+len(lines) <= len(ix.starts); i++ {
		change, ok := ix.indentChange(i, lines, splitIndents(text))
		if !ok {
			continue
		}
		last := i + len(lines) - 1
		r := region{ix.starts[i], ix.starts[last] + len(bytes.TrimSuffix(ix.line(last), []byte{'\r'}))}
		if wholeLine {
			if last+1 >= len(ix.starts) {
				continue
			}
			r.to = ix.starts[last+1]
		}
		have := ix.data[r.from:r.to]
		put, ok := carrier{eol: ix.eol(have), move: change.line}.text(have, old, text)
		if !ok {
			return match{} // here the new text cannot be indented: another place would be a guess
		}
		found.at, found.texts, found.how = append(found.at, r), append(found.texts, put), byIndent
	}
	if len(ix.found(found.at)) == 0 {
		return match{}
	}
	return found
}

// A textLine is a line in two parts.
type textLine struct{ indent, rest string }

func splitIndents(text []byte) []textLine {
	var lines []textLine
	for l := range strings.SplitSeq(string(text), "\n") {
		lines = append(lines, splitIndent(l))
	}
	return lines
}

func splitIndent(line string) textLine {
	line = strings.TrimRight(line, " \t\r")
	rest := strings.TrimLeft(line, " \t")
	return textLine{line[:len(line)-len(rest)], rest}
}

// telling reports whether lines hold enough words to be told from others without their indentation.
func telling(lines []textLine) bool {
	n := 0
	for _, l := range lines {
		n += len(words(l.rest))
	}
	return n >= fewWords
}

// An indentChange says how indentation as the model wrote it becomes that of the file.
type indentChange struct {
	scale   *scale // nil: only add and cut
	add     string // at the beginning of every line …
	cut     string // … in the place of this
	sameAll bool   // every line has the indentation cut, and gets add
}

// A scale turns widths of one character into widths of another: to = from·num/den + off.
type scale struct {
	from, to      byte
	num, den, off int
}

func (c indentChange) apply(indent string) (string, bool) {
	switch {
	case c.sameAll:
		return c.add, indent == c.cut
	case c.scale != nil:
		return c.scale.apply(indent)
	}
	indent, ok := strings.CutPrefix(indent, c.cut)
	return c.add + indent, ok
}

func (s scale) apply(indent string) (string, bool) {
	if strings.Trim(indent, string(s.from)) != "" || len(indent)*s.num%s.den != 0 {
		return "", false
	}
	n := len(indent)*s.num/s.den + s.off
	if n < 0 {
		return "", false
	}
	return strings.Repeat(string(s.to), n), true
}

// line indents one line anew; false: it has less indentation than must go, or one that has no counterpart.
func (c indentChange) line(l string) (string, bool) {
	rest := strings.TrimLeft(l, " \t")
	if rest == "" {
		return l, true
	}
	indent, ok := c.apply(l[:len(l)-len(rest)])
	return indent + rest, ok
}

// indentChange finds the one change that leads from the indentation of lines to that of the file from line i on, if
// their content is the same. text is what will be indented by it too.
func (ix indexed) indentChange(i int, lines, text []textLine) (indentChange, bool) {
	var given, there []string
	for k, l := range lines {
		have := splitIndent(string(ix.line(i + k)))
		if !ix.spend() || have.rest != l.rest {
			return indentChange{}, false
		}
		if l.rest != "" {
			given, there = append(given, l.indent), append(there, have.indent)
		}
	}
	c, ok := ix.changeOf(given, there, indents(text))
	if !ok {
		return c, false
	}
	for k, g := range given {
		if got, ok := c.apply(g); !ok || got != there[k] {
			return c, false
		}
	}
	return c, true
}

// indents are those of the lines that are not blank.
func indents(lines []textLine) (all []string) {
	for _, l := range lines {
		if l.rest != "" {
			all = append(all, l.indent)
		}
	}
	return all
}

// changeOf derives the change from the lines that are there. If their indentation leaves open how deeper and shallower
// lines of the new text are to be indented, it says no.
func (ix indexed) changeOf(given, there, text []string) (indentChange, bool) {
	if uniform(append(text, given...)) {
		return indentChange{cut: given[0], add: there[0], sameAll: true}, true
	}
	from, ok1 := charOf(append(text, given...))
	to, ok2 := charOf(there)
	if !ok1 || !ok2 {
		return shift(given[0], there[0]) // tabs and spaces on one line: all that can be is more or less of it
	}
	if to == 0 {
		to = ix.indentChar(from)
	}
	num, den := 0, 0
	for k := range given {
		if d := len(given[k]) - len(given[0]); d != 0 {
			num, den = len(there[k])-len(there[0]), d
			break
		}
	}
	if den == 0 {
		num, den = ix.unit(to), step(append(text, given...))
		if from == '\t' {
			den = 1
		}
		if num == 0 || den > 4 {
			return indentChange{}, false
		}
	}
	if den < 0 {
		num, den = -num, -den
	}
	if !plausible(from, to, num, den) || len(given[0])*num%den != 0 {
		return indentChange{}, false
	}
	return indentChange{scale: &scale{from, to, num, den, len(there[0]) - len(given[0])*num/den}}, true
}

func uniform(list []string) bool {
	for _, s := range list {
		if s != list[0] {
			return false
		}
	}
	return true
}

// charOf is the one character of which indentations are made, 0 if there are none.
func charOf(list []string) (byte, bool) {
	all := strings.Join(list, "")
	switch {
	case all == "":
		return 0, true
	case strings.Trim(all, all[:1]) != "":
		return 0, false
	}
	return all[0], true
}

// shift adds what the file has more at the beginning of lines, or cuts what it has less.
func shift(given, there string) (indentChange, bool) {
	if p, ok := strings.CutSuffix(there, given); ok {
		return indentChange{add: p}, true
	}
	p, ok := strings.CutSuffix(given, there)
	return indentChange{cut: p}, ok
}

// plausible says whether so many characters for so many others are levels of indentation: tabs are, one for one.
func plausible(from, to byte, num, den int) bool {
	if num <= 0 {
		return false
	}
	for _, p := range []int{2, 3} {
		for num%p == 0 && den%p == 0 {
			num, den = num/p, den/p
		}
	}
	switch {
	case from == '\t' && to == '\t':
		return num == den
	case from == '\t':
		return den == 1 && num <= 8
	case to == '\t':
		return num == 1 && 2 <= den && den <= 8
	}
	return num <= 4 && den <= 4
}

// step is the unit of a text's indentation: the greatest width by which all differences can be divided.
func step(list []string) (unit int) {
	for _, s := range list {
		a, b := len(s)-len(list[0]), unit
		if a < 0 {
			a = -a
		}
		for b != 0 {
			a, b = b, a%b
		}
		unit = a
	}
	return unit
}

// indentChar is the character by which most lines of the file are indented; like if none are.
func (ix indexed) indentChar(like byte) byte {
	tabs, spaces := 0, 0
	for i := range ix.starts {
		switch l := ix.line(i); {
		case len(l) > 0 && l[0] == '\t':
			tabs++
		case len(l) > 0 && l[0] == ' ':
			spaces++
		}
	}
	switch {
	case tabs > spaces:
		return '\t'
	case spaces > tabs:
		return ' '
	}
	return like
}

// unit is by how much the file's lines are mostly indented deeper than the line before, 0 if they are not. A tab is one.
func (ix indexed) unit(char byte) int {
	if char == '\t' {
		return 1
	}
	counts := map[int]int{}
	before := -1
	for i := range ix.starts {
		l := ix.line(i)
		if len(bytes.TrimSpace(l)) == 0 {
			continue
		}
		width := len(l) - len(bytes.TrimLeft(l, " "))
		if before >= 0 && width > before {
			counts[width-before]++
		}
		before = width
	}
	best := 0
	for n, c := range counts {
		if c > counts[best] || c == counts[best] && best > 0 && n < best {
			best = n
		}
	}
	return best
}

// words returns the words and numbers of a line.
func words(line string) []string {
	return strings.FieldsFunc(line, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' })
}
