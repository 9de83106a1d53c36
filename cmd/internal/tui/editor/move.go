package editor

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// next returns the place behind the cluster at a place.
func (b *buffer) next(at int) int {
	if at >= len(b.text) {
		return len(b.text)
	}
	if b.text[at] == '\n' {
		return at + 1
	}
	n, _ := b.cluster(b.text[at:], 0)
	return at + n
}

// prev returns the place before the cluster that ends at a place.
func (b *buffer) prev(at int) int {
	if at <= 0 {
		return 0
	}
	if b.text[at-1] == '\n' {
		return at - 1
	}
	i := b.rows[b.rowOf(at-1)]
	for {
		next := b.next(i)
		if next >= at {
			return i
		}
		i = next
	}
}

// snap returns the first border of a cluster at or behind an offset.
func (b *buffer) snap(at int) int {
	at = min(max(at, 0), len(b.text))
	i := b.rows[b.rowOf(at)]
	for i < at {
		i = b.next(i)
	}
	return i
}

// moveTo moves the cursor.
func (b *buffer) moveTo(at int) {
	b.cursor, b.goal = at, -1
	b.seal()
}

// moveRows moves the cursor up or down by rows of the screen and keeps its column where it can. It is false at the edge.
func (b *buffer) moveRows(by int) bool {
	row := b.rowOf(b.cursor)
	to := row + by
	if to < 0 || to >= len(b.rows) {
		return false
	}
	goal := b.goal
	if goal < 0 {
		goal = b.column(b.cursor)
	}
	b.moveTo(b.place(to, goal))
	b.goal = goal
	return true
}

// lineStart returns where the line of a place begins.
func (b *buffer) lineStart(at int) int { return strings.LastIndexByte(b.text[:at], '\n') + 1 }

// lineEnd returns where the line of a place ends, before its line break.
func (b *buffer) lineEnd(at int) int {
	if i := strings.IndexByte(b.text[at:], '\n'); i >= 0 {
		return at + i
	}
	return len(b.text)
}

// firstWord returns the place of the first character of the line that is no blank.
func (b *buffer) firstWord(at int) int {
	i, end := b.lineStart(at), b.lineEnd(at)
	for i < end && (b.text[i] == ' ' || b.text[i] == '\t') {
		i++
	}
	return i
}

// A class is what words are made of.
type class int

const (
	blankClass class = iota
	wordClass        // letters, digits and _
	hanClass         // scripts that write no blanks between words
	signClass
	chipClass
)

// classAt returns the class of the cluster at a place.
func (b *buffer) classAt(at int) class {
	if at >= len(b.text) {
		return blankClass
	}
	r, _ := utf8.DecodeRuneInString(b.text[at:])
	switch {
	case b.text[at] == chipMark:
		return chipClass
	case unicode.IsSpace(r):
		return blankClass
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai):
		return hanClass
	case r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
		return wordClass
	}
	return signClass
}

// isWord reports the classes that word moves of Emacs stop at.
func isWord(c class) bool { return c == wordClass || c == hanClass || c == chipClass }

// wordEnd returns the end of the word at or behind a place.
func (b *buffer) wordEnd(at int) int {
	for at < len(b.text) && !isWord(b.classAt(at)) {
		at = b.next(at)
	}
	for c := b.classAt(at); at < len(b.text) && b.classAt(at) == c; {
		if at = b.next(at); c == chipClass {
			break
		}
	}
	return at
}

// wordStart returns the beginning of the word before a place.
func (b *buffer) wordStart(at int) int {
	for at > 0 && !isWord(b.classAt(b.prev(at))) {
		at = b.prev(at)
	}
	if at == 0 {
		return 0
	}
	for c := b.classAt(b.prev(at)); at > 0 && b.classAt(b.prev(at)) == c; {
		if at = b.prev(at); c == chipClass {
			break
		}
	}
	return at
}

// blankStart returns the beginning of what stands before a place up to a blank, as Ctrl+W deletes it.
func (b *buffer) blankStart(at int) int {
	for at > 0 && b.classAt(b.prev(at)) == blankClass {
		at = b.prev(at)
	}
	for at > 0 && b.classAt(b.prev(at)) != blankClass {
		at = b.prev(at)
		if b.classAt(at) == chipClass {
			break
		}
	}
	return at
}
