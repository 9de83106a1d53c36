package editor

import (
	"sort"
	"unicode/utf8"
)

// closes reports the wide signs that do not begin a row.
func closes(cluster string) bool {
	switch r, _ := utf8.DecodeRuneInString(cluster); r {
	case '、', '。', '，', '．', '：', '；', '？', '！', '）', '］', '｝', '〕', '〉', '》', '」', '』', '】', '々', 'ー':
		return true
	}
	return false
}

// setWidth sets the width of rows, in cells.
func (b *buffer) setWidth(cells int) {
	if cells = max(cells, 1); cells != b.width {
		b.width = cells
		b.wrap()
	}
}

// wrap finds all rows anew.
func (b *buffer) wrap() {
	b.rows = append(b.rows[:0], 0)
	for p := 0; ; {
		next, more := b.row(p)
		if !more {
			return
		}
		b.rows = append(b.rows, next)
		p = next
	}
}

// rewrap finds the rows anew that a change concerns: what stood from one place to another now has n bytes. It begins two rows
// before, because a shorter word may fit there, and ends where a row begins as one did before.
func (b *buffer) rewrap(from, to, n int) {
	shift := n - (to - from)
	first := max(b.rowOf(from)-2, 0)
	old := b.rows[first+1:]
	rows := append(make([]int, 0, len(b.rows)+8), b.rows[:first+1]...)
	for p := b.rows[first]; ; {
		next, more := b.row(p)
		if !more {
			break
		}
		for len(old) > 0 && (old[0] <= to || old[0]+shift < next) {
			old = old[1:]
		}
		if len(old) > 0 && old[0]+shift == next {
			for _, start := range old {
				rows = append(rows, start+shift)
			}
			break
		}
		rows = append(rows, next)
		p = next
	}
	b.rows = rows
}

// row returns where the row behind the one that begins at p begins; more is false when p's is the last.
//
// Rows break behind blanks, between wide characters and around chips, else where they are full; not before a sign that closes. A
// blank that does not fit stands behind the row, in the cell that is kept free for the cursor.
func (b *buffer) row(p int) (next int, more bool) {
	column, breakable, before := 0, -1, -1 // the last place to break at, and the one before that
	for i := p; i < len(b.text); {
		c := b.text[i]
		if c == '\n' {
			return i + 1, true
		}
		n, w := b.cluster(b.text[i:], column)
		blank := c == ' ' || c == '\t'
		loose := w > 1 && !blank || c == chipMark
		switch {
		case loose && closes(b.text[i:]):
			if breakable == i {
				breakable = before
			}
		case loose && breakable != i:
			breakable, before = i, breakable
		}
		switch {
		case column+w <= b.width:
		case blank:
			return i + n, true
		case breakable > p:
			return breakable, true
		case i > p:
			return i, true
		default: // wider than a row
			return i + n, true
		}
		i, column = i+n, column+w
		if blank || loose {
			breakable, before = i, breakable
		}
	}
	return len(b.text), false
}

// rowOf returns the row in which a place is.
func (b *buffer) rowOf(at int) int {
	return sort.SearchInts(b.rows, at+1) - 1
}

// rowEnd returns where the row ends: before its line break, or where the next begins.
func (b *buffer) rowEnd(row int) int {
	if row+1 == len(b.rows) {
		return len(b.text)
	}
	end := b.rows[row+1]
	if b.text[end-1] == '\n' {
		end--
	}
	return end
}

// column returns the column of a place in its row.
func (b *buffer) column(at int) int {
	row := b.rowOf(at)
	column := 0
	for i := b.rows[row]; i < at; {
		n, w := b.cluster(b.text[i:], column)
		i, column = i+n, column+w
	}
	return min(column, b.width)
}

// place returns the place in a row that is nearest to a column from the left.
func (b *buffer) place(row, column int) int {
	end := b.rowEnd(row)
	at, x := b.rows[row], 0
	for at < end {
		n, w := b.cluster(b.text[at:], x)
		if x+w > column {
			break
		}
		if at+n == end && row+1 < len(b.rows) && b.rows[row+1] == end {
			break // behind the last cluster of a full row is the next row
		}
		at, x = at+n, x+w
	}
	return at
}
