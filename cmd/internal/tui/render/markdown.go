package render

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Markdown renders a text that is still arriving. What Settled and Close return, in order, is what Document returns for the
// whole text, however it was cut into deltas, as long as the width stays the same. A link whose definition comes in a later
// block is shown as its text; the definition is shown where it stands.
//
// A Markdown belongs to one goroutine.
type Markdown struct {
	page    page
	partial []byte   // the line that is not complete
	settled []string // not yet fetched
	live    []string // of the last Live, if nothing has changed since; nil: it has
	codes   codeMemory
}

// NewMarkdown returns the renderer of an empty text.
func NewMarkdown(t *Theme, width int) *Markdown {
	return &Markdown{page: page{theme: t, width: max(width, 1)}}
}

// Document renders a whole text.
func Document(t *Theme, text string, width int) []string {
	m := NewMarkdown(t, width)
	m.Append(text)
	return m.Close()
}

// SetWidth sets the width of what is not settled.
func (m *Markdown) SetWidth(width int) {
	m.page.width, m.live, m.codes = max(width, 1), nil, codeMemory{}
}

// SetTheme sets the colours of what is not settled.
func (m *Markdown) SetTheme(t *Theme) {
	m.page.theme, m.page.code.theme, m.live, m.codes = t, t, nil, codeMemory{}
}

// Append adds text to the end.
func (m *Markdown) Append(delta string) {
	if delta == "" {
		return
	}
	m.live = nil
	for {
		line, rest, complete := m.nextLine(delta)
		if !complete {
			return
		}
		m.page.line(line)
		m.settle()
		delta = rest
	}
}

// nextLine completes a line with what it takes from delta. A line that is too long ends where a word does.
func (m *Markdown) nextLine(delta string) (line, rest string, complete bool) {
	n := strings.IndexByte(delta, '\n')
	room := longestOpen - len(m.partial)
	switch {
	case n >= 0 && n <= room:
		line = string(m.partial) + delta[:n]
		m.partial = m.partial[:0]
		return line, delta[n+1:], true
	case n < 0 && len(delta) <= room:
		m.partial = append(m.partial, delta...)
		return "", "", false
	}
	all := append(m.partial, delta[:room]...)
	cut := bytes.LastIndexByte(all, ' ') + 1
	if cut < longestOpen/2 {
		cut = wholeCharacters(all)
	}
	line = string(all[:cut])
	m.partial = bytes.Clone(all[cut:])
	return line, delta[room:], true
}

// wholeCharacters returns the length of text without a character at its end that is not complete.
func wholeCharacters(text []byte) int {
	last := len(text) - 1
	for last > len(text)-utf8.UTFMax && !utf8.RuneStart(text[last]) {
		last--
	}
	if utf8.FullRune(text[last:]) {
		return len(text)
	}
	return last
}

func (m *Markdown) settle() {
	m.settled = append(m.settled, m.page.rows...)
	m.page.rows = nil
}

// Settled returns the lines that can no longer change and were not returned before.
func (m *Markdown) Settled() []string {
	lines := m.settled
	m.settled = nil
	return lines
}

// Live returns the rest as it looks now: each call the whole of it, with an empty first line if one belongs before it. What
// is half there, such as the first star of two, is shown as what it becomes. The slice is not to be changed.
func (m *Markdown) Live() []string {
	if m.live != nil {
		return m.live
	}
	p := m.page
	p.rows, p.live, p.codes = nil, true, &m.codes
	p.split.open = bytes.Clone(p.split.open)
	m.live = append([]string{}, p.rest(string(m.partial))...)
	return m.live
}

// Close ends the text and returns the lines not yet returned.
func (m *Markdown) Close() []string {
	m.live = nil
	m.page.rest(string(m.partial))
	m.partial = nil
	m.settle()
	return m.Settled()
}

// A page renders pieces one behind the other. A copy of it renders what may come without settling it.
type page struct {
	theme *Theme
	width int
	split splitter
	refs  references
	code  highlighter // of the fence that is open
	began bool        // something was rendered
	rows  []string

	live   bool        // what is rendered now may still change
	last   string      // the last line of it
	ending bool        // nothing comes behind the next piece
	codes  *codeMemory // of live blocks
}

func (p *page) line(line string) {
	p.split.emit = p.piece
	p.split.line(line)
}

// rest renders the end of the text: a line without its break, if there is one, and what is open.
func (p *page) rest(partial string) []string {
	p.split.emit = p.piece
	lines := []string{partial}
	switch {
	case p.live:
		lines = p.split.mendLine(partial)
	case partial == "":
		lines = nil
	}
	for _, line := range lines {
		p.last = line + "\n"
		p.split.line(line)
	}
	p.ending = p.live
	p.split.finish()
	return p.rows
}

// piece renders the next piece.
func (p *page) piece(piece piece) {
	t := p.theme
	switch piece.kind {
	case fenceOpen:
		p.code = t.highlighter(piece.text)
		p.add(piece.blank, []row{t.codeHead(piece.text, p.width)})
	case fenceLine:
		p.print(p.code.rows(piece.text, p.width))
	case fenceClose:
		p.print([]row{t.codeFoot(p.width)})
		p.split.blank = true // what follows stands by itself
	default:
		rows, apart := p.paint(piece)
		p.add(piece.blank || apart, rows)
	}
}

// paint renders a piece. apart: it wants an empty line before it.
func (p *page) paint(piece piece) (rows []row, apart bool) {
	painter := painter{theme: p.theme, number: piece.number, codes: p.codes}
	source, width := piece.text, p.width
	if p.ending || p.live && source == p.last {
		source = mend(source)
	}
	if piece.kind == itemRest {
		source, width = dedent(source, piece.indent), p.width-piece.indent
		if width < narrowest {
			piece.indent, width = 0, p.width
		}
	}
	rows = painter.paint(source, width, &p.refs)
	for i, r := range rows {
		rows[i] = r.indent(span{text: strings.Repeat(" ", piece.indent)})
	}
	return rows, painter.apart
}

// dedent removes up to so many spaces before each line.
func dedent(text string, indent int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		n := 0
		for n < indent && n < len(line) && line[n] == ' ' {
			n++
		}
		b.WriteString(line[n:])
	}
	return b.String()
}

// add prints the rows of a block, behind an empty one if blank says so.
func (p *page) add(blank bool, rows []row) {
	if len(rows) == 0 {
		p.split.blank = p.split.blank || blank
		return
	}
	if blank && p.began {
		p.rows = append(p.rows, "")
	}
	p.print(rows)
}

func (p *page) print(rows []row) {
	p.began = true
	for _, r := range rows {
		p.rows = append(p.rows, r.encode(p.theme.Hyperlinks))
	}
}
