package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/adrg/xdg"
	"github.com/google/go-cmp/cmp"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/chat"
)

func TestPrintSessions(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.Local)
	list := []agent.Session{
		{
			Name: "fix", Title: "the tests fail; find out why and fix it, please, and add a test", Status: agent.Waiting,
			Workdir: filepath.Join(xdg.Home, "src", "a-project-with-a-long-name"), Updated: now.Add(-2 * time.Hour), Usage: chat.Usage{Cost: 0.0321},
			Bytes: 1_234_567, Pinned: true,
		},
		{Name: "1124-k3fx9p", Title: "hello", Status: agent.Interrupted, Workdir: "/srv/x", Updated: now.Add(-40 * 24 * time.Hour)},
	}
	for _, tt := range []struct {
		width int
		want  string
	}{
		{0, `
NAME         STATUS       USED                 SIZE  COST     FOLDER                          TITLE
fix          waiting, pinned      2026-11-24 10:00:00  1.2 MB  $0.0321  HOME/src/a-project-with-a-long-name  the tests fail; find out why and fix it, please, and add a test
1124-k3fx9p  interrupted  2026-10-15 12:00:00  0 B  $0.0000  /srv/x                          hello
`},
		{120, `
NAME         STATUS       USED        SIZE  COST     FOLDER                    TITLE
fix          waiting, pinned      2h ago      1.2 MB  $0.0321  …oject-with-a-long-name  the tests fail; find out why and fi…
1124-k3fx9p  interrupted  2026-10-15  0 B  $0.0000  /srv/x                    hello
`},
		{60, `
NAME         STATUS       USED        TITLE
fix          waiting, pinned      2h ago      the tests fail; f…
1124-k3fx9p  interrupted  2026-10-15  hello
`},
	} {
		var got strings.Builder
		if err := printSessions(&got, list, tt.width, now); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(fields(tt.want), fields(strings.ReplaceAll(got.String(), xdg.Home, "HOME"))); diff != "" {
			t.Errorf("at width %d (-want +got):\n%s\n%s", tt.width, diff, got.String())
		}
		for line := range strings.Lines(got.String()) {
			if n := utf8.RuneCountInString(line) - 1; tt.width > 0 && n > tt.width {
				t.Errorf("%d columns are wider than %d: %s", n, tt.width, line)
			}
		}
	}
}

// fields are the lines with single spaces: how wide a column is depends on the home folder of whoever tests.
func fields(s string) string {
	var lines []string
	for line := range strings.Lines(strings.TrimSpace(s)) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}

// TestFamiliesStandTogether: children below their parents, the longest unused first; or left out, and their cost with their parents'.
func TestFamiliesStandTogether(t *testing.T) {
	cost := func(name, parent string, usd float64) agent.Session {
		return agent.Session{Name: name, Parent: parent, Usage: chat.Usage{Cost: usd}}
	}
	list := []agent.Session{
		cost("b/sub/task/2", "b", 4), cost("a", "", 1), cost("B/sub/task/1/sub/task/1", "B/sub/task/1", 16), cost("B/sub/task/1", "B", 8), cost("b", "", 2),
		cost("gone/sub/coder-agent/x", "gone", 32),
	}
	for all, want := range map[bool]string{
		true:  "a 1, b 2, B/sub/task/1 8, B/sub/task/1/sub/task/1 16, b/sub/task/2 4, gone/sub/coder-agent/x 32",
		false: "a 1, b 30, gone/sub/coder-agent/x 32",
	} {
		var got []string
		for _, s := range families(list, all) {
			got = append(got, fmt.Sprint(s.Name, " ", s.Usage.Cost))
		}
		if got := strings.Join(got, ", "); got != want {
			t.Errorf("families(%t) = %s, want %s", all, got, want)
		}
	}
	if got := indented("    fix/sub/task/1/sub/task/1", 12); got != "    fix/sub…" {
		t.Errorf("cut it is %q", got)
	}
}

func TestJobsFitTheTerminal(t *testing.T) {
	now := time.Now()
	list := []agent.Job{{
		Session: "a-session-of-a-long-name", ID: "12", Started: now.Add(-time.Minute),
		Command: "while true; do echo a line; sleep 1; done", Last: strings.Repeat("é line ", 20),
	}}
	for width, want := range map[int]int{60: 60, 30: 30, 0: 138} {
		var out strings.Builder
		if err := printJobs(&out, list, width, now); err != nil {
			t.Fatal(err)
		}
		most := 0
		for line := range strings.Lines(out.String()) {
			most = max(most, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")))
		}
		if most != want {
			t.Errorf("on %d columns the longest line has %d characters, want %d:\n%s", width, most, want, out.String())
		}
	}
}
