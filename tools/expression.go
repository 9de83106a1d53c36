package tools

import (
	"bytes"
	"errors"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// An expression is a pattern, and the literal text that a line must hold to match it. Looking for the literal first is
// what makes the search fast: the regular expression is only run on lines that have it.
type expression struct {
	re   *regexp.Regexp
	lits []literal   // a match holds one of them; none: every line must be tried
	also [][]literal // and one of each of these: a line with one of lits is looked through for them first
}

// maxLiterals bounds the alternatives of a pattern that are looked for one by one.
const maxLiterals = 8

func compile(pattern string, plain, fold bool) (*expression, error) {
	if plain {
		pattern = regexp.QuoteMeta(pattern)
	}
	if fold {
		pattern = "(?i)" + pattern
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, err
	}
	if hasNewline(tree) {
		return nil, errMultiline
	}
	e := &expression{re: re, lits: required(tree)}
	e.also = others(tree, e.lits)
	return e, nil
}

// others returns what else every match holds: more literals of a sequence, of which one each is in it.
func others(re *syntax.Regexp, best []literal) (all [][]literal) {
	switch re.Op {
	case syntax.OpCapture:
		return others(re.Sub[0], best)
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			lits := required(sub)
			usable := len(lits) > 0 && !slices.ContainsFunc(lits, func(l literal) bool { return l.set != nil || l.otherFolds })
			if usable && !slices.EqualFunc(lits, best, func(a, b literal) bool { return a.set == b.set && bytes.Equal(a.text, b.text) }) {
				all = append(all, lits)
			}
		}
	}
	return all
}

// find returns the place of the first match in a line, nil if there is none.
func (e *expression) find(line []byte) []int {
	for _, lits := range e.also {
		if !slices.ContainsFunc(lits, func(l literal) bool { return l.index(line) >= 0 }) {
			return nil
		}
	}
	return e.re.FindIndex(line)
}

var errMultiline = errors.New("a pattern is matched line by line and cannot hold a line end; search for one of its lines, with context to see the others")

// hasNewline reports whether a match must hold a line end somewhere.
func hasNewline(re *syntax.Regexp) bool {
	return re.Op == syntax.OpLiteral && slices.Contains(re.Rune, '\n') || slices.ContainsFunc(re.Sub, hasNewline)
}

