package render

import (
	"strconv"
	"strings"
)

// codeIndent is the indent, in columns, from which on a line is code or goes on with what is open.
const codeIndent = 4

// A look is what a line of Markdown could begin, seen by itself.
type look struct {
	text      string
	indent    int // in columns
	fence     fence
	item      item
	html      html
	heading   bool // # …
	rule      bool // --- or *** or ___
	underline bool // === or ---, of a heading
	quote     bool
}

// A fence opens a block of code.
type fence struct {
	mark   byte // ` or ~
	length int  // 0: there is none
	indent int
	info   string
}

// An item opens an item of a list.
type item struct {
	mark    byte // - + * or, behind a number, . )
	indent  int  // of what belongs to the item, in columns; 0: there is none
	number  int
	ordered bool
	empty   bool
}

// An html is the beginning of a block of HTML. The kinds are those of CommonMark.
type html struct {
	kind int
	end  string // what ends it, in lower case; "" for a blank line
}

func lookAt(line string) look {
	l := look{text: line}
	rest := strings.TrimLeft(line, " \t")
	l.indent = columns(line[:len(line)-len(rest)])
	if l.indent >= codeIndent || rest == "" {
		return l
	}
	switch c := rest[0]; {
	case c == '#':
		l.heading = isHeading(rest)
	case c == '>':
		l.quote = true
	case c == '`', c == '~':
		l.fence = fenceAt(rest, l.indent)
	case c == '=':
		l.underline = strings.Trim(strings.TrimRight(rest, " \t"), "=") == ""
	case c == '<':
		l.html = htmlAt(rest)
	case c == '-', c == '*', c == '_', c == '+', c >= '0' && c <= '9':
		l.rule = isRule(rest)
		l.underline = c == '-' && strings.Trim(strings.TrimRight(rest, " \t"), "-") == ""
		if !l.rule {
			l.item = itemAt(rest, l.indent)
		}
	}
	return l
}

// deepest is how many quotes and items of lists may stand in each other. A grammar that takes one of a thousand levels takes
// seconds.
const deepest = 32

// shallow returns a line that begins no more than that many: the next mark is text.
func shallow(line string) string {
	at := 0
	for range deepest {
		l := lookAt(line[at:])
		switch {
		case l.quote:
			at += strings.IndexByte(line[at:], '>') + 1
		case l.item.indent > 0 && l.item.indent < len(line)-at:
			at += l.item.indent
		default:
			return line
		}
	}
	rest := strings.TrimLeft(line[at:], " \t")
	if rest == "" || strings.IndexByte(">-+*0123456789", rest[0]) < 0 {
		return line
	}
	if rest[0] >= '0' && rest[0] <= '9' {
		return line[:at] + strings.Replace(strings.Replace(rest, ".", `\.`, 1), ")", `\)`, 1)
	}
	return line[:at] + `\` + rest
}

// interrupts reports whether the line begins a block even right behind a paragraph.
func (l look) interrupts() bool {
	return l.fence.length > 0 || l.heading || l.rule || l.quote ||
		l.html.kind > 0 && l.html.kind < 7 ||
		l.item.indent > 0 && !l.item.empty && (!l.item.ordered || l.item.number == 1)
}

// columns returns the width of leading white space, with tab stops of four.
func columns(white string) (n int) {
	for i := range len(white) {
		if white[i] == '\t' {
			n += 4 - n%4
		} else {
			n++
		}
	}
	return n
}

func isHeading(s string) bool {
	n := len(s) - len(strings.TrimLeft(s, "#"))
	return n <= 6 && (n == len(s) || s[n] == ' ' || s[n] == '\t')
}

func isRule(s string) bool {
	mark, n := s[0], 0
	if mark != '-' && mark != '*' && mark != '_' {
		return false
	}
	for i := range len(s) {
		switch s[i] {
		case mark:
			n++
		case ' ', '\t':
		default:
			return false
		}
	}
	return n >= 3
}

func fenceAt(s string, indent int) fence {
	n := len(s) - len(strings.TrimLeft(s, s[:1]))
	info := strings.TrimSpace(s[n:])
	if n < 3 || s[0] == '`' && strings.Contains(info, "`") {
		return fence{}
	}
	return fence{s[0], n, indent, info}
}

// closedBy reports whether a line ends the fence.
func (f fence) closedBy(line string) bool {
	rest := strings.TrimLeft(line, " ")
	if len(line)-len(rest) >= codeIndent {
		return false
	}
	rest = strings.TrimRight(rest, " \t")
	return len(rest) >= f.length && strings.Trim(rest, string(f.mark)) == ""
}

