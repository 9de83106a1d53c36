package render

import (
	"fmt"
	"image/color"

	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"
)

// A Theme holds one style for each meaning a text can have on the screen.
type Theme struct {
	Text, Dim, Strong, Emphasis, Strike     Style
	Title, Heading                          Style // of the first level; of the others
	Code, Link, URL, Quote, Marker, Rule    Style // Code is code in a line of text; Marker begins a list item
	Label                                   Style // a short caption: the language of a code block, a file's name
	Added, Removed                          Style // of a diff: signs, and lines whose code is not known
	AddedLine, RemovedLine                  Style // the background of a line
	AddedWord, RemovedWord                  Style // the background of what has changed inside a line
	Hunk, LineNumber                        Style
	Success, Warning, Error, Accent, Banner Style
	Selected                                Style // what the cursor of a list stands on

	Keyword, Type, Function, String, Number, Comment, Constant, Tag, Attribute, Operator Style // of code

	Profile    colorprofile.Profile // what the terminal can show
	Dark       bool                 // its background
	Hyperlinks bool                 // it knows OSC 8

	signs signs
}

// signs are what lines are drawn with, each one cell.
type signs struct{ bar, rule, cross, gap string }

var (
	drawn = signs{bar: "│", rule: "─", cross: "┼", gap: "⋯"}
	typed = signs{bar: "|", rule: "-", cross: "+", gap: "~"} // where a terminal draws the others two cells wide, as some do in East Asia
)

// NewTheme returns the theme for a terminal with a dark or a light background. With colorprofile.ASCII (NO_COLOR) there
// are attributes such as bold but no colours, with NoTTY there is nothing: signs say what colours would.
func NewTheme(dark bool, profile colorprofile.Profile) *Theme {
	t := &Theme{Profile: profile, Dark: dark, signs: drawn}
	if Width(drawn.bar) > 1 {
		t.signs = typed
	}
	for _, p := range t.palette() {
		*p.style = t.style(p)
	}
	return t
}

// Colours reports whether the theme has any.
func (t *Theme) Colours() bool { return t.Profile >= colorprofile.ANSI }

// attributes reports whether the terminal shows bold, underline and the like.
func (t *Theme) attributes() bool { return t.Profile >= colorprofile.ASCII }

// An ink is how a meaning looks: RGB on dark and on light, and the number of one of the 16 colours for each. -1: none.
type ink struct {
	style       *Style
	dark, light int // 0xRRGGBB
	basicDark   int // 0 to 15
	basicLight  int
	back        bool // it colours the background, and the text over it is as the theme's
	fine        bool // only where there is true colour: 256 have nothing that comes near
	attr        attr
}

// rgb returns the colour on a dark or a light background; -1: none.
func (p ink) rgb(dark bool) int {
	if dark {
		return p.dark
	}
	return p.light
}

