package render

import (
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// Width returns the number of cells that a line takes, escape sequences not counted. What belongs together counts once, as
// in a terminal that knows grapheme clusters: a letter with its marks, a flag, a family of emoji.
func Width(line string) int {
	if plainASCII(line) {
		return len(line)
	}
	return ansi.StringWidth(line)
}

// Cut returns the line cut to at most so many cells, the last of them an ellipsis if something is missing. Styles in it stay
// and are ended.
func Cut(line string, width int) string {
	if width <= 0 {
		return ""
	}
	if Width(line) <= width {
		return line
	}
	cut := ansi.Truncate(line, width, "…")
	if strings.Contains(cut, "\x1b[") && !strings.HasSuffix(cut, reset) {
		cut += reset
	}
	return cut
}

// Wrap breaks text without styles into lines of at most so many cells, at spaces where it can, and at its line breaks.
func Wrap(text string, width int) []string {
	rows := wrap([]span{{text: clean(text)}}, width)
	lines := make([]string, len(rows))
	for i, row := range rows {
		lines[i] = row.encode(false)
	}
	return lines
}

// Break breaks text without styles into rows of at most so many cells, whatever the terminal counts, and at its line breaks. No character
// is lost: it is for what must be read character by character.
func Break(text string, width int) (rows []string) {
	for line := range strings.SplitSeq(text, "\n") {
		rows = append(rows, breakLine(line, max(width, 2))...)
	}
	return rows
}

func breakLine(line string, width int) (rows []string) {
	start, used := 0, 0
	for at := 0; at < len(line); {
		text, _, weight := cluster(line[at:])
		if weight > width { // a family that is larger than the row
			_, n := utf8.DecodeRuneInString(text)
			text = text[:n]
			weight = ansi.StringWidthWc(text)
		}
		if used+weight > width && at > start {
			rows, start, used = append(rows, line[start:at]), at, 0
		}
		at, used = at+len(text), used+weight
	}
	return append(rows, line[start:])
}

// Pad returns the line with spaces added up to so many cells.
func Pad(line string, width int) string {
	return line + strings.Repeat(" ", max(width-Width(line), 0))
}

// plainASCII reports whether each byte of s is a character of one cell.
func plainASCII(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// cluster returns the first grapheme cluster of s and its cells. weight is what it takes on a terminal that counts each
// character by itself, if that is more: lines are broken by the weight, so that they fit on both kinds.
func cluster(s string) (text string, cells, weight int) {
	if s[0] < utf8.RuneSelf && (len(s) == 1 || s[1] < utf8.RuneSelf) {
		return s[:1], 1, 1
	}
	text, cells = ansi.FirstGraphemeCluster(s, ansi.GraphemeWidth)
	if text == "" { // cannot be, but a loop over clusters must end
		_, n := utf8.DecodeRuneInString(s)
		return s[:n], 1, 1
	}
	weight = cells
	if _, n := utf8.DecodeRuneInString(text); n < len(text) {
		weight = max(cells, ansi.StringWidthWc(text))
	}
	return text, cells, weight
}
