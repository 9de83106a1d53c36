package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
)

type askArgs struct {
	Topics []string `json:"topics"`
}

func (a askArgs) Asks() (asks []chat.Ask) {
	for _, topic := range a.Topics {
		asks = append(asks, chat.Ask{Header: topic, Text: topic + "?", Options: []string{"one", "two"}})
	}
	return asks
}

// questioner is a tool that asks about topics.
func questioner() agent.Tool {
	return agent.NewTool("ask", permission.Reads, "Ask.", func(_ context.Context, a askArgs) (agent.Result, error) {
		return agent.Result{Text: chat.Unanswered(a.Asks(), "nobody is here")}, nil
	})
}

func asked(id string, topics ...string) agenttest.Use {
	return agenttest.Use{ID: id, Tool: "ask", Args: askArgs{topics}}
}

func ask(t *testing.T, a *agent.CoderAgent, method, args string) (string, error) {
	t.Helper()
	var list []json.RawMessage
	if err := json.Unmarshal([]byte(args), &list); err != nil {
		t.Fatal(err)
	}
	v, err := a.Call(t.Context(), method, list)
	out, jsonErr := json.Marshal(v)
	if jsonErr != nil {
		t.Fatal(jsonErr)
	}
	return string(out), err
}

// TestAQuestionWaitsForAnyAnswer: what is wrong with an answer loses nothing, and the first that is right counts.
func TestAQuestionWaitsForAnyAnswer(t *testing.T) {
	model := agenttest.NewModel(agenttest.Call(asked("c1", "A", "B")), agenttest.Say("done"))
	a := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), agenttest.Options(t, model, questioner())), "a")
	sub := subscribe(t, a)
	agenttest.Ask(t, a, "q1", "go")
	if got := ended(agenttest.Finish(t, sub, "q1")); got != chat.FinishQuestion {
		t.Fatalf("the turn ended with %s", got)
	}
	list, err := ask(t, a, "questions", `[]`)
	if want := `[{"toolCallId":"c1","toolName":"ask","questions":[{"header":"A","text":"A?","options":["one","two"]},{"header":"B","text":"B?","options":["one","two"]}]}]`; list != want || err != nil {
		t.Errorf("questions gives %s, %v, want %s", list, err, want)
	}
	if list, err := ask(t, a, "approvals", `[]`); list != "[]" || err != nil {
		t.Errorf("approvals gives %s, %v", list, err)
	}
	for args, want := range map[string]string{
		`["c1"]`:                       "argument 2 is missing",
		`["c9",["one","two"]]`:         "tool call c9 does not wait for an answer",
		`["c1",["one"]]`:               "no answer to: B",
		`["c1",{"A":"one","C":"x"}]`:   `no question has the header "C"`,
		`["c1",["one",7]]`:             "answer 2 is neither a string nor a list of strings",
		`["c1",["one",["one","two"]]]`: `the question "B" takes one answer, not 2`,
		`["c1",["one","two","three"]]`: "3 answers for 2 questions",
		`["c1",["` + strings.Repeat("x", 300<<10) + `","two"]]`: "the answers have 300 KiB, and 256 are taken",
	} {
		if _, err := ask(t, a, "answer", args); err == nil || err.Error() != want {
			t.Errorf("answer(%.40s) gives %v, want %q", args, err, want)
		}
	}
	if _, err := ask(t, a, "answer", `["c1",{"B":["my own"],"A":"two"}]`); err != nil {
		t.Fatal(err)
	}
	if got := ended(agenttest.Finish(t, sub, "")); got != chat.FinishStop {
		t.Errorf("the continuation ended with %s", got)
	}
	if got := call(t, a, "c1").Result(); got != "A: two\nB: my own" {
		t.Errorf("the model reads %q", got)
	}
	if _, err := ask(t, a, "answer", `["c1",["one","two"]]`); err == nil {
		t.Error("a second answer was taken")
	}
}

// TestAnAnswerBeforeTheTurnHasParkedGoesOnInIt: the question waits while another call of the step runs.
func TestAnAnswerBeforeTheTurnHasParkedGoesOnInIt(t *testing.T) {
	running, release := make(chan struct{}), make(chan struct{})
	slow := agent.NewTool("slow", permission.Reads, "Wait.", func(context.Context, struct{}) (agent.Result, error) {
		close(running)
		<-release
		return agent.Result{Text: "over"}, nil
	})
	model := agenttest.NewModel(agenttest.Call(asked("c1", "A"), agenttest.Use{ID: "c2", Tool: "slow"}), agenttest.Say("done"))
	a := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), agenttest.Options(t, model, questioner(), slow)), "a")
	sub := subscribe(t, a)
	agenttest.Ask(t, a, "q1", "go")
	<-running
	if _, err := ask(t, a, "answer", `["c1","two"]`); err != nil {
		t.Fatal(err)
	}
	close(release)
	if got := ended(agenttest.Finish(t, sub, "q1")); got != chat.FinishStop {
		t.Errorf("the turn ended with %s", got)
	}
	if got := call(t, a, "c1").Result(); got != "A: two" {
		t.Errorf("the model reads %q", got)
	}
}

