//go:build unix

package tools

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/snapshot"
)

// fingerprint is all of a folder: what is where, with its permissions.
func fingerprint(t *rapid.T, dir string) string {
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		var content string
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			content, err = os.Readlink(path)
		case info.Mode().IsRegular():
			var data []byte
			data, err = os.ReadFile(path)
			content = string(data)
		}
		fmt.Fprintf(&b, "%q %v %q\n", strings.TrimPrefix(path, dir), info.Mode(), content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var (
	undoNames = []string{"a.txt", "b.txt", "dir/c.txt", "dir/deep/d.txt", "ü.txt", "new\nline.txt", "run.sh", "empty/e.txt", "x.ignored"}
	undoTexts = []string{"one\ntwo\nthree\n", "one\r\ntwo\r\n", "\xef\xbb\xbfone\ntwo\n", "two", "", "\x00\xff one \x01"}
	// Commands take the place of %q by a path.
	undoCommands = []string{
		"rm -rf %q", "mkdir -p %q", "chmod 600 %q", "chmod +x %q", "printf 'made\\r\\n' > %q", "ln -sf a.txt %q", "mv a.txt %q", "rm -rf dir; printf x > dir",
		"printf more >> %q", "mkdir -p hollow/deep", "rm -rf empty", "chmod 700 dir",
	}
)

// TestUndoGivesTheTreeBack lets an agent read, edit, write, patch and run commands at random in a random folder, and takes the
// turn back: the folder is what it was, bit for bit.
func TestUndoGivesTheTreeBack(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("git is not installed: undo is not tested")
		}
		t.Skip("git is not installed")
	}
	data := t.TempDir()
	opts := agenttest.Options(t, nil, All(Options{})...)
	opts.Environ = []string{"PATH=" + os.Getenv("PATH")}
	opts.Mode, opts.Snapshots = permission.ModeAuto, snapshot.New(data, git)
	model := agenttest.NewModel()
	opts.Model = model
	host := agenttest.Open(t, data, opts)
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	n, changed := 0, map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		n++
		dir := filepath.Join(base, fmt.Sprint(n))
		makeTree(rt, dir)
		was := fingerprint(rt, dir)
		calls := 0
		replies := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) []agenttest.Reply {
			calls++
			return drawCalls(rt, fmt.Sprint("c", n, "-", calls))
		}), 1, 6).Draw(rt, "calls")
		for _, r := range replies {
			model.Add(r...)
		}
		model.Add(agenttest.Say("done"))
		a := agenttest.Agent(t, host, fmt.Sprint("s", n))
		if _, err := a.Call(t.Context(), "setup", raw(t, agent.Setup{Workdir: dir})); err != nil {
			rt.Fatal(err)
		}
		sub, err := a.Subscribe(t.Context())
		if err != nil {
			rt.Fatal(err)
		}
		defer sub.Close()
		agenttest.Ask(t, a, "t", "go")
		agenttest.Finish(t, sub, "t")
		if is := fingerprint(rt, dir); is != was {
			answer, err := a.Undo(t.Context(), agent.UndoRequest{})
			if err != nil || !answer.Done {
				rt.Fatalf("undo of\n%s\nto\n%s\n%+v, %v", is, was, answer, err)
			}
			for _, file := range answer.Files {
				changed[file.Change]++
			}
		}
		if got := fingerprint(rt, dir); got != was {
			rt.Fatalf("after the undo the folder has\n%s\nwant\n%s", got, was)
		}
	})
	if len(changed) < 4 {
		t.Errorf("of all that can change only this did: %v", changed)
	}
}

func makeTree(rt *rapid.T, dir string) {
	for _, path := range []string{dir, filepath.Join(dir, "empty"), filepath.Join(dir, "dir", "hollow")} {
		if err := os.MkdirAll(path, 0o755); err != nil {
			rt.Fatal(err)
		}
	}
	for _, name := range undoNames {
		if !rapid.Bool().Draw(rt, "has "+name) {
			continue
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			rt.Fatal(err)
		}
		perm := rapid.SampledFrom([]fs.FileMode{0o644, 0o755, 0o600}).Draw(rt, "perm")
		if err := os.WriteFile(path, []byte(rapid.SampledFrom(undoTexts).Draw(rt, "text")), perm); err != nil {
			rt.Fatal(err)
		}
	}
}

// drawCalls are the responses of the model in which it does one thing.
func drawCalls(rt *rapid.T, id string) []agenttest.Reply {
	name, text := rapid.SampledFrom(undoNames).Draw(rt, "name"), rapid.SampledFrom(undoTexts[:5]).Draw(rt, "text")
	call := func(tool string, args map[string]any) agenttest.Reply {
		return agenttest.Call(agenttest.Use{ID: id + tool, Tool: tool, Args: args})
	}
	read := call("read", map[string]any{"path": name})
	switch rapid.SampledFrom([]string{"edit", "write", "bash", "patch"}).Draw(rt, "tool") {
	case "edit":
		return []agenttest.Reply{read, call("edit", map[string]any{"path": name, "old": "two", "new": "changed\nlines", "all": true})}
	case "write":
		return []agenttest.Reply{read, call("write", map[string]any{"path": name, "content": text + "written"})}
	case "patch":
		patch := "*** Begin Patch\n*** Delete File: a.txt\n*** Add File: added/by/patch.txt\n+added\n*** End Patch"
		return []agenttest.Reply{call("read", map[string]any{"path": "a.txt"}), call("apply_patch", map[string]any{"input": patch})}
	}
	command := rapid.SampledFrom(undoCommands).Draw(rt, "command")
	if strings.Contains(command, "%q") {
		command = strings.ReplaceAll(command, "%q", "'"+name+"'")
	}
	return []agenttest.Reply{call("bash", map[string]any{"command": command})}
}

// raw is a list of arguments as a client sends it.
func raw(t *testing.T, v any) []json.RawMessage {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return []json.RawMessage{data}
}
