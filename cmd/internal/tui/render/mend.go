package render

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

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

// mendText closes what is open at the end of a paragraph.
func mendText(text string) string {
	m := mender{text: text, table: strings.HasPrefix(text, "|")}
	if len(text) > longestMended {
		m.at = len(text) - longestMended
		m.at += max(strings.IndexByte(text[m.at:], ' '), 0)
	}
	for m.at < len(text) {
		m.step()
	}
	return m.closed()
}

// lastBlock returns where the text of the last paragraph begins, behind the marks of its line. -1: the end is code or HTML.
func lastBlock(text string) (from int) {
	var inside fence
	begin := true // the next line begins a block
	at := 0
	for line := range strings.Lines(text) {
		body := strings.TrimRight(line, "\n")
		start := 0
		var l look
		for marks := true; marks; {
			l = lookAt(body[start:])
			switch {
			case inside.length > 0:
				marks = false
			case l.quote:
				start += strings.IndexByte(body[start:], '>') + 1
			case l.item.indent > 0 && l.item.indent <= len(body)-start:
				start += l.item.indent
				begin = true
			default:
				marks = false
			}
		}
		bare := strings.TrimLeft(body[start:], " \t")
		switch {
		case inside.length > 0:
			if inside.closedBy(strings.TrimLeft(bare, "> ")) {
				inside, begin = fence{}, true
			}
		case fenceIn(bare).length > 0:
			inside = fenceIn(bare)
		case bare == "":
			begin = true
		case begin || l.interrupts():
			from, begin = at+len(body)-len(bare), false
			if l.indent >= codeIndent && start == 0 && at == 0 || l.html != (html{}) {
				return -1
			}
		}
		at += len(line)
	}
	if inside.length > 0 || begin {
		return -1
	}
	return from
}

// fenceIn returns the fence that a line begins with, wherever the line is indented.
func fenceIn(s string) fence {
	if s == "" || s[0] != '`' && s[0] != '~' {
		return fence{}
	}
	return fenceAt(s, 0)
}

// A mender walks through the text of a paragraph and keeps what is open.
type mender struct {
	text  string
	table bool // it is one: each cell is by itself
	at    int
	open  []run
	label run    // where the text of a link has begun; count 0: nowhere
	end   int    // the text is cut here; 0: it is not
	tail  string // what closes it there
}

// A run is one or more of the same mark that begin emphasis.
type run struct {
	mark  byte
	count int
	at    int
}

// longestMended is how much of a paragraph is looked at, in bytes: a mark that is not closed for so long will hardly be.
const longestMended = 2048

// farthest is how many bytes after a mark it is still taken to be one: what is not closed by then will hardly be.
const farthest = 400

func (m *mender) step() {
	switch c := m.text[m.at]; c {
	case '|', '\n':
		if m.table { // nothing goes on in the next cell
			m.open, m.label = nil, run{}
		}
		m.at++
	case 'h', 'w':
		m.address()
	case '<':
		m.autolink()
	case '\\':
		m.at += 2
	case '`':
		m.codeSpan()
	case '*', '_', '~':
		m.emphasis(c)
	case '[':
		m.bracket()
	case ']':
		m.link()
	default:
		m.at++
	}
}

// address skips a bare address, in which no mark means anything.
func (m *mender) address() {
	rest := m.text[m.at:]
	m.at++
	for _, prefix := range []string{"https://", "http://", "www."} {
		if strings.HasPrefix(rest, prefix) {
			if n := strings.IndexAny(rest, " \n<>)|"); n >= 0 {
				rest = rest[:n]
			}
			m.at += len(rest) - 1
			return
		}
	}
}

// autolink leaves out an address in angle brackets of which the second is still to come.
func (m *mender) autolink() {
	const scheme = "<https://"
	rest := m.text[m.at:]
	if strings.ContainsAny(rest, " \n>") || !strings.HasPrefix(scheme, rest) && !strings.HasPrefix(rest, "<http") {
		m.at++
		return
	}
	m.cut(m.at, "")
}

func (m *mender) count(c byte) (n int) {
	for m.at+n < len(m.text) && m.text[m.at+n] == c {
		n++
	}
	return n
}

