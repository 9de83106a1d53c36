package tools

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"
)

const (
	nearLines = 5   // so many lines are shown as the nearest text
	nearChars = 300 // of each
)

// nearest says that old is not in the file, why that may be, and what comes nearest, so that the edit can be corrected
// without reading the file again.
func (d *draft) nearest(old, text string) string {
	why, start := d.mistake(old, text)
	ix := index(d.data)
	if start == nowhere {
		start = ix.align(old)
	}
	if start == nowhere {
		if why == "" {
			why = ", nor anything like it: is it in another file?"
		}
		return "old is not in the file" + why
	}
	lines := bare([]byte(old))
	k := ix.parting(start, lines)
	var b strings.Builder
	fmt.Fprintf(&b, "old is not in the file%s; the nearest text ", why)
	if first := start + k; k > 0 && first < ix.count() {
		fmt.Fprintf(&b, "begins at line %d and differs from old's line %d on:", start+1, k+1)
	} else {
		b.WriteString("is")
	}
	from := max(0, min(start+max(0, k-1), ix.count()-nearLines))
	if k == 0 {
		from = max(0, start)
	}
	for i := from; i < min(from+nearLines, ix.count()); i++ {
		want := ""
		if j := i - start; j >= 0 && j < len(lines) {
			want = lines[j]
		}
		fmt.Fprintf(&b, "\n%d:%s", i+1, excerpt(string(bytes.TrimRight(ix.line(i), "\r")), want))
	}
	return b.String() + ix.unseen(from, old)
}

// nowhere is no line.
const nowhere = -1 << 30

// align returns the line, counted from 0, at which old would begin if it is where the file is most like it; it may lie
// before the file's first. Lines that are equal decide; if there are none, words do.
func (ix indexed) align(old string) int {
	lines := bare([]byte(old))
	at := map[string][]int{}
	for i := range ix.starts {
		l := strings.TrimSpace(string(ix.line(i)))
		if l != "" && len(at[l]) < 200 {
			at[l] = append(at[l], i)
		}
	}
	votes := map[int]int{}
	for k, l := range lines[:min(len(lines), 1000)] {
		l = strings.TrimSpace(l)
		for _, i := range at[l] {
			votes[i-k] += 100 * len(words(l)) / len(at[l])
		}
	}
	if best := ix.likest(votes, lines); best != nowhere {
		return best
	}
	skip := 0
	for skip < len(lines) && strings.TrimSpace(lines[skip]) == "" {
		skip++
	}
	if line := ix.alike(lines[skip:min(len(lines), skip+nearLines)]); line >= 0 {
		return line - skip
	}
	return nowhere
}

// likest returns the beginning, among those with the most votes, at which the lines are least far from the file's.
func (ix indexed) likest(votes map[int]int, lines []string) int {
	var starts []int
	for start, n := range votes {
		if n > 0 {
			starts = append(starts, start)
		}
	}
	slices.SortFunc(starts, func(a, b int) int { return cmp.Or(cmp.Compare(votes[b], votes[a]), cmp.Compare(a, b)) })
	best, least := nowhere, 0
	for _, start := range starts[:min(len(starts), 10)] {
		far := ix.distance(start, lines[:min(len(lines), 30)]) - len(strings.Join(lines[:ix.parting(start, lines)], ""))
		if 2*votes[start] >= votes[starts[0]] && (best == nowhere || far < least) {
			best, least = start, far
		}
	}
	return best
}

// parting is the first line of old that is not in the file where old begins at start.
func (ix indexed) parting(start int, lines []string) int {
	f := fold{spaces: true}
	for k, l := range lines {
		if i := start + k; i < 0 || i >= ix.count() || !bytes.Equal(f.apply([]byte(l)), f.apply(ix.line(i))) {
			return k
		}
	}
	return 0
}

// alike returns the line at which the text most like want begins, -1 if none shares a word with it. Words choose the
// candidates, the edit distance decides among them.
func (ix indexed) alike(want []string) int {
	weight := map[string]bool{}
	for _, l := range want {
		for _, w := range words(l) {
			weight[w] = true
		}
	}
	scores := make([]int, len(ix.starts))
	for i := range ix.starts {
		for _, w := range words(string(ix.line(i)[:min(len(ix.line(i)), 20_000)])) {
			if weight[w] {
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
		if line+k >= 0 && line+k < len(ix.starts) {
			raw := ix.line(line + k)
			have = clip(string(raw[:min(len(raw), 4*most)]))
		}
		sum += levenshtein.ComputeDistance(clip(w), have)
	}
	return sum
}

// excerpt cuts a long line to the part at which it is most like what was wanted: where their common beginning ends, or
// where their longest word stands.
func excerpt(line, want string) string {
	line = strings.ToValidUTF8(line, "\uFFFD")
	if utf8.RuneCountInString(line) <= nearChars {
		return line
	}
	head, _ := alike(line, want)
	if trimmed := strings.TrimSpace(want); head < len(want)-len(strings.TrimLeft(want, " \t"))+3 && trimmed != "" {
		head = 0
		long := slices.MaxFunc(append(words(trimmed), ""), func(a, b string) int { return cmp.Compare(len(a), len(b)) })
		if i := strings.Index(line, long); long != "" && i >= 0 {
			head = i
		}
	}
	r := []rune(line)
	from := max(0, min(utf8.RuneCountInString(line[:head])-nearChars/3, len(r)-nearChars))
	cut := string(r[from : from+nearChars])
	if from > 0 {
		cut = "…" + cut
	}
	if from+nearChars < len(r) {
		cut += "…"
	}
	return fmt.Sprintf("%s (cut: characters %s-%s of %s)", cut, thousands(from+1), thousands(from+nearChars), thousands(len(r)))
}

// unseen names characters of the lines shown that look like others or like nothing, and that old does not have.
func (ix indexed) unseen(from int, old string) string {
	var said []string
	for i := from; i < min(from+nearLines, ix.count()); i++ {
		for _, r := range string(ix.line(i)) {
			hidden := unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Zs, r) && r != ' '
			note := fmt.Sprintf("line %d has %U", i+1, r)
			if hidden && r != '\uFEFF' && !strings.ContainsRune(old, r) && !slices.Contains(said, note) {
				said = append(said, note)
			}
		}
	}
	if len(said) == 0 {
		return ""
	}
	return "\n(" + strings.Join(said[:min(len(said), 8)], ", ") + ", which cannot be seen here: take a part of the line without it)"
}
