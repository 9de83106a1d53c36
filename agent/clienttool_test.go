package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
)

const declared = `[{"name":"where","description":"Where the user is.","parameters": {"type":"object"}},{"name":"beep"}]`

// askWith prompts as a client that runs the tools.
func askWith(t *testing.T, h *agent.Host, a *agent.CoderAgent, id, tools string) {
	t.Helper()
	specs, err := h.ClientTools(json.RawMessage(tools))
	if err != nil {
		t.Fatal(err)
	}
	err = a.Prompt(t.Context(), agent.Prompt{ID: id, Client: "page", Tools: specs, Messages: []chat.Message{
		{ID: "user-" + id, Role: chat.User, Parts: []chat.Part{chat.Text{Text: "go"}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
}

func ended(events []chat.Event) chat.FinishReason {
	return events[len(events)-1].(chat.TurnFinished).Reason
}

func answer(t *testing.T, a *agent.CoderAgent, callID, output string, goOn bool) {
	t.Helper()
	err := a.Answer(t.Context(), callID, agent.ClientResult{Output: json.RawMessage(output), Continue: goOn, By: "page"})
	if err != nil {
		t.Fatalf("answering %s: %v", callID, err)
	}
}

func call(t *testing.T, a *agent.CoderAgent, callID string) chat.ToolCall {
	t.Helper()
	messages, err := a.Messages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		for _, p := range m.Parts {
			if c, ok := p.(chat.ToolCall); ok && c.ID == callID {
				return c
			}
		}
	}
	t.Fatalf("there is no call %s in %+v", callID, messages)
	return chat.ToolCall{}
}

func toolNames(req chat.Request) (names []string) {
	for _, t := range req.Tools {
		names = append(names, t.Name)
	}
	return names
}

// TestAClientToolWaitsAsARow: the call, the client's tools and its result are on disk, so that a host that comes later
// goes on as the first would have.
func TestAClientToolWaitsAsARow(t *testing.T) {
	dir := t.TempDir()
	model := agenttest.NewModel(agenttest.Call(use("c1", "where", "")), agenttest.Say("in Oslo"))
	opts := agenttest.Options(t, model, look())
	h, err := agent.Open(t.Context(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	a := agenttest.Agent(t, h, "a")
	sub := subscribe(t, a)
	askWith(t, h, a, "q1", declared)
	if got := ended(agenttest.Finish(t, sub, "q1")); got != chat.FinishClient {
		t.Fatalf("the turn ended with %s", got)
	}
	if turns, _ := h.Busy(); turns != 0 {
		t.Errorf("%d turns run while the client's result waits", turns)
	}
	sub.Close()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}

	a = agenttest.Agent(t, agenttest.Open(t, dir, opts), "a")
	sub = subscribe(t, a)
	if !strings.Contains(string(sub.Snapshot.State), `"clientCalls":[{"toolCallId":"c1","toolName":"where",`) {
		t.Errorf("the state is %s", sub.Snapshot.State)
	}
	answer(t, a, "c1", `{"city": "Oslo", "text": "x", "files": [{"path":"/x","hash":"1"}]}`, true)
	if got := ended(agenttest.Finish(t, sub, "")); got != chat.FinishStop {
		t.Errorf("the continuation ended with %s", got)
	}
	requests := model.Requests()
	if got := toolNames(requests[1]); !slices.Equal(got, []string{"look", "beep", "where"}) {
		t.Errorf("the continuation offers %v", got)
	}
	if c := call(t, a, "c1"); c.State != chat.OutputAvailable || string(c.Output.Raw) != `{"city": "Oslo", "text": "x", "files": [{"path":"/x","hash":"1"}]}` {
		t.Errorf("the call is %+v", c)
	}
	if _, seen, err := a.Seen(t.Context(), "/x"); seen || err != nil {
		t.Errorf("a client made the agent believe that it has seen a file (%v)", err)
	}
	var late *agent.NotWaitingError
	if err := a.Answer(t.Context(), "c1", agent.ClientResult{Output: json.RawMessage("2")}); !errors.As(err, &late) {
		t.Errorf("a second result gave %v", err)
	}
}

func TestResultsOfClientToolsContinueOnceWhenAllAreThere(t *testing.T) {
	for _, tt := range []struct {
		name        string
		first, last bool // what the results ask for
		goesOn      bool
	}{
		{"both ask for it", true, true, true},
		{"the last does not, as after an error", true, false, true},
		{"the first does not", false, true, true},
		{"nobody asks", false, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			model := agenttest.NewModel(agenttest.Call(use("c1", "where", ""), use("c2", "beep", "")), agenttest.Say("fine"))
			h := agenttest.Open(t, t.TempDir(), agenttest.Options(t, model))
			a := agenttest.Agent(t, h, "a")
			sub := subscribe(t, a)
			askWith(t, h, a, "q1", declared)
			agenttest.Finish(t, sub, "q1")
			answer(t, a, "c2", "1", tt.first)
			if turns, _ := h.Busy(); turns != 0 {
				t.Error("a turn runs while a result is missing")
			}
			answer(t, a, "c1", "2", tt.last)
			if !tt.goesOn {
				if turns, _ := h.Busy(); turns != 0 {
					t.Error("a turn runs that nobody has asked for")
				}
				agenttest.Ask(t, a, "q2", "and now?")
				agenttest.Finish(t, sub, "q2")
			} else if got := ended(agenttest.Finish(t, sub, "")); got != chat.FinishStop {
				t.Errorf("the continuation ended with %s", got)
			}
			if n := len(model.Requests()); n != 2 {
				t.Errorf("the model was asked %d times", n)
			}
		})
	}
}

// TestAMixedStepWaitsForAll: our own reading call runs, the other waits for the user and the third for the client; the
// turn goes on once, when nothing waits any more.
func TestAMixedStepWaitsForAll(t *testing.T) {
	for _, clientFirst := range []bool{true, false} {
		var acted atomic.Int32
		model := agenttest.NewModel(agenttest.Call(use("c1", "where", ""), use("c2", "look", "x"), use("c3", "write", "y")), agenttest.Say("fine"))
		opts := agenttest.Options(t, model, look(), write(&acted))
		opts.Mode = permission.ModeAsk
		h := agenttest.Open(t, t.TempDir(), opts)
		a := agenttest.Agent(t, h, "a")
		sub := subscribe(t, a)
		askWith(t, h, a, "q1", declared)
		if got := ended(agenttest.Finish(t, sub, "q1")); got != chat.FinishApproval {
			t.Fatalf("the turn ended with %s", got)
		}
		if c := call(t, a, "c2"); c.State != chat.OutputAvailable {
			t.Errorf("the call of our own is %s", c.State)
		}
		decide := func() {
			if err := a.Decide(t.Context(), "c3", agent.Decision{Approved: true, By: "me"}); err != nil {
				t.Fatal(err)
			}
		}
		steps := []func(){decide, func() { answer(t, a, "c1", "1", false) }}
		if clientFirst {
			slices.Reverse(steps)
		}
		steps[0]()
		if turns, _ := h.Busy(); turns != 0 || acted.Load() != 0 {
			t.Errorf("client first %v: %d turns run, the tool acted %d times", clientFirst, turns, acted.Load())
		}
		steps[1]()
		if got := ended(agenttest.Finish(t, sub, "")); got != chat.FinishStop || acted.Load() != 1 {
			t.Errorf("client first %v: ended with %s, acted %d times", clientFirst, got, acted.Load())
		}
	}
}

// TestAQuickClientDoesNotLengthenTheTurn: a result that comes while another call of the step runs is kept, and the
// continuation is a turn of its own.
func TestAQuickClientDoesNotLengthenTheTurn(t *testing.T) {
	running, release := make(chan struct{}), make(chan struct{})
	model := agenttest.NewModel(agenttest.Call(use("c1", "where", ""), use("c2", "slow", "x")), agenttest.Say("fine"))
	slow := gated("slow", running, release)
	h := agenttest.Open(t, t.TempDir(), agenttest.Options(t, model, slow))
	a := agenttest.Agent(t, h, "a")
	sub := subscribe(t, a)
	askWith(t, h, a, "q1", declared)
	<-running
	answer(t, a, "c1", `"Oslo"`, true)
	close(release)
	if got := ended(agenttest.Finish(t, sub, "q1")); got != chat.FinishClient {
		t.Errorf("the turn ended with %s", got)
	}
	next := agenttest.Finish(t, sub, "")
	if got := ended(next); got != chat.FinishStop || types(next[:1]) != "start" {
		t.Errorf("the continuation is %s", types(next))
	}
	if c := call(t, a, "c1"); c.Result() != "Oslo" {
		t.Errorf("the model reads %q", c.Result())
	}
}

func TestANewPromptFailsWhatAClientOwes(t *testing.T) {
	model := agenttest.NewModel(agenttest.Call(use("c1", "where", "")), agenttest.Say("fine"))
	h := agenttest.Open(t, t.TempDir(), agenttest.Options(t, model, look()))
	a := agenttest.Agent(t, h, "a")
	sub := subscribe(t, a)
	askWith(t, h, a, "q1", declared)
	agenttest.Finish(t, sub, "q1")
	askWith(t, h, a, "q2", "")
	agenttest.Finish(t, sub, "q2")
	if c := call(t, a, "c1"); c.State != chat.OutputError {
		t.Errorf("the call is %+v", c)
	}
	if got := toolNames(model.Requests()[1]); !slices.Equal(got, []string{"look"}) {
		t.Errorf("a request without tools still offers %v", got)
	}
	if err := a.Answer(t.Context(), "c1", agent.ClientResult{}); err == nil {
		t.Error("a late result was taken")
	}
}

func TestToolsOfOneRequestAreTheNextOnesOnlyIfItSaysSo(t *testing.T) {
	running, release := make(chan struct{}), make(chan struct{})
	model := agenttest.NewModel(agenttest.Call(use("c0", "slow", "x")), agenttest.Say("one"), agenttest.Say("two"), agenttest.Say("three"))
	h := agenttest.Open(t, t.TempDir(), agenttest.Options(t, model, gated("slow", running, release)))
	a := agenttest.Agent(t, h, "a")
	sub := subscribe(t, a)
	agenttest.Ask(t, a, "q1", "one")
	<-running
	askWith(t, h, a, "q2", declared) // waits
	agenttest.Ask(t, a, "q3", "of no client: what there is stays")
	close(release)
	agenttest.Finish(t, sub, "q3")
	var got []string
	for _, r := range model.Requests() {
		got = append(got, strings.Join(toolNames(r), " "))
	}
	if want := []string{"slow", "slow", "slow beep where", "slow beep where"}; !slices.Equal(got, want) {
		t.Errorf("offered were %q, want %q", got, want)
	}
}

func TestClientToolsAreChecked(t *testing.T) {
	h := agenttest.Open(t, t.TempDir(), agenttest.Options(t, agenttest.NewModel(), look()))
	many := "[" + strings.TrimSuffix(strings.Repeat(`{"name":"x"},`, 65), ",") + "]"
	for _, tt := range []struct{ why, tools string }{
		{"no list", `{"name":"x"}`},
		{"a name of ours", `[{"name":"look"}]`},
		{"no name", `[{"description":"x"}]`},
		{"a name that is none", `[{"name":"../x"}]`},
		{"a long name", `[{"name":"` + strings.Repeat("x", 65) + `"}]`},
		{"one name twice", `[{"name":"x"},{"name":"x"}]`},
		{"too many", many},
		{"parameters that are no schema", `[{"name":"x","parameters":[]}]`},
		{"parameters that are a flag", `[{"name":"x","parameters":true}]`},
		{"parameters of no object", `[{"name":"x","parameters":{"type":"string"}}]`},
		{"a reference to elsewhere", `[{"name":"x","parameters":{"type":"object","properties":{"a":{"$ref":"file:///etc/passwd"}}}}]`},
		{"long parameters", fmt.Sprintf(`[{"name":"x","parameters":{"description":%q}}]`, strings.Repeat("x", 33<<10))},
		{"a long description", fmt.Sprintf(`[{"name":"x","description":%q}]`, strings.Repeat("x", 9<<10))},
	} {
		var wrong *agent.ClientToolError
		if got, err := h.ClientTools(json.RawMessage(tt.tools)); !errors.As(err, &wrong) {
			t.Errorf("%s: %v, %v", tt.why, got, err)
		}
	}
	for _, tools := range []string{"", "null", "[]"} {
		if got, err := h.ClientTools(json.RawMessage(tools)); err != nil || got == nil || len(got) != 0 {
			t.Errorf("ClientTools(%s) = %v, %v", tools, got, err)
		}
	}
}

func TestALongResultOfAClientIsAFailureThatSaysSo(t *testing.T) {
	model := agenttest.NewModel(agenttest.Call(use("c1", "where", "")), agenttest.Say("fine"))
	h := agenttest.Open(t, t.TempDir(), agenttest.Options(t, model))
	a := agenttest.Agent(t, h, "a")
	sub := subscribe(t, a)
	askWith(t, h, a, "q1", declared)
	agenttest.Finish(t, sub, "q1")
	answer(t, a, "c1", `"`+strings.Repeat("x", 300<<10)+`"`, true)
	agenttest.Finish(t, sub, "")
	if c := call(t, a, "c1"); c.State != chat.OutputError || !strings.Contains(c.Error, "300 KiB") {
		t.Errorf("the call is %.200s", fmt.Sprintf("%+v", c))
	}
}

// gated returns a reading tool that says when it runs and ends when it may.
func gated(name string, running chan<- struct{}, release <-chan struct{}) agent.Tool {
	return agent.NewTool(name, permission.Reads, "A slow tool.", func(ctx context.Context, _ noteArgs) (agent.Result, error) {
		close(running)
		select {
		case <-release:
			return agent.Result{Text: "done"}, nil
		case <-ctx.Done():
			return agent.Result{}, context.Cause(ctx)
		}
	})
}
