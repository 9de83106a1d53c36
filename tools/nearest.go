package tools

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/agnivade/levenshtein"
)

// nearLines is how many lines are shown as the nearest text.
const nearLines = 5

// nearest says that old is not in the file and shows what comes nearest, so that the edit can be corrected without
// reading the file again.
func (d *draft) nearest(old string) string {
	want := firstWords(old)
	ix := index(d.data)
	best := ix.nearest(want)
	if best < 0 {
		return "old is not in the file, nor anything like it"
	}
	var b strings.Builder
	b.WriteString("old is not in the file; the nearest text is")
	for i := best; i < min(best+nearLines, len(ix.starts)); i++ {
		if line := ix.line(i); i+1 < len(ix.starts) || len(line) > 0 {
			fmt.Fprintf(&b, "\n%d:%s", i+1, cutLine(strings.ToValidUTF8(string(bytes.TrimRight(line, "\r")), "\uFFFD"), 300))
		}
	}
	return b.String()
}

// firstWords returns the first lines of a text, not counting blank ones at its beginning.
func firstWords(old string) []string {
	lines := strings.Split(strings.TrimLeft(old, " \t\r\n"), "\n")
	return lines[:min(len(lines), nearLines)]
}

// nearest returns the line at which the text most like want begins, -1 if none shares a word with it. Words choose the
// candidates, the edit distance decides among them.
func (ix indexed) nearest(want []string) int {
	weight := map[string]int{} // in how many of want's lines a word is
	for _, l := range want {
		for _, w := range words(l) {
			weight[w]++
		}
	}
	scores := make([]int, len(ix.starts))
	for i := range ix.starts {
		for _, w := range words(string(ix.line(i)[:min(len(ix.line(i)), 500)])) {
			if weight[w] > 0 {
				scores[i] += len(w)
			}
		}
	}
	type candidate struct{ line, score int }
	var top []candidate
	for i := range scores {
		sum := 0
		for k := range want {
			if i+k < len(scores) {
				sum += scores[i+k]
			}
		}
		if sum > 0 && scores[i] > 0 {
			top = append(top, candidate{i, sum})
		}
	}
	slices.SortStableFunc(top, func(a, b candidate) int { return cmp.Compare(b.score, a.score) })
	best, least := -1, 0
	for _, c := range top[:min(len(top), 30)] {
		if far := ix.distance(c.line, want); best < 0 || far < least {
			best, least = c.line, far
		}
	}
	return best
}

// distance adds up how far each line of want is from that of the file.
func (ix indexed) distance(line int, want []string) int {
	const most = 120 // characters compared of a line
	clip := func(s string) string {
		s = strings.TrimSpace(strings.ToValidUTF8(s, "?"))
		r := []rune(s)
		return string(r[:min(len(r), most)])
	}
	sum := 0
	for k, w := range want {
		have := ""
		if line+k < len(ix.starts) {
			raw := ix.line(line + k)
			have = clip(string(raw[:min(len(raw), 4*most)]))
		}
		sum += levenshtein.ComputeDistance(clip(w), have)
	}
	return sum
}

// words returns the words and numbers of a line.
func words(line string) []string {
	return strings.FieldsFunc(line, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' })
}
