package editor

import (
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

const (
	// chipMark begins a chip in the text of a buffer. It is no byte of UTF-8, so that no text can forge one.
	chipMark = 0xff
	chipLen  = 4        // the mark and the id, six bits in each byte
	maxChips = 1 << 18  // ids in one editor
	tabStop  = 4        // cells
	longest  = 128      // bytes of a grapheme cluster: what is longer, such as a stack of accents, is cut into several
	unseen   = "\u00b7" // stands for what has no width of its own, so that the cursor can be seen to pass it
)

// A measure knows how many cells the terminal gives to a cluster.
type measure struct {
	method ansi.Method
	labels func(id int) string // of chips
}

// cluster returns the length in bytes and the width in cells of the first cluster of s, which is not empty and begins with
// no line break, when it stands in the given column.
func (m measure) cluster(s string, column int) (n, width int) {
	switch c := s[0]; {
	case c == chipMark:
		return chipLen, max(m.method.StringWidth(m.labels(chipID(s))), 1)
	case c == '\t':
		return 1, tabStop - column%tabStop
	case c < utf8.RuneSelf && (len(s) == 1 || s[1] < utf8.RuneSelf || s[1] == chipMark):
		return 1, 1
	}
	first, width := ansi.FirstGraphemeCluster(window(s), m.method)
	if width == 0 {
		width = m.method.StringWidth(unseen)
	}
	return len(first), width
}

// window is the part of s that its first cluster may have.
func window(s string) string {
	if len(s) > longest {
		s = s[:longest]
		for i := longest - 1; i > longest-utf8.UTFMax; i-- {
			if utf8.RuneStart(s[i]) {
				if !utf8.FullRuneInString(s[i:]) {
					s = s[:i]
				}
				break
			}
		}
	}
	if i := strings.IndexByte(s, chipMark); i > 0 {
		s = s[:i]
	}
	return s
}

// show returns what a terminal is sent for a cluster, no wider than width.
func (m measure) show(cluster string, width int) string {
	switch {
	case width < 1:
		return ""
	case cluster[0] == chipMark:
		return m.fit(m.labels(chipID(cluster)), width)
	case cluster == "\t":
		return strings.Repeat(" ", width)
	case len(cluster) == 1:
		return cluster
	}
	w := m.method.StringWidth(cluster)
	if w == 0 {
		cluster, w = unseen, m.method.StringWidth(unseen)
	}
	if w > width {
		return "?"
	}
	return cluster
}

// fit cuts a line at its end to a width; a cut is shown by an ellipsis. (The library's own way to do this measures by clusters
// also where the terminal does not.)
func (m measure) fit(s string, width int) string {
	if m.method.StringWidth(s) <= width {
		return s
	}
	room := width - m.method.StringWidth(ellipsis)
	at := 0
	for at < len(s) {
		n, w := m.cluster(s[at:], 0)
		if room -= w; room < 0 {
			break
		}
		at += n
	}
	if m.method.StringWidth(ellipsis) > width {
		return ""
	}
	return s[:at] + ellipsis
}

// fitEnd cuts a line at its beginning.
func (m measure) fitEnd(s string, width int) string {
	over := m.method.StringWidth(s) - width
	if over <= 0 {
		return s
	}
	if over += m.method.StringWidth(ellipsis); m.method.StringWidth(ellipsis) > width {
		return ""
	}
	for over > 0 && s != "" {
		n, _ := m.cluster(s, 0)
		over -= m.method.StringWidth(s[:n])
		s = s[n:]
	}
	return ellipsis + s
}

const ellipsis = "…"

// chipCode is how a chip stands in the text.
func chipCode(id int) string {
	return string([]byte{chipMark, 0x80 | byte(id>>12&63), 0x80 | byte(id>>6&63), 0x80 | byte(id&63)})
}

// chipID returns the id of the chip at the beginning of s.
func chipID(s string) int {
	return int(s[1]&63)<<12 | int(s[2]&63)<<6 | int(s[3]&63)
}
