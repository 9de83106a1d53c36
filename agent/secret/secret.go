// Package secret takes known secret values out of text: out of what tools say before it is recorded, out of logs and
// errors. It knows values, not what secrets look like: it is a net under accidents, such as a command that prints its
// environment. Whoever wants to carry a secret past it need only reverse it; what keeps secrets from commands is that
// they are not in reach.
package secret

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	minSize = 8       // bytes of a value: what is shorter stands in too many texts by chance
	maxSize = 4 << 10 // bytes that are looked for as one; a longer value is several, one after the other
)

// A Set knows secret values. The zero Set knows none, nor does a nil one; values may be added at any time. It is safe
// for concurrent use.
type Set struct {
	mu      sync.Mutex // held while values are added
	matcher atomic.Pointer[matcher]
}

// Add makes the set know a value of at least eight bytes by its name, which takes its place in texts. It knows the
// value also as JSON, Go and a shell write it between quotes.
func (s *Set) Add(name, value string) {
	if len(value) >= minSize {
		s.learn(name, quotings(value), false)
	}
}

// AddKey is Add for what opens doors: the set knows it also in base64, hex and as a part of a URL, and where it is
// broken into lines.
func (s *Set) AddKey(name, value string) {
	if len(value) < minSize {
		return
	}
	s.learn(name, append(quotings(value), encodings(value)...), true)
}

func (s *Set) learn(name string, forms []string, wraps bool) {
	var patterns []pattern
	for _, form := range forms {
		for len(form) >= minSize {
			part := form[:min(len(form), maxSize)]
			patterns = append(patterns, pattern{name: plain(name), text: part, size: len(part), wraps: wraps, head: headOf(part, 0)})
			form = form[len(part):]
		}
	}
	s.add(patterns)
}

// add makes a new matcher: those who are reading with the old one go on with it.
func (s *Set) add(patterns []pattern) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := newMatcher()
	if old := s.matcher.Load(); old != nil {
		next = old.clone()
	}
	for _, p := range patterns {
		next.add(p)
	}
	if len(next.at) > 0 {
		s.matcher.Store(next)
	}
}

func (s *Set) current() *matcher {
	if s == nil {
		return nil
	}
	return s.matcher.Load()
}

// Redact returns text with "[redacted: NAME]" in the place of each value that the set knows. Text without any is
// returned as it is, and costs no allocation.
func (s *Set) Redact(text string) string {
	m := s.current()
	if m == nil {
		return text
	}
	f := next(m, text, 0, true)
	if f.name == "" {
		return text
	}
	var out strings.Builder
	from := 0
	for ; f.name != ""; f = next(m, text, from, true) {
		out.WriteString(text[from:f.start])
		out.WriteString(replacement(f.name))
		from = f.end
	}
	out.WriteString(text[from:])
	return out.String()
}

// Holds reports whether text holds a value that the set knows.
func (s *Set) Holds(text string) bool {
	m := s.current()
	return m != nil && next(m, text, 0, true).name != ""
}

// Names returns the names of what the set knows, sorted.
func (s *Set) Names() []string {
	m := s.current()
	if m == nil {
		return nil
	}
	var names []string
	for _, list := range m.at {
		for _, p := range list {
			names = append(names, p.name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func replacement(name string) string { return "[redacted: " + name + "]" }

// plain keeps of a name what may stand in any text.
func plain(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == '_' || r == ' ' || r == '.' || r == '-' || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' {
			return r
		}
		return '?'
	}, name)
	if name == "" {
		return "secret"
	}
	return name
}
