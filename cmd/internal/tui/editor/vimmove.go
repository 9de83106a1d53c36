package editor

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// motion returns where a key of normal mode leads.
func (e *Editor) motion(k string) move {
	b, v := e.buf, &e.vim
	at, n := b.cursor, e.times()
	start, end := b.lineStart(at), b.lineEnd(at)
	switch k {
	case "h":
		to := at
		for ; n > 0 && to > start; n-- {
			to = b.prev(to)
		}
		return move{to: to, ok: to != at}
	case "l", " ":
		to := at
		for ; n > 0 && to < end; n-- {
			to = b.next(to)
		}
		return move{to: to, ok: to != at}
	case "j":
		return e.linesDown(n)
	case "k":
		return e.linesDown(-n)
	case "0":
		return move{to: start, ok: true}
	case "^":
		return move{to: b.firstWord(at), ok: true}
	case "$":
		for ; n > 1 && end < len(b.text); n-- {
			end = b.lineEnd(end + 1)
		}
		return move{to: end, ok: v.op == 0 || end > at}
	case "G":
		if v.count > 0 {
			return e.toLine(v.count)
		}
		return move{to: b.firstWord(len(b.text)), lines: true, ok: true}
	case "w", "W":
		return e.wordMove(n, k == "W")
	case "e", "E":
		to := at
		to = repeated(n, to, func(at int) int { return b.vimWordEnd(at, k == "E") })
		return move{to: to, inclusive: true, ok: to < len(b.text) && to != at || v.op != 0 && to < len(b.text)}
	case "b", "B":
		to := at
		to = repeated(n, to, func(at int) int { return b.vimWordBack(at, k == "B") })
		return move{to: to, ok: to != at}
	case ";":
		return e.findMove(v.find, v.findChar, true)
	case ",":
		return e.findMove(otherWay(v.find), v.findChar, true)
	}
	return move{}
}

// linesDown leads to another line, at the column where the cursor is or would be if its line were long enough.
func (e *Editor) linesDown(n int) move {
	b := e.buf
	at, column := b.cursor, b.goal
	if column < 0 {
		column = b.lineColumn(at)
	}
	start := b.lineStart(at)
	for ; n > 0; n-- {
		end := b.lineEnd(start)
		if end == len(b.text) {
			return move{}
		}
		start = end + 1
	}
	for ; n < 0; n++ {
		if start == 0 {
			return move{}
		}
		start = b.lineStart(start - 1)
	}
	return move{to: b.linePlace(start, column), lines: true, ok: true}
}

// lineColumn is how many characters of the line stand before a place.
func (b *buffer) lineColumn(at int) (n int) {
	for i := b.lineStart(at); i < at; i = b.next(i) {
		n++
	}
	return n
}

// linePlace is the place in the line that begins at start with so many characters before it.
func (b *buffer) linePlace(start, column int) int {
	end := b.lineEnd(start)
	at := start
	for ; column > 0 && at < end; column-- {
		at = b.next(at)
	}
	return at
}

// toLine leads to a line, counted from 1.
func (e *Editor) toLine(line int) move {
	b := e.buf
	at := 0
	for ; line > 1; line-- {
		end := b.lineEnd(at)
		if end == len(b.text) {
			break
		}
		at = end + 1
	}
	return move{to: b.firstWord(at), lines: true, ok: true}
}

// vimClass is classAt as the word moves of vi see it; big words are all that is no blank.
func (b *buffer) vimClass(at int, big bool) class {
	c := b.classAt(at)
	if big && c != blankClass {
		return wordClass
	}
	return c
}

// emptyLine reports whether a place is an empty line, which counts as a word.
func (b *buffer) emptyLine(at int) bool {
	return (at == 0 || b.text[at-1] == '\n') && (at == len(b.text) || b.text[at] == '\n')
}

// wordMove is w. Changing a word leaves the blanks behind it; the last word of a line is deleted without the line break.
func (e *Editor) wordMove(n int, big bool) move {
	b, v := e.buf, &e.vim
	to := b.cursor
	if v.op == 'c' && b.classAt(to) != blankClass {
		to = repeated(n-1, b.lastOfWord(to, big), func(at int) int { return b.vimWordEnd(at, big) })
		return move{to: to, inclusive: true, ok: true}
	}
	to = repeated(n-1, to, func(at int) int { return b.vimWordNext(at, big) })
	end, next := b.lineEnd(to), b.vimWordNext(to, big)
	if v.op != 0 && next > end && end > to {
		next = end
	}
	to = next
	return move{to: to, ok: to != b.cursor}
}

// repeated takes a step so many times, as far as it leads anywhere.
func repeated(n, at int, step func(at int) int) int {
	for ; n > 0; n-- {
		next := step(at)
		if next == at {
			break
		}
		at = next
	}
	return at
}

