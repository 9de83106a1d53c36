package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/adrg/xdg"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/plain"
)

// width is how many columns the terminal has that stdout is, or 0 when it is none: programs get lines as long as they are.
func (a *app) width() int {
	f, ok := a.stdout.(*os.File)
	if !ok {
		return 0
	}
	columns, ok := terminalColumns(f)
	if !ok {
		return 0
	}
	if n, err := strconv.Atoi(a.getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	return cmp.Or(columns, 80)
}

// gap is what stands between two columns of a table.
const gap = 2

// Bounds of the table's columns, in characters, on a terminal.
const (
	leastName  = 16
	leastTitle = 16
	leastBoth  = 44 // of folder and title: with less there is no folder
)

// printSessions prints the table of sessions: for people, who see width columns at the time now, or for programs, with
// width 0, whole and with times as they are.
func printSessions(out io.Writer, list []agent.Session, width int, now time.Time) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "no sessions yet")
		return err
	}
	head := []string{"NAME", "STATUS", "USED", "SIZE", "COST", "FOLDER", "TITLE"}
	rows := [][]string{head}
	for _, s := range list {
		indent := strings.Repeat("  ", strings.Count(s.Name, "/sub/"))
		used := s.Updated.Local().Format(time.DateTime)
		folder := plain.Line(s.Workdir, math.MaxInt)
		if width > 0 {
			used, folder = ago(now.Sub(s.Updated), s.Updated), underHome(folder)
		}
		rows = append(rows, []string{
			indent + s.Name, state(s), used, sizeText(s.Bytes), fmt.Sprintf("$%.4f", s.Usage.Cost), folder, plain.Line(s.Title, math.MaxInt),
		})
	}
	if width > 0 {
		fit(rows, width)
	}
	w := tabwriter.NewWriter(out, 0, 0, gap, ' ', 0)
	for _, row := range rows {
		row = slices.DeleteFunc(row, func(cell string) bool { return cell == dropped })
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

// families puts children below their parents. Without all they are left out, and what they have cost is their parents'.
func families(list []agent.Session, all bool) (out []agent.Session) {
	below := make(map[string][]agent.Session) // by the key of the parent
	for _, s := range list {
		below[strings.ToLower(s.Parent)] = append(below[strings.ToLower(s.Parent)], s)
	}
	var add func(s agent.Session)
	add = func(s agent.Session) {
		out = append(out, s)
		at, children := len(out)-1, below[strings.ToLower(s.Name)]
		slices.Reverse(children) // the first made is the longest unused, as a rule
		for _, child := range children {
			add(child)
		}
		if !all {
			for _, child := range out[at+1:] {
				out[at].Usage = out[at].Usage.Add(child.Usage)
			}
			out = out[:at+1]
		}
	}
	for _, s := range list {
		if s.Parent == "" || !known(list, s.Parent) {
			add(s)
		}
	}
	return out
}

// state is the status, whether the session is pinned, and whether it asks for nothing.
func state(s agent.Session) string {
	text := string(s.Status)
	if s.Pinned {
		text += ", pinned"
	}
	if s.Mode == permission.ModeFull {
		text += ", FULL"
	}
	return text
}

// dropped stands in the cells of a column for which there is no room.
const dropped = "\x00"

// fit makes the rows fit the width: the title takes what is left, the folder a part of it, and where that is too little
// the folder goes, then size and cost.
func fit(rows [][]string, width int) {
	const name, size, cost, folder, title = 0, 3, 4, 5, 6
	limit(rows, name, max(leastName, width/4), indented)
	rest := width - columns(rows, folder)
	if rest < leastBoth {
		drop(rows, folder)
	} else {
		limit(rows, folder, (rest-gap)*2/5, tail)
	}
	if width-columns(rows, title) < leastTitle {
		drop(rows, size)
		drop(rows, cost)
	}
	limit(rows, title, max(leastTitle, width-columns(rows, title)), plain.Line)
}

// columns counts the characters of the columns before the given one, with their gaps.
func columns(rows [][]string, before int) (n int) {
	for column := range before {
		if rows[0][column] == dropped {
			continue
		}
		widest := 0
		for _, row := range rows {
			widest = max(widest, utf8.RuneCountInString(row[column]))
		}
		n += widest + gap
	}
	return n
}

func limit(rows [][]string, column, most int, cut func(string, int) string) {
	for _, row := range rows {
		row[column] = cut(row[column], most)
	}
}

func drop(rows [][]string, column int) {
	limit(rows, column, 0, func(string, int) string { return dropped })
}

// indented cuts a name at its end and keeps how far it stands to the right.
func indented(s string, most int) string {
	name := strings.TrimLeft(s, " ")
	indent := s[:len(s)-len(name)]
	return indent + plain.Line(name, most-len(indent))
}

// tail cuts a path at its beginning: what it ends with tells more.
func tail(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return "…" + string(r[len(r)-most+1:])
	}
	return s
}

// underHome writes a path under the home folder with ~.
func underHome(path string) string {
	if rest, ok := strings.CutPrefix(path, xdg.Home); ok && (rest == "" || os.IsPathSeparator(rest[0])) {
		return "~" + rest
	}
	return path
}

// ago says how long ago something was, and after a month when.
func ago(d time.Duration, when time.Time) string {
	switch {
	case d < time.Minute:
		return "now"
	case d < time.Hour:
		return fmt.Sprintf("%dm ago", d/time.Minute)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh ago", d/time.Hour)
	case d < 30*24*time.Hour:
		return fmt.Sprintf("%dd ago", d/(24*time.Hour))
	}
	return when.Local().Format(time.DateOnly)
}
