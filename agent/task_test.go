package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/store"
)

// A taskArgs is an agent.Task as a model writes it.
type taskArgs struct {
	Prompt     string  `json:"prompt,omitempty"`
	Agent      string  `json:"agent,omitempty"`
	Name       string  `json:"name,omitempty"`
	Background bool    `json:"background,omitempty"`
	Budget     float64 `json:"budget,omitempty"`
}

func (a taskArgs) Action() agent.Action {
	return agent.Action{Summary: a.Agent + ": " + a.Prompt, Alone: a.Agent == agent.AgentGeneral}
}

func task() agent.Tool {
	t := agent.NewTool("task", permission.Reads, "Task.", func(ctx context.Context, a taskArgs) (agent.Result, error) {
		return agent.FromContext(ctx).Task(ctx, agent.Task(a))
	})
	t.Tasks, t.Resumes = true, true
	return t
}

func offeredToLookers(t agent.Tool) agent.Tool {
	t.Looks = true
	return t
}

func give(id string, args taskArgs) agenttest.Use {
	return agenttest.Use{ID: id, Tool: "task", Args: args}
}

// A family is a model that plays replies for each session, by its key.
type family struct {
	mu       sync.Mutex
	replies  map[string][]agenttest.Reply
	requests map[string][]chat.Request
}

func newFamily() *family {
	return &family{replies: map[string][]agenttest.Reply{}, requests: map[string][]chat.Request{}}
}

func (f *family) add(session string, replies ...agenttest.Reply) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.replies[session] = append(f.replies[session], replies...)
}

func (f *family) asked(session string) []chat.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests[session])
}

func (f *family) Stream(ctx context.Context, req chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		f.mu.Lock()
		f.requests[req.Session] = append(f.requests[req.Session], req)
		var reply agenttest.Reply
		if list := f.replies[req.Session]; len(list) > 0 {
			reply, f.replies[req.Session] = list[0], list[1:]
		}
		f.mu.Unlock()
		if reply == nil {
			yield(nil, fmt.Errorf("no reply is left for session %s", req.Session))
			return
		}
		open := true
		err := reply(ctx, req, func(e chat.Event) bool {
			open = open && yield(e, nil)
			return open
		})
		if err != nil && open {
			yield(nil, err)
		}
	}
}

// A home is a host whose sessions give tasks.
type home struct {
	*testing.T
	dir   string
	opts  agent.Options
	model *family
	host  *agent.Host
	top   *agent.CoderAgent
}

func newHome(t *testing.T, tools ...agent.Tool) *home {
	t.Helper()
	h := &home{T: t, dir: t.TempDir(), model: newFamily()}
	h.opts = agenttest.Options(t, h.model, append([]agent.Tool{offeredToLookers(look()), task()}, tools...)...)
	h.open()
	return h
}

func (h *home) open() {
	h.Helper()
	var err error
	if h.host, err = agent.Open(h.Context(), h.dir, h.opts); err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { _ = h.host.Close() }) // closed twice by those who close it
	h.top = agenttest.Agent(h, h.host, "top")
}

func (h *home) close() {
	h.Helper()
	if err := h.host.Close(); err != nil {
		h.Fatal(err)
	}
}

func (h *home) agent(name string) *agent.CoderAgent { return agenttest.Agent(h, h.host, name) }

// turn runs a turn of top to its end.
func (h *home) turn(id string) chat.TurnFinished {
	h.Helper()
	sub := subscribe(h.T, h.top)
	defer sub.Close()
	agenttest.Ask(h, h.top, id, "prompt "+id)
	return reason(agenttest.Finish(h, sub, id))
}

// finish waits for the end of the turn of a session that begins, or runs.
func (h *home) finish(sub *agent.Subscription) chat.TurnFinished {
	h.Helper()
	return reason(agenttest.Finish(h, sub, ""))
}

