package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
)

func setup(t *testing.T, a *agent.CoderAgent, want agent.Setup) (agent.SetupResult, error) {
	t.Helper()
	raw, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	v, err := a.Call(t.Context(), "setup", []json.RawMessage{raw})
	if err != nil {
		return agent.SetupResult{}, err
	}
	return v.(agent.SetupResult), nil
}

func child(t *testing.T, h *agent.Host, parent *agent.CoderAgent, kind, name string) *agent.CoderAgent {
	t.Helper()
	a, err := h.Child(t.Context(), parent, kind, name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func names(t *testing.T, h *agent.Host) (list []string) {
	t.Helper()
	sessions, err := h.Sessions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sessions {
		list = append(list, s.Name+" of "+s.Parent)
	}
	slices.Sort(list)
	return list
}

func TestAChildBeginsAsItsParentIs(t *testing.T) {
	dir := t.TempDir()
	model := agenttest.NewModel(agenttest.Say("from the child"))
	opts := agenttest.Options(t, model)
	h, err := agent.Open(t.Context(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	parent := agenttest.Agent(t, h, "Top")
	folder := t.TempDir()
	if _, err := setup(t, parent, agent.Setup{Workdir: folder, Mode: "edit", Model: "some/model"}); err != nil {
		t.Fatal(err)
	}
	kid := child(t, h, parent, agent.KindTask, "Kid")
	if again := child(t, h, parent, agent.KindTask, "kid"); again != kid {
		t.Error("the same name in another case is another child")
	}
	for _, other := range []*agent.CoderAgent{
		child(t, h, parent, agent.KindAgent, "Kid"), child(t, h, kid, agent.KindTask, "Kid"), agenttest.Agent(t, h, "kid"),
		agenttest.Agent(t, h, "top-sub-task-kid"),
	} {
		if other == kid {
			t.Errorf("%s is the same agent", other.Name())
		}
	}
	got, err := setup(t, kid, agent.Setup{})
	if err != nil || got.Workdir != folder || got.Mode != permission.ModeEdit || got.Model != "some/model" || got.Name != "Top/sub/task/Kid" {
		t.Errorf("the child is %+v, %v", got, err)
	}
	if _, err := setup(t, kid, agent.Setup{Workdir: t.TempDir()}); err == nil {
		t.Error("a child left its parent's folder")
	}
	sub := subscribe(t, kid)
	agenttest.Ask(t, kid, "q1", "hi")
	agenttest.Finish(t, sub, "q1")
	sub.Close()
	if m, err := parent.Messages(t.Context()); err != nil || len(m) != 0 {
		t.Errorf("the parent's transcript is %+v, %v", m, err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}

	h = agenttest.Open(t, dir, opts)
	want := []string{"Top of ", "Top/sub/coder-agent/Kid of Top", "Top/sub/task/Kid of Top", "Top/sub/task/Kid/sub/task/Kid of Top/sub/task/Kid"}
	if got := names(t, h); !slices.Equal(got, want) {
		t.Errorf("the sessions are %q, want %q", got, want)
	}
	m, err := agenttest.Agent(t, h, "top/sub/task/kid").Messages(t.Context())
	if err != nil || len(m) != 2 || m[1].Text() != "from the child" {
		t.Errorf("the child's transcript is %+v, %v", m, err)
	}
}

// TestAChildIsNeverLooserThanItsParent, not even when the parent is tightened after the child was made.
func TestAChildIsNeverLooserThanItsParent(t *testing.T) {
	var acted atomic.Int32
	model := agenttest.NewModel(agenttest.Call(use("c1", "write", "y")), agenttest.Say("fine"))
	h := agenttest.Open(t, t.TempDir(), agenttest.Options(t, model, write(&acted)))
	parent := agenttest.Agent(t, h, "top")
	if _, err := setup(t, parent, agent.Setup{Mode: "auto"}); err != nil {
		t.Fatal(err)
	}
	kid := child(t, h, child(t, h, parent, agent.KindTask, "kid"), agent.KindTask, "grandkid")
	if _, err := setup(t, parent, agent.Setup{Mode: "plan"}); err != nil {
		t.Fatal(err)
	}
	if _, err := setup(t, kid, agent.Setup{Mode: "edit"}); err == nil || !strings.Contains(err.Error(), "plan") {
		t.Errorf("a looser mode was answered with %v", err)
	}
	sub := subscribe(t, kid)
	if !strings.Contains(string(sub.Snapshot.State), `"mode":"plan"`) {
		t.Errorf("the state is %s", sub.Snapshot.State)
	}
	agenttest.Ask(t, kid, "q1", "write")
	agenttest.Finish(t, sub, "q1")
	if acted.Load() != 0 {
		t.Error("the child did what its parent may not")
	}
	if _, err := setup(t, parent, agent.Setup{Mode: "auto"}); err != nil {
		t.Fatal(err)
	}
	if got, err := setup(t, kid, agent.Setup{Mode: "edit"}); err != nil || got.Mode != permission.ModeEdit {
		t.Errorf("the child is %+v, %v", got, err)
	}
}

func TestDeletingASessionDeletesWhatIsBelow(t *testing.T) {
	hold := func(ctx context.Context, _ chat.Request, _ func(chat.Event) bool) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	h := agenttest.Open(t, t.TempDir(), agenttest.Options(t, agenttest.NewModel(hold)))
	parent := agenttest.Agent(t, h, "top")
	kid := child(t, h, parent, agent.KindTask, "kid")
	grandkid := child(t, h, kid, agent.KindTask, "grandkid")
	unused := agenttest.Agent(t, h, "top/sub/task/unused")
	other := agenttest.Agent(t, h, "top-2")
	if _, err := setup(t, other, agent.Setup{}); err != nil {
		t.Fatal(err)
	}
	var subs []*agent.Subscription
	for _, a := range []*agent.CoderAgent{grandkid, kid, unused} {
		subs = append(subs, subscribe(t, a))
	}
	agenttest.Ask(t, grandkid, "q1", "work")
	if err := h.Delete(t.Context(), "TOP"); err != nil {
		t.Fatal(err)
	}
	for _, sub := range subs {
		var err error
		for err == nil {
			_, err = sub.Next(t.Context())
		}
		if !errors.Is(err, agent.ErrDeleted) {
			t.Errorf("a subscription ended with %v", err)
		}
	}
	if got := names(t, h); !slices.Equal(got, []string{"top-2 of "}) {
		t.Errorf("left are %q", got)
	}
}

func TestAddresses(t *testing.T) {
	deep := func(n int) string { return "a" + strings.Repeat("/sub/task/b", n) }
	for _, ok := range []string{"a", "sub", "a/sub/task/b", "a/sub/task/sub/sub/task/sub", "A/sub/coder-agent/B/sub/task/c", deep(8)} {
		if !agent.ValidAddress(ok) {
			t.Errorf("%s is refused", ok)
		}
	}
	for _, bad := range []string{
		"", "a/", "/a", "a/b", "a/sub", "a/sub/task", "a/sub/task/", "a/sub/nope/b", "a/SUB/task/b", "a/sub/task/..", "a/sub/task/b/c",
		"a/sub/task/b c", "a//sub/task/b", deep(9),
	} {
		if agent.ValidAddress(bad) {
			t.Errorf("%s is taken", bad)
		}
	}
	parent, kind, name := agent.SplitAddress("a/sub/task/sub/sub/coder-agent/b")
	if parent != "a/sub/task/sub" || kind != "coder-agent" || name != "b" {
		t.Errorf("SplitAddress = %s, %s, %s", parent, kind, name)
	}
	h := agenttest.Open(t, t.TempDir(), agenttest.Options(t, agenttest.NewModel()))
	for _, bad := range []struct{ kind, name string }{{"nope", "b"}, {"task", "../b"}, {"task", "b/sub/task/c"}, {"task", ""}} {
		var wrong *agent.NameError
		if _, err := h.Child(t.Context(), agenttest.Agent(t, h, "a"), bad.kind, bad.name); !errors.As(err, &wrong) {
			t.Errorf("Child(%s, %s): %v", bad.kind, bad.name, err)
		}
	}
	if _, err := h.Child(t.Context(), nil, "task", "b"); !errors.Is(err, agent.ErrNoAgent) {
		t.Errorf("a child of nobody: %v", err)
	}
}