// required returns literals of which every match holds one, nil if none can be told.
func required(re *syntax.Regexp) []literal {
	switch re.Op {
	case syntax.OpLiteral:
		return newLiteral(re.Rune, re.Flags&syntax.FoldCase != 0)
	case syntax.OpCharClass:
		return newRun(re.Rune, 1)
	case syntax.OpCapture, syntax.OpPlus:
		return required(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 && re.Sub[0].Op == syntax.OpCharClass {
			return newRun(re.Sub[0].Rune, re.Min)
		}
		if re.Min > 0 {
			return required(re.Sub[0])
		}
	case syntax.OpConcat:
		var best []literal
		for _, sub := range re.Sub {
			if lits := required(sub); worth(lits) > worth(best) {
				best = lits
			}
		}
		return best
	case syntax.OpAlternate:
		var all []literal
		for _, sub := range re.Sub {
			lits := required(sub)
			if lits == nil || len(all)+len(lits) > maxLiterals {
				return nil
			}
			all = append(all, lits...)
		}
		return all
	}
	return nil
}

// worth is that of the literal that helps least: any text more than a run of a class, and the longer and rarer the better.
func worth(lits []literal) int {
	least := 0
	for i, l := range lits {
		w := min(l.run, 99)
		if l.set == nil {
			w = 100
			for _, b := range l.text {
				w += 8 + rarity(b)
			}
		}
		if i == 0 || w < least {
			least = w
		}
	}
	return least
}

// A literal is text to look for. It is looked for by its rarest byte. With fold, case does not count: then it is ASCII.
// With set it is a run of any bytes of a class instead.
type literal struct {
	set *[256]bool
	run int // bytes

	text       []byte
	fold       bool
	rare       int  // the place of the rarest byte in text
	lo, up     byte // that byte in both cases
	otherFolds bool // has a k or s, which also stand for K (Kelvin) and ſ
}

func newLiteral(runes []rune, fold bool) []literal {
	if !fold {
		l := literal{text: []byte(string(runes))}
		l.findRare()
		return []literal{l}
	}
	run := longestASCII(runes)
	if run == "" {
		return nil
	}
	l := literal{text: []byte(strings.ToLower(run)), fold: true, otherFolds: strings.ContainsAny(strings.ToLower(run), "ks")}
	l.findRare()
	l.up = l.lo
	if 'a' <= l.lo && l.lo <= 'z' {
		l.up -= 'a' - 'A'
	}
	return []literal{l}
}

func (l *literal) findRare() {
	for i, b := range l.text {
		if rarity(b) > rarity(l.text[l.rare]) {
			l.rare = i
		}
	}
	l.lo = l.text[l.rare]
}

// newRun makes a literal of n characters of a class, given as ranges; nil if most bytes are in it. Of a character beyond
// ASCII each byte counts, and all of them are taken to be in the class if one is.
func newRun(ranges []rune, n int) []literal {
	set, size := new([256]bool), 0
	for i := 0; i+1 < len(ranges); i += 2 {
		for r := ranges[i]; r <= min(ranges[i+1], 0xff); r++ {
			set[r] = true
		}
		if ranges[i+1] >= utf8.RuneSelf {
			for b := utf8.RuneSelf; b < len(set); b++ {
				set[b] = true
			}
		}
	}
	for _, in := range set {
		if in {
			size++
		}
	}
	if size > len(set)*3/4 {
		return nil
	}
	return []literal{{set: set, run: n}}
}

// indexRun finds a run of the class: where its last byte would be is looked at first, so that most bytes are not.
func (l *literal) indexRun(data []byte) int {
	for last := l.run - 1; last < len(data); {
		i := last
		for ; i > last-l.run && l.set[data[i]]; i-- {
		}
		if i == last-l.run {
			return i + 1
		}
		last = i + l.run
	}
	return -1
}

func longestASCII(runes []rune) string {
	best, begin := "", 0
	for i := 0; i <= len(runes); i++ {
		if i < len(runes) && runes[i] < utf8.RuneSelf {
			continue
		}
		if run := string(runes[begin:i]); len(run) > len(best) {
			best = run
		}
		begin = i + 1
	}
	return best
}

// rarity orders bytes by how seldom they are in source text: an order of English letters, with blanks, digits and
// punctuation put where code has them.
func rarity(b byte) int {
	const common = " etaoinsrlducpmhfg_.,;()\"=-/0b1yv2wkx:3456789'z{}[]<>*jq"
	if i := strings.IndexByte(common, b); i >= 0 {
		return i
	}
	return len(common)
}

// index returns the first place of the literal in data, -1 if there is none.
func (l *literal) index(data []byte) int {
	if l.set != nil {
		return l.indexRun(data)
	}
	if !l.fold {
		return l.indexRare(data)
	}
	lo, up := -2, -2 // the next of either byte; -2: not looked for yet, -1: none
	for from := 0; ; {
		if lo > -1 && lo < from || lo == -2 {
			lo = indexFrom(data, from, l.lo)
		}
		if up > -1 && up < from || up == -2 {
			if up = lo; l.up != l.lo {
				up = indexFrom(data, from, l.up)
			}
		}
		at := lo
		if at < 0 || up >= 0 && up < at {
			at = up
		}
		if at < 0 {
			return -1
		}
		begin := at - l.rare
		if begin >= 0 && begin+len(l.text) <= len(data) && equalFold(data[begin:begin+len(l.text)], l.text) {
			return begin
		}
		from = at + 1
	}
}

// indexRare finds the text by its rarest byte, and as any other text where that byte turns out to be common.
func (l *literal) indexRare(data []byte) int {
	for from, misses := 0, 0; from+len(l.text) <= len(data); misses++ {
		if misses > 8+from>>6 { // more than one in 64 bytes
			if i := bytes.Index(data[from:], l.text); i >= 0 {
				return from + i
			}
			return -1
		}
		i := bytes.IndexByte(data[from+l.rare:len(data)-len(l.text)+l.rare+1], l.lo)
		if i < 0 {
			return -1
		}
		if from += i; bytes.Equal(data[from:from+len(l.text)], l.text) {
			return from
		}
		from++
	}
	return -1
}

func indexFrom(data []byte, from int, b byte) int {
	i := bytes.IndexByte(data[from:], b)
	if i < 0 {
		return -1
	}
	return from + i
}

// equalFold compares with ASCII text in lower case.
func equalFold(data, lower []byte) bool {
	for i, b := range data {
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		if b != lower[i] {
			return false
		}
	}
	return true
}

// A finder walks through data from one line that may match to the next.
type finder struct {
	lits []literal
	next []int // where each literal comes next; -1: no more, -2: not looked for yet
}

// newFinder prepares the search in data. It falls back to all lines when a letter of another alphabet may stand for
// one of a literal's.
func (e *expression) newFinder(data []byte) finder {
	if len(e.lits) == 0 {
		return finder{}
	}
	for _, l := range e.lits {
		if l.otherFolds && (bytes.Contains(data, []byte("\u212A")) || bytes.Contains(data, []byte("\u017F"))) {
			return finder{}
		}
	}
	next := make([]int, len(e.lits))
	for i := range next {
		next[i] = -2
	}
	return finder{lits: e.lits, next: next}
}

// from returns the first place at or after pos where a match may be, -1 if there is none.
func (f *finder) from(data []byte, pos int) int {
	if f.lits == nil {
		return pos
	}
	first := -1
	for i := range f.lits {
		if n := f.next[i]; n == -2 || n >= 0 && n < pos {
			if f.next[i] = f.lits[i].index(data[pos:]); f.next[i] >= 0 {
				f.next[i] += pos
			}
		}
		if n := f.next[i]; n >= 0 && (first < 0 || n < first) {
			first = n
		}
	}
	return first
}