// TestADecisionComesBeforeAnAnswer: both wait, and the turn goes on when both have come. An AI SDK page need not ask for that.
func TestADecisionComesBeforeAnAnswer(t *testing.T) {
	model := agenttest.NewModel(agenttest.Call(asked("c1", "A"), agenttest.Use{ID: "c2", Tool: "act"}), agenttest.Say("done"))
	act := agent.NewTool("act", permission.Plans, "Act.", func(context.Context, struct{}) (agent.Result, error) {
		return agent.Result{Text: "acted"}, nil
	})
	opts := agenttest.Options(t, model, questioner(), act)
	opts.Mode = permission.ModeAsk
	h := agenttest.Open(t, t.TempDir(), opts)
	a := agenttest.Agent(t, h, "a")
	sub := subscribe(t, a)
	agenttest.Ask(t, a, "q1", "go")
	if got := ended(agenttest.Finish(t, sub, "q1")); got != chat.FinishApproval {
		t.Fatalf("the turn ended with %s", got)
	}
	status := func(want agent.Status) {
		t.Helper()
		list, err := h.Sessions(t.Context())
		if err != nil || list[0].Status != want {
			t.Errorf("the session is %s, %v, want %s", list[0].Status, err, want)
		}
	}
	status(agent.Waiting)
	if err := a.Decide(t.Context(), "c2", agent.Decision{}); err != nil {
		t.Fatal(err)
	}
	status(agent.Asking)
	answer(t, a, "c1", `{"A":"two"}`, false)
	if got := ended(agenttest.Finish(t, sub, "")); got != chat.FinishStop {
		t.Errorf("the continuation ended with %s", got)
	}
	status(agent.Idle)
	if got := call(t, a, "c1").Result(); got != `{"A":"two"}` {
		t.Errorf("the model reads %q", got)
	}
}

// TestAPromptAnswersAQuestion: in the user's own words, and what else waits is denied as ever.
func TestAPromptAnswersAQuestion(t *testing.T) {
	model := agenttest.NewModel(agenttest.Call(asked("c1", "A")), agenttest.Say("done"))
	a := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), agenttest.Options(t, model, questioner())), "a")
	sub := subscribe(t, a)
	agenttest.Ask(t, a, "q1", "go")
	agenttest.Finish(t, sub, "q1")
	agenttest.Ask(t, a, "q2", "neither, but three")
	agenttest.Finish(t, sub, "q2")
	messages := model.Requests()[1].Messages
	c := messages[1].Parts[len(messages[1].Parts)-1].(chat.ToolCall)
	if c.State != chat.OutputAvailable || !strings.HasPrefix(c.Result(), "the user wrote the message that follows") {
		t.Errorf("the question has the result %q (%s)", c.Result(), c.State)
	}
	if got := messages[2].Text(); got != "neither, but three" {
		t.Errorf("then comes %q", got)
	}
}

// TestACancelEndsAQuestion: nobody can answer it any more.
func TestACancelEndsAQuestion(t *testing.T) {
	model := agenttest.NewModel(agenttest.Call(asked("c1", "A")))
	a := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), agenttest.Options(t, model, questioner())), "a")
	sub := subscribe(t, a)
	agenttest.Ask(t, a, "q1", "go")
	agenttest.Finish(t, sub, "q1")
	if err := a.Cancel(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	var late *agent.NotWaitingError
	if _, err := ask(t, a, "answer", `["c1","one"]`); !errors.As(err, &late) {
		t.Errorf("answering what was cancelled gives %v", err)
	}
}

// TestNobodyToAnswerIsNoDenial: the model decides for itself, as often as it asks.
func TestNobodyToAnswerIsNoDenial(t *testing.T) {
	model := agenttest.NewModel(agenttest.Call(asked("c1", "A"), asked("c2", "B"), asked("c3", "C"), asked("c4", "D")), agenttest.Say("done"))
	opts := agenttest.Options(t, model, questioner())
	opts.DenyAfter = new(time.Duration(0))
	a := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), opts), "a")
	sub := subscribe(t, a)
	agenttest.Ask(t, a, "q1", "go")
	if got := ended(agenttest.Finish(t, sub, "q1")); got != chat.FinishStop {
		t.Errorf("the turn ended with %s", got)
	}
	if got, want := call(t, a, "c4").Result(), "nobody is here: decide yourself, and say what you assumed. You recommended D: one"; got != want {
		t.Errorf("the model reads %q, want %q", got, want)
	}
}
