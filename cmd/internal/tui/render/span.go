package render

import (
	"strings"

	"github.com/coder-agent/coder/agent/plain"
)

// A span is a piece of text in one style. Its text is clean: a line break in it is a hard one.
type span struct {
	text  string
	style Style
	link  string // where a click leads; "" for nowhere
}

// A row is one line of the screen, in spans.
type row []span

// clean returns text that a terminal does not obey: Markdown can spell a control character as an entity, which nobody before
// us has seen. A tab counts as one to four cells of code, elsewhere as a space.
func clean(text string) string {
	if !plainASCII(text) {
		text = plain.Text(text)
	}
	return text
}

// width returns the cells of the row.
func (r row) width() (n int) {
	for _, s := range r {
		n += Width(s.text)
	}
	return n
}

// indent returns the row with a first span before it.
func (r row) indent(first span) row {
	if first.text == "" {
		return r
	}
	return append(row{first}, r...)
}

// encode writes the row with its styles, and its links if the terminal knows them. It ends all that it begins.
func (r row) encode(links bool) string {
	if len(r) == 1 && r[0].style == (Style{}) && (r[0].link == "" || !links) {
		return r[0].text
	}
	var b strings.Builder
	var style Style
	link := ""
	for _, s := range r {
		if s.text == "" {
			continue
		}
		if links && s.link != link {
			hyperlink(&b, s.link)
			link = s.link
		}
		if s.style != style {
			if style != (Style{}) {
				b.WriteString(reset)
			}
			if s.style != (Style{}) {
				s.style.write(&b)
			}
			style = s.style
		}
		b.WriteString(s.text)
	}
	if style != (Style{}) {
		b.WriteString(reset)
	}
	if link != "" {
		hyperlink(&b, "")
	}
	return b.String()
}

// hyperlink begins a link (OSC 8), or ends one if the address is empty.
func hyperlink(b *strings.Builder, address string) {
	b.WriteString("\x1b]8;;")
	b.WriteString(address)
	b.WriteString("\x1b\\")
}

// clickable returns an address as a terminal may be given it: of a kind that only opens a page or a mail, all of it printable
// ASCII. "": it may not.
func clickable(address string) string {
	const longest = 2048 // bytes; beyond, terminals disagree
	scheme, _, _ := strings.Cut(strings.ToLower(address), ":")
	switch scheme {
	case "http", "https", "mailto", "ftp":
	default:
		return ""
	}
	if len(address) > longest {
		return ""
	}
	var b strings.Builder
	for i := range len(address) {
		if c := address[i]; c <= 0x20 || c >= 0x7f {
			const digits = "0123456789ABCDEF"
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
