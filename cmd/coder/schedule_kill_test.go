package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/openrouter/openroutertest"
	"github.com/coder-agent/coder/agent/store"
)

const (
	plannedPrompts = 80 // 10 ms apart
	plannedIn      = 8  // sessions: of one only so many come in a while
	plannedKills   = 8
)

// TestKillAroundDueTimes kills hosts with SIGKILL at random points, from their start on, while prompts come due. In the
// end each planned prompt must be in its transcript exactly once, and one that comes again and again, and was missed many
// times, once for all of them.
func TestKillAroundDueTimes(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			k := newKill(t, "", "auto")
			k.model.Reply(func(*openroutertest.Request) openroutertest.Response {
				return openroutertest.Response{Text: "Done.", Delay: 1}
			})
			begun := time.Now()
			k.seedSchedules(begun)
			for range plannedKills {
				k.serveAndKill(time.Duration(rng.Float64() * float64(200*time.Millisecond)))
			}
			k.settleSchedules()
			k.checkSchedules(begun)
		})
	}
}

func plannedSessions() []string { return strings.Split("abcdefgh"[:plannedIn], "") }

// seedSchedules writes sessions and schedules as a host would have left them.
func (k *kill) seedSchedules(now time.Time) {
	k.t.Helper()
	s, err := store.Open(k.t.Context(), k.data)
	if err != nil {
		k.t.Fatal(err)
	}
	err = s.Write(k.t.Context(), store.Safe, func(tx *store.Tx) error {
		var errs []error
		for _, name := range append(plannedSessions(), "hourly") {
			errs = append(errs, tx.PutSession(store.Session{
				Key: name, Name: name, Workdir: k.repo, Model: "test/model", Mode: k.mode, Status: "idle", Created: now, Updated: now,
			}))
		}
		for i := range plannedPrompts {
			errs = append(errs, tx.PutSchedule(store.Schedule{
				ID: fmt.Sprintf("s-%02d", i), Session: plannedSessions()[i%plannedIn], Kind: "once", Prompt: fmt.Sprintf("prompt %02d", i),
				Created: now, Due: now.Add(time.Duration(i) * 10 * time.Millisecond),
			}))
		}
		errs = append(errs, tx.PutSchedule(store.Schedule{
			ID: "s-hourly", Session: "hourly", Kind: "every", Spec: "1h0m0s", Prompt: "hourly", Created: now, Due: now.Add(-10*time.Hour - time.Minute),
		}))
		return errors.Join(errs...)
	})
	if err := errors.Join(err, s.Close()); err != nil {
		k.t.Fatal(err)
	}
}

// hostCommand is a host in a process of its own.
func (k *kill) hostCommand() *exec.Cmd {
	k.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		k.t.Fatal(err)
	}
	cmd := exec.CommandContext(k.t.Context(), exe)
	cmd.Args = []string{"coder", "serve", "--data-dir", k.data, "--model", "test/model"}
	cmd.Dir = k.repo
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + k.data, "OPENROUTER_BASE_URL=" + k.model.URL()}
	return cmd
}

// serveAndKill kills a host some time after its process has begun: perhaps it is not ready by then.
func (k *kill) serveAndKill(after time.Duration) {
	k.t.Helper()
	cmd := k.hostCommand()
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	killed := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	if err := cmd.Wait(); killed.Stop() {
		k.t.Fatalf("the host ended by itself: %v\n%s", err, log.String())
	}
}

// settleSchedules lets a last host do all that is due.
func (k *kill) settleSchedules() {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), time.Minute)
	defer cancel()
	cmd := k.hostCommand()
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		h, status, ok, err := running(ctx, k.data)
		if err != nil {
			k.t.Fatalf("waiting for the prompts: %v", err)
		}
		if ok && h.PID == cmd.Process.Pid && status.Turns == 0 && status.Schedules.Count == 1 && status.Schedules.Next.After(time.Now()) {
			return
		}
		<-tick.C
	}
}

func (k *kill) checkSchedules(begun time.Time) {
	k.t.Helper()
	s, err := store.OpenReadOnly(k.t.Context(), k.data)
	if err != nil {
		k.t.Fatal(err)
	}
	defer s.Close()
	came := make(map[string]int)
	for _, session := range append(plannedSessions(), "hourly") {
		messages, err := s.Messages(k.t.Context(), session)
		if err != nil {
			k.t.Fatal(err)
		}
		for i, m := range messages {
			if want := []chat.Role{chat.User, chat.Assistant}[i%2]; m.Role != want {
				k.t.Errorf("message %d of session %s is of the %s, want the %s", i, session, m.Role, want)
			}
			if m.Role == chat.User {
				prompt, _, _ := strings.Cut(m.Text(), "\n")
				came[session+" "+prompt]++
			}
		}
	}
	for i := range plannedPrompts {
		prompt := fmt.Sprintf("%s prompt %02d", plannedSessions()[i%plannedIn], i)
		if came[prompt] != 1 {
			k.t.Errorf("%q came %d times, want once", prompt, came[prompt])
		}
	}
	rows, err := s.Schedules(k.t.Context())
	if err != nil || len(rows) != 1 || came["hourly hourly"] != 1 || rows[0].Runs != 1 || !rows[0].Due.Equal(begun.Add(59*time.Minute)) {
		k.t.Errorf("the hourly prompt came %d times and is %+v (%v); want once, and its phase kept", came["hourly hourly"], rows, err)
	}
}
