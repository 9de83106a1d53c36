package render

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Diff renders a unified diff: the names of the files, the lines with their numbers in the old and the new file, the words
// that have changed inside a line, and code in its colours. Signs say what colours do. After so many lines one line says how
// many are missing; 0 shows all.
func Diff(t *Theme, unified string, width, most int) []string {
	d := differ{theme: t, width: max(width, 1), most: most}
	lines := strings.Split(strings.TrimSuffix(unified, "\n"), "\n")
	d.digits = digits(lines)
	d.coloured = len(lines) <= longestDiff
	for at := 0; at < len(lines); {
		at += d.next(lines[at:])
	}
	d.flush()
	return d.lines()
}

// longestDiff is the number of lines up to which code in a diff is coloured: more takes longer than anybody wants to wait.
const longestDiff = 2000

// full reports whether there are as many rows as were asked for.
func (d *differ) full() bool { return d.most > 0 && len(d.rows) > d.most }

// room reports whether one more line of the files is wanted, and counts it if not.
func (d *differ) room() bool {
	if d.full() {
		d.missing++
		return false
	}
	return true
}

// lines returns the rows as lines; if there are too many the first, and one that says how many are missing.
func (d *differ) lines() (lines []string) {
	rows := d.rows
	if d.full() {
		note := fmt.Sprintf("… %d more lines", d.missing+len(rows)-d.most+1)
		rows = append(slices.Clip(rows[:d.most-1]), row{{text: Cut(note, d.width), style: d.theme.Dim}})
	}
	for _, r := range rows {
		lines = append(lines, r.encode(false))
	}
	return lines
}

// A differ walks through a diff.
type differ struct {
	theme    *Theme
	width    int
	most     int // lines asked for; 0: all
	missing  int // lines for which there was no room, beyond rows
	digits   int // of the largest line number
	coloured bool
	old, new int // the next line of each file
	inHunk   bool
	left     [2]int      // lines of the hunk still to come: old, new
	removed  []string    // lines of the change that is open
	added    []string    // and what stands there now
	code     highlighter // of the lines that both files have
	rows     []row
}

