package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/openrouter/openroutertest"
	"github.com/coder-agent/coder/agent/store"
)

// TestKillTasks kills the host at random points of a turn that gives tasks: two that explore side by side, one that runs a
// command, which waits for a decision in mode edit. Then each task must have been given to one child, once, and its report
// stand in the call that gave it; and of the commands all holds that TestKill wants.
func TestKillTasks(t *testing.T) {
	points, seed, bin := killOptions(t)
	took := make(map[string]time.Duration)
	for _, mode := range []string{"auto", "edit"} {
		k := newKillOf(t, bin, mode, killTaskScript)
		begun := time.Now()
		k.play(time.Hour)
		took[mode] = time.Since(begun)
		k.check()
		k.checkTasks()
	}
	for i := range points {
		mode := []string{"auto", "edit"}[i%2]
		t.Run(fmt.Sprintf("seed %d in mode %s", seed+uint64(i), mode), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed+uint64(i), 1))
			k := newKillOf(t, bin, mode, killTaskScript)
			k.play(time.Duration(rng.Float64() * float64(took[mode])))
			k.check()
			k.checkTasks()
		})
	}
}

// killTaskScript answers each session by its address, which stands in the system prompt of those with a task, and by how many
// results its transcript holds.
func killTaskScript(r *openroutertest.Request) openroutertest.Response {
	results, who := 0, "kill"
	for _, m := range r.Messages {
		if m.Role == "tool" {
			results++
		}
		if _, rest, ok := strings.Cut(m.Text(), "at the address "); ok && m.Role == "system" {
			who, _, _ = strings.Cut(rest, ". ")
		}
	}
	call := func(id, name, args string) openroutertest.Call {
		return openroutertest.Call{ID: id, Name: name, Args: json.RawMessage(args)}
	}
	answer := openroutertest.Response{Delay: 1, Fragments: true}
	switch fmt.Sprint(who, " ", results) {
	case "kill 0":
		answer.Calls = []openroutertest.Call{call("t1", "task", `{"prompt":"look at a"}`), call("t2", "task", `{"prompt":"look at b"}`)}
	case "kill/sub/task/1 0", "kill/sub/task/2 0":
		answer.Calls = []openroutertest.Call{call("r1", "read", `{"path":"a.txt"}`)}
	case "kill 2":
		answer.Calls = []openroutertest.Call{call("t3", "task", `{"prompt":"do it","agent":"general"}`), call("r1", "read", `{"path":"b.txt"}`)}
	case "kill/sub/task/3 0":
		answer.Calls = []openroutertest.Call{call("x1", "bash", `{"command":"echo one >> effects.log; sleep 0.03"}`)}
	case "kill 4":
		answer.Calls = []openroutertest.Call{call("x2", "bash", `{"command":"echo two >> effects.log; sleep 0.03"}`)}
	case "kill 5":
		answer.Text = strings.Repeat("All of it is done and said. ", 8)
	default:
		answer.Text = "This is the report of " + who + "."
	}
	return answer
}

// checkTasks holds the calls of the session against the transcripts of its children, which it reads from disk once nobody works.
func (k *kill) checkTasks() {
	k.t.Helper()
	_ = k.host.Process.Signal(os.Interrupt)
	if err := <-k.ended; err != nil {
		k.t.Fatalf("ending the host: %v", err)
	}
	s, err := store.OpenReadOnly(k.t.Context(), k.data)
	if err != nil {
		k.t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	children, err := s.Below(k.t.Context(), "kill")
	if err != nil || len(children) != 3 {
		k.t.Fatalf("the children are %+v, %v; want three", children, err)
	}
	results := taskResults(k.only(k.t.Context(), s, "kill"))
	if len(results) != 3 {
		k.t.Fatalf("the calls were answered with %q", results)
	}
	for i, child := range children {
		message := k.only(k.t.Context(), s, child.Key)
		report := "This is the report of " + child.Name + "."
		if !strings.HasSuffix(message.Text(), report) || child.Status != "idle" {
			k.t.Errorf("%s is %s and has said %q", child.Name, child.Status, message.Text())
		}
		if !strings.HasSuffix(results[i], report) {
			k.t.Errorf("the call of %s was answered with %q", child.Name, results[i])
		}
		for _, p := range message.Parts {
			if c, ok := p.(chat.ToolCall); ok && strings.Contains(string(c.Input), "echo one") {
				k.checkRan(c, "one")
			}
		}
	}
}

// only returns the answer of a session that was prompted once.
func (k *kill) only(ctx context.Context, s *store.Store, key string) chat.Message {
	k.t.Helper()
	messages, err := s.Messages(ctx, key)
	if err != nil || len(messages) != 2 || messages[1].Role != chat.Assistant {
		k.t.Fatalf("session %s has the messages %+v, %v; want a prompt and an answer", key, messages, err)
	}
	return messages[1]
}

// taskResults returns what the calls of task were answered with, in their order, but for those that broke off with their response:
// the model has made them again, under other ids.
func taskResults(m chat.Message) (results []string) {
	for _, p := range m.Parts {
		if c, ok := p.(chat.ToolCall); ok && c.Name == "task" && !strings.Contains(c.Error, "the response broke off") {
			results = append(results, c.Result())
		}
	}
	return results
}

// checkRan holds the result of a command that writes a word against the file.
func (k *kill) checkRan(c chat.ToolCall, word string) {
	k.t.Helper()
	log, err := os.ReadFile(filepath.Join(k.repo, "effects.log"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		k.t.Fatal(err)
	}
	ran := strings.Count(string(log), word+"\n")
	interrupted := c.State == chat.OutputError && strings.Contains(c.Error, "interrupted")
	if ran > 1 || ran == 0 && !interrupted || !interrupted && c.State != chat.OutputAvailable {
		k.t.Errorf("command %s ran %d times and its result is %s %q", word, ran, c.State, c.Result())
	}
}