// result is what the call of the session's last message was answered with.
func (h *home) result(a *agent.CoderAgent, callID string) string {
	h.Helper()
	messages, err := a.Messages(h.Context())
	if err != nil || len(messages) == 0 {
		h.Fatalf("the messages of %s: %v, %v", a.Name(), messages, err)
	}
	for _, p := range messages[len(messages)-1].Parts {
		if c, ok := p.(chat.ToolCall); ok && c.ID == callID {
			return c.Result()
		}
	}
	h.Fatalf("%s has no call %s", a.Name(), callID)
	return ""
}

func (h *home) setup(want agent.Setup) {
	h.Helper()
	if _, err := setup(h.T, h.top, want); err != nil {
		h.Fatal(err)
	}
}

func (h *home) pending(a *agent.CoderAgent) []agent.Pending {
	h.Helper()
	v, err := a.Call(h.Context(), "approvals", nil)
	if err != nil {
		h.Fatal(err)
	}
	return v.([]agent.Pending)
}

// TestExploringTasksRunSideBySide: each child is in the middle of its answer when the other is.
func TestExploringTasksRunSideBySide(t *testing.T) {
	h := newHome(t)
	one, two := make(chan struct{}), make(chan struct{})
	h.model.add("top", agenttest.Call(give("c1", taskArgs{Prompt: "one"}), give("c2", taskArgs{Prompt: "two"})), agenttest.Say("both"))
	h.model.add("top/sub/task/1", agenttest.Hold(one, two, agenttest.Say("first")))
	h.model.add("top/sub/task/2", agenttest.Hold(two, one, agenttest.Say("second")))
	if end := h.turn("q"); end.Reason != chat.FinishStop || end.Tasks.Cost != 0.002 || end.Usage.Cost != 0.002 {
		t.Errorf("the turn ends with %+v", end)
	}
	for id, want := range map[string]string{"c1": "first", "c2": "second"} {
		if got := h.result(h.top, id); !strings.HasSuffix(got, want) || !strings.Contains(got, "explore, 1 step, $0.0010: done") {
			t.Errorf("the report of %s is %q", id, got)
		}
	}
	v, err := h.top.Call(t.Context(), "usage", nil)
	if u, _ := v.(agent.UsageAnswer); err != nil || u.Cost != 0.002 || u.Below.Cost != 0.002 {
		t.Errorf("the usage is %+v, %v", v, err)
	}
	sub := subscribe(t, h.top)
	var doc agent.Document
	if err := json.Unmarshal(sub.Snapshot.State, &doc); err != nil || len(doc.Children) != 2 || doc.Below.Cost != 0.002 || doc.Usage.Cost != 0.002 ||
		doc.Children[1].Session != "top/sub/task/2" || doc.Children[1].Agent != "explore" || doc.Children[1].Status != agent.Idle || doc.Children[1].Title != "two" {
		t.Errorf("the state is %s, %v", sub.Snapshot.State, err)
	}
}

