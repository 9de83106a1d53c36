package render

import (
	"bytes"
	"slices"
	"strings"

	"github.com/yuin/goldmark/text"
)

// A splitter cuts Markdown into pieces of which each can be rendered by itself, line by line as they come: blocks, the
// items of a list, the lines of a fence. Where it cuts depends on the text alone, never on how the text arrived: that is
// what makes a streamed text and a whole one look the same.
type splitter struct {
	open   []byte // the complete lines of the block that is open
	state  state
	blank  bool // a blank line stands before the next piece
	blanks int  // blank lines at the end of open, which belong to it only if something follows

	fence  fence  // of state inFence
	table  bool   // of state inParagraph: it has become a table
	end    string // of state inHTML: what ends it; "" for a blank line
	item   item   // of state inList
	inside fence  // a fence open inside the item
	rest   bool   // open goes on with an item of which a piece was emitted
	number int    // of the open item, if its list is ordered

	emit func(piece)
}

// A piece is what can be rendered by itself.
type piece struct {
	kind   pieceKind
	text   string
	blank  bool // a blank line stands before it
	number int  // of an item of an ordered list; 0: as its text says
	indent int  // cells before what goes on with an item that was too long
}

type pieceKind int

const (
	block     pieceKind = iota
	listItem            // one item of a list
	itemRest            // what goes on with an item that was too long for one piece
	fenceOpen           // text is what stands behind the fence: the language
	fenceLine
	fenceClose
)

type state int

const (
	outside state = iota
	inParagraph
	inFence
	inList
	inQuote
	inIndented
	inHTML // up to end, or to a blank line if end is ""
)

// longestOpen is the size up to which a block may stay open, in bytes, and the length of the longest line: what is longer is
// cut there, so that one more delta costs a bounded time however long a paragraph, a table or an item is.
const longestOpen = 8 << 10

// mostBlanks is how many blank lines in a row are kept.
const mostBlanks = 50

// line takes the next complete line, without its line break.
func (s *splitter) line(line string) {
	if s.state == inFence {
		s.fenceLine(line)
		return
	}
	if len(s.open)+len(line) > longestOpen {
		s.cut()
	}
	if s.state != inList || s.inside.length == 0 {
		line = shallow(line)
	}
	if strings.Trim(line, " \t") == "" {
		s.blankLine()
		return
	}
	if s.state == outside || !s.take(line) {
		s.close()
		s.begin(line)
	}
}

// finish ends the text.
func (s *splitter) finish() {
	if s.state == inFence {
		s.emit(piece{kind: fenceClose})
		s.state = outside
		return
	}
	s.close()
}

func (s *splitter) add(line string) {
	for range s.blanks {
		s.open = append(s.open, '\n')
	}
	s.blanks = 0
	s.open = append(append(s.open, line...), '\n')
}

// close emits the open block.
func (s *splitter) close() {
	if s.state == outside {
		return
	}
	s.flush()
	s.state = outside
}

// flush emits what is open. The block's state goes on.
func (s *splitter) flush() {
	p := piece{text: string(s.open), blank: s.blank}
	if s.state == inList {
		p.kind, p.number = listItem, s.number
		if s.rest {
			p.kind, p.indent = itemRest, s.item.indent
		}
	}
	if len(s.open) > 0 {
		s.emit(p)
	}
	s.open = s.open[:0]
	s.blank, s.blanks, s.rest = s.blanks > 0, 0, false
}

// cut ends a piece whose block is too long for one. What follows goes on as well as it can: a table has its head again, an
// item its indent, a fence inside it is open.
func (s *splitter) cut() {
	if len(s.open) == 0 {
		return
	}
	head := ""
	if s.table {
		head = tableHead(string(s.open))
	}
	s.flush()
	switch s.state {
	case inParagraph:
		s.open = append(s.open, head...)
	case inList:
		s.rest = true
		if s.inside.length > 0 {
			s.add(strings.Repeat(" ", s.item.indent) + s.inside.opener())
		}
	}
}

func (s *splitter) blankLine() {
	switch s.state {
	case outside:
		s.blank = true
	case inList, inIndented:
		s.blanks = min(s.blanks+1, mostBlanks)
	case inHTML:
		if s.end != "" {
			s.blanks = min(s.blanks+1, mostBlanks)
			return
		}
		fallthrough
	default:
		s.close()
		s.blank = true
	}
}

