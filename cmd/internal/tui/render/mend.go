package render

import "strings"

// A text that is still arriving ends anywhere: behind the first star of two, in the middle of an address, with a dash that
// will be an item, a rule or a heading. What stands here shows it as what it most likely becomes, so that a line does not
// change its looks with each delta. Nothing of it touches what is settled.

// mendLine returns the line that is not complete as lines to show now; none while it is too short to tell.
func (s *splitter) mendLine(partial string) []string {
	bare := strings.TrimSpace(partial)
	if s.state == inFence {
		if strings.Trim(bare, string(s.fence.mark)) == "" {
			return nil // the beginning of its end
		}
		return []string{partial}
	}
	switch {
	case s.state == inParagraph && !s.table && strings.HasPrefix(strings.TrimLeft(s.lastLine(), " "), "|"):
		if strings.Trim(bare, "|:- ") == "" {
			return []string{delimiter(s.lastLine())}
		}
	case strings.HasPrefix(bare, "|") && !s.table:
		from := strings.IndexByte(partial, '|')
		return []string{partial[:from] + mendText(partial[from:]), delimiter(partial)}
	case bare == "", undecided(bare):
		return nil
	}
	return []string{partial}
}

// delimiter returns the line that makes another one the head of a table.
func delimiter(head string) string {
	return "|" + strings.Repeat("-|", countCells(head))
}

// undecided reports whether a line that is not blank may become a block of another kind, or one whose mark is not complete.
func undecided(bare string) bool {
	switch c := bare[0]; {
	case c >= '0' && c <= '9':
		rest := strings.TrimLeft(bare, "0123456789")
		return len(bare)-len(rest) <= 3 && (rest == "" || rest == "." || rest == ")")
	case c == '`', c == '~':
		rest := strings.TrimLeft(bare, bare[:1])
		return rest == "" || len(bare)-len(rest) >= 3 && !strings.Contains(rest, "`")
	case strings.IndexByte("#-*+_=>", c) >= 0:
		rest := strings.TrimLeft(bare, bare[:1]+" ")
		return rest == "" || c != '#' && c != '>' && strings.HasPrefix(rest, "[") && len(rest) <= len("[x]")
	}
	return false
}

// mend closes what is open at the end of a piece.
func mend(source string) string {
	text := strings.TrimRight(source, "\n ")
	from := lastBlock(text)
	if from < 0 {
		return source
	}
	return text[:from] + mendText(text[from:]) + "\n"
}

// lastBlock returns where the text of the last paragraph begins, behind the marks of its line. -1: the end is code or HTML.
func lastBlock(text string) (from int) {
	var inside fence
	begin := true // the next line begins a block
	at := 0
	for line := range strings.Lines(text) {
		body := strings.TrimRight(line, "\n")
		start, item := 0, false
		if inside.length == 0 {
			start, item = behindMarks(body)
		}
		l := lookAt(body[start:])
		bare := strings.TrimLeft(body[start:], " \t")
		begin = begin || item
		switch {
		case inside.length > 0:
			if inside.closedBy(strings.TrimLeft(bare, "> ")) {
				inside, begin = fence{}, true
			}
		case fenceIn(bare).length > 0:
			inside = fenceIn(bare)
		case bare == "":
			begin = true
		case l.html != (html{}), at == 0 && start == 0 && l.indent >= codeIndent:
			return -1
		case begin || l.interrupts():
			from, begin = at+len(body)-len(bare), false
		}
		at += len(line)
	}
	if inside.length > 0 || begin {
		return -1
	}
	return from
}

// behindMarks returns where a line goes on behind the marks of quotes and items, and whether it begins an item.
func behindMarks(line string) (at int, item bool) {
	for {
		l := lookAt(line[at:])
		switch {
		case l.quote:
			at += strings.IndexByte(line[at:], '>') + 1
		case l.item.indent > 0 && l.item.indent <= len(line)-at:
			at, item = at+l.item.indent, true
		default:
			return at, item
		}
	}
}

// fenceIn returns the fence that a line begins with, wherever the line is indented.
func fenceIn(s string) fence {
	if s == "" || s[0] != '`' && s[0] != '~' {
		return fence{}
	}
	return fenceAt(s, 0)
}
