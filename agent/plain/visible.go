package plain

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Visible returns s with none of it hidden: control characters, bytes that are no UTF-8, and what has no width, reorders
// text or looks like a space are shown as their escapes, such as \x1b, \u202e or \U000e0041. Line breaks and tabs stay, and
// what is part of an emoji as people write them: joiners between pictures, one variation selector, the tags of a flag.
func Visible(s string) string { return show(s) }

// VisibleLine returns Visible of s in one line of at most so many characters; a cut is shown by an ellipsis.
func VisibleLine(s string, most int) string {
	return Clip(strings.Join(strings.Fields(Visible(s)), " "), most)
}

func show(s string) string {
	if !hides(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !hidden(r):
			b.WriteString(s[i : i+n])
			if flag := flagTags(r, s[i+n:]); flag != "" {
				b.WriteString(flag)
				n += len(flag)
			} else if part := emojiPart(r, s[i+n:]); part != "" {
				b.WriteString(part)
				n += len(part)
			}
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		i += n
	}
	return b.String()
}

func hides(s string) bool {
	return !utf8.ValidString(s) || strings.IndexFunc(s, hidden) >= 0
}

// hidden reports what a reader cannot see, or not tell from a space. Marks that Unicode calls prepended are signs.
func hidden(r rune) bool {
	switch {
	case r == ' ' || r == '\u3000': // the space of East Asian text has a width of its own
		return false
	case r < 0x80:
		return controls(r)
	case unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		return false
	}
	return controls(r) || unicode.In(r, unicode.Cf, unicode.Zs, unicode.Zl, unicode.Zp,
		unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) || r == '\u2800' || r >= 0xe0000 && r <= 0xe0fff
}

const (
	joiner    = '\u200d'
	textStyle = '\ufe0e'
	pictStyle = '\ufe0f'
	keycap    = '\u20e3'
	blackFlag = '\U0001f3f4'
)

// emojiPart returns what follows the character base and belongs to it, though it cannot be seen: a variation selector, a
// joiner before another picture, or both.
func emojiPart(base rune, rest string) string {
	r, n := utf8.DecodeRuneInString(rest)
	next, _ := utf8.DecodeRuneInString(rest[n:])
	switch {
	case unicode.Is(unicode.Variation_Selector, r) && unicode.Is(unicode.Variation_Selector, next):
		return "" // a run: each carries a byte, and nobody sees any
	case r == pictStyle && next == keycap && strings.ContainsRune("0123456789#*", base):
		return rest[:n]
	case r >= 0xe0100 && r <= 0xe01ef && unicode.Is(unicode.Han, base): // names a variant of a character
		return rest[:n]
	case !unicode.Is(pictures, base):
		return ""
	case r == joiner && unicode.Is(pictures, next):
		return rest[:n]
	case r == pictStyle || r == textStyle:
		after, m := utf8.DecodeRuneInString(rest[n:])
		if picture, _ := utf8.DecodeRuneInString(rest[n+m:]); after == joiner && unicode.Is(pictures, picture) {
			return rest[:n+m]
		}
		return rest[:n]
	}
	return ""
}

// flagTags returns the tags that make a black flag that of a region, such as gbsct for Scotland, with their end.
func flagTags(base rune, rest string) string {
	if base != blackFlag {
		return ""
	}
	for i, r := range rest {
		count := i / 4 // a tag has four bytes
		switch {
		case r == 0xe007f && count >= 3:
			return rest[:i+4]
		case count < 6 && (r >= 0xe0061 && r <= 0xe007a || r >= 0xe0030 && r <= 0xe0039):
		default:
			return ""
		}
	}
	return ""
}

// pictures holds the characters from which emoji are made.
var pictures = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x00a9, 0x00a9, 1},
		{0x00ae, 0x00ae, 1},
		{0x203c, 0x203c, 1},
		{0x2049, 0x2049, 1},
		{0x2122, 0x2122, 1},
		{0x2139, 0x2139, 1},
		{0x2194, 0x2199, 1},
		{0x21a9, 0x21aa, 1},
		{0x231a, 0x23ff, 1},
		{0x24c2, 0x24c2, 1},
		{0x25aa, 0x25fe, 1},
		{0x2600, 0x27bf, 1},
		{0x2934, 0x2935, 1},
		{0x2b05, 0x2b55, 1},
		{0x3030, 0x3030, 1},
		{0x303d, 0x303d, 1},
		{0x3297, 0x3299, 2},
	},
	R32:         []unicode.Range32{{0x1f000, 0x1faff, 1}},
	LatinOffset: 2,
}
