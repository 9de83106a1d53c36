package agent_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/snapshot"
)

// gitProgram is the program that keeps snapshots.
func gitProgram(t *testing.T) string {
	t.Helper()
	git, err := exec.LookPath("git")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("git is not installed: undo is not tested")
		}
		t.Skip("git is not installed")
	}
	return git
}

type putArgs struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

func (a putArgs) Action() agent.Action {
	return agent.Action{Summary: a.Path, Writes: []string{a.Path}}
}

// putTool writes a file.
func putTool() agent.Tool {
	return agent.NewTool("put", permission.Writes, "", func(ctx context.Context, a putArgs) (agent.Result, error) {
		path, err := agent.FromContext(ctx).Path(ctx, a.Path)
		if err == nil {
			err = os.WriteFile(path, []byte(a.Text), 0o644)
		}
		return agent.Result{Text: "written"}, err
	})
}

func put(id, path, text string) agenttest.Reply {
	return agenttest.Call(agenttest.Use{ID: id, Tool: "put", Args: putArgs{path, text}})
}

// An undoing is a host with snapshots, over several lives.
type undoing struct {
	t     *testing.T
	data  string
	opts  agent.Options
	model *agenttest.Model
	host  *agent.Host
	a     *agent.CoderAgent
}

func newUndoing(t *testing.T, tools ...agent.Tool) *undoing {
	t.Helper()
	u := &undoing{t: t, data: t.TempDir(), model: agenttest.NewModel()}
	u.opts = agenttest.Options(t, u.model, append(tools, putTool())...)
	dir, err := filepath.EvalSymlinks(u.opts.Workdir)
	if err != nil {
		t.Fatal(err)
	}
	u.opts.Workdir = dir
	u.opts.Snapshots = snapshot.New(u.data, gitProgram(t))
	u.write("a.txt", "one")
	return u
}

func (u *undoing) open() {
	u.t.Helper()
	u.host = agenttest.Open(u.t, u.data, u.opts)
	u.a = agenttest.Agent(u.t, u.host, "s")
}

func (u *undoing) write(path, text string) {
	u.t.Helper()
	if err := os.WriteFile(filepath.Join(u.opts.Workdir, path), []byte(text), 0o644); err != nil {
		u.t.Fatal(err)
	}
}

func (u *undoing) holds(path, want string) {
	u.t.Helper()
	got, err := os.ReadFile(filepath.Join(u.opts.Workdir, path))
	if string(got) != want || err != nil && want != "" {
		u.t.Errorf("%s holds %q (%v), want %q", path, got, err, want)
	}
}

// turn plays a turn to its end.
func (u *undoing) turn(id string, replies ...agenttest.Reply) []chat.Event {
	u.t.Helper()
	u.model.Add(append(replies, agenttest.Say("done"))...)
	sub, err := u.a.Subscribe(u.t.Context())
	if err != nil {
		u.t.Fatal(err)
	}
	defer sub.Close()
	agenttest.Ask(u.t, u.a, id, "prompt "+id)
	return agenttest.Finish(u.t, sub, id)
}

func (u *undoing) undo(want agent.UndoRequest) agent.UndoAnswer {
	u.t.Helper()
	answer, err := u.a.Undo(u.t.Context(), want)
	if err != nil {
		u.t.Fatal(err)
	}
	return answer
}

func TestUndoGoesBackTurnByTurn(t *testing.T) {
	u := newUndoing(t)
	u.open()
	u.turn("t1", put("c1", "a.txt", "two"))
	u.turn("t2", put("c2", "a.txt", "three"), put("c3", "b.txt", "new"))
	u.turn("t3") // changes nothing, and is no turn to undo
	// The older turn's file has changed since: the newer one must go first.
	if got := u.undo(agent.UndoRequest{Turn: "1"}); got.Done || len(got.Conflicts) != 1 || got.Conflicts[0].Path != "a.txt" {
		t.Errorf("undoing turn 1 first: %+v", got)
	}
	u.holds("a.txt", "three")
	if got := u.undo(agent.UndoRequest{}); !got.Done || got.Turn.Number != 2 {
		t.Errorf("the first undo: %+v", got)
	}
	u.holds("a.txt", "two")
	u.holds("b.txt", "")
	if got := u.undo(agent.UndoRequest{Turn: "t1"}); !got.Done || got.Turn.Number != 1 {
		t.Errorf("the second undo: %+v", got)
	}
	u.holds("a.txt", "one")
	for want := 1; want <= 2; want++ { // what was taken back last comes again first
		if got, err := u.a.Redo(t.Context(), agent.UndoRequest{}); err != nil || !got.Done || got.Turn.Number != want {
			t.Errorf("redo %d: %+v, %v", want, got, err)
		}
	}
	u.holds("a.txt", "three")
	u.holds("b.txt", "new")
}