// next takes the next line, or the two that name the files, and returns how many it took.
func (d *differ) next(lines []string) int {
	line := lines[0]
	if !d.inHunk || d.left[0] <= 0 && d.left[1] <= 0 && !strings.HasPrefix(line, `\`) {
		return d.head(lines)
	}
	sign, text := byte(' '), ""
	if line != "" {
		sign, text = line[0], expand(clean(line[1:]))
	}
	switch sign {
	case '+':
		d.added = append(d.added, text)
		d.left[1]--
	case '-':
		if len(d.added) > 0 {
			d.flush()
		}
		d.removed = append(d.removed, text)
		d.left[0]--
	case '\\':
		d.flush()
		d.note(strings.TrimSpace(text))
	case ' ':
		d.flush()
		if d.room() {
			d.line(' ', d.code.line(text), Style{})
		}
		d.left[0]--
		d.left[1]--
	default:
		d.inHunk = false
		return d.head(lines)
	}
	return 1
}

// head takes what stands before and between hunks.
func (d *differ) head(lines []string) int {
	d.flush()
	line := lines[0]
	switch {
	case strings.HasPrefix(line, "--- ") && len(lines) > 1 && strings.HasPrefix(lines[1], "+++ "):
		d.file(name(line), name(lines[1]))
		return 2
	case strings.HasPrefix(line, "@@ "):
		d.hunk(line)
	case strings.HasPrefix(line, "diff "), strings.HasPrefix(line, "index "), line == "":
	default:
		d.note(line)
	}
	return 1
}

// name returns the file's name in a line that begins with --- or +++, without git's prefix and a date.
func name(line string) string {
	name, _, _ := strings.Cut(line[4:], "\t")
	for _, prefix := range []string{"a/", "b/"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			return rest
		}
	}
	return name
}

// codeName returns the name of the file that tells the language of its code.
func codeName(old, new string) string {
	if new == "/dev/null" {
		return old
	}
	return new
}

func (d *differ) file(old, new string) {
	const none = "/dev/null"
	caption := new
	switch {
	case old == none:
		caption = new + " (new)"
	case new == none:
		caption = old + " (deleted)"
	case old != new:
		caption = old + " → " + new
	}
	if len(d.rows) > 0 {
		d.rows = append(d.rows, row{})
	}
	d.inHunk = false
	d.code = highlighter{theme: d.theme}
	if d.coloured && d.theme.AddedLine != (Style{}) { // else the colours of code would hide what was changed
		d.code = d.theme.highlighter(codeName(old, new))
	}
	d.rows = append(d.rows, wrap([]span{{text: flat(clean(caption)), style: d.theme.Strong}}, d.width)...)
}

// hunk takes the line @@ -1,2 +3,4 @@ text. Between two hunks stands a mark, and what the diff says of the place.
func (d *differ) hunk(line string) {
	ranges, text, ok := strings.Cut(line[3:], " @@")
	old, new, both := strings.Cut(ranges, " ")
	if !ok || !both {
		d.note(line)
		return
	}
	d.old, d.left[0] = lineRange(old)
	d.new, d.left[1] = lineRange(new)
	first := !d.inHunk
	d.inHunk = true
	d.code.stack = nil
	text = strings.TrimSpace(text)
	if first && text == "" && d.old <= 1 && d.new <= 1 {
		return
	}
	caption := strings.TrimSpace(fmt.Sprintf("%*s %s", d.gutter()-1, d.theme.signs.gap, flat(clean(text))))
	d.rows = append(d.rows, row{{text: Cut(caption, d.width), style: d.theme.Hunk}})
}

// lineRange reads -12,3: the first line and the number of lines.
func lineRange(s string) (first, count int) {
	a, b, ok := strings.Cut(strings.TrimLeft(s, "-+"), ",")
	first, _ = strconv.Atoi(a)
	count = 1
	if ok {
		count, _ = strconv.Atoi(b)
	}
	return first, count
}

// digits returns the digits of the largest line number of a diff.
func digits(lines []string) int {
	largest := 1
	for _, line := range lines {
		if rest, ok := strings.CutPrefix(line, "@@ "); ok {
			for _, part := range strings.SplitN(rest, " ", 3)[:min(2, strings.Count(rest, " ")+1)] {
				first, count := lineRange(part)
				largest = max(largest, first+count-1)
			}
		}
	}
	return min(len(strconv.Itoa(largest)), 7)
}

func (d *differ) note(text string) {
	d.rows = append(d.rows, wrap([]span{{text: flat(clean(text)), style: d.theme.Dim}}, d.width)...)
}

// flush prints the change that is open: what was removed, then what was added. Where lines stand against each other, what
// has changed in them is marked.
func (d *differ) flush() {
	removed, added := d.removed, d.added
	d.removed, d.added = nil, nil
	marks := make([][2][2]int, max(len(removed), len(added)))
	for i := range min(len(removed), len(added)) {
		marks[i][0], marks[i][1] = changed(removed[i], added[i])
	}
	before, after := d.code, d.code
	t := d.theme
	for i, text := range removed {
		if d.room() {
			d.line('-', mark(d.paint(&before, text, t.Removed, t.RemovedLine), marks[i][0], t.RemovedWord), t.Removed.Over(t.RemovedLine))
		}
	}
	for i, text := range added {
		if d.room() {
			d.line('+', mark(d.paint(&after, text, t.Added, t.AddedLine), marks[i][1], t.AddedWord), t.Added.Over(t.AddedLine))
		}
	}
	d.code = after
}

// paint returns a line that has changed: as code if it is known, else in the colour of the change.
func (d *differ) paint(code *highlighter, text string, colour, line Style) []span {
	if code.language == nil {
		return []span{{text: text, style: colour.Over(line)}}
	}
	spans := code.line(text)
	for i := range spans {
		spans[i].style = spans[i].style.Over(line)
	}
	return spans
}

// changed returns the bytes in which two lines differ: what is between their common beginning and their common end, by whole
// words. Lines that have little in common are not compared.
func changed(old, new string) (inOld, inNew [2]int) {
	start := 0
	for start < len(old) && start < len(new) && old[start] == new[start] {
		start++
	}
	for start > 0 && (inWord(old, start) || inWord(new, start)) {
		start--
	}
	end := 0
	for end < len(old)-start && end < len(new)-start && old[len(old)-1-end] == new[len(new)-1-end] {
		end++
	}
	for end > 0 && (inWord(old, len(old)-end) || inWord(new, len(new)-end)) {
		end--
	}
	if same := start + end; same*4 < max(len(strings.TrimSpace(old)), len(strings.TrimSpace(new))) {
		return inOld, inNew
	}
	return [2]int{start, len(old) - end}, [2]int{start, len(new) - end}
}

// inWord reports whether a cut at a byte would divide a word or a character.
func inWord(s string, at int) bool {
	return at > 0 && at < len(s) && wordByte(s[at-1]) && wordByte(s[at])
}

func wordByte(c byte) bool {
	return c == '_' || c >= 0x80 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// mark lays a style over the bytes of a part of a line.
func mark(spans []span, part [2]int, style Style) (marked []span) {
	if part[0] >= part[1] {
		return spans
	}
	at := 0
	for _, s := range spans {
		begin := min(max(part[0]-at, 0), len(s.text))
		end := min(max(part[1]-at, 0), len(s.text))
		at += len(s.text)
		for _, cut := range []span{
			{text: s.text[:begin], style: s.style},
			{text: s.text[begin:end], style: style.Over(s.style)},
			{text: s.text[end:], style: s.style},
		} {
			if cut.text != "" {
				marked = append(marked, cut)
			}
		}
	}
	return marked
}

// gutter returns the cells before a line's text: two numbers and the sign. Where there is little room there are no numbers.
func (d *differ) gutter() int {
	if d.width < 2*d.digits+30 {
		return 2
	}
	return 2*d.digits + 4
}

// line prints one line of the files, its text in spans, its sign in a style.
func (d *differ) line(sign byte, spans []span, style Style) {
	before, after := "", ""
	if sign != '+' {
		before = strconv.Itoa(d.old)
		d.old++
	}
	if sign != '-' {
		after = strconv.Itoa(d.new)
		d.new++
	}
	gutter := d.gutter()
	numbers := ""
	if gutter > 2 {
		numbers = fmt.Sprintf("%*s %*s ", d.digits, before, d.digits, after)
	}
	head := row{{text: numbers, style: d.theme.LineNumber}, {text: string(sign) + " ", style: style}}
	if d.width < narrowest {
		head, gutter = nil, 0
		spans = append([]span{{text: string(sign), style: style}}, spans...)
	}
	for i, r := range chop(spans, d.width-gutter) {
		if i > 0 {
			head = row{{text: strings.Repeat(" ", gutter)}}
		}
		d.rows = append(d.rows, append(slices.Clip(head), r...).trimEnd())
	}
}
