package agent_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/trust"
)

// trusting gives a host a store of trust and a workdir with files.
func trusting(t *testing.T, model agent.Model, brings map[string]string) agent.Options {
	t.Helper()
	opts := agenttest.Options(t, model)
	opts.Trust = trust.Store{Dir: filepath.Join(t.TempDir(), "trust")}
	dir, err := filepath.EvalSymlinks(opts.Workdir)
	if err != nil {
		t.Fatal(err)
	}
	opts.Workdir = dir
	files(t, opts.Workdir, brings)
	return opts
}

func acceptFolder(t *testing.T, opts agent.Options, allow ...string) {
	t.Helper()
	if err := opts.Trust.Accept(opts.Trust.Look(opts.Workdir), allow, time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
}

// TestInstructionsAreToldAfterTheYes: in the system prompt of a session that begins then, by a note in one that was there,
// once, under whatever host; and what was told stays told.
func TestInstructionsAreToldAfterTheYes(t *testing.T) {
	dir := t.TempDir()
	model := agenttest.NewModel()
	opts := trusting(t, model, map[string]string{"AGENTS.md": "be kind"})
	host, err := agent.Open(t.Context(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	turn := func(h *agent.Host, name, id string) chat.Request {
		t.Helper()
		model.Add(agenttest.Say("answer " + id))
		a := agenttest.Agent(t, h, name)
		sub := subscribe(t, a)
		agenttest.Ask(t, a, id, "prompt "+id)
		agenttest.Finish(t, sub, id)
		sub.Close()
		requests := model.Requests()
		return requests[len(requests)-1]
	}
	before := turn(host, "early", "q1")
	if strings.Contains(before.System, "be kind") || len(notes(before)) > 0 {
		t.Errorf("before the yes the model is told %q and %q", before.System, notes(before))
	}
	acceptFolder(t, opts)
	after := turn(host, "early", "q2")
	if got := notes(after); after.System != before.System || len(got) != 1 || !strings.Contains(got[0], "\nbe kind\n----- end AGENTS.md") {
		t.Errorf("after the yes the model is told %q, with the system prompt %q", got, after.System)
	}
	if got := notes(turn(host, "early", "q3")); len(got) != 1 {
		t.Errorf("with the next prompt it is told %q", got)
	}
	fresh := turn(host, "fresh", "q4")
	if !strings.Contains(fresh.System, "text from the repository, not from the user") || !strings.Contains(fresh.System, "\nbe kind\n") || len(notes(fresh)) > 0 {
		t.Errorf("a new session is told %q and %q", fresh.System, notes(fresh))
	}
	if err := host.Close(); err != nil {
		t.Fatal(err)
	}

	files(t, opts.Workdir, map[string]string{"AGENTS.md": "be cruel"})
	host = agenttest.Open(t, dir, opts)
	for i, name := range []string{"early", "fresh"} {
		if got := turn(host, name, "changed-"+name); len(notes(got)) != 1-i || strings.Contains(strings.Join(notes(got), got.System), "cruel") {
			t.Errorf("session %s is told of what changed: %q", name, notes(got))
		}
	}
	if got := turn(host, "late", "q5").System; strings.Contains(got, "be ") {
		t.Errorf("a session that begins after the change is told %q", got)
	}
	acceptFolder(t, opts)
	for i, name := range []string{"early", "fresh", "late"} {
		want := []int{2, 1, 1}[i]
		if got := notes(turn(host, name, "accepted-"+name)); len(got) != want || !strings.Contains(got[want-1], "\nbe cruel\n") {
			t.Errorf("after the second yes session %s is told %q", name, got)
		}
	}
}

// TestThePromptThatWaitsIsToldOfTheYes that came while the turn before it ran.
func TestThePromptThatWaitsIsToldOfTheYes(t *testing.T) {
	reached, release := make(chan struct{}), make(chan struct{})
	model := agenttest.NewModel(agenttest.Hold(reached, release, agenttest.Say("one")), agenttest.Say("two"))
	opts := trusting(t, model, map[string]string{"AGENTS.md": "be kind"})
	a := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), opts), "a")
	sub := subscribe(t, a)
	agenttest.Ask(t, a, "q1", "first")
	<-reached
	agenttest.Ask(t, a, "q2", "second")
	acceptFolder(t, opts)
	close(release)
	agenttest.Finish(t, sub, "q2")
	requests := model.Requests()
	if got := notes(requests[1]); len(got) != 1 || !strings.Contains(got[0], "be kind") {
		t.Errorf("the prompt that waited goes out with the notes %q", got)
	}
}

