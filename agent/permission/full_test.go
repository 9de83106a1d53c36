package permission

import (
	"runtime"
	"testing"
)

// TestWhatHoldsInModeFull: where nothing else is asked for, the lists hold, and so does leaving the sandbox.
func TestWhatHoldsInModeFull(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skipf("the paths are those of Unix, not of %s", runtime.GOOS)
	}
	row := row{9, Allow, Allow, Allow, Allow, Allow}
	place := Place{Workdir: t.TempDir(), Private: []string{"/own"}}
	tests := []struct {
		name  string
		call  Call
		level int
		want  Decision
	}{
		{"commands run", Call{Effect: Runs, Command: "sudo rm -rf /nowhere; for i in 1; do $X; done"}, 0, Allow},
		{"the network is open", Call{Effect: Runs, Command: "git push"}, 3, Allow},
		{"files outside are written", Call{Effect: Writes, Writes: []string{"/nowhere/x"}}, 0, Allow},
		{"what decides what runs later is asked for", Call{Effect: Writes, Writes: []string{".git/config"}}, 0, Ask},
		{"also in a command", Call{Effect: Runs, Command: "echo x > .git/hooks/pre-commit"}, 0, Ask},
		{"secrets are asked for", Call{Effect: Reads, Reads: []string{".env"}}, 0, Ask},
		{"also in a command", Call{Effect: Runs, Command: "cat .env"}, 0, Ask},
		{"coder's own is denied", Call{Effect: Reads, Reads: []string{"/own/host.json"}}, 0, Deny},
		{"also in a command", Call{Effect: Runs, Command: "cat /own/host.json"}, 0, Deny},
		{"leaving the sandbox is asked for", Call{Effect: Runs, Command: "ls", Reach: Reach{Unsandboxed: true}}, 3, Ask},
		{"where there is none, nothing is left", Call{Effect: Runs, Command: "ls", Reach: Reach{Unsandboxed: true}}, 0, Allow},
		{"what is no address of the web is denied", Call{Effect: Network, URL: "http://127.0.0.1/"}, 0, Deny},
		{"tools of servers run", Call{Tool: "mcp__x__y", Effect: "foreign"}, 0, Allow},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := Policy{Mode: "full", Level: tt.level, Place: place}.judge(row, tt.call)
			if v.Decision != tt.want {
				t.Errorf("judge(%+v) at level %d = %+v, want %s", tt.call, tt.level, v, tt.want)
			}
			if want := tt.call.Command == "git push"; v.Reach.Network != want {
				t.Errorf("judge(%+v) opens the network: %v, want %v", tt.call, v.Reach.Network, want)
			}
		})
	}
}
