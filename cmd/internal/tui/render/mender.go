package render

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

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

// A mender walks through the text of a paragraph and keeps what is open.
type mender struct {
	text  string
	table bool // it is one: each cell is by itself
	at    int
	open  []run
	label run  // where the text of a link has begun; count 0: nowhere
	ended bool // the text is cut at end, and tail closes it there
	end   int
	tail  string
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
	m.ended, m.end, m.tail, m.at = true, at, tail, len(m.text)
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
func flanks(before, after rune, some, more bool) (opens, closes bool) {
	spaceBefore, spaceAfter := !some || unicode.IsSpace(before), !more || unicode.IsSpace(after)
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
	if m.ended {
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
