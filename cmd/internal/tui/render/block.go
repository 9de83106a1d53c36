package render

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// grammar is GitHub's Markdown. It is made on first use and shared: a parser keeps nothing of a text.
var grammar = sync.OnceValue(func() parser.Parser {
	return parser.NewParser(
		parser.WithBlockParsers(parser.DefaultBlockParsers()...),
		parser.WithInlineParsers(append(parser.DefaultInlineParsers(),
			util.Prioritized(extension.NewTaskCheckBoxParser(), 0),
			util.Prioritized(extension.NewStrikethroughParser(), 500),
			util.Prioritized(extension.NewLinkifyParser(), 999))...),
		parser.WithParagraphTransformers(append(parser.DefaultParagraphTransformers(),
			util.Prioritized(extension.NewTableParagraphTransformer(), 200))...),
		parser.WithASTTransformers(util.Prioritized(extension.NewTableASTTransformer(), 0)),
	)
})

// A painter turns the blocks of one piece of Markdown into rows.
type painter struct {
	theme  *Theme
	source []byte
	number int         // of the next item of a list that goes on from an earlier piece; 0: as it says
	codes  *codeMemory // of code in the block that is still open; nil: nothing is kept
	code   int         // code blocks seen so far
	apart  bool        // the first block wants an empty row before it
}

// narrowest is how many cells an indented block must have left; where it has less it is not indented.
const narrowest = 12

// paint parses source and returns its rows. refs are the link definitions known so far; those of source are added.
func (p *painter) paint(source string, width int, refs *references) []row {
	p.source = []byte(source)
	pc := parser.NewContext()
	for _, ref := range refs.all {
		pc.AddReference(ref)
	}
	doc := grammar().Parse(text.NewReader(p.source), parser.WithContext(pc))
	refs.learn(doc)
	return p.children(doc, width, Style{})
}

// references are the link definitions of a text, the first of each label.
type references struct{ all []parser.Reference }

// most is how many link definitions of one text are remembered: each costs every later block a little.
const most = 256

func (r *references) learn(doc ast.Node) {
	for n := doc.FirstChild(); n != nil && len(r.all) < most; n = n.NextSibling() {
		if def, ok := n.(*ast.LinkReferenceDefinition); ok {
			r.all = append(slices.Clip(r.all), parser.NewReference(def.Label, def.Destination, def.Title))
		}
	}
}

// children paints the blocks in a block, with an empty row where the text has one, and before each heading.
func (p *painter) children(node ast.Node, width int, style Style) (rows []row) {
	for n := node.FirstChild(); n != nil; n = n.NextSibling() {
		block := p.block(n, width, style)
		if len(block) == 0 {
			continue
		}
		switch gap := apart(n) || n.HasBlankPreviousLines(); {
		case len(rows) > 0 && gap:
			rows = append(rows, row{})
		case len(rows) == 0 && n.Parent().Kind() == ast.KindDocument:
			p.apart = apart(n)
		}
		rows = append(rows, block...)
	}
	return rows
}

// apart reports whether a block has an empty row before it whatever the text says. Of a table the parser does not tell.
func apart(n ast.Node) bool {
	return n.Kind() == ast.KindHeading || n.Kind() == extast.KindTable
}

func (p *painter) block(node ast.Node, width int, style Style) []row {
	t := p.theme
	switch n := node.(type) {
	case *ast.Heading:
		return p.heading(n, width, style)
	case *ast.Paragraph, *ast.TextBlock:
		return wrap(p.inline(n, style), width)
	case *ast.ThematicBreak:
		return []row{t.rule(width)}
	case *ast.FencedCodeBlock:
		return p.fenced(n, width)
	case *ast.CodeBlock:
		return p.verbatim(n, width, t.Text.Over(style))
	case *ast.HTMLBlock:
		rows := p.verbatim(n, width, t.Dim.Over(style))
		if n.HasClosure() {
			closure := strings.TrimRight(string(n.ClosureLine.Value(p.source)), "\n")
			rows = append(rows, chop([]span{{text: expand(clean(closure)), style: t.Dim.Over(style)}}, width)...)
		}
		return rows
	case *ast.Blockquote:
		return p.quote(n, width, style)
	case *ast.List:
		return p.list(n, width, style)
	case *ast.LinkReferenceDefinition:
		return p.definition(n, width, style)
	case *extast.Table:
		return p.table(n, width, style)
	default:
		return p.children(n, width, style)
	}
}

