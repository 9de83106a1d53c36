package agent

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
)

type touchArgs struct {
	Read  string `json:"read,omitempty"`
	Write string `json:"write,omitempty"`
}

func (a touchArgs) Action() Action {
	act := Action{Summary: a.Read + a.Write}
	if a.Read != "" {
		act.Reads = []string{a.Read}
	}
	if a.Write != "" {
		act.Writes = []string{a.Write}
	}
	return act
}

func TestJudgeFollowsLinksAndKnowsItsFolders(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege on Windows")
	}
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	workdir, out := filepath.Join(base, "work"), filepath.Join(base, "out")
	private := filepath.Join(workdir, "data") // as with a session in the home folder
	for _, dir := range []string{workdir, private, out, filepath.Join(workdir, "sub", ".git")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"leaves": out, "dangling": filepath.Join(out, "new"), "stays": "sub", "loop": "loop"} {
		if err := os.Symlink(target, filepath.Join(workdir, link)); err != nil {
			t.Fatal(err)
		}
	}
	place := permission.Place{Workdir: workdir, Scratch: filepath.Join(private, "scratch", "s"), Private: []string{private}}
	tool := NewTool("touch", permission.Writes, "Touch.", func(context.Context, touchArgs) (Result, error) { return Result{}, nil })
	tests := []struct {
		name string
		args touchArgs
		want permission.Decision
	}{
		{"a file inside", touchArgs{Write: "sub/x"}, permission.Allow},
		{"an absolute path inside", touchArgs{Write: filepath.Join(workdir, "x")}, permission.Allow},
		{"a link that stays", touchArgs{Write: "stays/x"}, permission.Allow},
		{"a path that climbs out", touchArgs{Write: "sub/../../out/x"}, permission.Ask},
		{"a link that leaves", touchArgs{Write: "leaves/x"}, permission.Ask},
		{"a link to a file that is not there yet", touchArgs{Write: "dangling"}, permission.Ask},
		{"a folder whose name only begins alike", touchArgs{Write: workdir + "2/x"}, permission.Ask},
		{"git's own files", touchArgs{Write: ".git/hooks/pre-commit"}, permission.Ask},
		{"git's own files in another case, further down", touchArgs{Write: "sub/.GIT/config"}, permission.Ask},
		{"reading what a result named", touchArgs{Read: "data/scratch/s/log"}, permission.Allow},
		{"writing there", touchArgs{Write: "data/scratch/s/log"}, permission.Deny},
		{"reading what another session's result named", touchArgs{Read: "data/scratch/t/log"}, permission.Deny},
		{"reading the token of the host", touchArgs{Read: "data/run/host.json"}, permission.Deny},
		{"reading elsewhere", touchArgs{Read: "/etc/passwd"}, permission.Ask},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			input, err := json.Marshal(tt.args)
			if err != nil {
				t.Fatal(err)
			}
			got := judge(tool, chat.ToolCall{Name: "touch", Input: input}, bounds{policy: permission.Policy{Mode: permission.ModeAuto, Place: place}})
			if got.verdict.Decision != tt.want {
				t.Errorf("judge(%s) = %+v, want %s", input, got.verdict, tt.want)
			}
		})
	}
	if got := permission.Resolve(workdir, "loop"); !strings.HasPrefix(got, base) {
		t.Errorf("a link to itself resolves to %s", got)
	}
}
