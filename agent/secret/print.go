package secret

import (
	"cmp"
	"crypto/rand"
	"slices"
	"strings"
)

// mostPrints bounds what is handed to another process.
const mostPrints = 100

// Prints returns the prints of what the set knows, at most a hundred, for AddPrints of a set in another process.
func (s *Set) Prints() []Print {
	m := s.current()
	if m == nil {
		return nil
	}
	salt := rand.Text()
	var prints []Print
	for _, list := range m.at {
		for _, p := range list {
			if p.text == "" {
				prints = append(prints, p.print)
				continue
			}
			if strings.Contains(p.text[:minSize], "\n") {
				continue // see matcher.prints
			}
			print := Print{Name: p.name, Size: p.size, Head: p.head, Salt: salt}
			print.Sum = print.of(p.text)
			prints = append(prints, print)
		}
	}
	slices.SortFunc(prints, func(a, b Print) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Size, b.Size)) })
	return prints[:min(len(prints), mostPrints)]
}

// AddPrints makes the set know values that it is not told.
func (s *Set) AddPrints(prints []Print) {
	patterns := make([]pattern, 0, len(prints))
	for _, p := range prints {
		if p.Size >= minSize {
			patterns = append(patterns, pattern{name: plain(p.Name), head: p.Head, size: p.Size, print: p})
		}
	}
	s.add(patterns)
}
