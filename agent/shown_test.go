package agent_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
)

// shownTexts are the results of see that the model is still sent, each with its step, the latest first.
func shownTexts(t *testing.T, a *agent.CoderAgent) (texts []string) {
	t.Helper()
	shown, err := a.Shown(t.Context(), "see")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range shown {
		texts = append(texts, s.Text+" "+string(rune('0'+s.Step)))
	}
	return texts
}

// TestOnlyWhatTheModelIsSentCountsAsShown: not what was compacted away, taken back with its message or cleared, and not
// what another tool said; and so in a fork, and under the next host.
func TestOnlyWhatTheModelIsSentCountsAsShown(t *testing.T) {
	k := newTalk(t, 100_000, seeing(), look())
	want := func(when string, want ...string) {
		t.Helper()
		if got := shownTexts(t, k.a); !slices.Equal(got, want) {
			t.Errorf("%s the model is shown %q, want %q", when, got, want)
		}
	}
	k.turn("first", counting(20_000, agenttest.Call(use("c1", "see", "a"), use("c2", "look", "x"))), counting(30_000, agenttest.Say(long)))
	k.turn("second", counting(70_000, agenttest.Call(use("c3", "see", "b"))), counting(71_000, agenttest.Say(long)))
	want("at first", "b 3", "a 1")
	fork, err := k.a.Fork(t.Context(), "", "branch")
	if err != nil {
		t.Fatal(err)
	}
	if got := shownTexts(t, agenttest.Agent(t, k.host, fork.Name)); !slices.Equal(got, []string{"b 3", "a 1"}) {
		t.Errorf("a fork is shown %q", got)
	}
	k.turn("third", counting(90_000, agenttest.Call(use("c4", "see", "c"))),
		counting(91_000, agenttest.Say("summary")), counting(9_000, agenttest.Say("done")))
	want("after a compaction", "c 5")
	k.close()
	k.open()
	want("under the next host", "c 5")
	k.turn("fourth", agenttest.Call(use("c5", "see", "d")), agenttest.Say("done"))
	want("a turn later", "d 7", "c 5")
	messages := k.messages()
	edited := messages[len(messages)-2]
	edited.Parts = []chat.Part{chat.Text{Text: "otherwise"}}
	k.model.Add(agenttest.Say("so be it"))
	if err := k.a.Prompt(t.Context(), agent.Prompt{ID: "edit", Client: "test", Messages: append(slices.Clone(messages[:len(messages)-2]), edited)}); err != nil {
		t.Fatal(err)
	}
	agenttest.Finish(t, k.sub, "edit")
	want("when the last prompt is sent again otherwise", "c 5")
	if err := k.a.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	want("after a clear")
}

// TestACallThatFailedIsNotShown: its error is all that the model has of it.
func TestACallThatFailedIsNotShown(t *testing.T) {
	fails := agent.NewTool("see", permission.Reads, "See.", func(context.Context, noteArgs) (agent.Result, error) {
		return agent.Result{Text: "half"}, errors.New("it broke")
	})
	model := agenttest.NewModel(agenttest.Call(use("c1", "see", "a")), agenttest.Say("done"))
	a := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), agenttest.Options(t, model, fails)), "a")
	sub := subscribe(t, a)
	agenttest.Ask(t, a, "q1", "go")
	agenttest.Finish(t, sub, "q1")
	if got := shownTexts(t, a); len(got) > 0 {
		t.Errorf("the model is shown %q", got)
	}
}

// TestAFolderIsUntoldOnce in a trusted workdir: of calls that run side by side one gets the yes, and the next host and a
// compaction keep to what the transcript says.
func TestAFolderIsUntoldOnce(t *testing.T) {
	var yes atomic.Int32
	tells := agent.NewTool("tell", permission.Reads, "Tell.", func(ctx context.Context, a noteArgs) (agent.Result, error) {
		untold, err := agent.FromContext(ctx).Untold(ctx, a.Text)
		if untold {
			yes.Add(1)
			return agent.Result{Text: "told", Told: []string{a.Text}}, err
		}
		return agent.Result{Text: "not told"}, err
	})
	model := agenttest.NewModel()
	opts := trusting(t, model, map[string]string{"AGENTS.md": "be kind"})
	opts.Tools = []agent.Tool{tells}
	dir := t.TempDir()
	sub := filepath.Join(opts.Workdir, "sub")
	host, err := agent.Open(t.Context(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	turn := func(h *agent.Host, id string) *agent.CoderAgent {
		t.Helper()
		model.Add(agenttest.Call(use(id+"a", "tell", sub), use(id+"b", "tell", sub), use(id+"c", "tell", sub)), agenttest.Say("done"))
		a := agenttest.Agent(t, h, "a")
		s := subscribe(t, a)
		defer s.Close()
		agenttest.Ask(t, a, id, "go")
		agenttest.Finish(t, s, id)
		return a
	}
	turn(host, "q1")
	if got := yes.Load(); got != 0 {
		t.Errorf("in a folder that is not trusted %d calls may tell", got)
	}
	acceptFolder(t, opts)
	turn(host, "q2")
	turn(host, "q3")
	if err := host.Close(); err != nil {
		t.Fatal(err)
	}
	host = agenttest.Open(t, dir, opts)
	a := turn(host, "q4")
	if got := yes.Load(); got != 1 {
		t.Errorf("in a trusted folder %d calls may tell, want 1", got)
	}
	if err := a.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	turn(host, "q5")
	if got := yes.Load(); got != 2 {
		t.Errorf("after a clear %d calls could tell in all, want 2", got)
	}
	messages, err := a.Messages(t.Context())
	if err != nil || !strings.Contains(encoded(t, messages[len(messages)-1]), `"told":["`) {
		t.Errorf("the transcript does not say what was told: %v", err)
	}
}