// codeSpan skips a code span, or notes that it is open.
func (m *mender) codeSpan() {
	n := m.count('`')
	m.at += n
	for rest := m.at; ; {
		i := strings.IndexByte(m.text[rest:], '`')
		if i < 0 {
			break
		}
		begin := rest + i
		end := begin
		for end < len(m.text) && m.text[end] == '`' {
			end++
		}
		if end-begin == n {
			m.at = end
			return
		}
		if end == len(m.text) && end-begin < n && begin > m.at {
			m.cut(begin, strings.Repeat("`", n))
			return
		}
		rest = end
	}
	if m.at == len(m.text) {
		m.cut(m.at-n, "")
		return
	}
	if len(m.text)-m.at <= farthest {
		m.cut(len(m.text), strings.Repeat("`", n))
	}
}

// cut ends the walk: the text up to a byte, and what closes it.
func (m *mender) cut(at int, tail string) {
	m.end, m.tail, m.at = at, tail, len(m.text)
}

// emphasis takes a run of marks: it closes what it can, else it opens something.
func (m *mender) emphasis(c byte) {
	n := m.count(c)
	before, _ := utf8.DecodeLastRuneInString(m.text[:m.at])
	after, _ := utf8.DecodeRuneInString(m.text[m.at+n:])
	at := m.at
	m.at += n
	opens, closes := flanks(before, after, at > 0, m.at < len(m.text))
	if c == '_' {
		word := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
		opens, closes = opens && !word(before), closes && !word(after)
	}
	if c == '~' && n > 2 {
		return
	}
	if closes {
		n = m.close(c, n)
	}
	switch {
	case n == 0:
	case m.at == len(m.text):
		m.cut(at, "") // what it opens is still to come
	case opens:
		m.open = append(m.open, run{c, n, at})
	}
}

// close takes n marks away from the runs that they close, the last first, and returns how many are left.
func (m *mender) close(c byte, n int) int {
	for i := len(m.open) - 1; i >= 0 && n > 0; i-- {
		r := &m.open[i]
		if r.mark != c {
			continue
		}
		k := min(n, r.count)
		r.count, n = r.count-k, n-k
		m.open = m.open[:i+1]
		if r.count == 0 {
			m.open = m.open[:i]
		}
	}
	return n
}

// flanks is CommonMark's rule of what may begin and what may end emphasis.
func flanks(before, after rune, any, more bool) (opens, closes bool) {
	spaceBefore, spaceAfter := !any || unicode.IsSpace(before), !more || unicode.IsSpace(after)
	mark := func(r rune) bool { return unicode.IsPunct(r) || unicode.IsSymbol(r) }
	opens = !spaceAfter && (!mark(after) || spaceBefore || mark(before))
	closes = !spaceBefore && (!mark(before) || spaceAfter || mark(after))
	return opens, closes
}

// bracket notes where the text of a link may begin.
func (m *mender) bracket() {
	before, _ := utf8.DecodeLastRuneInString(m.text[:m.at])
	if m.at == 0 || !unicode.IsLetter(before) && !unicode.IsDigit(before) {
		m.label = run{'[', 1, m.at}
	}
	m.at++
}

// link skips the address of a link. One that is not complete is left out.
func (m *mender) link() {
	m.at++
	label := m.label
	m.label = run{}
	switch {
	case label.count == 0:
		return
	case m.at == len(m.text):
		m.cut(m.at, "()")
		return
	case m.text[m.at] != '(':
		return
	}
	if end := strings.IndexByte(m.text[m.at:], ')'); end >= 0 {
		m.at += end + 1
		return
	}
	if !strings.ContainsAny(m.text[m.at:], " \n") {
		m.cut(m.at, "()")
	}
}

// closed returns the text with everything closed.
func (m *mender) closed() string {
	text := m.text
	if m.tail != "" || m.end > 0 {
		text = text[:m.end]
	}
	text = strings.TrimRight(text, " ")
	if n := len(text) - len(strings.TrimRight(text, `\`)); n%2 == 1 {
		text = text[:len(text)-1]
	}
	switch {
	case m.label.count == 0:
	case m.label.at == len(text)-1:
		text, m.label = strings.TrimSuffix(text[:m.label.at], "!"), run{}
		for n := len(m.open) - 1; n >= 0 && m.open[n].at+m.open[n].count == len(text); n-- {
			text, m.open = text[:m.open[n].at], m.open[:n]
		}
	case len(text)-m.label.at > farthest:
		m.label = run{}
	}
	text += m.tail
	for _, r := range slices.Backward(m.open) {
		if m.label.count > 0 && r.at < m.label.at {
			text, m.label = text+"]()", run{}
		}
		if len(m.text)-r.at <= farthest {
			text += strings.Repeat(string(r.mark), r.count)
		}
	}
	if m.label.count > 0 {
		text += "]()"
	}
	return text
}