// TestUndoWaitsForTheTurn: a turn that runs, or whose calls wait, must end first.
func TestUndoWaitsForTheTurn(t *testing.T) {
	u := newUndoing(t)
	u.open()
	u.turn("t1", put("c1", "a.txt", "two"))
	reached, release := make(chan struct{}), make(chan struct{})
	u.model.Add(agenttest.Hold(reached, release, agenttest.Say("done")))
	sub, err := u.a.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	agenttest.Ask(t, u.a, "t2", "more")
	<-reached
	if _, err := u.a.Undo(t.Context(), agent.UndoRequest{}); err == nil || !strings.Contains(err.Error(), "at work") {
		t.Errorf("undo beside a turn: %v", err)
	}
	close(release)
	agenttest.Finish(t, sub, "t2")
	if got := u.undo(agent.UndoRequest{}); !got.Done {
		t.Errorf("undo after the turn: %+v", got)
	}
	u.holds("a.txt", "one")
}

// TestACrashedTurnKeepsItsFirstSnapshot: what the first host kept before the first write is what undo goes back to, though
// the turn goes on under another host and writes again.
func TestACrashedTurnKeepsItsFirstSnapshot(t *testing.T) {
	started := make(chan struct{}, 2)
	stuck := agent.NewTool("stuck", permission.Runs, "", func(ctx context.Context, _ struct{}) (agent.Result, error) {
		started <- struct{}{}
		<-ctx.Done()
		return agent.Result{}, context.Cause(ctx)
	})
	u := newUndoing(t, stuck)
	u.model.Add(put("c1", "a.txt", "two"), agenttest.Call(agenttest.Use{ID: "c2", Tool: "stuck", Args: struct{}{}}))
	host, err := agent.Open(t.Context(), u.data, u.opts)
	if err != nil {
		t.Fatal(err)
	}
	agenttest.Ask(t, agenttest.Agent(t, host, "s"), "t1", "go")
	<-started
	if err := host.Close(); err != nil {
		t.Fatal(err)
	}
	u.holds("a.txt", "two")
	u.model.Add(put("c3", "a.txt", "three"), agenttest.Say("done"))
	u.opts.Snapshots = snapshot.New(u.data, gitProgram(t)) // as a new process has it
	u.open()
	sub, err := u.a.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if sub.Snapshot.Turn != nil {
		agenttest.Finish(t, sub, "t1")
	}
	u.holds("a.txt", "three")
	if got := u.undo(agent.UndoRequest{}); !got.Done || got.Turn.Number != 1 {
		t.Errorf("undo: %+v", got)
	}
	u.holds("a.txt", "one")
}

// slowGit is a git that cannot list a tree in time.
func slowGit(t *testing.T) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the slow git is a shell script")
	}
	path := filepath.Join(t.TempDir(), "git")
	script := fmt.Sprintf("#!/bin/sh\ncase \"$*\" in *--others*) exec /bin/sleep 60;; esac\nexec %s \"$@\"\n", gitProgram(t))
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestASlowFolderHoldsNoTurnUp: when the whole cannot be kept within a second the turn says so and goes on, and undo covers
// what its file tools have changed.
func TestASlowFolderHoldsNoTurnUp(t *testing.T) {
	u := newUndoing(t)
	u.opts.Snapshots = snapshot.New(u.data, slowGit(t))
	u.open()
	u.write("b.txt", "b")
	events := u.turn("t1", put("c1", "a.txt", "two"), put("c2", "b.txt", "changed"), put("c3", "new.txt", "new"))
	said := 0
	for _, e := range events {
		if n, ok := e.(chat.Noted); ok && n.Kind == chat.SnapshotNote {
			said++
			if !strings.Contains(n.Text, "longer than a second") || !strings.Contains(n.Text, "only the files that its file tools change") {
				t.Errorf("the note says %q", n.Text)
			}
		}
	}
	if said != 1 {
		t.Errorf("it was said %d times", said)
	}
	if got := u.undo(agent.UndoRequest{}); !got.Done || !got.Turn.Partial || len(got.Files) != 3 {
		t.Errorf("undo: %+v", got)
	}
	u.holds("a.txt", "one")
	u.holds("b.txt", "b")
	u.holds("new.txt", "")
}

