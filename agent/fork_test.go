package agent_test

import (
	"context"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
)

// seeing is a tool whose result says that the model has now seen a file.
func seeing() agent.Tool {
	return agent.NewTool("see", permission.Reads, "See.", func(_ context.Context, a noteArgs) (agent.Result, error) {
		return agent.Result{
			Text: a.Text, Files: []chat.FileSeen{{Path: "/w/" + a.Text, Hash: "h-" + a.Text}},
			Todo: []chat.Todo{{Text: a.Text, Status: chat.TodoPending}},
		}, nil
	})
}

func forked(t *testing.T, a *agent.CoderAgent, at, name string) agent.Session {
	t.Helper()
	s, err := a.Fork(t.Context(), at, name)
	if err != nil {
		t.Fatalf("forking at %q: %v", at, err)
	}
	return s
}

// TestAForkTakesOverWhatTheModelKnows and nothing of the cost. Its first request repeats the original's; the original goes
// its own way.
func TestAForkTakesOverWhatTheModelKnows(t *testing.T) {
	dir := t.TempDir()
	model := agenttest.NewModel(
		agenttest.Call(use("c1", "see", "a")), agenttest.Say("one"),
		agenttest.Say("two"),
		agenttest.Say("of the fork"),
	)
	opts := agenttest.Options(t, model, seeing())
	opts.System = func(workdir string) (string, error) { return "in " + workdir, nil }
	host, err := agent.Open(t.Context(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	a := agenttest.Agent(t, host, "Orig")
	sub := subscribe(t, a)
	for _, id := range []string{"q1", "q2"} {
		agenttest.Ask(t, a, id, "go "+id)
		agenttest.Finish(t, sub, id)
	}
	messages, err := a.Messages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rpc(t, a, "setMode", "plan"); err != nil {
		t.Fatal(err)
	}
	s := forked(t, a, messages[1].ID, "Fork")
	if s.Name != "Fork" || s.ParentSession != "Orig" || s.ForkedAt != messages[1].ID || s.Messages != 2 || s.Mode != permission.ModePlan ||
		s.Workdir != opts.Workdir || s.Title != "go q1" || s.Usage != (chat.Usage{}) {
		t.Errorf("the fork is %+v", s)
	}
	fork := agenttest.Agent(t, host, "fork")
	if hash, ok, err := fork.Seen(t.Context(), "/w/a"); hash != "h-a" || !ok || err != nil {
		t.Errorf("the fork has seen %q, %t, %v", hash, ok, err)
	}
	sub.Close()
	if err := host.Close(); err != nil { // it is on disk
		t.Fatal(err)
	}
	host = agenttest.Open(t, dir, opts)
	fork = agenttest.Agent(t, host, "fork")
	follow := subscribe(t, fork)
	if doc := document(t, follow.Snapshot.State); doc.ParentSession != "Orig" || doc.ForkedAt != messages[1].ID || len(doc.Todo) != 1 || doc.Usage.Input != 0 {
		t.Errorf("the fork's state is %s", follow.Snapshot.State)
	}
	agenttest.Ask(t, fork, "q3", "another way")
	agenttest.Finish(t, follow, "q3")
	requests := model.Requests()
	last, first := requests[len(requests)-1], requests[1] // the second is the one that its last answer came from
	if last.System != first.System || last.Route != "orig" || last.Session != "fork" || len(last.Messages) != 3 ||
		!reflect.DeepEqual(last.Messages[0], first.Messages[0]) {
		t.Errorf("the fork's first request is %+v", last)
	}
	again := forked(t, fork, "", "")
	if !strings.HasPrefix(again.Name, "fork-fork-") || again.Messages != 4 {
		t.Errorf("a fork of the fork is %+v", again)
	}
	orig, err := agenttest.Agent(t, host, "orig").Messages(t.Context())
	if err != nil || len(orig) != 4 {
		t.Errorf("the original has %d messages, %v; want its own four", len(orig), err)
	}
}

// TestHalfATurnIsNotForked: not one that runs, and not one that waits for a decision.
func TestHalfATurnIsNotForked(t *testing.T) {
	var acted atomic.Int32
	reached, release := make(chan struct{}), make(chan struct{})
	model := agenttest.NewModel(
		agenttest.Say("one"),
		agenttest.Hold(reached, release, agenttest.Call(use("c1", "write", "x")), "thinking"),
	)
	opts := agenttest.Options(t, model, write(&acted))
	opts.Mode = permission.ModeAsk
	host := agenttest.Open(t, t.TempDir(), opts)
	a := agenttest.Agent(t, host, "a")
	if _, err := a.Fork(t.Context(), "", "empty"); err == nil || !strings.Contains(err.Error(), "has no turn that is over") {
		t.Errorf("forking an empty session: %v", err)
	}
	sub := subscribe(t, a)
	agenttest.Ask(t, a, "q1", "first")
	agenttest.Finish(t, sub, "q1")
	agenttest.Ask(t, a, "q2", "second")
	<-reached
	check := func(name, state string) {
		t.Helper()
		if s := forked(t, a, "", name); s.Messages != 2 {
			t.Errorf("a fork while the turn %s has %d messages, want the first turn's two", state, s.Messages)
		}
		if s := forked(t, a, "user-q2", name+"2"); s.Messages != 3 {
			t.Errorf("a fork at the prompt while its turn %s has %d messages, want three", state, s.Messages)
		}
		messages, err := a.Messages(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Fork(t.Context(), messages[3].ID, name+"3"); err == nil || !strings.Contains(err.Error(), "runs or waits") {
			t.Errorf("forking at a message whose turn %s: %v", state, err)
		}
	}
	check("running", "runs")
	close(release)
	agenttest.Finish(t, sub, "q2")
	check("waiting", "waits")
	if _, err := a.Fork(t.Context(), "", "running"); err == nil || !strings.Contains(err.Error(), "there is a session running already") {
		t.Errorf("forking to a name that is taken: %v", err)
	}
}

// TestAForkOfAChildIsNoLooserThanTheChild, although no parent stands above it any more, and takes no address of another.
func TestAForkOfAChildIsNoLooserThanTheChild(t *testing.T) {
	host := agenttest.Open(t, t.TempDir(), agenttest.Options(t, agenttest.NewModel(agenttest.Say("one"))))
	parent := agenttest.Agent(t, host, "p")
	child, err := host.Child(t.Context(), parent, agent.KindTask, "c")
	if err != nil {
		t.Fatal(err)
	}
	sub := subscribe(t, child)
	agenttest.Ask(t, child, "q1", "go")
	agenttest.Finish(t, sub, "q1")
	if _, err := rpc(t, parent, "setMode", "plan"); err != nil {
		t.Fatal(err)
	}
	s := forked(t, child, "", "")
	if s.Mode != permission.ModePlan || !strings.HasPrefix(s.Name, "c-fork-") || s.ParentSession != "p/sub/task/c" {
		t.Errorf("the fork of a child is %+v", s)
	}
	if _, err := child.Fork(t.Context(), "", "q/sub/task/x"); err == nil {
		t.Error("a fork takes the address of a child")
	}
}

func TestTheListOfSessionsComesInParts(t *testing.T) {
	opts := agenttest.Options(t, agenttest.NewModel())
	host := agenttest.Open(t, t.TempDir(), opts)
	other := t.TempDir()
	for _, name := range []string{"s1", "s2", "s3", "s4", "s5"} {
		setup := agent.Setup{Mode: "plan"}
		if name == "s2" {
			setup.Workdir = other
		}
		if _, err := rpc(t, agenttest.Agent(t, host, name), "setup", setup); err != nil {
			t.Fatal(err)
		}
	}
	a := agenttest.Agent(t, host, "s1")
	names := func(ctx context.Context, opts string) (list []string, next string) {
		t.Helper()
		v, err := a.Call(ctx, "listSessions", raws(opts))
		if err != nil {
			t.Fatalf("listSessions(%s): %v", opts, err)
		}
		for _, s := range v.(agent.List).Sessions {
			list = append(list, s.Name)
		}
		return list, v.(agent.List).Next
	}
	var got []string
	next := ""
	for i := 0; i == 0 || next != ""; i++ {
		var part []string
		part, next = names(t.Context(), `{"limit":2,"cursor":"`+next+`"}`)
		got = append(got, strings.Join(part, " "))
	}
	if want := "s5 s4, s3 s2, s1"; strings.Join(got, ", ") != want {
		t.Errorf("the list comes as %q, want %q", strings.Join(got, ", "), want)
	}
	if list, next := names(t.Context(), `null`); len(list) != 5 || next != "" {
		t.Errorf("without options the list is %q, then %q", list, next)
	}
	page := agent.WithCaller(t.Context(), agent.Caller{Page: true})
	if list, _ := names(page, `{}`); strings.Join(list, " ") != "s5 s4 s3 s1" {
		t.Errorf("a page sees %q, want the sessions of its own workdir", list)
	}
	for _, opts := range []string{`{"limit":-1}`, `{"limit":201}`, `{"cursor":"x"}`, `{"cursor":"0.s1"}`, `7`} {
		if _, err := a.Call(t.Context(), "listSessions", raws(opts)); err == nil {
			t.Errorf("listSessions(%s) gives no error", opts)
		}
	}
}

func TestRenamingASessionChangesItsTitle(t *testing.T) {
	host := agenttest.Open(t, t.TempDir(), agenttest.Options(t, agenttest.NewModel()))
	a := agenttest.Agent(t, host, "a")
	if _, err := rpc(t, a, "renameSession", " Mine "); err != nil {
		t.Fatal(err)
	}
	list, err := host.Sessions(t.Context())
	if err != nil || len(list) != 1 || list[0].Title != "Mine" || list[0].Name != "a" {
		t.Errorf("the sessions are %+v, %v", list, err)
	}
	for _, title := range []string{strings.Repeat("x", 201), "a\x1b[31m", "a\u2028b"} {
		if _, err := rpc(t, a, "renameSession", title); err == nil {
			t.Errorf("the title %q is taken", title)
		}
	}
}
