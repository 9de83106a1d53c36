package main

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/coder-agent/coder/agent/openrouter"
)

// A check that panics or hangs is its own problem: the others are shown, and soon.
func TestAChecksTroubleIsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		findings := examine(t.Context(), []check{
			{"sound", func(context.Context) finding { return finding{Status: fine, Text: "all is well"} }},
			{"panics", func(context.Context) finding { panic("at the disco") }},
			{"hangs", func(context.Context) finding { <-release; return finding{} }},
			{"waits", func(ctx context.Context) finding { <-ctx.Done(); return finding{Status: note, Text: "in time"} }},
		})
		want := []struct {
			status verdict
			text   string
		}{{fine, "all is well"}, {problem, "the check broke down: at the disco"}, {problem, "no answer within 6s"}, {note, "in time"}}
		for i, w := range want {
			if f := findings[i]; f.Status != w.status || f.Text != w.text || f.Status == problem && f.Remedy == "" {
				t.Errorf("%s: got %+v, want %v", f.Name, f, w)
			}
		}
		close(release)
	})
}

func TestAReportFitsTheScreen(t *testing.T) {
	for _, text := range []string{
		"", "short", strings.Repeat("word ", 60), strings.Repeat("ä", 59) + " x", "a /" + strings.Repeat("path", 30) + " that is long",
	} {
		for _, more := range []string{"", "  "} {
			for _, width := range []int{reportWidth, 60, 40} {
				b := doctorReport{width: width}
				b.start()
				b.indented(text, more)
				for line := range strings.Lines(b.String()) {
					line = strings.TrimRight(line, "\n")
					if n := len([]rune(line)); n > width && strings.Contains(strings.TrimSpace(line), " ") {
						t.Errorf("%q has a line of %d columns: %q", text, n, line)
					}
				}
				if got := strings.Join(strings.Fields(b.String()), " "); got != strings.TrimSpace(text) {
					t.Errorf("got %q, want the words of %q", got, text)
				}
			}
		}
	}
}

func TestCreditInWords(t *testing.T) {
	ten, some, none := 10.0, 7.5, 0.0
	for _, tt := range []struct {
		name   string
		key    openrouter.Key
		status verdict
		text   string
	}{
		{"no limit", openrouter.Key{Usage: 2.5}, fine, "has cost $2.50 and has no limit"},
		{"some is left", openrouter.Key{Usage: 2.5, Limit: &ten, Remaining: &some, Reset: "monthly"}, fine, "$7.50 of $10.00 are left (monthly)"},
		{"nothing is left", openrouter.Key{Usage: 10, Limit: &ten, Remaining: &none}, problem, "$0.00 of $10.00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, text, remedy := creditOf(tt.key)
			if status != tt.status || !strings.Contains(text, tt.text) || (status == problem) != (remedy != "") {
				t.Errorf("got %s, %q, %q", status, text, remedy)
			}
		})
	}
}
