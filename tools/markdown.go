package tools

import (
	"net/url"
	"slices"
	"strings"

	"github.com/JohannesKaufmann/html-to-markdown/v2/converter"
	mdbase "github.com/JohannesKaufmann/html-to-markdown/v2/plugin/base"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/commonmark"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/table"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/coder-agent/coder/agent/plain"
)

// Bounds of the HTML that is converted with its structure. What is beyond is converted as plain blocks: each level of a list
// copies all below it, and each row of a table is filled up to the widest.
const (
	maxNesting = 100    // elements in each other
	maxIndent  = 8      // lists and quotes in each other
	maxCells   = 20_000 // of a table, filled up
)

// markdown returns the title of an HTML page and its main part as markdown. Links become absolute. What a browser would not
// show is left out.
func markdown(page string, from *url.URL) (title, text string, err error) {
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return "", "", err
	}
	if t := element(doc, func(n *html.Node) bool { return n.DataAtom == atom.Title && n.Namespace == "" }); t != nil {
		title = plain.Line(textOf(t), 200)
	}
	if b := element(doc, func(n *html.Node) bool { return n.DataAtom == atom.Base }); b != nil {
		if u, err := from.Parse(attribute(b, "href")); err == nil {
			from = u
		}
	}
	part := mainPart(doc)
	c := cleaner{from: from, whole: part.DataAtom != atom.Main && part.DataAtom != atom.Article}
	c.clean(part, 0, 0)
	text, err = convert(part)
	return title, text, err
}

// convert is the conversion itself. A page at which the library breaks is shown as its text alone.
func convert(part *html.Node) (text string, err error) {
	defer func() {
		if broken := recover(); broken != nil {
			text = "(this HTML could not be converted; here is its text alone)\n\n" + strings.TrimSpace(textOf(part))
		}
	}()
	out, err := newConverter().ConvertNode(part)
	return strings.TrimSpace(string(out)), err
}

// Stand-ins for < and >, which the converter would make entities of. No text has these code points.
const less, greater = "\uFDD0", "\uFDD1"

// newConverter returns a converter that escapes nothing: escapes are noise to a model, and the search for what would need one
// is quadratic.
func newConverter() *converter.Converter {
	c := converter.NewConverter(converter.WithEscapeMode(converter.EscapeModeDisabled), converter.WithPlugins(
		mdbase.NewBasePlugin(), commonmark.NewCommonmarkPlugin(commonmark.WithListEndComment(false), commonmark.WithLinkEmptyHrefBehavior(commonmark.LinkBehaviorSkip)),
		table.NewTablePlugin(table.WithCellPaddingBehavior(table.CellPaddingBehaviorMinimal)),
	))
	hide, show := strings.NewReplacer("<", less, ">", greater), strings.NewReplacer(less, "<", greater, ">")
	c.Register.TextTransformer(func(_ converter.Context, s string) string { return hide.Replace(s) }, converter.PriorityEarly)
	c.Register.TextTransformer(func(_ converter.Context, s string) string { return show.Replace(s) }, converter.PriorityLate)
	return c
}

// mainPart is the element that the page calls its main part, or all of it.
func mainPart(doc *html.Node) *html.Node {
	for _, is := range []func(*html.Node) bool{
		func(n *html.Node) bool { return n.DataAtom == atom.Main || attribute(n, "role") == "main" },
		func(n *html.Node) bool { return n.DataAtom == atom.Article },
	} {
		if n := element(doc, is); n != nil && len(strings.TrimSpace(textOf(n))) >= 200 {
			return n
		}
	}
	return doc
}

// A cleaner prepares HTML for the conversion.
type cleaner struct {
	from  *url.URL
	whole bool // of a page that does not say which part is the main one
}

// aroundCells are elements whose text is in the cells below them.
var aroundCells = []atom.Atom{atom.Table, atom.Thead, atom.Tbody, atom.Tfoot, atom.Tr}

