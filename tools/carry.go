package tools

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

// This file makes the new text for a place that matched, but not to the last byte. What the model has left as it was
// stays as the file has it: the blanks that it did not write, the typographic quotes that it wrote plainly, the line
// ends of each line.

// A carrier makes the new text for one place.
type carrier struct {
	fold
	eol   string                           // of new lines
	plain map[rune]bool                    // typographic characters that only the model has
	move  func(line string) (string, bool) // indents a line of the new text anew; nil leaves it
}

// carried makes a match of places at which the folded lines of old are.
func (ix indexed) carried(at []region, old, text []byte, f fold, how string) match {
	m := match{at: at, how: how}
	for _, r := range at {
		have := ix.data[r.from:r.to]
		put, _ := carrier{fold: f, eol: ix.eol(have), plain: onlyTypographic(old, have)}.text(have, old, text)
		m.texts = append(m.texts, put)
	}
	return m
}

// eol is how new lines end in a part of the file.
func (ix indexed) eol(part []byte) string {
	breaks := bytes.Contains(part, []byte{'\n'})
	if breaks && crlf(part) || !breaks && crlf(ix.data) {
		return "\r\n"
	}
	return "\n"
}

// onlyTypographic returns the typographic characters of old that the file's text does not have: the model has written
// them for plain ones, in its new text too.
func onlyTypographic(old, have []byte) map[rune]bool {
	if isASCII(old) {
		return nil
	}
	only := map[rune]bool{}
	for _, r := range string(old) {
		if plainRune(r) != "" && !bytes.ContainsRune(have, r) {
			only[r] = true
		}
	}
	return only
}

// text returns what goes into the place of have, in which the lines of old are. False: a line cannot be indented so.
func (c carrier) text(have, old, text []byte) ([]byte, bool) {
	given, was, want := ended(have, c.eol), bare(old), bare(text)
	out, ok := c.lines(given, was, want)
	if !ok {
		return nil, false
	}
	var b strings.Builder
	for i, l := range out {
		b.WriteString(l.text)
		if i+1 < len(out) {
			b.WriteString(l.eol)
		}
	}
	return []byte(b.String()), true
}

// An endedLine is a line and how it ends.
type endedLine struct{ text, eol string }

// ended splits a part of a file. A last line without a line end has the one that it would get.
func ended(part []byte, eol string) []endedLine {
	var out []endedLine
	lines := strings.Split(string(part), "\n")
	for i, l := range lines {
		e := endedLine{l, eol}
		if i+1 < len(lines) {
			e.eol = "\n"
			if cut, ok := strings.CutSuffix(l, "\r"); ok {
				e = endedLine{cut, "\r\n"}
			}
		}
		out = append(out, e)
	}
	return out
}

// bare splits a text of the model, for which line ends mean nothing.
func bare(text []byte) []string {
	return strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")
}

// lines returns the new lines: those that old and new have in common as the file has them.
func (c carrier) lines(have []endedLine, old, text []string) ([]endedLine, bool) {
	var out []endedLine
	at, to := 0, 0
	for _, s := range append(same(old, text), shared{len(old), len(text), 0}) {
		gone, fresh := have[at:s.old], text[to:s.new]
		for i, l := range fresh {
			e := endedLine{eol: c.eol}
			var ok bool
			if len(gone) == len(fresh) {
				e.eol = gone[i].eol
				e.text, ok = c.change(gone[i].text, old[at+i], l)
			} else {
				e.text, ok = c.fresh(l)
			}
			if !ok {
				return nil, false
			}
			out = append(out, e)
		}
		at, to = s.old+s.n, s.new+s.n
		out = append(out, have[s.old:at]...)
	}
	return out, true
}

// fresh returns a line that is all new.
func (c carrier) fresh(line string) (string, bool) {
	line = c.plainly(line)
	if c.move != nil {
		return c.move(line)
	}
	return line, true
}

