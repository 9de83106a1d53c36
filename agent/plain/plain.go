// Package plain makes text from elsewhere safe to show: what a model, a tool, a file or a provider says may move the
// cursor, set the clipboard, hide or reorder what stands beside it.
//
// Text is for reading: what a terminal would obey is gone. Visible is for judging, such as a command that waits for a
// yes: nothing is gone, what could not be seen is shown. Output is for both, such as what a command has printed: colours
// are gone, and what could not be seen is shown. HTML is Output for a page. Stream is Text for text that arrives in pieces.
//
// The result of each is valid UTF-8 and holds no byte below 0x20 but line breaks and tabs.
package plain

import (
	"html"
	"strings"
)

// Text returns s without what a terminal would obey: control characters but line break and tab, every escape sequence in
// its 7-bit and 8-bit form with what belongs to it, and the marks that reorder text. A carriage return is a line break.
// Bytes that are no UTF-8 become U+FFFD. Emoji, joiners and other scripts stay.
func Text(s string) string {
	if !rough(s) {
		return s
	}
	var t Stream
	return t.Next(s) + t.End()
}

// Line returns Text of s in one line of at most so many characters; a cut is shown by an ellipsis.
func Line(s string, most int) string {
	return Clip(strings.Join(strings.Fields(Text(s)), " "), most)
}

// Clip cuts s to at most so many characters, the last of them an ellipsis.
func Clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	if r := []rune(s); len(r) > most {
		return string(r[:max(most-1, 0)]) + "…"
	}
	return s
}

// Output returns s without escape sequences and control characters, and with what has no width, reorders text or looks
// like a space shown as its escape, such as \u200b. A byte order mark at the beginning is gone.
func Output(s string) string {
	s = strings.TrimPrefix(s, "\uFEFF")
	if !rough(s) {
		return show(s)
	}
	t := Stream{keepMarks: true}
	return show(t.Next(s) + t.End())
}

// HTML returns Output of s with the characters escaped that mean something in HTML text and in quoted attributes.
func HTML(s string) string { return html.EscapeString(Output(s)) }
