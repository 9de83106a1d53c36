package tools

import (
	"bytes"
	"strings"
)

// reindented finds whole lines that are equal to those of old but for an indentation that differs in the same way on
// all of them, and indents the new text in that way too.
func (ix indexed) reindented(old, text []byte) match {
	body, wholeLine := bytes.CutSuffix(old, []byte{'\n'})
	lines := splitIndents(body)
	if blank(lines) {
		return match{}
	}
	var found match
	for i := 0; i+len(lines) <= len(ix.starts); i++ {
		if !ix.sameContent(i, lines) {
			continue
		}
		change, ok := ix.indentChange(i, lines)
		if !ok {
			continue
		}
		moved, ok := change.applyTo(text)
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
		found.at, found.texts = append(found.at, r), append(found.texts, moved)
		found.how = "with another indentation, which the new text got too"
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

func blank(lines []textLine) bool {
	for _, l := range lines {
		if l.rest != "" {
			return false
		}
	}
	return true
}

func (ix indexed) sameContent(i int, lines []textLine) bool {
	for k, l := range lines {
		if splitIndent(string(ix.line(i+k))).rest != l.rest {
			return false
		}
	}
	return true
}

// An indentChange says how indentation as the model wrote it becomes that of the file.
type indentChange struct {
	spaces   int    // so many spaces …
	toTabs   bool   // … become a tab, or the other way round
	add, cut string // at the beginning of every line
}

func (c indentChange) apply(indent string) (string, bool) {
	switch {
	case c.spaces > 0 && c.toTabs:
		unit := strings.Repeat(" ", c.spaces)
		n := 0
		for ; strings.HasPrefix(indent, unit); n++ {
			indent = indent[len(unit):]
		}
		return strings.Repeat("\t", n) + indent, true
	case c.spaces > 0:
		return strings.ReplaceAll(indent, "\t", strings.Repeat(" ", c.spaces)), true
	}
	indent, ok := strings.CutPrefix(indent, c.cut)
	return c.add + indent, ok
}

// applyTo indents a text anew; false: a line has less indentation than must go.
func (c indentChange) applyTo(text []byte) ([]byte, bool) {
	lines := strings.Split(string(text), "\n")
	for i, l := range lines {
		rest := strings.TrimLeft(l, " \t")
		if strings.TrimSpace(rest) == "" {
			continue
		}
		indent, ok := c.apply(l[:len(l)-len(rest)])
		if !ok {
			return nil, false
		}
		lines[i] = indent + rest
	}
	return []byte(strings.Join(lines, "\n")), true
}

// indentChange finds the one change that leads from the indentation of lines to that of the file from line i on.
func (ix indexed) indentChange(i int, lines []textLine) (indentChange, bool) {
	var candidates []indentChange
	for k, l := range lines {
		if l.rest == "" {
			continue
		}
		there := splitIndent(string(ix.line(i + k))).indent
		if len(candidates) == 0 {
			candidates = append(candidates, shifts(l.indent, there)...)
		}
		if c, ok := conversion(l.indent, there); ok {
			candidates = append(candidates, c)
			break
		}
	}
	for _, c := range candidates {
		if ix.fits(i, lines, c) {
			return c, true
		}
	}
	return indentChange{}, false
}

func (ix indexed) fits(i int, lines []textLine, c indentChange) bool {
	for k, l := range lines {
		if l.rest == "" {
			continue
		}
		got, ok := c.apply(l.indent)
		if !ok || got != splitIndent(string(ix.line(i+k))).indent {
			return false
		}
	}
	return true
}

func shifts(given, there string) []indentChange {
	if p, ok := strings.CutSuffix(there, given); ok {
		return []indentChange{{add: p}}
	}
	if p, ok := strings.CutSuffix(given, there); ok {
		return []indentChange{{cut: p}}
	}
	return nil
}

// conversion returns the change between spaces and tabs that one line shows.
func conversion(given, there string) (indentChange, bool) {
	only := func(s, c string) bool { return s != "" && strings.Trim(s, c) == "" }
	switch {
	case only(given, " ") && only(there, "\t") && len(given)%len(there) == 0:
		return indentChange{spaces: len(given) / len(there), toTabs: true}, true
	case only(given, "\t") && only(there, " ") && len(there)%len(given) == 0:
		return indentChange{spaces: len(there) / len(given)}, true
	}
	return indentChange{}, false
}