// begin starts a block with its first line.
func (s *splitter) begin(line string) {
	l := lookAt(line)
	s.table = false
	switch {
	case l.indent >= codeIndent:
		s.state = inIndented
	case l.fence.length > 0:
		s.state, s.fence = inFence, l.fence
		s.emit(piece{kind: fenceOpen, text: l.fence.info, blank: s.blank})
		s.blank = false
		return
	case l.heading, l.rule:
		s.emit(piece{text: line + "\n", blank: s.blank})
		s.blank = false
		return
	case l.quote:
		s.state = inQuote
	case l.item.indent > 0:
		s.state, s.number = inList, l.item.number
		s.beginItem(line, l)
		return
	case l.html != html{}:
		s.state, s.end = inHTML, l.html.end
	default:
		s.state = inParagraph
	}
	s.add(line)
	s.endHTML(line)
}

// take adds a line that is not blank to the open block, if it belongs there.
func (s *splitter) take(line string) bool {
	l := lookAt(line)
	switch s.state {
	case inParagraph:
		return s.takeText(line, l)
	case inList:
		return s.takeItem(line, l)
	case inQuote:
		if !l.quote && (l.interrupts() || !s.lazy(line)) {
			return false
		}
	case inIndented:
		if l.indent < codeIndent {
			return false
		}
	}
	s.add(line)
	s.endHTML(line)
	return true
}

// takeText takes a line into a paragraph, which may also be a table, or a heading that its underline ends.
func (s *splitter) takeText(line string, l look) bool {
	switch {
	case l.underline && !s.table:
		s.add(line)
		s.close()
		return true
	case l.interrupts():
		return false
	}
	s.table = s.table || isDelimiter(s.lastLine(), line)
	s.add(line)
	return true
}

// takeItem takes a line into a list: into the open item, or as the next one, which ends the one before.
func (s *splitter) takeItem(line string, l look) bool {
	switch {
	case l.indent >= s.item.indent:
		s.add(line)
		s.insideItem(line)
		return true
	case s.item.follows(l):
		s.flush()
		s.number++
		s.beginItem(line, l)
		return true
	case s.blanks > 0 || l.interrupts() || !s.lazy(line):
		return false
	}
	s.add(line)
	return true
}

// lastLine returns the last line that is open.
func (s *splitter) lastLine() string {
	all := bytes.TrimSuffix(s.open, []byte{'\n'})
	return string(all[bytes.LastIndexByte(all, '\n')+1:])
}

func (s *splitter) beginItem(line string, l look) {
	s.item, s.inside = l.item, fence{}
	s.add(line)
	s.insideItem(line)
}

// insideItem follows the fences in an item: a piece that is cut inside one opens it again.
func (s *splitter) insideItem(line string) {
	l := lookAt(strings.TrimLeft(line, " \t"))
	for l.item.indent > 0 && len(l.text) > l.item.indent && s.inside.length == 0 {
		l = lookAt(strings.TrimLeft(l.text[l.item.indent:], " \t"))
	}
	switch {
	case s.inside.length == 0:
		s.inside = l.fence
	case s.inside.closedBy(l.text):
		s.inside = fence{}
	}
}

// lazy reports whether a line that begins no block belongs to the paragraph that the open block ends with.
func (s *splitter) lazy(line string) bool {
	all := append(append(slices.Clip(s.open), line...), '\n')
	doc := grammar().Parse(text.NewReader(all))
	return doc.ChildCount() == 1
}

// endHTML closes a block of HTML whose end has come.
func (s *splitter) endHTML(line string) {
	if s.state == inHTML && s.end != "" && strings.Contains(strings.ToLower(line), s.end) {
		s.close()
	}
}

func (s *splitter) fenceLine(line string) {
	if s.fence.closedBy(line) {
		s.emit(piece{kind: fenceClose})
		s.state = outside
		return
	}
	for range s.fence.indent {
		line = strings.TrimPrefix(line, " ")
	}
	s.emit(piece{kind: fenceLine, text: line})
}
