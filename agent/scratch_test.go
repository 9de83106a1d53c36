package agent_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/permission"
)

// TestOldScratchFilesGo after a week, and the folders of sessions that are gone; never those of a running turn.
func TestOldScratchFilesGo(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	reached, release := make(chan struct{}), make(chan struct{})
	model := agenttest.NewModel()
	made := make(map[string]string) // by session
	keep := agent.NewTool("keep", permission.Reads, "Keep.", func(ctx context.Context, _ noteArgs) (agent.Result, error) {
		a := agent.FromContext(ctx)
		scratch, err := a.ScratchDir(ctx)
		if err == nil {
			err = os.MkdirAll(filepath.Join(scratch, "deep"), 0o700)
		}
		for _, name := range []string{"a.log", filepath.Join("deep", "b.log")} {
			err = errors.Join(err, os.WriteFile(filepath.Join(scratch, name), []byte("long output"), 0o600))
		}
		made[a.Name()] = scratch
		return agent.Result{Text: "kept"}, err
	})
	opts := agenttest.Options(t, model, keep)
	opts.Now = func() time.Time { return now }
	h := agenttest.Open(t, dir, opts)
	for _, name := range []string{"idle", "busy", "gone"} {
		a := agenttest.Agent(t, h, name)
		sub := subscribe(t, a)
		model.Add(agenttest.Call(use("c", "keep", "x")), agenttest.Say("done"))
		agenttest.Ask(t, a, "q", "go")
		agenttest.Finish(t, sub, "q")
	}
	if err := h.Delete(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(made["gone"], "left"), 0o700); err != nil { // by a host that was killed while it deleted
		t.Fatal(err)
	}
	busy := agenttest.Agent(t, h, "busy")
	sub := subscribe(t, busy)
	model.Add(agenttest.Hold(reached, release, agenttest.Say("done")))
	agenttest.Ask(t, busy, "q2", "more")
	<-reached

	there := func(session, name string, want bool) {
		t.Helper()
		_, err := os.Stat(filepath.Join(made[session], name))
		if have := !errors.Is(err, fs.ErrNotExist); have != want {
			t.Errorf("after %v %s of session %s is there: %v, want %v", time.Until(now).Round(time.Hour), name, session, have, want)
		}
	}
	sweep := func() {
		t.Helper()
		if err := agent.SweepScratch(h, t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	sweep()
	there("idle", "a.log", true)
	there("gone", ".", false)
	now = now.Add(7*24*time.Hour - time.Minute)
	sweep()
	there("idle", "a.log", true)
	if err := os.WriteFile(filepath.Join(made["idle"], "new.log"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(made["idle"], "new.log"), now, now); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	sweep()
	there("idle", "a.log", false)
	there("idle", filepath.Join("deep", "b.log"), false)
	there("idle", "new.log", true)
	there("idle", ".", true)
	there("busy", "a.log", true)
	close(release)
	agenttest.Finish(t, sub, "q2")
	sweep()
	there("busy", "a.log", false)
}
