package snapshot

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// hundredThousand makes a tree of 100,000 files in 1,000 folders.
func hundredThousand(b *testing.B) *Folder {
	f := newFolder(b)
	for d := range 1000 {
		dir := filepath.Join(f.path, fmt.Sprintf("d%02d", d/50), fmt.Sprintf("e%02d", d%50))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		for n := range 100 {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%02d.go", n)), fmt.Appendf(nil, "package e%d // %d\n", d, n), 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	return f
}

// BenchmarkTake100k takes a snapshot of 100,000 files of which one has changed since the last: what a turn waits for, at most a
// second. The first of all, which no turn waits for, is told beside it.
func BenchmarkTake100k(b *testing.B) {
	f := hundredThousand(b)
	began := time.Now()
	if _, err := f.Take(b.Context(), nil); err != nil {
		b.Fatal(err)
	}
	first := time.Since(began)
	n := 0
	for b.Loop() {
		n++
		if err := os.WriteFile(filepath.Join(f.path, "d00", "e00", "f00.go"), fmt.Append(nil, n), 0o644); err != nil {
			b.Fatal(err)
		}
		if _, err := f.Take(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(first.Milliseconds()), "ms/first")
}
