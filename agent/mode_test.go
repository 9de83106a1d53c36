package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
)

// TestLooseningAUsedSessionIsConfirmed in another frame, with what only the agent knows: once, by the connection that
// asked, within a minute. Pages never loosen, and a session without messages begins as it is told.
func TestLooseningAUsedSessionIsConfirmed(t *testing.T) {
	opts := agenttest.Options(t, agenttest.NewModel(agenttest.Say("hello")))
	opts.Mode = permission.ModePlan
	now := time.Unix(1_700_000_000, 0)
	opts.Now = func() time.Time { return now }
	a := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), opts), "a")
	as := func(id string, page bool) context.Context {
		return agent.WithCaller(t.Context(), agent.Caller{Connection: id, Page: page})
	}
	set := func(ctx context.Context, args ...string) (agent.ModeAnswer, error) {
		v, err := a.Call(ctx, "setMode", raws(args...))
		answer, _ := v.(agent.ModeAnswer)
		return answer, err
	}
	terminal, page := as("t", false), as("p", true)
	if _, err := set(page, `"auto"`); err == nil || !strings.Contains(err.Error(), "a page may not loosen the mode from plan to auto") {
		t.Errorf("a page loosens an empty session: %v", err)
	}
	if got, err := set(terminal, `"edit"`); err != nil || got.Mode != permission.ModeEdit || got.Confirm != nil {
		t.Errorf("an empty session is loosened: %+v, %v", got, err)
	}
	if got, err := set(page, `"plan"`); err != nil || got.Mode != permission.ModePlan {
		t.Errorf("a page tightens: %+v, %v", got, err)
	}
	sub := subscribe(t, a)
	agenttest.Ask(t, a, "q1", "go")
	agenttest.Finish(t, sub, "q1")

	if got, err := set(terminal, `"ask"`); err != nil || got.Mode != permission.ModeAsk || got.Confirm != nil {
		t.Errorf("to ask lets nothing happen unasked: %+v, %v", got, err)
	}
	nonce := func(mode string) string {
		t.Helper()
		got, err := set(terminal, fmt.Sprintf("%q", mode))
		if err != nil || got.Mode != permission.ModeAsk || got.Confirm == nil || got.Confirm.Mode != permission.Mode(mode) {
			t.Fatalf("loosening to %s gives %+v, %v; want what to confirm", mode, got, err)
		}
		return fmt.Sprintf("%q", got.Confirm.Nonce)
	}
	for name, try := range map[string]func(n string) error{
		"a wrong nonce":  func(string) error { _, err := set(terminal, `"auto"`, `"x"`); return err },
		"another mode":   func(n string) error { _, err := set(terminal, `"edit"`, n); return err },
		"another client": func(n string) error { _, err := set(as("u", false), `"auto"`, n); return err },
		"a page":         func(n string) error { _, err := set(as("t", true), `"auto"`, n); return err },
		"a minute too late": func(n string) error {
			now = now.Add(61 * time.Second)
			_, err := set(terminal, `"auto"`, n)
			return err
		},
	} {
		n := nonce("auto")
		if err := try(n); err == nil {
			t.Errorf("%s loosens the session", name)
		}
		if _, err := set(terminal, `"auto"`, n); err == nil {
			t.Errorf("after %s the nonce still counts", name)
		}
	}
	n := nonce("auto")
	if got, err := set(terminal, `"auto"`, n); err != nil || got.Mode != permission.ModeAuto {
		t.Errorf("a confirmed loosening gives %+v, %v", got, err)
	}
	if _, err := set(terminal, `"plan"`); err != nil {
		t.Fatal(err)
	}
	if _, err := set(terminal, `"auto"`, n); err == nil {
		t.Error("a nonce counts twice")
	}
	raw, err := json.Marshal(agent.Setup{Mode: "auto"})
	if err != nil {
		t.Fatal(err)
	}
	v, err := a.Call(terminal, "setup", []json.RawMessage{raw})
	if r, _ := v.(agent.SetupResult); err != nil || r.Mode != permission.ModePlan || r.Confirm == nil {
		t.Errorf("setup with a looser mode gives %+v, %v; want the mode as it was and what to confirm", r, err)
	}
	if _, err := a.Call(page, "setup", []json.RawMessage{raw}); err == nil {
		t.Error("a page loosens by setup")
	}
}

// A lister knows all models there are.
type lister struct {
	*agenttest.Model
	err error
}

func (l lister) Describe(_ context.Context, id string) (chat.ModelInfo, error) {
	return chat.ModelInfo{Missing: !strings.HasPrefix(id, "known/")}, l.err
}

// TestAModelIsRefusedOnlyWhenItIsCertain that there is none. The system prompt stays.
func TestAModelIsRefusedOnlyWhenItIsCertain(t *testing.T) {
	script := agenttest.NewModel(agenttest.Say("1"), agenttest.Say("2"))
	opts := agenttest.Options(t, lister{Model: script})
	made := 0
	opts.System = func(string) (string, error) { made++; return fmt.Sprint("system ", made), nil }
	a := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), opts), "a")
	sub := subscribe(t, a)
	agenttest.Ask(t, a, "q1", "one")
	agenttest.Finish(t, sub, "q1")
	for _, id := range []string{"unknown/x", "", " ", "a\nb", strings.Repeat("x", 201)} {
		if _, err := rpc(t, a, "setModel", id); err == nil {
			t.Errorf("the model %q is taken", id)
		}
	}
	if _, err := rpc(t, a, "setModel", "known/x"); err != nil {
		t.Fatal(err)
	}
	agenttest.Ask(t, a, "q2", "two")
	agenttest.Finish(t, sub, "q2")
	if r := script.Requests(); r[1].Model != "known/x" || r[1].System != "system 1" {
		t.Errorf("the next request is for %q with %q", r[1].Model, r[1].System)
	}
	opts.Model = lister{script, context.DeadlineExceeded}
	b := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), opts), "b")
	if _, err := rpc(t, b, "setModel", "unknown/x"); err != nil {
		t.Errorf("without a list a model is refused: %v", err)
	}
}