// gatedGit is a git that lists no tree while there is a gate, which opens when something is written to it.
func gatedGit(t *testing.T) (git, gate string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the gate is a named pipe")
	}
	dir := t.TempDir()
	git, gate = filepath.Join(dir, "git"), filepath.Join(dir, "gate")
	script := fmt.Sprintf("#!/bin/sh\ncase \"$*\" in *--others*) if test -p %[1]s; then read -r x < %[1]s; fi;; esac\nexec %[2]s \"$@\"\n", gate, gitProgram(t))
	if err := os.WriteFile(git, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return git, gate
}

// TestUndoWaitsForALookThatGoesOn: the look at what a turn has changed takes longer than the turn may wait for it. The host is not idle
// meanwhile, and an undo waits for its end.
func TestUndoWaitsForALookThatGoesOn(t *testing.T) {
	u := newUndoing(t)
	git, gate := gatedGit(t)
	u.opts.Snapshots = snapshot.New(u.data, git)
	u.open()
	waited := 0
	u.host.Passing(func(point string) {
		switch point {
		case "turn ends":
			if err := exec.Command("mkfifo", gate).Run(); err != nil {
				t.Errorf("making the gate: %v", err)
			}
		case "undo waits for a look":
			waited++
			if !u.host.Looking() {
				t.Error("the host says that it looks at nothing")
			}
			open, err := os.OpenFile(gate, os.O_RDWR, 0)
			if err == nil {
				err = os.Remove(gate)
			}
			if err == nil {
				_, err = open.WriteString(strings.Repeat("go\n", 16))
			}
			if err != nil {
				t.Errorf("opening the gate: %v", err)
			}
			t.Cleanup(func() { _ = open.Close() })
		}
	})
	u.turn("t1", put("c1", "a.txt", "two"))
	if got := u.undo(agent.UndoRequest{}); !got.Done || got.Turn.Number != 1 {
		t.Errorf("undo: %+v", got)
	}
	u.holds("a.txt", "one")
	if waited != 1 || u.host.Looking() {
		t.Errorf("the undo waited %d times; the host still looks at something: %t", waited, u.host.Looking())
	}
}

// TestUndoCoversIgnoredFilesThatToolsName: git ignores them, so a snapshot of the folder does not hold them.
func TestUndoCoversIgnoredFilesThatToolsName(t *testing.T) {
	u := newUndoing(t)
	u.write(".gitignore", "*.env\n")
	u.write("old.env", "old")
	u.open()
	u.turn("t1", put("c1", "a.txt", "two"), put("c2", "old.env", "changed"), put("c3", "new.env", "new"))
	if got := u.undo(agent.UndoRequest{}); !got.Done || len(got.Files) != 3 {
		t.Errorf("undo: %+v", got)
	}
	u.holds("old.env", "old")
	u.holds("new.env", "")
}

// TestTheModelHearsOfAnUndo once, also when the host was started anew between.
func TestTheModelHearsOfAnUndo(t *testing.T) {
	u := newUndoing(t)
	host, err := agent.Open(t.Context(), u.data, u.opts)
	if err != nil {
		t.Fatal(err)
	}
	u.host, u.a = host, agenttest.Agent(t, host, "s")
	u.turn("t1", put("c1", "a.txt", "two"))
	u.undo(agent.UndoRequest{})
	if err := host.Close(); err != nil {
		t.Fatal(err)
	}
	u.open()
	told := func(events []chat.Event) (n int) {
		for _, e := range events {
			if note, ok := e.(chat.Noted); ok && note.Kind == chat.UndoneNote && strings.Contains(note.Text, "a.txt") {
				n++
			}
		}
		return n
	}
	if n := told(u.turn("t2")); n != 1 {
		t.Errorf("with the next prompt it was told %d times", n)
	}
	if n := told(u.turn("t3")); n != 0 {
		t.Errorf("with the one after it was told again, %d times", n)
	}
}

// TestSnapshotsGoWithTheirSession: when it was the last of its folder, at once.
func TestSnapshotsGoWithTheirSession(t *testing.T) {
	u := newUndoing(t)
	u.open()
	u.turn("t1", put("c1", "a.txt", "two"))
	kept := filepath.Join(u.data, "snapshots", "*", "objects")
	if found, _ := filepath.Glob(kept); len(found) != 1 {
		t.Errorf("there is %v", found)
	}
	if err := u.host.Delete(t.Context(), "s"); err != nil {
		t.Fatal(err)
	}
	if found, _ := filepath.Glob(kept); len(found) != 0 {
		t.Errorf("there still is %v", found)
	}
}