// TestAnExploringChildOnlyLooks, whatever anybody says later, and no child tells its children to go deeper than three.
func TestAnExploringChildOnlyLooks(t *testing.T) {
	var acted atomic.Int32
	h := newHome(t, write(&acted))
	h.opts.System = func(string) (string, error) { return "system", nil }
	h.close()
	h.open()
	h.model.add("top", agenttest.Call(give("c1", taskArgs{Prompt: "find it"})), agenttest.Say("fine"))
	h.model.add("top/sub/task/1", agenttest.Call(use("w", "write", "x"), give("t", taskArgs{Prompt: "you"})), agenttest.Say("I could not"))
	h.turn("q")
	req := h.model.asked("top/sub/task/1")[0]
	if len(req.Tools) != 1 || req.Tools[0].Name != "look" {
		t.Errorf("it is offered %+v", req.Tools)
	}
	for _, want := range []string{"system", "top/sub/task/1", "You only look"} {
		if !strings.Contains(req.System, want) {
			t.Errorf("the system prompt has no %q: %s", want, req.System)
		}
	}
	kid := h.agent("top/sub/task/1")
	for _, id := range []string{"w", "t"} {
		if got := h.result(kid, id); !strings.Contains(got, "there is no tool") {
			t.Errorf("call %s was answered with %q", id, got)
		}
	}
	if acted.Load() != 0 {
		t.Error("it has written")
	}
	if _, err := setup(t, kid, agent.Setup{Mode: "edit"}); err == nil || !strings.Contains(err.Error(), "stays in mode plan") {
		t.Errorf("loosening it is answered with %v", err)
	}
	deep := "top/sub/task/1/sub/task/a/sub/task/b"
	child(t, h.host, child(t, h.host, kid, agent.KindTask, "a"), agent.KindTask, "b")
	sub := subscribe(t, h.agent(deep))
	h.model.add(deep, agenttest.Call(give("t", taskArgs{Prompt: "deeper"})), agenttest.Say("no"))
	agenttest.Ask(t, h.agent(deep), "d", "go on")
	h.finish(sub)
	if got := h.result(h.agent(deep), "t"); !strings.Contains(got, "there is no tool") {
		t.Errorf("a task in the deepest is answered with %q", got)
	}
}

// TestTasksShareTheBudgetOfTheirParent: whatever child asks last, together they stop at the limit. Every request costs $0.001.
func TestTasksShareTheBudgetOfTheirParent(t *testing.T) {
	h := newHome(t)
	limit := 0.01
	h.setup(agent.Setup{MaxCost: &limit})
	h.model.add("top", agenttest.Call(give("c1", taskArgs{Prompt: "one"}), give("c2", taskArgs{Prompt: "two"})), agenttest.Say("never"))
	for _, kid := range []string{"top/sub/task/1", "top/sub/task/2"} {
		for i := range 20 {
			h.model.add(kid, agenttest.Call(use(fmt.Sprint("l", i), "look", fmt.Sprint(i))))
		}
	}
	end := h.turn("q")
	if end.Reason != chat.FinishBudget || end.Usage.Cost != 0.001 || !strings.Contains(end.Error, "the turn and its sub-agents have cost") {
		t.Errorf("the turn ends with %+v", end)
	}
	asked := len(h.model.asked("top/sub/task/1")) + len(h.model.asked("top/sub/task/2"))
	if asked < 9 || asked > 10 { // one may be on its way when the other reaches the limit
		t.Errorf("the children have asked %d times for $0.009", asked)
	}
	if got := h.result(h.top, "c1") + h.result(h.top, "c2"); !strings.Contains(got, "the turn of session top and its sub-agents have cost") {
		t.Errorf("the results are %q", got)
	}
}

// TestAHostThatClosesLeavesTheTaskToTheNext: the child's prompt comes once, and its report in the call that gave it.
func TestAHostThatClosesLeavesTheTaskToTheNext(t *testing.T) {
	var acted atomic.Int32
	h := newHome(t, write(&acted))
	reached := make(chan struct{})
	h.model.add("top", agenttest.Call(give("c1", taskArgs{Prompt: "do it", Agent: "general"})), agenttest.Say("fine"))
	h.model.add("top/sub/task/1", agenttest.Call(use("w", "write", "x")), agenttest.Hold(reached, nil, nil, "half an"))
	agenttest.Ask(t, h.top, "q", "go")
	<-reached
	h.close()
	h.model.add("top/sub/task/1", agenttest.Say("it is done"))
	h.open()
	sub := subscribe(t, h.top)
	if sub.Snapshot.Turn != nil {
		h.finish(sub)
	}
	if got := h.result(h.top, "c1"); !strings.HasSuffix(got, "it is done") {
		t.Errorf("the report is %q", got)
	}
	messages, err := h.agent("top/sub/task/1").Messages(t.Context())
	if err != nil || len(messages) != 2 || acted.Load() != 1 {
		t.Errorf("the child has %d messages and acted %d times, %v", len(messages), acted.Load(), err)
	}
	if list := names(t, h.host); len(list) != 2 {
		t.Errorf("the sessions are %q", list)
	}
}