func (t *Theme) palette() []ink {
	const none = -1
	return []ink{
		{&t.Dim, 0x9aa0a6, 0x5c6166, 7, 8, false, false, 0},
		{&t.Strong, none, none, none, none, false, false, bold},
		{&t.Emphasis, none, none, none, none, false, false, italic},
		{&t.Strike, none, none, none, none, false, false, strike},
		{&t.Title, 0x9ecbff, 0x0b3d91, 14, 4, false, false, bold | underline},
		{&t.Heading, 0x9ecbff, 0x0b3d91, 14, 4, false, false, bold},
		{&t.Code, 0xf2b980, 0x8a3c00, 11, 5, false, false, 0},
		{&t.Link, 0x7dcfff, 0x0550ae, 12, 4, false, false, underline},
		{&t.URL, 0x9aa0a6, 0x5c6166, 7, 8, false, false, 0},
		{&t.Quote, 0xb4bcc6, 0x4a5159, 7, 8, false, false, italic},
		{&t.Marker, 0x8ab4f8, 0x0b57d0, 12, 4, false, false, 0},
		{&t.Rule, 0x858b93, 0x6a7077, 8, 8, false, false, 0},
		{&t.Label, 0x9aa0a6, 0x5c6166, 7, 8, false, false, 0},
		{&t.Added, 0x7ee787, 0x116329, 10, 2, false, false, 0},
		{&t.Removed, 0xff9a94, 0xa40e26, 9, 1, false, false, 0},
		{&t.AddedLine, 0x12301c, 0xe6ffec, none, none, true, true, 0},
		{&t.RemovedLine, 0x3b1719, 0xffebe9, none, none, true, true, 0},
		{&t.AddedWord, 0x1b4d2b, 0xb4f1c3, none, none, true, false, underline},
		{&t.RemovedWord, 0x6a2326, 0xffcfcb, none, none, true, false, underline},
		{&t.Hunk, 0x8ab4f8, 0x0550ae, 12, 4, false, false, 0},
		{&t.LineNumber, 0x858b93, 0x5c6166, 8, 8, false, false, 0},
		{&t.Success, 0x7ee787, 0x116329, 10, 2, false, false, 0},
		{&t.Warning, 0xf0c674, 0x7a4b00, 11, 5, false, false, 0},
		{&t.Error, 0xff9a94, 0xb3001b, 9, 1, false, false, bold},
		{&t.Accent, 0x8ab4f8, 0x0b57d0, 12, 4, false, false, 0},
		{&t.Banner, 0x263a57, 0xdce8fb, none, none, true, false, reverse},
		{&t.Selected, 0x33415c, 0xd3e3fd, none, none, true, false, reverse},
		{&t.Keyword, 0xd2a8ff, 0x7030c8, 13, 5, false, false, 0},
		{&t.Type, 0x7ee0d0, 0x0a5f56, 14, 6, false, false, 0},
		{&t.Function, 0x82b1ff, 0x0550ae, 12, 4, false, false, 0},
		{&t.String, 0xa5e3a0, 0x0a5c2f, 10, 2, false, false, 0},
		{&t.Number, 0xffb07c, 0x8a3c00, 11, 5, false, false, 0},
		{&t.Comment, 0x8f98a3, 0x5c6166, 7, 8, false, false, italic},
		{&t.Constant, 0xffb07c, 0x8a3c00, 11, 5, false, false, 0},
		{&t.Tag, 0x7ee787, 0x116329, 10, 2, false, false, 0},
		{&t.Attribute, 0x82b1ff, 0x0550ae, 12, 4, false, false, 0},
		{&t.Operator, 0xb4bcc6, 0x4a5159, none, none, false, false, 0},
	}
}

// style makes an ink a style that the terminal can show. Where a background cannot be coloured finely, its attribute stands for it.
func (t *Theme) style(p ink) Style {
	rgb, basic := p.rgb(t.Dark), p.basicLight
	if t.Dark {
		basic = p.basicDark
	}
	s := Style{attr: p.attr}
	switch {
	case !t.attributes(), p.fine && t.Profile < colorprofile.TrueColor:
		return Style{}
	case t.Profile >= colorprofile.ANSI256 && p.back:
		s.bg, s.attr = t.parameter(48, rgb), 0
	case t.Profile >= colorprofile.ANSI256 && rgb >= 0:
		s.fg = t.parameter(38, rgb)
	case t.Profile == colorprofile.ANSI && basic >= 8:
		s.fg = fmt.Sprint(90 + basic - 8)
	case t.Profile == colorprofile.ANSI && basic >= 0:
		s.fg = fmt.Sprint(30 + basic)
	}
	return s
}

// parameter returns the SGR parameter of a colour for text (38) or background (48).
func (t *Theme) parameter(kind, rgb int) string {
	c := color.RGBA{R: uint8(rgb >> 16), G: uint8(rgb >> 8), B: uint8(rgb), A: 0xff} //nolint:gosec // each is one byte
	if t.Profile == colorprofile.TrueColor {
		return fmt.Sprintf("%d;2;%d;%d;%d", kind, c.R, c.G, c.B)
	}
	return fmt.Sprintf("%d;5;%d", kind, ansi.Convert256(c))
}