// lastOfWord is the last character of the word at a place.
func (b *buffer) lastOfWord(at int, big bool) int {
	for c := b.vimClass(at, big); ; {
		next := b.next(at)
		if next >= len(b.text) || b.vimClass(next, big) != c {
			return at
		}
		at = next
	}
}

func (b *buffer) vimWordNext(at int, big bool) int {
	if c := b.vimClass(at, big); c != blankClass {
		for at < len(b.text) && b.vimClass(at, big) == c {
			at = b.next(at)
		}
	} else if b.emptyLine(at) && at < len(b.text) {
		at++
		if b.emptyLine(at) {
			return at
		}
	}
	for at < len(b.text) && b.classAt(at) == blankClass {
		at = b.next(at)
		if at < len(b.text) && b.emptyLine(at) {
			return at
		}
	}
	return at
}

func (b *buffer) vimWordEnd(at int, big bool) int {
	next := b.next(at)
	for next < len(b.text) && b.classAt(next) == blankClass {
		next = b.next(next)
	}
	if next >= len(b.text) {
		return b.prev(len(b.text))
	}
	return b.lastOfWord(next, big)
}

func (b *buffer) vimWordBack(at int, big bool) int {
	for at > 0 {
		at = b.prev(at)
		if b.classAt(at) != blankClass || b.emptyLine(at) {
			break
		}
	}
	if b.classAt(at) == blankClass {
		return at
	}
	for c := b.vimClass(at, big); at > 0 && b.vimClass(b.prev(at), big) == c; {
		at = b.prev(at)
	}
	return at
}

// findMove is f, t, F and T, in the line. again is true for ; and , where t does not find what it stands before.
func (e *Editor) findMove(kind byte, char string, again bool) move {
	b := e.buf
	at := b.cursor
	start, end := b.lineStart(at), b.lineEnd(at)
	to, left := at, e.times()
	switch kind {
	case 'f', 't':
		if again && kind == 't' && to < end {
			to = b.next(to)
		}
		for to < end && left > 0 {
			if to = b.next(to); to < end && b.text[to:b.next(to)] == char {
				left--
			}
		}
		if to >= end {
			return move{}
		}
		if kind == 't' {
			to = b.prev(to)
		}
		return move{to: to, inclusive: true, ok: left == 0}
	case 'F', 'T':
		if again && kind == 'T' && to > start {
			to = b.prev(to)
		}
		for to > start && left > 0 {
			if to = b.prev(to); b.text[to:b.next(to)] == char {
				left--
			}
		}
		if left > 0 {
			return move{}
		}
		if kind == 'T' {
			to = b.next(to)
		}
		return move{to: to, ok: true}
	}
	return move{}
}

func otherWay(kind byte) byte {
	if kind == 0 {
		return 0
	}
	return kind ^ 0x20
}

// replaceChars is r.
func (e *Editor) replaceChars(k string) bool {
	b, n := e.buf, e.times()
	keys := e.vim.keys
	e.vim.clear()
	e.vim.keys = keys
	at, to := b.cursor, b.cursor
	for range n {
		if to == b.lineEnd(to) {
			return false
		}
		to = b.next(to)
	}
	b.together(func() { b.replace(at, to, strings.Repeat(clean(k), n)) })
	b.moveTo(b.prev(b.cursor))
	return true
}

// operateWord is iw, and aw with the blanks behind the word.
func (e *Editor) operateWord(around bool) bool {
	b := e.buf
	at := b.cursor
	start, end := b.lineStart(at), b.lineEnd(at)
	from, to := at, at
	for c := b.classAt(at); from > start && b.classAt(b.prev(from)) == c; {
		from = b.prev(from)
	}
	for c := b.classAt(at); to < end && b.classAt(to) == c; {
		to = b.next(to)
	}
	if around {
		for to < end && b.classAt(to) == blankClass {
			to = b.next(to)
		}
	}
	b.moveTo(from)
	return e.operate(move{to: to, ok: to > from})
}

// join is J.
func (e *Editor) join(n int) bool {
	b := e.buf
	changed := false
	b.together(func() {
		for ; n > 0; n-- {
			end := b.lineEnd(b.cursor)
			if end == len(b.text) {
				return
			}
			next, blank := b.firstWord(end+1), " "
			if end == b.lineStart(end) || next == b.lineEnd(next) {
				blank = ""
			}
			b.replace(end, next, blank)
			b.cursor = b.snap(end)
			changed = true
		}
	})
	return changed
}

// swapCase is ~.
func (e *Editor) swapCase(n int) bool {
	b := e.buf
	at, to := b.cursor, b.cursor
	for ; n > 0 && to < b.lineEnd(to); n-- {
		to = b.next(to)
	}
	if at == to {
		return false
	}
	swapped := strings.Map(func(r rune) rune {
		if unicode.IsUpper(r) {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, b.text[at:to])
	if !utf8.ValidString(b.text[at:to]) {
		return false // a chip
	}
	b.together(func() { b.replace(at, to, swapped) })
	return true
}