// clean prepares what is below a node, and returns how many rows are in it and how wide the widest is.
func (c cleaner) clean(n *html.Node, depth, indent int) (rows, widest int) {
	if depth > maxNesting && !slices.Contains(aroundCells, n.DataAtom) {
		flatten(n)
		return 0, 0
	}
	if slices.Contains([]atom.Atom{atom.Ul, atom.Ol, atom.Blockquote}, n.DataAtom) {
		if indent++; indent > maxIndent {
			rename(n, atom.Div)
		}
	}
	if n.DataAtom == atom.Li && indent > maxIndent {
		rename(n, atom.Div)
	}
	if heading(n) && strings.TrimSpace(textOf(n)) == "#" {
		rename(n, atom.P) // the converter breaks at it
	}
	c.attributes(n)
	cells := 0
	for child, next := n.FirstChild, (*html.Node)(nil); child != nil; child = next {
		next = child.NextSibling
		if c.hidden(child) {
			n.RemoveChild(child)
			continue
		}
		r, w := c.clean(child, depth+1, indent)
		rows, widest = rows+r, max(widest, w)
		if child.DataAtom == atom.Td || child.DataAtom == atom.Th {
			cells++
		}
	}
	switch {
	case n.DataAtom == atom.Tr:
		return rows + 1, max(widest, cells)
	case n.DataAtom == atom.Table && (rows+1)*widest > maxCells:
		plainTable(n)
	}
	return rows, widest
}

// attributes makes the addresses of a node absolute, and takes away what would blow up the text.
func (c cleaner) attributes(n *html.Node) {
	if n.Type != html.ElementNode {
		return
	}
	n.Attr = slices.DeleteFunc(n.Attr, func(a html.Attribute) bool {
		return (a.Key == "colspan" || a.Key == "rowspan") && len(a.Val) > 1
	})
	for i, a := range n.Attr {
		if a.Key != "href" && a.Key != "src" {
			continue
		}
		u, err := c.from.Parse(strings.TrimSpace(a.Val))
		if err != nil || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "mailto" {
			n.Attr[i].Val = ""
			continue
		}
		n.Attr[i].Val = u.String()
	}
}

var unshown = []atom.Atom{
	atom.Script, atom.Style, atom.Template, atom.Svg, atom.Iframe, atom.Object, atom.Embed, atom.Canvas, atom.Video, atom.Audio, atom.Noscript,
	atom.Button, atom.Select, atom.Input, atom.Textarea, atom.Dialog, atom.Math,
}

// hidden reports whether a node shows no text of the page: scripts, controls, what is hidden, pictures without an address, and
// of a whole page also its navigation.
func (c cleaner) hidden(n *html.Node) bool {
	if n.Type == html.CommentNode {
		return true
	}
	if n.Type != html.ElementNode {
		return false
	}
	style := strings.ReplaceAll(strings.ToLower(attribute(n, "style")), " ", "")
	switch {
	case slices.Contains(unshown, n.DataAtom),
		c.whole && slices.Contains([]atom.Atom{atom.Nav, atom.Aside, atom.Footer}, n.DataAtom),
		strings.Contains(style, "display:none"), strings.Contains(style, "visibility:hidden"),
		slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "hidden" }):
		return true
	}
	src := attribute(n, "src")
	return n.DataAtom == atom.Img && (src == "" || strings.HasPrefix(strings.ToLower(src), "data:"))
}

// plainTable turns a table into blocks.
func plainTable(n *html.Node) {
	switch n.DataAtom {
	case atom.Table, atom.Tr, atom.Tbody, atom.Thead, atom.Tfoot, atom.Caption:
		rename(n, atom.Div)
	case atom.Td, atom.Th:
		rename(n, atom.Span)
	}
	for child := range n.ChildNodes() {
		plainTable(child)
	}
}

func heading(n *html.Node) bool {
	return slices.Contains([]atom.Atom{atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6}, n.DataAtom)
}

func rename(n *html.Node, to atom.Atom) { n.DataAtom, n.Data = to, to.String() }

// flatten leaves of what is below a node its text alone.
func flatten(n *html.Node) {
	text := textOf(n)
	for n.FirstChild != nil {
		n.RemoveChild(n.FirstChild)
	}
	if n.Type == html.ElementNode {
		n.AppendChild(&html.Node{Type: html.TextNode, Data: text})
	}
}

// element returns the first node for which is holds, or nil.
func element(n *html.Node, is func(*html.Node) bool) *html.Node {
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && is(d) {
			return d
		}
	}
	return nil
}

// textOf is the text below a node, without that of scripts and the like.
func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode && (d.Parent == nil || !slices.Contains(unshown, d.Parent.DataAtom)) {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
