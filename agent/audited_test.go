package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/audit"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
)

func openLog(t *testing.T, dir string) *audit.Log {
	t.Helper()
	l, err := audit.Open(dir, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// logged are the lines of the log in short, without the first.
func logged(t *testing.T, dir string) (list []string) {
	t.Helper()
	r := audit.Reader{Dir: audit.Dir(dir)}
	err := r.Next(func(l audit.Line) {
		text := fmt.Sprintf("%s %s %s %s", l.What, l.Call, l.Tool, l.Decision)
		if l.By != "" {
			text += " by " + l.By
		}
		text = strings.TrimSpace(text)
		if l.Client != "" {
			text += ", " + l.Client
		}
		if l.Exit != nil {
			text += fmt.Sprintf(", exit %d", *l.Exit)
		}
		if l.To != "" {
			text += fmt.Sprintf(", %s to %s", l.From, l.To)
		}
		list = append(list, strings.Join(strings.Fields(text), " "))
	})
	if err != nil {
		t.Fatal(err)
	}
	return list[1:]
}

// acting returns tools of which one reads and one has effects, which count what they did.
func acting(acted *[]string) []agent.Tool {
	type args struct{}
	tool := func(name string, e permission.Effect, exit *int) agent.Tool {
		return agent.NewTool(name, e, "Acts.", func(context.Context, args) (agent.Result, error) {
			*acted = append(*acted, name)
			if name == "fail" {
				return agent.Result{}, errors.New("it did not work")
			}
			return agent.Result{Text: "done", Exit: exit}, nil
		})
	}
	return []agent.Tool{tool("look", permission.Reads, nil), tool("change", permission.Writes, new(0)), tool("fail", permission.Writes, nil)}
}

func TestTheAuditLogTellsWhatWasDecidedAndWhatRan(t *testing.T) {
	dir, log := t.TempDir(), t.TempDir()
	var acted []string
	opts := agenttest.Options(t, agenttest.NewModel(
		agenttest.Call(agenttest.Use{ID: "c1", Tool: "look", Args: struct{}{}}),
		agenttest.Call(agenttest.Use{ID: "c2", Tool: "change", Args: struct{}{}}),
		agenttest.Call(agenttest.Use{ID: "c3", Tool: "change", Args: struct{}{}}),
		agenttest.Call(agenttest.Use{ID: "c4", Tool: "fail", Args: struct{}{}}),
		agenttest.Say("done"),
		agenttest.Call(agenttest.Use{ID: "c5", Tool: "change", Args: struct{}{}}),
		agenttest.Say("done"),
	), acting(&acted)...)
	opts.Mode, opts.Audit = permission.ModeAsk, openLog(t, log)
	h := agenttest.Open(t, dir, opts)
	a := agenttest.Agent(t, h, "s")
	sub, err := a.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	decide := func(call string, yes bool) {
		t.Helper()
		if err := a.Decide(t.Context(), call, agent.Decision{Approved: yes, By: "me"}); err != nil {
			t.Fatal(err)
		}
		agenttest.Finish(t, sub, "")
	}
	agenttest.Ask(t, a, "r1", "go")
	agenttest.Finish(t, sub, "r1")
	decide("c2", true)
	decide("c3", false)
	page := agent.WithCaller(t.Context(), agent.Caller{Connection: "tab", Page: true})
	if _, err := a.Call(page, "setMode", []json.RawMessage{[]byte(`"auto"`)}); err == nil {
		t.Error("a page has loosened the mode")
	}
	person := agent.WithCaller(t.Context(), agent.Caller{Connection: "me"})
	answer, err := a.Call(person, "setMode", []json.RawMessage{[]byte(`"edit"`)})
	if err != nil {
		t.Fatal(err)
	}
	nonce, err := json.Marshal(answer.(agent.ModeAnswer).Confirm.Nonce)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Call(person, "setMode", []json.RawMessage{[]byte(`"edit"`), nonce}); err != nil {
		t.Fatal(err)
	}
	decide("c4", true)
	if _, err := a.Call(person, "setMode", []json.RawMessage{[]byte(`"ask"`)}); err != nil {
		t.Fatal(err)
	}
	agenttest.Ask(t, a, "r2", "again")
	agenttest.Finish(t, sub, "r2")
	agenttest.Ask(t, a, "r3", "something else")
	agenttest.Finish(t, sub, "r3")
	want := []string{
		"judged c1 look allow by mode ask, test", "started c1 look allow by mode ask, test", "ended c1 look, test",
		"judged c2 change ask by mode ask, test", "decided c2 change approved by person, me",
		"started c2 change approved by person, me", "ended c2 change, me, exit 0",
		"judged c3 change ask by mode ask, me", "decided c3 change denied by person, me",
		"judged c4 fail ask by mode ask, me",
		"mode deny by a page, tab, ask to auto", "mode ask, me, ask to edit", "mode allow, me, ask to edit",
		"decided c4 fail approved by person, me", "started c4 fail approved by person, me", "ended c4 fail, me",
		"mode allow, me, edit to ask",
		"judged c5 change ask by mode ask, test", "decided c5 change denied by prompt, test",
	}
	if got := logged(t, log); !slices.Equal(got, want) {
		t.Errorf("the log has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if want := []string{"look", "change", "fail"}; !slices.Equal(acted, want) {
		t.Errorf("acted: %q, want %q", acted, want)
	}
}

// What cannot be written down does not change anything; looking goes on, and with room so does all.
func TestNothingActsUnlogged(t *testing.T) {
	log := t.TempDir()
	var acted []string
	model := agenttest.NewModel(
		agenttest.Call(agenttest.Use{ID: "c1", Tool: "look", Args: struct{}{}}),
		agenttest.Call(agenttest.Use{ID: "c2", Tool: "change", Args: struct{}{}}),
	)
	opts := agenttest.Options(t, model, acting(&acted)...)
	opts.Audit = openLog(t, log)
	// A file stands where the folder must be.
	if err := errors.Join(os.RemoveAll(audit.Dir(log)), os.WriteFile(audit.Dir(log), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	a := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), opts), "s")
	sub, err := a.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	agenttest.Ask(t, a, "r1", "go")
	events := agenttest.Finish(t, sub, "r1")
	end := events[len(events)-1].(chat.TurnFinished)
	if end.Reason != chat.FinishError || !strings.HasPrefix(end.Error, "audit: writing to ") || !strings.Contains(end.Hint, "does not run") {
		t.Errorf("the turn ends with %+v", end)
	}
	if !slices.Equal(acted, []string{"look"}) {
		t.Errorf("acted: %q, want the one that looks", acted)
	}
	if err := os.Remove(audit.Dir(log)); err != nil {
		t.Fatal(err)
	}
	model.Add(agenttest.Call(agenttest.Use{ID: "c3", Tool: "change", Args: struct{}{}}), agenttest.Say("done"))
	agenttest.Ask(t, a, "r2", "again")
	agenttest.Finish(t, sub, "r2")
	got := logged(t, log)
	if !slices.Equal(acted, []string{"look", "change"}) || len(got) != 4 || !strings.HasPrefix(got[0], "missed") {
		t.Errorf("acted: %q; the log has %q", acted, got)
	}
}