// change returns a line that comes in the place of another. What it has in common with it, at its beginning and at its
// end, is as in the file.
func (c carrier) change(have, old, line string) (string, bool) {
	if c.move != nil {
		moved, ok := c.fresh(line)
		return moved + trailing(have, old, line), ok
	}
	head, tail := alike(old, line)
	from, ok1 := c.place(have, old[:head])
	to, ok2 := c.place(have, old[:len(old)-tail])
	if !ok1 || !ok2 || from > to {
		return c.plainly(line), true
	}
	rest := have[to:]
	if tail == 0 {
		rest = trailing(have, old, line)
	}
	return have[:from] + c.plainly(line[head:len(line)-tail]) + rest, true
}

// place is where in the file's line the text that follows before begins.
func (c carrier) place(have, before string) (int, bool) {
	folded, _ := plainText([]byte(before), -1)
	if !c.fold.plain {
		folded = []byte(before)
	}
	at, ok := c.column([]byte(have), len(folded))
	return at, ok && at <= len(have)
}

// plainly writes those typographic characters plainly that the file has not.
func (c carrier) plainly(s string) string {
	if len(c.plain) == 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		if c.plain[r] {
			b.WriteString(plainRune(r))
		} else {
			_, n := utf8.DecodeRuneInString(s[i:])
			b.WriteString(s[i : i+n])
		}
	}
	return b.String()
}

// trailing are the blanks at the end of the file's line, if the model has written none before and none after.
func trailing(have, old, line string) string {
	blanks := func(s string) string { return s[len(strings.TrimRight(s, " \t")):] }
	if blanks(old) != "" || blanks(line) != "" || strings.TrimSpace(line) == "" {
		return ""
	}
	return blanks(have)
}

// alike counts the bytes that two lines have in common at their beginning and, apart from these, at their end. It cuts
// no character.
func alike(a, b string) (head, tail int) {
	most := min(len(a), len(b))
	for head < most && a[head] == b[head] {
		head++
	}
	for head > 0 && (head < len(a) && !utf8.RuneStart(a[head]) || head < len(b) && !utf8.RuneStart(b[head])) {
		head--
	}
	for tail < most-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	for tail > 0 && !utf8.RuneStart(a[len(a)-tail]) {
		tail--
	}
	return head, tail
}

// shared is a run of n equal lines.
type shared struct{ old, new, n int }

// maxTable bounds the table by which equal lines are found, in cells: beyond it only those at both ends are.
const maxTable = 1 << 20

// same finds the runs of lines that two lists have in common, in order: a longest common subsequence.
func same(old, text []string) []shared {
	head := 0
	for head < min(len(old), len(text)) && old[head] == text[head] {
		head++
	}
	tail := 0
	for tail < min(len(old), len(text))-head && old[len(old)-1-tail] == text[len(text)-1-tail] {
		tail++
	}
	var runs []shared
	if head > 0 {
		runs = append(runs, shared{0, 0, head})
	}
	runs = append(runs, between(old[head:len(old)-tail], text[head:len(text)-tail], head)...)
	if tail > 0 {
		runs = append(runs, shared{len(old) - tail, len(text) - tail, tail})
	}
	return runs
}

// between is same for lists that differ at both ends. by is added to all places.
func between(old, text []string, by int) (runs []shared) {
	if len(old) == 0 || len(text) == 0 || len(old)*len(text) > maxTable {
		return nil
	}
	wide := len(text) + 1
	common := make([]int32, (len(old)+1)*wide) // common[i*wide+j]: how many lines old[i:] and text[j:] have in common
	for i, before := range slices.Backward(old) {
		for j, after := range slices.Backward(text) {
			if before == after {
				common[i*wide+j] = common[(i+1)*wide+j+1] + 1
			} else {
				common[i*wide+j] = max(common[(i+1)*wide+j], common[i*wide+j+1])
			}
		}
	}
	for i, j := 0, 0; i < len(old) && j < len(text); {
		switch {
		case old[i] == text[j]:
			runs = append(runs, shared{by + i, by + j, 1})
			i, j = i+1, j+1
		case common[(i+1)*wide+j] >= common[i*wide+j+1]:
			i++
		default:
			j++
		}
	}
	return runs
}
