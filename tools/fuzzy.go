package tools

import (
	"container/heap"
	"context"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// This file finds names by some of their letters, as fzf does: "agsto" finds agent/store. A library that ranks all that
// fits needs 60 ms for 100,000 names, which is felt at every key: here a set of letters rejects most of them, the last name of
// the path is tried alone first, and only the best are kept.

// Points of a match. The figures are those of fzf, but for the last name.
const (
	pointLetter   = 16
	pointGapBegin = -3
	pointGap      = -1
	pointFolder   = 10 // behind a slash, and at the beginning
	pointPart     = 8  // behind _ - . and a blank
	pointCamel    = 7  // a capital behind a small letter, a digit behind none
	pointNext     = 4  // behind the letter before
	pointCase     = 1
	pointName     = 24 // all of it in the last name
	pointWhole    = 40 // it is the last name, with or without what follows its last dot
)

const (
	noPoints   = -1 << 20
	fuzzyBytes = 256 // of a name that are looked at, from its end
	fuzzyQuery = 64
)

// A letterSet has a bit for each letter and digit, and one for each of the signs that names have.
type letterSet uint64

func lettersOf(s string) (set letterSet) {
	for i := range len(s) {
		set |= 1 << letterBit(lower(s[i]))
	}
	return set
}

func letterBit(c byte) uint {
	switch {
	case c >= 'a' && c <= 'z':
		return uint(c - 'a')
	case c >= '0' && c <= '9':
		return uint(26 + c - '0')
	case c >= 0x80:
		return 36
	}
	return 37 + uint(c)%27
}

// A nameList is names made ready to be searched.
type nameList struct {
	names []string
	small []string // in small letters; shares what has none else
	sets  []letterSet
}

func newNameList(names []string) nameList {
	l := nameList{names, make([]string, len(names)), make([]letterSet, len(names))}
	for i, name := range names {
		l.small[i], l.sets[i] = name, lettersOf(name)
		if strings.ContainsFunc(name, func(r rune) bool { return r >= 'A' && r <= 'Z' }) {
			l.small[i] = lowerASCII(name)
		}
	}
	return l
}

// A needle is a query made ready. Each goroutine has its own.
type needle struct {
	text  string // as typed
	small string
	set   letterSet

	first, last       [fuzzyQuery]int // of each letter: where it can be at the earliest and at the latest
	ending, endingOld []ending        // of align
}

// An ending is the best way to find the letters so far that ends at a place.
type ending struct{ at, points int }

func newNeedle(query string) *needle {
	query = strings.ReplaceAll(query, `\`, "/")
	if len(query) > fuzzyQuery {
		query = query[:fuzzyQuery]
	}
	return &needle{text: query, small: lowerASCII(query), set: lettersOf(query)}
}

// points says how well a path fits, which is given in small letters too. ok is false when it does not have the letters in
// their order.
func (n *needle) points(path, small string) (points int, ok bool) {
	if n.small == "" {
		return -strings.Count(path, "/") * 4, true
	}
	name := strings.LastIndexByte(strings.TrimSuffix(path, "/"), '/') + 1
	if n.within(small, name) {
		points = n.align(path, small) + pointName
		base := strings.TrimSuffix(path[name:], "/")
		if len(base) >= len(n.text) && strings.EqualFold(base[:len(n.text)], n.text) && (len(base) == len(n.text) || strings.LastIndexByte(base, '.') == len(n.text)) {
			points += pointWhole
		}
		return points, true
	}
	if name == 0 || !n.within(small, max(len(path)-fuzzyBytes, 0)) {
		return 0, false
	}
	return n.align(path, small), true
}

// within reports whether s has the letters in their order behind a place, and finds out where each of them can be.
func (n *needle) within(s string, from int) bool {
	for i := range len(n.small) {
		at := strings.IndexByte(s[from:], n.small[i])
		if at < 0 {
			return false
		}
		n.first[i] = from + at
		from += at + 1
	}
	end := len(s)
	for i := len(n.small) - 1; i >= 0; i-- {
		end = strings.LastIndexByte(s[:end], n.small[i])
		n.last[i] = end
	}
	return true
}

// align returns the points of the best way to find the letters where within has found that they can be.
func (n *needle) align(path, small string) (best int) {
	n.ending = n.ending[:0]
	for i := range len(n.small) {
		n.ending, n.endingOld = n.endingOld[:0], n.ending
		best = noPoints
		old, gap := n.endingOld, noPoints // gap: of those that end before the place to the left, at that place
		gapAt := 0
		for at := n.first[i]; ; at++ {
			next := strings.IndexByte(small[at:n.last[i]+1], n.small[i])
			if next < 0 {
				break
			}
			at += next
			bonus := placePoints(path, at)
			points := 2 * bonus // the first letter says most
			if i > 0 {
				for len(old) > 0 && old[0].at < at-1 {
					gap = max(gap+(old[0].at-gapAt)*pointGap, old[0].points+pointGapBegin-pointGap)
					gapAt = old[0].at
					old = old[1:]
				}
				points = gap + (at-1-gapAt)*pointGap + bonus
				if len(old) > 0 && old[0].at == at-1 {
					points = max(points, old[0].points+max(bonus, pointNext))
				}
			}
			if path[at] == n.text[i] {
				points += pointCase
			}
			points += pointLetter
			n.ending = append(n.ending, ending{at, points})
			best = max(best, points)
		}
	}
	return best
}

// placePoints says how good a place for a letter is.
func placePoints(path string, at int) int {
	if at == 0 {
		return pointFolder
	}
	c, before := path[at], path[at-1]
	switch {
	case before == '/':
		return pointFolder
	case before == '_' || before == '-' || before == '.' || before == ' ':
		return pointPart
	case c >= 'A' && c <= 'Z' && before >= 'a' && before <= 'z', isDigit(c) && !isDigit(before):
		return pointCamel
	}
	return 0
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// A hit is a name that fits.
type hit struct {
	at     int
	points int
}

// hits are the best so far, the worst first.
type hits struct {
	list  []hit
	names []string
}

func (h *hits) Len() int           { return len(h.list) }
func (h *hits) Less(i, j int) bool { return h.better(h.list[j], h.list[i]) }
func (h *hits) Swap(i, j int)      { h.list[i], h.list[j] = h.list[j], h.list[i] }
func (h *hits) Push(x any)         { h.list = append(h.list, x.(hit)) }
func (h *hits) Pop() any {
	last := h.list[len(h.list)-1]
	h.list = h.list[:len(h.list)-1]
	return last
}

// better orders by points, then the shorter name, then the alphabet.
func (h *hits) better(a, b hit) bool {
	switch x, y := h.names[a.at], h.names[b.at]; {
	case a.points != b.points:
		return a.points > b.points
	case len(x) != len(y):
		return len(x) < len(y)
	default:
		return x < y
	}
}

func (h *hits) offer(one hit, most int) {
	switch {
	case len(h.list) < most:
		heap.Push(h, one)
	case h.better(one, h.list[0]):
		h.list[0] = one
		heap.Fix(h, 0)
	}
}

// bestNames returns the names that fit best, the best first, at most so many. It looks at what it can until the time is over;
// then all is false.
func bestNames(ctx context.Context, l nameList, query string, most int, until time.Time) (found []string, all bool) {
	const piece = 4096
	workers := max(min(runtime.GOMAXPROCS(0), len(l.names)/piece), 1)
	parts := make([]hits, workers)
	var next atomic.Int64
	var late atomic.Bool
	var wg sync.WaitGroup
	for w := range workers {
		parts[w].names = l.names
		wg.Go(func() {
			n := newNeedle(query)
			for {
				from := int(next.Add(1)-1) * piece
				if from >= len(l.names) {
					return
				}
				if ctx.Err() != nil || time.Now().After(until) {
					late.Store(true)
					return
				}
				n.scan(&parts[w], l, from, min(from+piece, len(l.names)), most)
			}
		})
	}
	wg.Wait()
	best := parts[0]
	for _, p := range parts[1:] {
		best.list = append(best.list, p.list...)
	}
	slices.SortFunc(best.list, func(a, b hit) int {
		if best.better(a, b) {
			return -1
		}
		return 1
	})
	for _, one := range best.list[:min(len(best.list), most)] {
		found = append(found, l.names[one.at])
	}
	return found, !late.Load()
}

func (n *needle) scan(to *hits, l nameList, from, end, most int) {
	for i := from; i < end; i++ {
		if l.sets[i]&n.set != n.set {
			continue
		}
		if points, ok := n.points(l.names[i], l.small[i]); ok {
			to.offer(hit{i, points}, most)
		}
	}
}