// opener returns the line that opens the fence.
func (f fence) opener() string { return strings.Repeat(string(f.mark), f.length) + f.info }

func itemAt(s string, indent int) item {
	it := item{mark: s[0]}
	n := 1
	if s[0] >= '0' && s[0] <= '9' {
		const longest = 9 // digits, by CommonMark
		for n = 0; n < len(s) && n < longest && s[n] >= '0' && s[n] <= '9'; n++ {
		}
		if n == len(s) || s[n] != '.' && s[n] != ')' {
			return item{}
		}
		it.number, _ = strconv.Atoi(s[:n])
		it.mark, it.ordered = s[n], true
		n++
	} else if s[0] == '_' {
		return item{}
	}
	rest := strings.TrimLeft(s[n:], " \t")
	gap := columns(strings.Repeat(" ", indent+n)+s[n:len(s)-len(rest)]) - indent - n
	switch {
	case rest == "":
		it.empty, gap = true, 1
	case gap == 0:
		return item{}
	case gap > codeIndent:
		gap = 1
	}
	it.indent = indent + n + gap
	return it
}

// follows reports whether a line begins the next item of the list that the item belongs to.
func (it item) follows(l look) bool {
	return l.item.indent > 0 && l.item.mark == it.mark && l.item.ordered == it.ordered
}

// isDelimiter reports whether a line makes the one before it the head of a table.
func isDelimiter(head, line string) bool {
	return strings.Trim(line, " \t|:-") == "" && strings.Contains(line, "-") && strings.ContainsAny(line, "|:") &&
		countCells(head) == countCells(line)
}

// countCells returns the cells of a table's line.
func countCells(line string) int {
	line = strings.Trim(line, " \t")
	line = strings.TrimPrefix(line, "|")
	if !strings.HasSuffix(line, `\|`) {
		line = strings.TrimSuffix(line, "|")
	}
	return strings.Count(line, "|") - strings.Count(line, `\|`) + 1
}

// tableHead returns the head of the table in a paragraph, with the line below it.
func tableHead(paragraph string) string {
	before := ""
	for line := range strings.Lines(paragraph) {
		if before != "" && isDelimiter(strings.TrimRight(before, "\n"), strings.TrimRight(line, "\n")) {
			return before + line
		}
		before = line
	}
	return ""
}

func htmlAt(s string) html {
	lower := strings.ToLower(s)
	for _, h := range []struct {
		begin, end string
		kind       int
	}{
		{"<script", "</script>", 1},
		{"<pre", "</pre>", 1},
		{"<style", "</style>", 1},
		{"<textarea", "</textarea>", 1},
		{"<!--", "-->", 2},
		{"<?", "?>", 3},
		{"<![cdata[", "]]>", 5},
	} {
		if rest, ok := strings.CutPrefix(lower, h.begin); ok && (h.kind != 1 || rest == "" || strings.ContainsAny(rest[:1], " \t>")) {
			return html{h.kind, h.end}
		}
	}
	if len(s) > 2 && s[1] == '!' && s[2] >= 'A' && s[2] <= 'Z' {
		return html{4, ">"}
	}
	name := strings.TrimPrefix(lower[1:], "/")
	after := strings.TrimLeft(name, "abcdefghijklmnopqrstuvwxyz0123456789-")
	name = name[:len(name)-len(after)]
	switch {
	case name == "" || after != "" && !strings.ContainsAny(after[:1], " \t>/"):
		return html{}
	case htmlBlocks[name]:
		return html{kind: 6}
	case name == "script", name == "pre", name == "style", name == "textarea": // an end without its beginning
		return html{}
	case strings.HasSuffix(strings.TrimRight(s, " \t"), ">") && strings.Count(s, "<") == 1 && strings.Count(s, ">") == 1:
		return html{kind: 7}
	}
	return html{}
}

// htmlBlocks are the names of CommonMark's sixth kind of HTML block.
var htmlBlocks = func() map[string]bool {
	names := make(map[string]bool)
	for name := range strings.FieldsSeq(`address article aside base basefont blockquote body caption center col colgroup dd details dialog
		dir div dl dt fieldset figcaption figure footer form frame frameset h1 h2 h3 h4 h5 h6 head header hr html iframe legend li
		link main menu menuitem meta nav noframes ol optgroup option p param search section summary table tbody td tfoot th thead
		title tr track ul`) {
		names[name] = true
	}
	return names
}()
