package render

import "strings"

// A Style is how a piece of text looks. The zero value is the terminal's own text.
type Style struct {
	fg, bg string // parameters of SGR, such as 38;5;12; "" for the terminal's own
	attr   attr
}

type attr uint8

const (
	bold attr = 1 << iota
	faint
	italic
	underline
	reverse
	strike
)

// attrs are the SGR parameters of the attributes, in the order of their bits.
var attrs = [...]string{"1", "2", "3", "4", "7", "9"}

// reset ends all styles.
const reset = "\x1b[m"

// Paint returns text in the style. The text holds no line break; a style that does nothing adds nothing.
func (s Style) Paint(text string) string {
	if s == (Style{}) || text == "" {
		return text
	}
	return s.open() + text + reset
}

// Over returns the style laid over another one: what it leaves open shines through.
func (s Style) Over(below Style) Style {
	if s.fg == "" {
		s.fg = below.fg
	}
	if s.bg == "" {
		s.bg = below.bg
	}
	s.attr |= below.attr
	return s
}

// open returns the SGR sequence that begins the style.
func (s Style) open() string {
	var b strings.Builder
	s.write(&b)
	return b.String()
}

func (s Style) write(b *strings.Builder) {
	b.WriteString("\x1b[")
	first := true
	add := func(p string) {
		if p == "" {
			return
		}
		if !first {
			b.WriteByte(';')
		}
		first = false
		b.WriteString(p)
	}
	for i, p := range attrs {
		if s.attr&(1<<i) != 0 {
			add(p)
		}
	}
	add(s.fg)
	add(s.bg)
	b.WriteByte('m')
}