func (p *painter) heading(n *ast.Heading, width int, style Style) []row {
	t := p.theme
	look := t.Heading
	if n.Level == 1 {
		look = t.Title
	}
	spans := p.inline(n, look.Over(style))
	if len(spans) == 0 {
		return nil
	}
	if !t.attributes() {
		spans = append([]span{{text: strings.Repeat("#", n.Level) + " "}}, spans...)
	}
	return wrap(spans, width)
}

// rule is the line of a thematic break.
func (t *Theme) rule(width int) row {
	const longest = 40 // cells: it is a pause, not a border
	return row{{text: strings.Repeat(t.signs.rule, min(width, longest)), style: t.Rule}}
}

func (p *painter) quote(n *ast.Blockquote, width int, style Style) []row {
	bar := span{text: p.theme.signs.bar + " ", style: p.theme.Rule}
	if !p.theme.attributes() {
		bar.text = "> "
	}
	inner := width - 2
	if inner < narrowest {
		bar.text, inner = "", width
	}
	rows := p.children(n, inner, p.theme.Quote.Over(style))
	for i, r := range rows {
		if len(r) == 0 {
			rows[i] = row{}.indent(trimRight(bar))
			continue
		}
		rows[i] = r.indent(bar)
	}
	return rows
}

func (p *painter) list(n *ast.List, width int, style Style) (rows []row) {
	number := n.Start
	if p.number > 0 {
		number, p.number = p.number, 0
	}
	for item := n.FirstChild(); item != nil; item = item.NextSibling() {
		marker := "- "
		if n.IsOrdered() {
			marker = strconv.Itoa(number) + string(n.Marker) + " "
			number++
		}
		if len(rows) > 0 && item.HasBlankPreviousLines() {
			rows = append(rows, row{})
		}
		rows = append(rows, p.item(item, marker, width, style)...)
	}
	return rows
}

// item paints one item of a list: its marker, and its blocks indented behind it.
func (p *painter) item(n ast.Node, marker string, width int, style Style) []row {
	indent := len(marker)
	inner := width - indent
	if inner < narrowest {
		indent, inner = 0, width
	}
	rows := p.children(n, inner, style)
	first := span{text: marker, style: p.theme.Marker.Over(style)}
	if indent == 0 {
		return append(wrap([]span{trimRight(first)}, width), rows...)
	}
	if len(rows) == 0 {
		return []row{{trimRight(first)}}
	}
	rows[0] = rows[0].indent(first)
	for i, r := range rows[1:] {
		if len(r) > 0 {
			rows[i+1] = r.indent(span{text: strings.Repeat(" ", indent)})
		}
	}
	return rows
}

// definition paints a link definition: hidden, it would take the address from those who have read its label before.
func (p *painter) definition(n *ast.LinkReferenceDefinition, width int, style Style) []row {
	address := flat(clean(unescape(n.Destination)))
	return wrap([]span{
		{text: "[" + flat(clean(string(n.Label))) + "]: ", style: p.theme.Dim.Over(style)},
		{text: address, style: p.theme.URL.Over(style), link: clickable(address)},
	}, width)
}

// verbatim paints the lines of a block as they are.
func (p *painter) verbatim(n ast.Node, width int, style Style) (rows []row) {
	for i := range n.Lines().Len() {
		line := n.Lines().At(i)
		text := strings.TrimRight(string(line.Value(p.source)), "\n")
		rows = append(rows, chop([]span{{text: expand(clean(text)), style: style}}, width)...)
	}
	return rows
}

func ideographBegins(s []byte) bool { r, _ := utf8.DecodeRune(s); return ideograph(r) }
func ideographEnds(s []byte) bool   { r, _ := utf8.DecodeLastRune(s); return ideograph(r) }

// ideograph reports characters of scripts that put no spaces between words. Korean does.
func ideograph(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) || r >= 0x3000 && r <= 0x303f || r >= 0xff00 && r <= 0xff60
}

// tabStop is the distance of the tab stops in code, in cells.
const tabStop = 4

// expand replaces the tabs of one line of code by spaces.
func expand(line string) string {
	if !strings.Contains(line, "\t") {
		return line
	}
	var b strings.Builder
	column := 0
	for i, part := range strings.Split(line, "\t") {
		if i > 0 {
			n := tabStop - column%tabStop
			b.WriteString(strings.Repeat(" ", n))
			column += n
		}
		b.WriteString(part)
		column += Width(part)
	}
	return b.String()
}
