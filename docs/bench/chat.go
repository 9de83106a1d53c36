//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/store"
)

// What the measurements of the terminal client are about.
const (
	longMessages = 2000             // of a long session
	idleTime     = 30 * time.Second // without anything to do
	answerDeltas = 5000             // of an answer of 50 KB, at most a thousand a second
)

// usable stands below the line that one types in, once it can be typed in.
const usable = "Enter sends"

// chat measures the terminal client as the one at the terminal has it: when it can be typed in, what an answer and doing nothing
// cost, how soon a long session is there.
func (b *bench) chat(ctx context.Context) error {
	for _, measure := range []func(context.Context) error{b.chatCold, b.chatWarm, b.chatFrames} {
		if err := measure(ctx); err != nil {
			return err
		}
	}
	return nil
}

// chatCold opens the client where no host runs: it is started, too. The first time is of its own: the data folder is made, and what a
// sandbox can do here is tried.
func (b *bench) chatCold(ctx context.Context) error {
	dataDir, err := os.MkdirTemp(b.work, "data-")
	if err != nil {
		return err
	}
	var took []time.Duration
	for range b.rounds + 1 {
		t, err := b.openChat(ctx, dataDir, "cold", usable)
		if err != nil {
			return err
		}
		took = append(took, t.took)
		if err := errors.Join(t.leave(), b.stopHost(ctx, dataDir)); err != nil {
			return err
		}
	}
	b.add(figure{what: "chat: start to prompt, host included", unit: "ms", limit: 100, coder: median(took[1:])})
	b.add(figure{what: "  the first time in a data folder", unit: "ms", coder: milliseconds(took[0])})
	return nil
}

// chatWarm measures what is done where a host runs.
func (b *bench) chatWarm(ctx context.Context) error {
	dataDir, err := os.MkdirTemp(b.work, "data-")
	if err != nil {
		return err
	}
	if err := b.fillLong(ctx, dataDir, 2*b.rounds); err != nil {
		return err
	}
	host, err := startServer(ctx, b.work, b.env(dataDir), b.coder, "serve")
	if err != nil {
		return err
	}
	for _, measure := range []func(context.Context, *server, string) error{b.chatOpens, b.chatLong, b.chatAnswer} {
		if err = measure(ctx, host, dataDir); err != nil {
			break
		}
	}
	return errors.Join(err, host.stop())
}

func (b *bench) chatOpens(ctx context.Context, _ *server, dataDir string) error {
	var took []time.Duration
	for i := range b.rounds {
		t, err := b.openChat(ctx, dataDir, fmt.Sprintf("warm%d", i), usable)
		if err != nil {
			return err
		}
		took = append(took, t.took)
		if err := t.leave(); err != nil {
			return err
		}
	}
	b.add(figure{what: "chat: start to prompt, warm host", unit: "ms", limit: 100, coder: median(took)})
	return nil
}

// chatLong opens long sessions, each of them for the first time since the host was started: from the shell, and from another session.
func (b *bench) chatLong(ctx context.Context, host *server, dataDir string) error {
	last := fmt.Sprintf("answer %d.", longMessages-1)
	var shell, resumed []time.Duration
	var memoryHeld int64
	for i := range b.rounds {
		t, err := b.openChat(ctx, dataDir, fmt.Sprintf("long%d", i), last)
		if err != nil {
			return err
		}
		shell = append(shell, t.took)
		began := time.Now()
		if err := t.enter("/resume "+fmt.Sprintf("long%d", b.rounds+i), last); err != nil {
			return err
		}
		resumed = append(resumed, time.Since(began))
		if memoryHeld, err = memory(t.pid(), "VmRSS"); err != nil {
			return err
		}
		if err := t.leave(); err != nil {
			return err
		}
	}
	b.add(figure{what: "chat: start to the end of 2,000 messages, warm host", unit: "ms", limit: 200, coder: median(shell)})
	b.add(figure{what: "chat: /resume to the end of 2,000 messages", unit: "ms", limit: 200, coder: median(resumed)})
	b.add(figure{what: "  memory of the client then", unit: "MiB", limit: 60, coder: float64(memoryHeld) / mib})
	return nil
}

// chatAnswer measures one long answer, and then the quiet after it.
func (b *bench) chatAnswer(ctx context.Context, host *server, dataDir string) error {
	if err := b.model.play(ctx, []reply{{Text: markdown(answerDeltas), Delay: 1}}); err != nil {
		return err
	}
	t, err := b.openChat(ctx, dataDir, "answer", usable)
	if err != nil {
		return err
	}
	client, server := t.pid(), host.cmd.Process.Pid
	cost, err := busy(func() error { return t.enter("tell me everything", "The end.", usable) }, client, server)
	if err != nil {
		return err
	}
	b.add(figure{what: "chat: 50 KB in 5,000 deltas, CPU of client and host", unit: "ms", limit: 1500, coder: milliseconds(cost[0] + cost[1])})
	b.add(figure{what: "  of it the client", unit: "ms", coder: milliseconds(cost[0])})
	held, err := memory(client, "VmHWM")
	if err != nil {
		return err
	}
	b.add(figure{what: "  peak memory of the client", unit: "MiB", limit: 60, coder: float64(held) / mib})
	cost, err = busy(func() error { return wait(ctx, idleTime) }, client, server)
	if err != nil {
		return err
	}
	b.add(figure{what: "chat: 30 s of nothing, CPU of the client", unit: "%", limit: 0.05, coder: 100 * cost[0].Seconds() / idleTime.Seconds()})
	b.add(figure{what: "  of the host", unit: "%", coder: 100 * cost[1].Seconds() / idleTime.Seconds()})
	return t.leave()
}