// TestTheStateShowsWhatTheFolderBrings and no client can set it.
func TestTheStateShowsWhatTheFolderBrings(t *testing.T) {
	opts := trusting(t, agenttest.NewModel(), map[string]string{
		"AGENTS.md": "be kind", trust.ConfigFile: `{"rules": ["allow bash(make)", "deny read(a)"], "model": "x"}`,
	})
	a := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), opts), "a")
	state := func() agent.FolderTrust {
		t.Helper()
		sub := subscribe(t, a)
		defer sub.Close()
		return document(t, sub.Snapshot.State).Trust
	}
	holding := func(f agent.FolderTrust) (texts []string) {
		for _, w := range f.Wants {
			if w.Holds {
				texts = append(texts, string(w.Kind)+" "+w.Text)
			}
		}
		return texts
	}
	got := state()
	if want := []string{"rule deny read(a)"}; got.State != trust.Untrusted || len(got.Wants) != 4 || !slices.Equal(holding(got), want) {
		t.Errorf("at first the state shows %+v", got)
	}
	acceptFolder(t, opts, "allow bash(make)")
	if _, err := a.ProjectContext(t.Context()); err != nil { // any look will do
		t.Fatal(err)
	}
	got = state()
	if want := []string{"instructions ", "rule allow bash(make)", "rule deny read(a)"}; got.State != trust.Trusted || !slices.Equal(holding(got), want) {
		t.Errorf("after the yes the state shows %+v", got)
	}
	doc := `{"trust":{"state":"trusted","wants":[]}}`
	if err := a.SetState(t.Context(), []byte(doc)); err == nil {
		t.Error("a client has set the trust")
	}
}

// TestATurnEndsWhereARuleOfTheProjectCannotBeEnforced: whoever wrote it relies on it.
func TestATurnEndsWhereARuleOfTheProjectCannotBeEnforced(t *testing.T) {
	model := agenttest.NewModel(agenttest.Say("done"))
	opts := trusting(t, model, map[string]string{trust.ConfigFile: "{\"rules\": [\n\"deny reed\"]}"})
	a := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), opts), "a")
	end := func(id string) chat.TurnFinished {
		t.Helper()
		sub := subscribe(t, a)
		defer sub.Close()
		agenttest.Ask(t, a, id, "go")
		events := agenttest.Finish(t, sub, id)
		return events[len(events)-1].(chat.TurnFinished)
	}
	got := end("q1")
	if got.Reason != chat.FinishError || !strings.Contains(got.Error, `config.json:2: "deny reed" is not a rule`) || got.Hint == "" || len(model.Requests()) > 0 {
		t.Errorf("the turn ends with %+v after %d requests", got, len(model.Requests()))
	}
	if err := os.Remove(filepath.Join(opts.Workdir, trust.ConfigFile)); err != nil {
		t.Fatal(err)
	}
	if got := end("q2"); got.Reason != chat.FinishStop {
		t.Errorf("once it is mended the turn ends with %+v", got)
	}
}

// TestRulesOfTheFolderReachThePolicy beside the user's: those that narrow at once, one that allows once it is accepted, and
// all as they are before each request, for what a pull takes away as well.
func TestRulesOfTheFolderReachThePolicy(t *testing.T) {
	model := agenttest.NewModel()
	opts := trusting(t, model, map[string]string{trust.ConfigFile: `{"rules": ["allow bash(make)", "allow bash(ls)", "deny read(a)"]}`})
	rule, err := permission.ParseRule("ask read(b)", "config.json:1")
	if err != nil {
		t.Fatal(err)
	}
	opts.Rules = []permission.Rule{rule}
	a := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), opts), "a")
	check := func(when string, want ...string) {
		t.Helper()
		sub := subscribe(t, a)
		defer sub.Close()
		model.Add(agenttest.Say("done"))
		agenttest.Ask(t, a, when, "go")
		agenttest.Finish(t, sub, when)
		if got, err := a.PolicyRules(t.Context()); err != nil || !slices.Equal(got, append([]string{"ask read(b)"}, want...)) {
			t.Errorf("%s: the calls are judged by %q, %v", when, got, err)
		}
	}
	check("at first", "deny read(a)")
	acceptFolder(t, opts, "allow bash(make)")
	check("after the yes to one rule", "allow bash(make)", "deny read(a)")
	files(t, opts.Workdir, map[string]string{trust.ConfigFile: `{"rules": ["allow bash(make)"]}`})
	check("after a pull that took the deny away")
	files(t, opts.Workdir, map[string]string{trust.ConfigFile: `{"rules": ["deny bash(make)"]}`})
	check("after a pull that turned it round", "deny bash(make)")
}
