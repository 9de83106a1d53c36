package tools

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// This file finds the lines that a hunk changes, by the steps of match.go, of which each finds whole lines here. They
// must be there only once: in the file, or under the lines that the hunk's @@ lines name.

// hunk makes one change of a patch, or notes why it cannot be made.
func (d *draft) hunk(name string, h hunk) {
	old, text := h.sides()
	r := replacement{Old: strings.Join(old, "\n"), New: strings.Join(text, "\n")}
	ix := index(d.data)
	if len(old) == 0 {
		d.append(name, ix, h, r)
		return
	}
	under, err := ix.under(h.headers)
	if err != nil {
		d.fail(name, "%v", err)
		return
	}
	m := ix.findLines(old, text, under)
	if h.last {
		m = m.atEnd(ix)
	}
	switch {
	case len(m.at) > 1:
		d.fail(name, "its lines (context and -) are in the file %d times, at %s%s: take in more context, or name the class and function that they are in with @@ lines", len(m.at), d.lineList(m.at), in(m.how))
	case len(m.at) == 0:
		d.fail(name, "%s", d.elsewhere(ix, h, r, under))
	default:
		d.put(name, r, m)
	}
}

// append puts lines without context at the end of the file, if the patch says so or there is nothing else.
func (d *draft) append(name string, ix indexed, h hunk, r replacement) {
	if !h.last && len(bytes.TrimPrefix(d.data, bom)) > 0 {
		d.fail(name, "it has only lines with +, so nobody knows where they go: give lines of context around them, or %q behind them", fileEnd)
		return
	}
	end, eol := len(d.data), ix.eol(nil)
	text := strings.ReplaceAll(r.New, "\n", eol) + eol
	if end > 0 && d.data[end-1] != '\n' && !bytes.Equal(d.data, bom) {
		text = eol + strings.TrimSuffix(text, eol) // as the file had none, it ends without a line end
	}
	d.put(name, r, match{at: []region{{end, end}}, texts: [][]byte{[]byte(text)}})
}

// elsewhere says why a hunk has no place.
func (d *draft) elsewhere(ix indexed, h hunk, r replacement, under []span) string {
	old, text := h.sides()
	if m := ix.findLines(old, text, ix.whole()); len(m.at) > 0 {
		at := d.lineList(m.at)
		if h.last {
			return fmt.Sprintf("its lines are in the file at %s, but not at its end, as %q says: leave that out, or correct the context", at, fileEnd)
		}
		if len(h.headers) > 0 {
			return fmt.Sprintf("its lines are in the file at %s, but not under @@ %s, which is at %s: correct either", at, h.headers[len(h.headers)-1], spanList(under))
		}
	}
	return strings.Replace(d.nearest(r.Old, r.New), "old is not in the file", "its lines (context and -) are not in the file", 1)
}

// A span is some lines of a file, counted from 0: from the first up to the one that ends it.
type span struct{ from, to int }

func (ix indexed) whole() []span { return []span{{0, ix.count()}} }

// spanList names the lines of spans.
func spanList(spans []span) string {
	var parts []string
	for _, s := range spans[:min(len(spans), 20)] {
		parts = append(parts, fmt.Sprintf("lines %d-%d", s.from+1, s.to))
	}
	return strings.Join(parts, " and ")
}

// under returns the parts of the file that are under the given lines, each inside the one before. A line is found as it
// is, else apart from its indentation, else by its beginning.
func (ix indexed) under(headers []string) ([]span, error) {
	spans := ix.whole()
	for _, h := range headers {
		var inner []span
		want := strings.TrimSpace(h)
		for _, same := range []func(line string) bool{
			func(l string) bool { return l == h },
			func(l string) bool { return strings.TrimSpace(l) == want },
			func(l string) bool { return want != "" && strings.HasPrefix(strings.TrimSpace(l), want) },
		} {
			if inner = ix.parts(spans, same); len(inner) > 0 {
				break
			}
		}
		if len(inner) == 0 {
			return nil, fmt.Errorf("there is no line @@ %s in the file%s: %s", h, inside(spans, ix),
				strings.TrimPrefix((&draft{data: ix.data}).nearest(h, ""), "old is not in the file; "))
		}
		spans = inner
	}
	return spans, nil
}

func inside(spans []span, ix indexed) string {
	if slices.Equal(spans, ix.whole()) {
		return ""
	}
	return " in " + spanList(spans)
}

// parts are the blocks that begin with a line that is meant.
func (ix indexed) parts(spans []span, meant func(line string) bool) (found []span) {
	for _, s := range spans {
		for i := s.from; i < s.to; i++ {
			if meant(strings.TrimRight(string(ix.line(i)), " \t\r")) {
				found = append(found, span{i, min(ix.blockEnd(i), s.to)})
			}
		}
	}
	return found
}

