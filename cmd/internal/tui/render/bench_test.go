package render

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/colorprofile"
)

// answer is 50 KB of Markdown as models write it, in so many deltas.
func answer(b *testing.B, deltas int) []string {
	b.Helper()
	part, err := os.ReadFile("testdata/answer.md")
	if err != nil {
		b.Fatal(err)
	}
	text := strings.Repeat(string(part), 50<<10/len(part)+1)[:50<<10]
	var pieces []string
	for i := range deltas {
		pieces = append(pieces, text[i*len(text)/deltas:(i+1)*len(text)/deltas])
	}
	return pieces
}

// BenchmarkStream renders an answer of 50 KB in 5,000 deltas, with a frame after each.
func BenchmarkStream(b *testing.B) {
	theme := NewTheme(true, colorprofile.TrueColor)
	deltas := answer(b, 5000)
	Document(theme, strings.Join(deltas, ""), 100) // loads the lexers
	var frames []time.Duration
	for b.Loop() {
		m := NewMarkdown(theme, 100)
		for _, delta := range deltas {
			start := time.Now()
			m.Append(delta)
			m.Settled()
			m.Live()
			frames = append(frames, time.Since(start))
		}
		m.Close()
	}
	slices.Sort(frames)
	b.ReportMetric(float64(frames[len(frames)*99/100].Microseconds()), "µs/frame-p99")
	b.ReportMetric(float64(frames[len(frames)-1].Microseconds()), "µs/frame-max")
}

func BenchmarkDocument(b *testing.B) {
	theme := NewTheme(true, colorprofile.TrueColor)
	text := strings.Join(answer(b, 1), "")
	for b.Loop() {
		Document(theme, text, 100)
	}
}

// BenchmarkLongest renders what stays open longest: a paragraph, a list item, a table, a line of code of 50 KB.
func BenchmarkLongest(b *testing.B) {
	theme := NewTheme(true, colorprofile.TrueColor)
	for _, bb := range []struct{ name, head, part string }{
		{"paragraph in one line", "", "some **words** and `code` "},
		{"paragraph", "", "some **words** and `code` here\n"},
		{"item", "- ", "words of an item\n  that goes on "},
		{"code in an item", "1. x\n\n   ```go\n", "   x := f(\"a\", 1)\n"},
		{"table", "| a | b |\n|---|---|\n", "| some words | and others |\n"},
		{"line of code", "```go\n", "f(\"a\", 1); "},
		{"quote", "> ", "words of a quote\n> "},
	} {
		b.Run(bb.name, func(b *testing.B) {
			text := bb.head + strings.Repeat(bb.part, 50<<10/len(bb.part))
			const deltas = 500
			for b.Loop() {
				m := NewMarkdown(theme, 100)
				for i := range deltas {
					m.Append(text[i*len(text)/deltas : (i+1)*len(text)/deltas])
					m.Settled()
					m.Live()
				}
				m.Close()
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*deltas), "µs/frame")
		})
	}
}
