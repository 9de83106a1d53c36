package tools

import (
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/tools/sandbox"
)

func TestAFailureOfTheSandboxIsExplained(t *testing.T) {
	box := sandbox.New(sandbox.Options{}, sandbox.Report{Level: sandbox.LevelFull})
	open, free := permission.Reach{Network: true}, permission.Reach{Unsandboxed: true}
	tests := []struct {
		name, output string
		code         int
		reach        permission.Reach
		want         string
	}{
		{"no name server", "curl: (6) Could not resolve host: example.com", 6, permission.Reach{}, "network: true"},
		{"npm", "npm error code EAI_AGAIN", 1, permission.Reach{}, "network: true"},
		{"a database on this machine", "dial tcp 127.0.0.1:5432: connect: connection refused", 1, permission.Reach{}, "network: true"},
		{"the network is open already", "curl: (6) Could not resolve host: example.com", 6, open, ""},
		{"a file outside", "touch: cannot touch '/etc/x': Read-only file system", 1, permission.Reach{}, "unsandboxed: true"},
		{"git's config", "error: could not write config file .git/config: Device or resource busy", 4, permission.Reach{}, ".git/config"},
		{"docker", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?", 1, open, "unsandboxed: true"},
		{"ssh keys", "git@github.com: Permission denied (publickey).", 128, open, "unsandboxed: true"},
		{"a failure of its own", "FAIL: TestX", 1, permission.Reach{}, ""},
		{"no failure", "Read-only file system", 0, permission.Reach{}, ""},
		{"not in the sandbox", "touch: cannot touch '/etc/x': Read-only file system", 1, free, ""},
	}
	for _, tt := range tests {
		got := bounds{box, tt.reach}.explain(sandbox.Excerpt{Head: tt.output}, sandbox.Outcome{Code: tt.code})
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) || strings.Contains(got, "\n") {
			t.Errorf("%s: %q, want %q in it", tt.name, got, tt.want)
		}
	}
}

func TestTheBoundsAreNamed(t *testing.T) {
	box := sandbox.New(sandbox.Options{}, sandbox.Report{Level: sandbox.LevelFull})
	for reach, want := range map[permission.Reach]string{
		{}: "namespaces, Landlock and system call filter", {Network: true}: "namespaces, Landlock and system call filter; the network is open", {Unsandboxed: true}: "none",
	} {
		if got := (bounds{box, reach}).String(); got != want {
			t.Errorf("%+v is %q, want %q", reach, got, want)
		}
	}
	if got := (bounds{}).String(); got != "none" {
		t.Errorf("no box is %q", got)
	}
}