// blockEnd is where the block ends that a line begins: at the next line that is not indented deeper, unless that one
// goes on with the block. A line with nothing deeper below it begins what is there up to the end of the file.
func (ix indexed) blockEnd(first int) int {
	width := func(i int) int {
		l := ix.line(i)
		return len(l) - len(bytes.TrimLeft(l, " \t"))
	}
	deeper := false
	for i := first + 1; i < ix.count(); i++ {
		rest := bytes.TrimSpace(ix.line(i))
		switch {
		case len(rest) == 0:
		case width(i) > width(first):
			deeper = true
		case !goesOn(string(rest)) && !deeper:
			return ix.count()
		case !goesOn(string(rest)):
			return i
		}
	}
	return ix.count()
}

// goesOn reports whether a line goes on with a block at the indentation of its beginning: a brace, an else.
func goesOn(line string) bool {
	w := words(line)
	if len(w) == 0 || !strings.HasPrefix(line, w[0]) {
		return true // a brace or another sign
	}
	switch w[0] {
	case "else", "elif", "elsif", "except", "rescue", "catch", "finally", "ensure", "end", "fi", "done", "esac", "case", "default", "then", "do", "begin":
		return true
	}
	return false
}

// findLines finds whole lines that begin under one of the spans.
func (ix indexed) findLines(old, text []string, under []span) match {
	if len(strings.TrimSpace(strings.Join(old, ""))) == 0 && len(old) < ix.count() {
		return match{} // blank lines are everywhere
	}
	raw := func(l []byte) []byte { return bytes.TrimSuffix(l, []byte{'\r'}) }
	if at := ix.runs(old, under, raw); len(at) > 0 {
		how := ""
		return ix.linesMatch(at, old, text, carrier{}, how)
	}
	for _, step := range folds[1:] {
		if at := ix.runs(old, under, step.apply); len(at) > 0 {
			return ix.linesMatch(at, old, text, carrier{fold: step.fold}, step.how)
		}
	}
	given, fresh := splitIndents([]byte(strings.Join(old, "\n"))), splitIndents([]byte(strings.Join(text, "\n")))
	if !telling(given) {
		return match{}
	}
	var found match
	for _, s := range ix.begins(under, len(old)) {
		change, ok := ix.indentChange(s, given, fresh)
		if !ok {
			continue
		}
		m := ix.linesMatch([]int{s}, old, text, carrier{move: change.line}, byIndent)
		if len(m.at) == 0 {
			return match{}
		}
		found.at, found.texts, found.how = append(found.at, m.at...), append(found.texts, m.texts...), m.how
	}
	if len(ix.found(found.at)) == 0 {
		return match{}
	}
	return found
}

// begins are the lines under the spans at which n lines can begin, each once.
func (ix indexed) begins(under []span, n int) (lines []int) {
	for _, s := range under {
		for i := s.from; i < s.to && i+n <= ix.count(); i++ {
			lines = append(lines, i)
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// runs finds lines that are equal when both are folded.
func (ix indexed) runs(old []string, under []span, fold func([]byte) []byte) (at []int) {
	want := make([][]byte, len(old))
	for i, l := range old {
		want[i] = fold([]byte(l))
	}
next:
	for _, i := range ix.begins(under, len(old)) {
		for k, l := range want {
			if !ix.spend() || !bytes.Equal(fold(ix.line(i+k)), l) {
				continue next
			}
		}
		at = append(at, i)
	}
	if *ix.work > maxWork {
		return nil
	}
	return at
}

// linesMatch makes a match of whole lines.
func (ix indexed) linesMatch(at []int, old, text []string, c carrier, how string) match {
	m := match{how: how}
	for _, first := range at {
		r := region{ix.starts[first], len(ix.data)}
		if next := first + len(old); next < len(ix.starts) {
			r.to = ix.starts[next]
		}
		have := ix.data[r.from:r.to]
		c.eol, c.plain = ix.eol(have), nil
		if c.fold.plain {
			c.plain = onlyTypographic([]byte(strings.Join(old, "\n")), have)
		}
		lines, open := ended(have, c.eol), true
		if bytes.HasSuffix(have, []byte{'\n'}) {
			lines, open = lines[:len(lines)-1], false
		}
		out, ok := c.lines(lines, old, text)
		if !ok {
			return match{}
		}
		var put strings.Builder
		for i, l := range out {
			put.WriteString(l.text)
			if !open || i+1 < len(out) {
				put.WriteString(l.eol)
			}
		}
		m.at, m.texts = append(m.at, r), append(m.texts, []byte(put.String()))
	}
	return m
}

// atEnd keeps what is at the end of the file, blank lines behind it not counted.
func (m match) atEnd(ix indexed) match {
	kept := match{how: m.how}
	for i, r := range m.at {
		if len(bytes.TrimSpace(ix.data[r.to:])) == 0 {
			kept.at, kept.texts = append(kept.at, r), append(kept.texts, m.text(i))
		}
	}
	return kept
}