// parkedHome is a home whose child waits for a yes to write, and so does top.
func parkedHome(t *testing.T, acted *atomic.Int32) *home {
	h := newHome(t, write(acted))
	h.setup(agent.Setup{Mode: "ask"})
	h.model.add("top", agenttest.Call(give("c1", taskArgs{Prompt: "do it", Agent: "general"})))
	h.model.add("top/sub/task/1", agenttest.Call(use("w", "write", "x")))
	if end := h.turn("q"); end.Reason != chat.FinishApproval {
		t.Fatalf("the turn ends with %+v", end)
	}
	if turns, _ := h.host.Busy(); turns != 0 {
		t.Errorf("%d turns run while the decision waits", turns)
	}
	return h
}

// TestAParentWaitsWithItsChildAsARow: over a restart, and whoever decides where.
func TestAParentWaitsWithItsChildAsARow(t *testing.T) {
	for _, at := range []string{"top", "top/sub/task/1"} {
		for _, approved := range []bool{true, false} {
			t.Run(fmt.Sprintf("%t at %s", approved, at), func(t *testing.T) {
				var acted atomic.Int32
				h := parkedHome(t, &acted)
				h.close()
				h.open()
				call := "w"
				if at == "top" {
					waiting := h.pending(h.top)
					if len(waiting) != 1 || waiting[0].Session != "top/sub/task/1" || waiting[0].Summary != "x" || waiting[0].ToolName != "write" || len(waiting[0].Input) == 0 {
						t.Fatalf("waiting are %+v", waiting)
					}
					call = waiting[0].ToolCallID
				}
				h.model.add("top/sub/task/1", agenttest.Say("so be it"))
				h.model.add("top", agenttest.Say("fine"))
				sub := subscribe(t, h.top)
				if err := h.agent(at).Decide(t.Context(), call, agent.Decision{Approved: approved}); err != nil {
					t.Fatal(err)
				}
				if at == "top" {
					if waiting := h.pending(h.top); len(waiting) != 0 {
						t.Errorf("still waiting: %+v", waiting)
					}
				}
				if end := h.finish(sub); end.Reason != chat.FinishStop {
					t.Errorf("the turn ends with %+v", end)
				}
				if got := h.result(h.top, "c1"); !strings.HasSuffix(got, "so be it") || (acted.Load() == 1) != approved {
					t.Errorf("the report is %q, and it acted %d times", got, acted.Load())
				}
			})
		}
	}
}

// TestAChildAsksTwice: each time its parent waits with it, and shows the new question.
func TestAChildAsksTwice(t *testing.T) {
	var acted atomic.Int32
	h := parkedHome(t, &acted)
	h.model.add("top/sub/task/1", agenttest.Call(use("w2", "write", "y"), use("w3", "write", "z")))
	sub := subscribe(t, h.top)
	if err := h.top.Decide(t.Context(), "sub/task/1/w", agent.Decision{Approved: true}); err != nil {
		t.Fatal(err)
	}
	if end := h.finish(sub); end.Reason != chat.FinishApproval {
		t.Fatalf("the turn ends with %+v", end)
	}
	if err := h.agent("top/sub/task/1").Decide(t.Context(), "w2", agent.Decision{Approved: true}); err != nil {
		t.Fatal(err)
	}
	if waiting := h.pending(h.top); len(waiting) != 1 || waiting[0].ToolCallID != "sub/task/1/w3" {
		t.Fatalf("waiting are %+v", waiting)
	}
	h.model.add("top/sub/task/1", agenttest.Say("done"))
	h.model.add("top", agenttest.Say("fine"))
	if err := h.top.Decide(t.Context(), "sub/task/1/w3", agent.Decision{}); err != nil {
		t.Fatal(err)
	}
	if end := h.finish(sub); end.Reason != chat.FinishStop || acted.Load() != 2 {
		t.Errorf("the turn ends with %+v, and the child acted %d times", end, acted.Load())
	}
}

