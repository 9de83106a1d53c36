//go:build unix

package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/snapshot"
)

// A follower is a model that asks for the next of three writes, by how many results it sees: under every host it goes on
// where the transcript is.
type follower struct{}

func (follower) Stream(_ context.Context, req chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		results := 0
		for _, m := range req.Messages {
			for _, p := range m.Parts {
				if c, ok := p.(chat.ToolCall); ok && c.Finished() {
					results++
				}
			}
		}
		writes := []putArgs{{"a.txt", "two"}, {"made.txt", "new"}, {"a.txt", "three"}}
		if results >= len(writes) {
			_ = yield(chat.TextDelta{Delta: "done"}, nil) && yield(chat.Answered{Model: "test", Reason: chat.ModelStop}, nil)
			return
		}
		input, err := json.Marshal(writes[results])
		if err != nil {
			yield(nil, err)
			return
		}
		_ = yield(chat.ToolCalled{ToolCallID: "c" + strconv.Itoa(results), ToolName: "put", Input: input}, nil) &&
			yield(chat.Answered{Model: "test", Reason: chat.ModelTools}, nil)
	}
}

// A life is what a process of its own is to do: a turn and its undo, and to die at a point.
type life struct {
	Data, Workdir, Git string
	Point              int
}

const lifeVar = "UNDO_TEST_LIFE"

func (l life) open(ctx context.Context) (*agent.Host, *agent.CoderAgent, error) {
	h, err := agent.Open(ctx, l.Data, agent.Options{
		Model: follower{}, Tools: []agent.Tool{putTool()}, Mode: permission.ModeAuto, Level: 3, Workdir: l.Workdir, Snapshots: snapshot.New(l.Data, l.Git),
	})
	if err != nil {
		return nil, nil, err
	}
	a, err := h.Agent(ctx, "s")
	return h, a, err
}

// TestUndoOfAKilledHost is the process that dies; by itself it does nothing.
func TestUndoOfAKilledHost(t *testing.T) {
	text := os.Getenv(lifeVar)
	if text == "" {
		return // TestUndoSurvivesKill runs it, in a process of its own
	}
	var l life
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		t.Fatal(err)
	}
	h, a, err := l.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	h.Passing(func(point string) {
		if n++; n == l.Point {
			fmt.Println("DIES AT " + point)
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	sub, err := a.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	agenttest.Ask(t, a, "t1", "go")
	agenttest.Finish(t, sub, "t1")
	if _, err := a.Undo(t.Context(), agent.UndoRequest{}); err != nil {
		t.Fatal(err)
	}
	sub.Close()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestUndoSurvivesKill ends a host with kill -9 at each point of a turn's snapshots, calls and undo in turn: between the
// snapshot and the write, before and after each step of the undo. The next host goes on, and the folder can always be brought back to
// what it was.
func TestUndoSurvivesKill(t *testing.T) {
	git := gitProgram(t)
	points := 0
	for ; ; points++ {
		dir, err := filepath.EvalSymlinks(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		l := life{Data: t.TempDir(), Workdir: dir, Git: git, Point: points + 1}
		if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("one"), 0o644); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestUndoOfAKilledHost$", "-test.v")
		cmd.Env = append(os.Environ(), lifeVar+"="+string(text))
		out, err := cmd.CombinedOutput()
		if err == nil {
			break // it has no such point
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("point %d: %v\n%s", l.Point, err, out)
		}
		t.Run(fmt.Sprintf("point %d", l.Point), func(t *testing.T) {
			t.Logf("%s", out)
			l.goOn(t)
		})
	}
	if points < 13 {
		t.Errorf("there were %d points only", points)
	}
}

// goOn is the life after: the turn ends, and an undo that was not made is.
func (l life) goOn(t *testing.T) {
	h, a, err := l.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	sub, err := a.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if sub.Snapshot.Turn != nil {
		agenttest.Finish(t, sub, "t1")
	}
	diff, err := a.Diff(t.Context(), agent.DiffRequest{Turn: "1"})
	if err != nil {
		t.Fatal(err)
	}
	if !diff.Turns[0].Undone {
		if data, err := os.ReadFile(filepath.Join(l.Workdir, "a.txt")); err != nil || string(data) == "one" {
			t.Errorf("before the undo a.txt holds %q, %v", data, err)
		}
		if answer, err := a.Undo(t.Context(), agent.UndoRequest{}); err != nil || !answer.Done {
			t.Errorf("undo: %+v, %v", answer, err)
		}
	}
	entries, err := os.ReadDir(l.Workdir)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(l.Workdir, "a.txt")); err != nil || string(data) != "one" || len(entries) != 1 {
		t.Errorf("after the undo a.txt holds %q, %v, and there is %v", data, err, entries)
	}
	if answer, err := a.Redo(t.Context(), agent.UndoRequest{}); err != nil || !answer.Done {
		t.Errorf("redo: %+v, %v", answer, err)
	}
	if data, err := os.ReadFile(filepath.Join(l.Workdir, "a.txt")); err != nil || string(data) == "one" {
		t.Errorf("after the redo a.txt holds %q, %v", data, err)
	}
}
