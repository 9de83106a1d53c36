package headless

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// escapes are the terminal's control sequences: CSI, the string sequences (OSC, DCS, APC, PM, SOS) with their content,
// and the short ones; each also in its 8-bit form.
var escapes = regexp.MustCompile("(?:\x1b\\[|\u009b)[0-?]*[ -/]*[@-~]" +
	"|(?:\x1b[]PX^_]|[\u009d\u0090\u0098\u009e\u009f])[^\x07\x1b\u009c]*(?:\x07|\x1b\\\\|\u009c)?" +
	"|\x1b[ -/]*[0-~]")

// Printable makes text from elsewhere safe to print: what could move the cursor, colour, hide or reorder text on a
// terminal is gone. A carriage return becomes a line break.
func Printable(s string) string {
	if strings.IndexFunc(s, unsafe) < 0 {
		return s
	}
	s = strings.ReplaceAll(escapes.ReplaceAllString(s, ""), "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r':
			return '\n'
		case unsafe(r):
			return -1
		}
		return r
	}, s)
}

// unsafe reports control characters but line break and tab, and the marks that reorder text.
func unsafe(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case r < 0x20, r >= 0x7f && r < 0xa0:
		return true
	}
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// Line makes text from elsewhere one line of bounded length.
func Line(s string, most int) string {
	return clip(strings.Join(strings.Fields(Printable(s)), " "), most)
}

func clip(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// Visible makes what a person must judge safe to print without hiding any of it: each character that Printable would drop,
// and each that has no width, stands there as its escape, such as \x1b.
func Visible(s string) string {
	hidden := func(r rune) bool { return unsafe(r) || unicode.Is(unicode.Cf, r) }
	if utf8.ValidString(s) && strings.IndexFunc(s, hidden) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !hidden(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