// wait lets time pass.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// chatFrames has Go's benchmark of the same answer tell how long a frame takes: from without only its bytes are seen.
func (b *bench) chatFrames(ctx context.Context) error {
	r, err := run(ctx, ".", os.Environ(), "go", "test", "-run", "^$", "-bench", "^BenchmarkAnswer$", "-benchtime", "3x", "./cmd/internal/tui")
	if err != nil {
		return err
	}
	m := frameTimes.FindSubmatch(r.stdout)
	if m == nil {
		return fmt.Errorf("BenchmarkAnswer has not said how long a frame takes:\n%s", r.stdout)
	}
	micros, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		return err
	}
	b.add(figure{what: "chat: a frame of that answer, the 99th of a hundred", unit: "ms", limit: 16, coder: micros / 1000})
	return nil
}

var frameTimes = regexp.MustCompile(`([\d.e+]+) µs-p99-frame`)

// openChat starts the client with the session and waits until the screen has been told the text.
func (b *bench) openChat(ctx context.Context, dataDir, session, until string) (*terminal, error) {
	dir, err := os.MkdirTemp(b.work, "folder-")
	if err != nil {
		return nil, err
	}
	if session == "cold" || strings.HasPrefix(session, "long") {
		dir = b.work // that is where they work
	}
	cmd := exec.CommandContext(ctx, b.coder, "chat", "--session", session)
	cmd.Dir, cmd.Env = dir, append(b.env(dataDir), "TERM=xterm-256color")
	return openTerminal(cmd, until)
}

// stopHost ends the host of the data dir and waits for it.
func (b *bench) stopHost(ctx context.Context, dataDir string) error {
	_, err := run(ctx, b.work, b.env(dataDir), b.coder, "stop")
	return err
}

// markdown is a text of so many words of ten bytes, with all that an answer may have.
func markdown(words int) string {
	var out strings.Builder
	for n := 0; n < words-2; {
		for _, block := range []struct {
			words       int
			first, last string
		}{{2, "## ", "\n\n"}, {60, "", "\n\n"}, {6, "- ", "\n\n"}, {20, "```go\n", "\n```\n\n"}, {30, "**", "**\n\n"}} {
			count := min(block.words, words-2-n)
			if count <= 0 {
				break
			}
			n += count
			out.WriteString(block.first + strings.TrimSpace(strings.Repeat("somewords ", count)) + block.last)
		}
	}
	out.WriteString("The end.")
	return out.String()
}

// fillLong stores long sessions in the data dir, of some five megabytes each.
func (b *bench) fillLong(ctx context.Context, dataDir string, sessions int) error {
	s, err := store.Open(ctx, dataDir)
	if err != nil {
		return err
	}
	for i := range sessions {
		name := fmt.Sprintf("long%d", i)
		err = errors.Join(err, s.Write(ctx, store.Fast, func(tx *store.Tx) error { return fillSession(tx, name, b.work) }))
	}
	return errors.Join(err, s.Close())
}

func fillSession(tx *store.Tx, name, dir string) error {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	now := time.Now()
	row := store.Session{
		Name: name, Key: name, Workdir: dir, Model: "bench/model", Mode: "ask", Status: "idle", Created: now, Updated: now, Messages: longMessages,
	}
	if err := tx.PutSession(row); err != nil {
		return err
	}
	for i := range longMessages {
		m := chat.Message{ID: fmt.Sprint("m", i), Role: chat.User, Parts: []chat.Part{chat.Text{Text: fmt.Sprintf("prompt %d.", i)}}}
		if i%2 == 1 {
			m.Role, m.Steps = chat.Assistant, []chat.Step{{Status: chat.StepAnswered, Reason: chat.ModelStop}}
			m.Parts = []chat.Part{chat.StepStart{}, chat.ToolCall{
				ID: fmt.Sprint("c", i), Name: "read", State: chat.OutputAvailable, Input: []byte(`{"path":"a.go"}`),
				Output: &chat.Output{Text: strings.Repeat("a line of some file\n", 200)},
			}, chat.Text{Text: fmt.Sprintf("answer %d.", i), State: chat.PartDone}}
		}
		if err := tx.PutMessage(name, i, m); err != nil {
			return err
		}
	}
	return nil
}
