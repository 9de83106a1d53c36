package secret

import (
	"crypto/sha256"
	"maps"
	"slices"
)

// A matcher finds patterns in a text in one pass. Each pattern has at least eight bytes, and a hash of its first eight
// sets a bit; where the hash of eight bytes of the text has its bit set, the patterns with that hash are compared. So
// the cost does not grow with the number of patterns, and most texts are passed over at about a byte in a nanosecond.
type matcher struct {
	bits   [1 << 16 / 64]uint64
	at     map[uint16][]pattern // by head
	begins map[string]bool      // the first one to seven bytes of patterns that are no prints
	prints bool                 // there is a print: it may begin with anything but a line break among its first eight bytes
}

// A pattern is a form of a value, or the print of one.
type pattern struct {
	name  string
	head  uint16 // hash of the first eight bytes
	size  int    // bytes
	text  string // "" in a print
	wraps bool   // it is found also where line breaks stand in it
	print Print
}

func newMatcher() *matcher {
	return &matcher{at: make(map[uint16][]pattern), begins: make(map[string]bool)}
}

func (m *matcher) clone() *matcher {
	return &matcher{bits: m.bits, at: maps.Clone(m.at), begins: maps.Clone(m.begins), prints: m.prints}
}

// add may only be called before the matcher is used by others; lists that it shares with one that is, it copies.
func (m *matcher) add(p pattern) {
	for _, have := range m.at[p.head] {
		if have.text == p.text && have.print.equal(p.print) {
			return
		}
	}
	m.bits[p.head/64] |= 1 << (p.head % 64)
	m.at[p.head] = append(slices.Clip(m.at[p.head]), p)
	m.prints = m.prints || p.text == ""
	for n := 1; n < min(len(p.text), minSize); n++ {
		m.begins[p.text[:n]] = true
	}
}

// mayBegin reports whether a text of less than eight bytes, to which more may come, may be the beginning of a value.
func mayBegin[T string | []byte](m *matcher, t T) bool {
	if m.begins[string(t)] {
		return true
	}
	for i := range len(t) {
		if t[i] == '\n' {
			return false
		}
	}
	return m.prints
}

// headOf hashes the eight bytes at i, which must be there.
func headOf[T string | []byte](t T, i int) uint16 {
	_ = t[i+7]
	v := uint64(t[i]) | uint64(t[i+1])<<8 | uint64(t[i+2])<<16 | uint64(t[i+3])<<24 |
		uint64(t[i+4])<<32 | uint64(t[i+5])<<40 | uint64(t[i+6])<<48 | uint64(t[i+7])<<56
	return uint16(v * 0x9e3779b97f4a7c15 >> 48) //nolint:gosec // the upper 16 bits
}

// A found is where a value stands in a text. Without a name none was found up to start; what stands there may be the
// beginning of one, if more text is to come.
type found struct {
	name       string
	start, end int
}

// next finds the first value from a place on, and of those that begin there the longest. whole says that no text
// follows.
func next[T string | []byte](m *matcher, t T, from int, whole bool) found {
	last := len(t) - minSize
	for i := from; i <= last; i++ {
		head := headOf(t, i)
		if m.bits[head/64]&(1<<(head%64)) == 0 {
			continue
		}
		f := found{start: i}
		for _, p := range m.at[head] {
			n, short := match(p, t, i)
			if short && !whole {
				return found{start: i}
			}
			if n > 0 && i+n > f.end {
				f.name, f.end = p.name, i+n
			}
		}
		if f.name != "" {
			return f
		}
	}
	if whole {
		return found{start: len(t)}
	}
	for i := max(from, last+1); i < len(t); i++ { // fewer than eight bytes are left
		if mayBegin(m, t[i:]) {
			return found{start: i}
		}
	}
	return found{start: len(t)}
}

// match returns how many bytes of the text from i on are the pattern, 0 when they are not, and whether the text is too
// short to tell.
func match[T string | []byte](p pattern, t T, i int) (n int, short bool) {
	if p.text == "" {
		if len(t)-i < p.size {
			return 0, true
		}
		if p.print.of(string(t[i:i+p.size])) != p.print.Sum {
			return 0, false
		}
		return p.size, false
	}
	j, line := i, 0
	for k := 0; k < p.size; {
		switch {
		case j == len(t):
			return 0, true
		case t[j] == p.text[k]:
			j, k, line = j+1, k+1, line+1
		case p.wraps && line >= minSize && t[j] == '\n':
			j, line = j+1, 0
		case p.wraps && line >= minSize && t[j] == '\r' && j+1 == len(t):
			return 0, true
		case p.wraps && line >= minSize && t[j] == '\r' && t[j+1] == '\n':
			j, line = j+2, 0
		default:
			return 0, false
		}
	}
	return j - i, false
}

// A Print lets another process find a value that it is not told: a salted hash, the size and 16 bits of a hash of how it
// begins. Who has the print of a long random value cannot make the value of it.
type Print struct {
	Name string            `json:"name"`
	Size int               `json:"size"` // bytes
	Head uint16            `json:"head"`
	Salt string            `json:"salt"`
	Sum  [sha256.Size]byte `json:"sum"`
}

func (p Print) of(value string) [sha256.Size]byte {
	return sha256.Sum256([]byte(p.Salt + "\x00" + value))
}

func (p Print) equal(q Print) bool { return p.Size == q.Size && p.Salt == q.Salt && p.Sum == q.Sum }
