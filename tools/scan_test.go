package tools

import (
	"reflect"
	"testing"
)

// TestASearchKeepsNoMoreThanItCanShow, also while its first file takes long.
func TestASearchKeepsNoMoreThanItCanShow(t *testing.T) {
	const files, limit = 5000, 10
	hit := func(i int) *fileMatches {
		if i%3 == 1 {
			return nil
		}
		return &fileMatches{path: string(rune('a' + i%26)), count: limit + 1, lines: make([]lineMatch, limit+1)}
	}
	run := func(order []int) (found, int) {
		y := tally{limit: limit, done: make([]bool, files), hits: make([]*fileMatches, files)}
		y.end.Store(files)
		most := 0
		for _, i := range order {
			y.add(i, hit(i), true)
			kept := 0
			for _, h := range y.hits {
				if h != nil {
					kept += len(h.lines)
				}
			}
			if most = max(most, kept); y.full.Load() {
				break
			}
		}
		f := y.found()
		f.searched = 0
		return f, most
	}
	var inOrder, late, backwards []int
	for i := range files {
		inOrder, late, backwards = append(inOrder, i), append(late, (i+1)%files), append(backwards, files-1-i)
	}
	want, _ := run(inOrder)
	for name, order := range map[string][]int{"the first is the last": late, "backwards": backwards} {
		got, most := run(order)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: found %d lines in %d files, want %d in %d", name, got.matches, len(got.files), want.matches, len(want.files))
		}
		if most > (maxAhead+2)*(limit+1) {
			t.Errorf("%s: %d lines were kept", name, most)
		}
	}
}