// TestAHostSeesChildrenThatWentOn: the child was decided and is over, and the host died before it could tell the parent.
func TestAHostSeesChildrenThatWentOn(t *testing.T) {
	var acted atomic.Int32
	h := parkedHome(t, &acted)
	h.close()
	s, err := store.Open(t.Context(), h.dir)
	if err != nil {
		t.Fatal(err)
	}
	key := "top/sub/task/1"
	row, _, err := s.Session(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := s.Messages(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	script := chat.NewTranscript(messages)
	for _, e := range []chat.Event{
		chat.Decided{ToolCallID: "w", Approved: true},
		chat.TurnStarted{},
		chat.ToolFinished{ToolCallID: "w"},
		chat.StepFinished{},
		chat.StepStarted{},
		chat.TextStarted{ID: "t1"},
		chat.TextDelta{ID: "t1", Delta: "over"},
		chat.TextEnded{ID: "t1"},
		chat.Answered{Reason: chat.ModelStop},
		chat.StepFinished{},
		chat.TurnFinished{Reason: chat.FinishStop},
	} {
		script.Apply(e)
	}
	row.Status = string(agent.Idle)
	last, _ := script.Last()
	err = errors.Join(s.Write(t.Context(), store.Safe, func(tx *store.Tx) error {
		_, err := tx.AddTurn(key, &store.Turn{ID: "later", Status: store.TurnDone, Reason: chat.FinishStop, Finished: row.Updated.Add(1)})
		return errors.Join(err, tx.PutSession(row), tx.PutMessage(key, 1, last))
	}), s.Close())
	if err != nil {
		t.Fatal(err)
	}
	reached, release := make(chan struct{}), make(chan struct{})
	h.model.add("top", agenttest.Hold(reached, release, agenttest.Say("fine")))
	h.open()
	<-reached
	sub := subscribe(t, h.top)
	close(release)
	if end := h.finish(sub); end.Reason != chat.FinishStop {
		t.Errorf("the turn ends with %+v", end)
	}
	if got := h.result(h.top, "c1"); !strings.HasSuffix(got, "over") {
		t.Errorf("the report is %q", got)
	}
}

// TestWhoStopsTheParentStopsTheChild that waits with it.
func TestWhoStopsTheParentStopsTheChild(t *testing.T) {
	for name, stop := range map[string]func(h *home) error{
		"cancel": func(h *home) error { return h.top.Cancel(h.Context(), "") },
		"clear":  func(h *home) error { return h.top.Clear(h.Context()) },
		"prompt": func(h *home) error {
			h.model.add("top", agenttest.Say("fine"))
			h.turn("again")
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			var acted atomic.Int32
			h := parkedHome(t, &acted)
			kid := h.agent("top/sub/task/1")
			if err := stop(h); err != nil {
				t.Fatal(err)
			}
			if waiting := append(h.pending(h.top), h.pending(kid)...); len(waiting) != 0 || acted.Load() != 0 {
				t.Errorf("still waiting: %+v, and the child acted %d times", waiting, acted.Load())
			}
			if got := h.result(kid, "w"); !strings.Contains(got, "cancelled") {
				t.Errorf("the child's call was answered with %q", got)
			}
		})
	}
}

// TestAChildThatIsDeletedWhileItWaitsIsAnError of its parent's call, which goes on with it.
func TestAChildThatIsDeletedWhileItWaitsIsAnError(t *testing.T) {
	var acted atomic.Int32
	h := parkedHome(t, &acted)
	h.model.add("top", agenttest.Say("so it goes"))
	sub := subscribe(t, h.top)
	if err := h.host.Delete(t.Context(), "top/sub/task/1"); err != nil {
		t.Fatal(err)
	}
	if end := h.finish(sub); end.Reason != chat.FinishStop {
		t.Errorf("the turn ends with %+v", end)
	}
	if got := h.result(h.top, "c1"); !strings.Contains(got, "top/sub/task/1 was deleted") {
		t.Errorf("the call was answered with %q", got)
	}
}

// TestATaskInTheBackgroundIsToldOnce, at the next step after its end, also by another host.
func TestATaskInTheBackgroundIsToldOnce(t *testing.T) {
	h := newHome(t)
	reached, release := make(chan struct{}), make(chan struct{})
	h.model.add("top", agenttest.Call(give("c1", taskArgs{Prompt: "slowly", Background: true})), agenttest.Say("begun"))
	h.model.add("top/sub/task/1", agenttest.Hold(reached, release, agenttest.Say("the end")))
	h.turn("q1")
	<-reached
	if got := h.result(h.top, "c1"); !strings.Contains(got, "works in the background") {
		t.Errorf("the call was answered with %q", got)
	}
	h.model.add("top", agenttest.Say("not yet"))
	h.turn("q2")
	sub := subscribe(t, h.agent("top/sub/task/1"))
	close(release)
	h.finish(sub)
	sub.Close()
	h.close()
	h.open()
	for _, id := range []string{"q3", "q4"} {
		h.model.add("top", agenttest.Say("I see"))
		h.turn(id)
	}
	told := 0
	asked := h.model.asked("top")
	for _, p := range asked[len(asked)-1].Messages {
		for _, p := range p.Parts {
			if n, ok := p.(chat.Note); ok && n.Kind == chat.TaskNote && strings.Contains(n.Text, "the end") {
				told++
			}
		}
	}
	if told != 1 {
		t.Errorf("the model was told %d times", told)
	}
	if got, _ := json.Marshal(asked[2].Messages); strings.Contains(string(got), "coder-note") {
		t.Errorf("it was told before the end: %s", got)
	}
}

// TestTasksStayInTheirBounds, and each refusal says what to do.
func TestTasksStayInTheirBounds(t *testing.T) {
	h := newHome(t)
	kid := child(t, h.host, h.top, agent.KindTask, "mine")
	for _, tt := range []struct {
		args taskArgs
		want string
	}{
		{taskArgs{}, "a task needs a prompt"},
		{taskArgs{Prompt: "x", Agent: "boss"}, `there is no agent "boss"`},
		{taskArgs{Prompt: "x", Name: "../x"}, "is no name"},
		{taskArgs{Prompt: "x", Name: "7"}, "there is no sub-agent 7; there are: mine"},
		{taskArgs{Name: "other"}, "there is no sub-agent other"},
		{taskArgs{Prompt: "x", Name: "MINE", Agent: "general"}, "leave agent out"},
		{taskArgs{Prompt: "x", Budget: -1}, "must not be negative"},
	} {
		h.model.add("top", agenttest.Call(give("c1", tt.args)), agenttest.Say("I see"))
		h.turn(fmt.Sprint(tt.args))
		if got := h.result(h.top, "c1"); !strings.Contains(got, tt.want) {
			t.Errorf("%+v was answered with %q, want %q", tt.args, got, tt.want)
		}
	}
	for i := range 99 {
		child(t, h.host, kid, agent.KindTask, fmt.Sprint("k", i))
	}
	h.model.add("top", agenttest.Call(give("c1", taskArgs{Prompt: "x"})), agenttest.Say("I see"))
	h.turn("many")
	if got := h.result(h.top, "c1"); !strings.Contains(got, "has 100 sub-agents, which is the most") {
		t.Errorf("one too many was answered with %q", got)
	}
}

// TestRulesOfTheParentHoldForItsTasks, as they are at the moment, and not for children that clients make.
func TestRulesOfTheParentHoldForItsTasks(t *testing.T) {
	var acted atomic.Int32
	h := newHome(t, filed(&acted))
	h.setup(agent.Setup{Mode: "ask"})
	h.model.add("top", agenttest.Call(agenttest.Use{ID: "own", Tool: "edit", Args: fileArgs{"a.txt"}}), agenttest.Say("made"))
	h.turn("q1")
	sub := subscribe(t, h.top)
	if err := h.top.Decide(t.Context(), "own", agent.Decision{Approved: true, Always: true}); err != nil {
		t.Fatal(err)
	}
	h.finish(sub)
	sub.Close()
	h.model.add("top", agenttest.Call(give("c1", taskArgs{Prompt: "again", Agent: "general"})), agenttest.Say("fine"))
	h.model.add("top/sub/task/1", agenttest.Call(agenttest.Use{ID: "e", Tool: "edit", Args: fileArgs{"a.txt"}}), agenttest.Say("done"))
	if end := h.turn("q2"); end.Reason != chat.FinishStop || acted.Load() != 2 {
		t.Errorf("the turn ends with %+v after %d edits", end, acted.Load())
	}
	other := child(t, h.host, h.top, agent.KindAgent, "page")
	h.model.add("top/sub/coder-agent/page", agenttest.Call(agenttest.Use{ID: "e", Tool: "edit", Args: fileArgs{"a.txt"}}))
	sub = subscribe(t, other)
	agenttest.Ask(t, other, "p", "edit")
	if end := h.finish(sub); end.Reason != chat.FinishApproval || acted.Load() != 2 {
		t.Errorf("the turn of a client's child ends with %+v after %d edits", end, acted.Load())
	}
}

type fileArgs struct {
	Path string `json:"path"`
}

func (a fileArgs) Action() agent.Action {
	return agent.Action{Summary: a.Path, Writes: []string{a.Path}}
}

func filed(acted *atomic.Int32) agent.Tool {
	return agent.NewTool("edit", permission.Writes, "Edit.", func(context.Context, fileArgs) (agent.Result, error) {
		acted.Add(1)
		return agent.Result{Text: "edited"}, nil
	})
}

// TestAReportIsShort: its beginning and its end, and where the rest is.
func TestAReportIsShort(t *testing.T) {
	h := newHome(t)
	h.model.add("top", agenttest.Call(give("c1", taskArgs{Prompt: "tell all"})), agenttest.Say("fine"))
	h.model.add("top/sub/task/1", agenttest.Say("BEGIN "+strings.Repeat("äöü ", 5000)+" END"))
	h.turn("q")
	got := h.result(h.top, "c1")
	if len(got) > 4096 || len(got) < 3900 || !strings.Contains(got, "BEGIN") || !strings.HasSuffix(got, "END") ||
		!strings.Contains(got, "left out here; they are in the transcript of top/sub/task/1") || strings.Contains(got, "\uFFFD") {
		t.Errorf("the report has %d bytes: %s", len(got), got)
	}
}

// TestAnEarlierChildGoesOn with what it knows; asked about without a prompt it gives its report again.
func TestAnEarlierChildGoesOn(t *testing.T) {
	h := newHome(t)
	kid := "top/sub/task/finder"
	h.model.add("top", agenttest.Call(give("c1", taskArgs{Prompt: "one", Name: "finder"})), agenttest.Say("a"))
	h.model.add(kid, agenttest.Say("first"), agenttest.Say("second"))
	h.turn("q1")
	h.model.add("top", agenttest.Call(give("c1", taskArgs{Prompt: "two", Name: "Finder"})), agenttest.Say("b"))
	h.turn("q2")
	if got := h.result(h.top, "c1"); !strings.HasSuffix(got, "second") || !strings.Contains(got, "1 step, $0.0010") {
		t.Errorf("the second report is %q", got)
	}
	if asked := h.model.asked(kid); len(asked) != 2 || len(asked[1].Messages) != 3 {
		t.Errorf("the child was asked %+v", asked)
	}
	h.model.add("top", agenttest.Call(give("c1", taskArgs{Name: "finder"})), agenttest.Say("c"))
	h.turn("q3")
	if got := h.result(h.top, "c1"); !strings.HasSuffix(got, "second") || len(h.model.asked(kid)) != 2 {
		t.Errorf("the report is %q", got)
	}
}

// TestAChildIsSteeredAndStopped at its own address, while its parent waits for it.
func TestAChildIsSteeredAndStopped(t *testing.T) {
	h := newHome(t)
	kid, reached, release := h.agent("top/sub/task/1"), make(chan struct{}), make(chan struct{})
	h.model.add("top", agenttest.Call(give("c1", taskArgs{Prompt: "one"})), agenttest.Call(give("c2", taskArgs{Prompt: "more", Name: "1"})), agenttest.Say("fine"))
	h.model.add(kid.Name(), agenttest.Hold(reached, release, agenttest.Say("half")), agenttest.Say("and the other half"))
	sub := subscribe(t, h.top)
	agenttest.Ask(t, h.top, "q", "go")
	<-reached
	if err := kid.Steer(t.Context(), "both halves"); err != nil {
		t.Fatal(err)
	}
	again := make(chan struct{})
	h.model.add(kid.Name(), agenttest.Hold(again, nil, nil, "not"))
	close(release)
	<-again
	if got := h.result(h.top, "c1"); !strings.HasSuffix(got, "and the other half") {
		t.Errorf("the report is %q", got)
	}
	if err := kid.Cancel(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if end := h.finish(sub); end.Reason != chat.FinishStop {
		t.Errorf("the turn ends with %+v", end)
	}
	if got := h.result(h.top, "c2"); !strings.Contains(got, "cancelled by the user; go on without it") || !strings.HasSuffix(got, "not") {
		t.Errorf("the report is %q", got)
	}
}

// TestABudgetOutlivesItsHost: what the child has spent before counts.
func TestABudgetOutlivesItsHost(t *testing.T) {
	h := newHome(t)
	limit, kid, reached := 0.004, "top/sub/task/1", make(chan struct{})
	h.setup(agent.Setup{MaxCost: &limit})
	h.model.add("top", agenttest.Call(give("c1", taskArgs{Prompt: "one", Budget: 1})))
	h.model.add(kid, agenttest.Call(use("l1", "look", "a")), agenttest.Call(use("l2", "look", "b")), agenttest.Hold(reached, nil, nil))
	agenttest.Ask(t, h.top, "q", "go")
	<-reached
	h.close()
	h.model.add(kid, agenttest.Call(use("l3", "look", "c")), agenttest.Say("never"))
	h.open()
	if sub := subscribe(t, h.top); sub.Snapshot.Turn != nil {
		if end := h.finish(sub); end.Reason != chat.FinishBudget || end.Tasks.Cost != 0.003 {
			t.Errorf("the turn ends with %+v", end)
		}
	}
	if asked := h.model.asked(kid); len(asked) != 4 {
		t.Errorf("the child asked %d times", len(asked))
	}
}

// TestAChildThatIsGoneIsNotMadeAnew: the next host finds the call and no child, and does not begin its work once more.
func TestAChildThatIsGoneIsNotMadeAnew(t *testing.T) {
	h := newHome(t)
	kid, reached := "top/sub/task/1", make(chan struct{})
	h.model.add("top", agenttest.Call(give("c1", taskArgs{Prompt: "one"})), agenttest.Say("so it goes"))
	h.model.add(kid, agenttest.Hold(reached, nil, nil))
	agenttest.Ask(t, h.top, "q", "go")
	<-reached
	h.close()
	s, err := store.Open(t.Context(), h.dir)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(s.Write(t.Context(), store.Safe, func(tx *store.Tx) error { return tx.DeleteSession(kid) }), s.Close())
	if err != nil {
		t.Fatal(err)
	}
	h.open()
	if sub := subscribe(t, h.top); sub.Snapshot.Turn != nil {
		h.finish(sub)
	}
	if got := h.result(h.top, "c1"); !strings.Contains(got, "was deleted") {
		t.Errorf("the call was answered with %q", got)
	}
	if list := names(t, h.host); !slices.Equal(list, []string{"top of "}) {
		t.Errorf("the sessions are %q", list)
	}
}
