package editor

import (
	"strings"

	tea "charm.land/bubbletea/v2"
)

// View returns the lines of the editor, each at most width cells, and the cursor in them. There are at most maxHeight: a longer
// text scrolls. The list of completions stands below the text.
func (e *Editor) View(width, maxHeight int) (lines []string, cursor *tea.Cursor) {
	width, maxHeight = max(width, 1), max(maxHeight, 1)
	indent := 2
	if width < 6 {
		indent = 0
	}
	e.buf.setWidth(width - indent - 1)
	if e.editing != "" && maxHeight > 2 {
		lines = append(lines, e.style(e.opts.Styles.Label, e.cut(e.label+" (Esc: back to the draft)", width)))
	}
	below := e.below(width, maxHeight-len(lines)-1)
	text, x, y := e.textView(width, indent, maxHeight-len(lines)-len(below))
	y += len(lines)
	lines = append(append(lines, text...), below...)
	cursor = tea.NewCursor(min(x, width-1), y)
	switch {
	case e.search != nil:
		cursor.Position = tea.Position{X: min(e.buf.method.StringWidth(e.search.line()), width-1), Y: len(lines) - 1}
		if len(below) == 0 {
			cursor.X = min(x, width-1)
		}
	case e.vim.on && !e.vim.normal:
		cursor.Shape = tea.CursorBar
	}
	return lines, cursor
}

// Mode returns "normal" or "insert" with the keys of vi, else "".
func (e *Editor) Mode() string {
	switch {
	case !e.vim.on:
		return ""
	case e.vim.normal:
		return "normal"
	}
	return "insert"
}

func (e *Editor) style(f func(string) string, s string) string {
	if f == nil || s == "" {
		return s
	}
	return f(s)
}

func (e *Editor) cut(s string, width int) string { return e.buf.fit(s, width) }

// textView returns the rows of the text that are shown, and where the cursor is in them.
func (e *Editor) textView(width, indent, height int) (lines []string, x, y int) {
	b := e.buf
	at := b.rowOf(b.cursor)
	height = min(max(height, 1), len(b.rows))
	e.offset = min(max(e.offset, at-height+1), at, len(b.rows)-height)
	e.offset = max(e.offset, 0)
	for row := e.offset; row < e.offset+height; row++ {
		lines = append(lines, e.sign(row, indent, height)+e.row(row, width-indent))
	}
	if b.text == "" && e.opts.Placeholder != "" {
		lines[0] += e.style(e.opts.Styles.Placeholder, e.cut(e.opts.Placeholder, b.width))
	}
	return lines, indent + b.column(b.cursor), at - e.offset
}

// sign is what stands before a row.
func (e *Editor) sign(row, indent, height int) string {
	switch {
	case indent == 0:
		return ""
	case row == e.offset && row > 0:
		return e.style(e.opts.Styles.Prompt, e.arrow("↑", "^")+" ")
	case row == e.offset+height-1 && row+1 < len(e.buf.rows):
		return e.style(e.opts.Styles.Prompt, e.arrow("↓", "v")+" ")
	case row > 0:
		return "  "
	case strings.HasPrefix(e.buf.text, "!"):
		return e.style(e.opts.Styles.Shell, "> ")
	}
	return e.style(e.opts.Styles.Prompt, "> ")
}

// arrow is one cell wide: where East Asian widths are wanted, an arrow has two.
func (e *Editor) arrow(arrow, letter string) string {
	if e.buf.method.StringWidth(arrow) > 1 {
		return letter
	}
	return arrow
}

// row draws a row in so many cells. Only a blank comes into the last one, which is for the cursor.
func (e *Editor) row(row, cells int) string {
	b := e.buf
	var line strings.Builder
	for i, column, end := b.rows[row], 0, b.rowEnd(row); i < end; {
		n, w := b.cluster(b.text[i:], column)
		w = min(w, cells-column)
		shown := b.show(b.text[i:i+n], w)
		if b.text[i] == chipMark {
			shown = e.style(e.opts.Styles.Chip, shown)
		}
		line.WriteString(shown)
		i, column = i+n, column+w
	}
	return line.String()
}

// below returns what stands below the text: a search, or the list of completions, in so many lines at most.
func (e *Editor) below(width, height int) (lines []string) {
	if height < 1 {
		return nil
	}
	if e.search != nil {
		return []string{e.style(e.opts.Styles.Label, e.buf.fitEnd(e.search.line(), width-1))}
	}
	c := &e.complete
	if !c.open() {
		return nil
	}
	height = min(height, maxShown, max(height/2, 3), len(c.items)) // the text stays in sight
	first := min(max(c.chosen-height/2, 0), len(c.items)-height)
	wide := 0
	for _, one := range c.items[first : first+height] {
		wide = max(wide, e.buf.method.StringWidth(one.show))
	}
	for i := first; i < first+height; i++ {
		lines = append(lines, e.itemLine(c.items[i], i == c.chosen, min(wide, width-2), width))
	}
	return lines
}

// itemLine draws a row of the list. Of a path too long for it the end is shown.
func (e *Editor) itemLine(one item, chosen bool, wide, width int) string {
	m, s := e.buf.method, e.opts.Styles
	wide = max(wide, 1)
	sign, style := "  ", s.Item
	if chosen {
		sign, style = "> ", s.Selected
	}
	show := one.show
	if show = e.buf.fitEnd(show, wide); one.help != "" {
		show = e.cut(one.show, wide)
	}
	line := e.marked(e.cut(sign+show, width), sign, style)
	room := width - wide - 4
	if one.help == "" || room < 8 {
		return line
	}
	pad := strings.Repeat(" ", wide-m.StringWidth(show)+2)
	return line + pad + e.style(s.Help, e.cut(one.help, room))
}

// marked styles a row of the list, and the letters behind its sign that were typed.
func (e *Editor) marked(line, sign string, style func(string) string) string {
	show, whole := strings.CutPrefix(line, sign)
	if e.opts.Styles.Match == nil || !whole {
		return e.style(style, line)
	}
	typed := typedLetters(show, e.complete.shown)
	var b strings.Builder
	b.WriteString(e.style(style, sign))
	for at, rest := 0, show; rest != ""; {
		n, _ := e.buf.cluster(rest, 0)
		if typed[at] {
			b.WriteString(e.style(e.opts.Styles.Match, rest[:n]))
		} else {
			b.WriteString(e.style(style, rest[:n]))
		}
		at, rest = at+n, rest[n:]
	}
	return b.String()
}

// typedLetters are the places of the letters of a query in a path, as near to its end as can be: there the name is.
func typedLetters(path, query string) map[int]bool {
	path, query = strings.ToLower(path), strings.ToLower(query)
	places := make(map[int]bool)
	end := len(path)
	for i := len(query) - 1; i >= 0; i-- {
		if end = strings.LastIndexByte(path[:end], query[i]); end < 0 {
			return nil
		}
		places[end] = true
	}
	return places
}
