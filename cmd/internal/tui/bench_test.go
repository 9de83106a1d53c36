package tui

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder-agent/coder/agent/chat"
)

// BenchmarkAnswer is an answer of 50 KB in 5,000 deltas, with a frame drawn for each: how long the whole takes, and the frame that
// only one of a hundred exceeds.
func BenchmarkAnswer(b *testing.B) {
	block := "## Heading\n\n" + strings.Repeat("Some **bold** prose with `code` and a [link](http://x.y) that goes on for a while. ", 5) +
		"\n\n- one\n- two\n\n```go\nfunc main() {\n\tfmt.Println(\"hi\")\n}\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"
	text := strings.Repeat(block, 50_000/len(block)+1)[:50_000]
	for b.Loop() {
		s := newStage(b, 100, 30, nil)
		s.press(`"go`, "enter")
		s.events("ours-1", chat.TurnStarted{MessageID: "m"}, chat.StepStarted{}, chat.TextStarted{ID: "t"})
		screen := newScreen(discard{}, 100, 30, true)
		var frames []time.Duration
		for i := 0; i < len(text); i += 10 {
			s.events("ours-1", chat.TextDelta{ID: "t", Delta: text[i : i+10]})
			began := time.Now()
			frame, cursor := s.m.frame()
			if err := screen.show(s.m.take(), frame, cursor); err != nil {
				b.Fatal(err)
			}
			frames = append(frames, time.Since(began))
		}
		slices.Sort(frames)
		b.ReportMetric(float64(frames[len(frames)*99/100].Microseconds()), "µs-p99-frame")
		b.ReportMetric(float64(frames[len(frames)-1].Microseconds()), "µs-worst-frame")
	}
}

type discard struct{}

func (discard) Write(data []byte) (int, error) { return len(data), nil }
