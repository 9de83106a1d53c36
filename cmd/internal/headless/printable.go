package headless

import (
	"regexp"
	"strings"
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
