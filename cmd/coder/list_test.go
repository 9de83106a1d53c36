package main

import (
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
