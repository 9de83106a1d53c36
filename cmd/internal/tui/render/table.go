package render

import (
	"strings"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
)

const (
	columnGap    = 3  // cells between two columns: " │ "
	longestWord  = 16 // cells; a longer word may be broken before its column is given more
	tallestCell  = 4  // rows; beyond, a table is easier to read as records
	fewestInCell = 6  // cells of a column that is not naturally narrower
)

// A grid is a table on its way to the screen.
type grid struct {
	theme *Theme
	style Style
	cells [][][]span // of each line of the table, the header first
	align []extast.Alignment
	width []int // of each column, in cells
}

func (p *painter) table(n *extast.Table, width int, style Style) []row {
	g := grid{theme: p.theme, style: style, align: n.Alignments}
	for line := n.FirstChild(); line != nil; line = line.NextSibling() {
		look := style
		if _, header := line.(*extast.TableHeader); header {
			look = p.theme.Strong.Over(style)
		}
		g.cells = append(g.cells, p.cells(line, look))
	}
	if len(g.cells) == 0 || len(g.cells[0]) == 0 {
		return nil
	}
	if g.fit(width) {
		if rows, ok := g.rows(); ok {
			return rows
		}
	}
	return g.records(width)
}

func (p *painter) cells(line ast.Node, style Style) (cells [][]span) {
	for c := line.FirstChild(); c != nil; c = c.NextSibling() {
		cells = append(cells, p.inline(c, style))
	}
	return cells
}

// fit gives each column its width: what it wants if there is room, else a share of the room beyond its longest word. It
// reports whether that is possible.
func (g *grid) fit(width int) bool {
	columns := len(g.cells[0])
	want, need := make([]int, columns), make([]int, columns)
	for _, line := range g.cells {
		for i, c := range line[:min(len(line), columns)] {
			w, n := extent(c)
			want[i], need[i] = max(want[i], w, 1), max(need[i], n, 1)
		}
	}
	room := width - columnGap*(columns-1)
	if sum(want) <= room {
		g.width = want
		return true
	}
	for i := range need {
		need[i] = max(need[i], min(want[i], fewestInCell))
	}
	room -= sum(need)
	if room < 0 {
		return false
	}
	wish := sum(want) - sum(need)
	g.width = need
	for i := range need {
		need[i] += room * max(want[i]-need[i], 0) / max(wish, 1)
	}
	return true
}

// extent returns the cells that text wants in one line, and what its longest word needs.
func extent(spans []span) (want, need int) {
	line, word := 0, 0
	for _, c := range measure(spans) {
		switch c.kind {
		case hard:
			want, line, word = max(want, line), 0, 0
			continue
		case space, wide, closing:
			word = 0
		}
		line += c.weight
		if c.kind != space {
			word += c.weight
		}
		need = max(need, word)
	}
	return max(want, line), min(need, longestWord)
}

func sum(numbers []int) (n int) {
	for _, v := range numbers {
		n += v
	}
	return n
}

// rows paints the table as one. ok is false if a cell would be too tall.
func (g *grid) rows() (rows []row, ok bool) {
	tall := false
	lines := make([][]row, len(g.cells))
	for i, line := range g.cells {
		lines[i] = g.line(line)
		if len(lines[i]) > tallestCell {
			return nil, false
		}
		tall = tall || i > 0 && len(lines[i]) > 1
	}
	for i, line := range lines {
		if i == 1 || i > 1 && tall {
			rows = append(rows, g.between())
		}
		rows = append(rows, line...)
	}
	if len(lines) == 1 {
		rows = append(rows, g.between())
	}
	return rows, true
}

// line paints one line of the table, as tall as its tallest cell.
func (g *grid) line(cells [][]span) []row {
	columns := make([][]row, len(g.width))
	height := 1
	for i := range columns {
		if i < len(cells) {
			columns[i] = wrap(cells[i], g.width[i])
		}
		height = max(height, len(columns[i]))
	}
	rows := make([]row, height)
	for y := range rows {
		for x, column := range columns {
			if x > 0 {
				rows[y] = append(rows[y], span{text: " " + g.theme.signs.bar + " ", style: g.theme.Rule})
			}
			var content row
			if y < len(column) {
				content = column[y]
			}
			rows[y] = append(rows[y], g.place(content, x)...)
		}
		rows[y] = rows[y].trimEnd()
	}
	return rows
}

// place aligns a cell's row in its column.
func (g *grid) place(content row, column int) row {
	room := max(g.width[column]-content.width(), 0)
	left := 0
	if column < len(g.align) {
		switch g.align[column] {
		case extast.AlignRight:
			left = room
		case extast.AlignCenter:
			left = room / 2
		}
	}
	r := append(row{{text: strings.Repeat(" ", left)}}, content...)
	return append(r, span{text: strings.Repeat(" ", room-left)})
}

// trimEnd drops unstyled spaces at the end.
func (r row) trimEnd() row {
	for len(r) > 0 && r[len(r)-1].style == (Style{}) {
		last := trimRight(r[len(r)-1])
		if last.text != "" {
			r[len(r)-1] = last
			break
		}
		r = r[:len(r)-1]
	}
	return r
}

func (g *grid) between() row {
	var b strings.Builder
	signs := g.theme.signs
	for i, w := range g.width {
		if i > 0 {
			b.WriteString(signs.rule + signs.cross + signs.rule)
		}
		b.WriteString(strings.Repeat(signs.rule, w))
	}
	return row{{text: b.String(), style: g.theme.Rule}}
}

// records paints each line of the table as a list of its cells with their names, for a screen too narrow for columns.
func (g *grid) records(width int) (rows []row) {
	names := g.cells[0]
	if len(g.cells) == 1 {
		for _, name := range names {
			rows = append(rows, wrap(name, width)...)
		}
		return rows
	}
	for i, line := range g.cells[1:] {
		if i > 0 {
			rows = append(rows, row{{text: strings.Repeat(g.theme.signs.rule, min(width, 8)), style: g.theme.Rule}})
		}
		for x, c := range line {
			var spans []span
			if x < len(names) && len(names[x]) > 0 {
				spans = append(append(spans, names[x]...), span{text: ": ", style: g.theme.Strong.Over(g.style)})
			}
			rows = append(rows, hang(append(spans, c...), width)...)
		}
	}
	return rows
}

// hang wraps spans with every row but the first indented.
func hang(spans []span, width int) []row {
	const indent = 2
	if width < narrowest {
		return wrap(spans, width)
	}
	rows := wrap(spans, width-indent)
	for i := range rows[1:] {
		rows[i+1] = rows[i+1].indent(span{text: strings.Repeat(" ", indent)})
	}
	return rows
}
