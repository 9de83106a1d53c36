package render

import (
	"bytes"
	"strings"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/util"

	"github.com/coder-agent/coder/agent/plain"
)

// An inliner gathers the spans of what stands in a line of text.
type inliner struct {
	theme  *Theme
	source []byte
	spans  []span
}

// inline returns the children of a block as spans, its line breaks as far as they are meant.
func (p *painter) inline(node ast.Node, style Style) []span {
	in := inliner{theme: p.theme, source: p.source}
	in.children(node, style, "")
	return in.spans
}

func (in *inliner) add(text string, style Style, link string) {
	if text == "" {
		return
	}
	if n := len(in.spans) - 1; n >= 0 && in.spans[n].style == style && in.spans[n].link == link {
		in.spans[n].text += text
		return
	}
	in.spans = append(in.spans, span{text, style, link})
}

func (in *inliner) children(node ast.Node, style Style, link string) {
	for n := node.FirstChild(); n != nil; n = n.NextSibling() {
		in.node(n, style, link)
	}
}

func (in *inliner) node(n ast.Node, style Style, link string) {
	t := in.theme
	switch n := n.(type) {
	case *ast.Text:
		in.text(n, style, link)
	case *ast.String:
		in.add(flat(clean(string(n.Value))), style, link)
	case *ast.CodeSpan:
		in.code(n, style, link)
	case *ast.Emphasis:
		emphasis := t.Emphasis
		if n.Level > 1 {
			emphasis = t.Strong
		}
		in.children(n, emphasis.Over(style), link)
	case *extast.Strikethrough:
		in.children(n, t.Strike.Over(style), link)
	case *ast.Link:
		in.link(n, string(n.Destination), "", style)
	case *ast.Image:
		in.link(n, string(n.Destination), "image: ", style)
	case *ast.AutoLink:
		address := clean(string(n.URL(in.source)))
		in.add(flat(clean(string(n.Label(in.source)))), t.Link.Over(style), clickable(address))
	case *ast.RawHTML:
		in.html(n, style, link)
	case *extast.TaskCheckBox:
		box := "[ ] "
		if n.IsChecked {
			box = "[x] "
		}
		in.add(box, t.Marker.Over(style), link)
	default:
		in.children(n, style, link)
	}
}

func (in *inliner) text(n *ast.Text, style Style, link string) {
	value := n.Segment.Value(in.source)
	if n.IsRaw() {
		in.add(flat(clean(string(value))), style, link)
	} else {
		in.add(flat(clean(unescape(value))), style, link)
	}
	switch {
	case n.HardLineBreak():
		in.add("\n", style, link)
	case n.SoftLineBreak() && !in.joins(n):
		in.add(" ", style, link)
	}
}

// joins reports whether a line break stands between characters of a script that writes no spaces.
func (in *inliner) joins(n *ast.Text) bool {
	next, ok := n.NextSibling().(*ast.Text)
	if !ok {
		return false
	}
	before, after := n.Segment.Value(in.source), next.Segment.Value(in.source)
	return ideographEnds(before) && ideographBegins(after)
}

// code adds a code span. Without colours its backticks stay.
func (in *inliner) code(n *ast.CodeSpan, style Style, link string) {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if text, ok := c.(*ast.Text); ok {
			b.Write(bytes.ReplaceAll(text.Segment.Value(in.source), []byte("\n"), []byte(" ")))
		}
	}
	text := flat(clean(b.String()))
	if !in.theme.Colours() {
		text = "`" + text + "`"
	}
	in.add(text, in.theme.Code.Over(style), link)
}

// link adds a link or an image, and where it leads unless its text says just that: nobody is to click on one name and
// come to another.
func (in *inliner) link(n ast.Node, destination, caption string, style Style) {
	t := in.theme
	address := flat(plain.Visible(clean(unescape([]byte(destination)))))
	target := clickable(address)
	inner := inliner{theme: t, source: in.source}
	inner.children(n, t.Link.Over(style), target)
	text := textOf(inner.spans)
	in.add(caption, t.Label.Over(style), "")
	for _, s := range inner.spans {
		in.add(s.text, s.style, s.link)
	}
	switch {
	case says(text, address):
	case address == "":
		return
	case text == "":
		in.add(address, t.Link.Over(style), target)
	case strings.HasPrefix(address, "#"): // a place in this text, which has none
	default:
		in.add(" (", t.URL.Over(style), "")
		in.add(address, t.URL.Over(style), target)
		in.add(")", t.URL.Over(style), "")
	}
}

// says reports whether the text of a link names its address.
func says(text, address string) bool {
	if text == "" {
		return false
	}
	for _, prefix := range []string{"", "https://", "http://", "mailto:"} {
		if prefix+text == address || prefix+text+"/" == address {
			return true
		}
	}
	return false
}

func textOf(spans []span) string {
	var b strings.Builder
	for _, s := range spans {
		b.WriteString(s.text)
	}
	return b.String()
}

// html adds a tag as the text it is, but for a line break, which has no other spelling in a table.
func (in *inliner) html(n *ast.RawHTML, style Style, link string) {
	tag := flat(clean(string(n.Segments.Value(in.source))))
	switch strings.ToLower(strings.ReplaceAll(tag, " ", "")) {
	case "<br>", "<br/>":
		in.add("\n", style, link)
	default:
		in.add(tag, in.theme.Dim.Over(style), link)
	}
}

// flat returns text in one line: its own line breaks are spaces.
func flat(text string) string {
	if strings.ContainsAny(text, "\n\t") {
		text = strings.NewReplacer("\n", " ", "\t", " ").Replace(text)
	}
	return text
}

// unescape resolves the backslashes and entities of Markdown's text.
func unescape(text []byte) string {
	if bytes.IndexByte(text, '\\') < 0 && bytes.IndexByte(text, '&') < 0 {
		return string(text)
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text) && util.IsPunct(text[i+1]):
			i++
			b.WriteByte(text[i])
		case c == '&':
			resolved, n := entity(text[i:])
			b.Write(resolved)
			i += n - 1
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// entity returns the character that a text begins with in HTML's spelling, and the bytes it took; else the & itself.
func entity(text []byte) (resolved []byte, n int) {
	const longest = 33 // bytes of HTML's longest name, & and ; included
	end := bytes.IndexByte(text[:min(len(text), longest)], ';')
	if end < 2 {
		return text[:1], 1
	}
	piece := text[:end+1]
	resolve := util.ResolveEntityNames
	if piece[1] == '#' {
		resolve = util.ResolveNumericReferences
	}
	if resolved := resolve(bytes.Clone(piece)); !bytes.Equal(resolved, piece) {
		return resolved, len(piece)
	}
	return text[:1], 1
}
