package agent_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
)

// asking is a session in mode ask whose model writes, once for each of the calls in one response, and then says "done".
type asking struct {
	t     *testing.T
	dir   string
	opts  agent.Options
	model *agenttest.Model
	host  *agent.Host
	agent *agent.CoderAgent
	sub   *agent.Subscription
	acted atomic.Int32
}

func newAsking(t *testing.T, calls ...string) *asking {
	k := &asking{t: t, dir: t.TempDir()}
	uses := make([]agenttest.Use, len(calls))
	for i, id := range calls {
		uses[i] = use(id, "write", id)
	}
	k.model = agenttest.NewModel(agenttest.Call(uses...), agenttest.Say("done"))
	k.opts = agenttest.Options(t, k.model, look(), write(&k.acted))
	k.opts.Mode = permission.ModeAsk
	return k
}

// open opens the host and the session.
func (k *asking) open() {
	k.t.Helper()
	var err error
	if k.host, err = agent.Open(k.t.Context(), k.dir, k.opts); err != nil {
		k.t.Fatal(err)
	}
	k.agent = agenttest.Agent(k.t, k.host, "a")
	k.sub = subscribe(k.t, k.agent)
}

func (k *asking) close() {
	k.t.Helper()
	k.sub.Close()
	closeHost(k.t, k.host)
}

// park prompts and waits until the calls wait.
func (k *asking) park() {
	k.t.Helper()
	agenttest.Ask(k.t, k.agent, "q1", "do it")
	if end := reason(agenttest.Finish(k.t, k.sub, "q1")); end.Reason != chat.FinishApproval {
		k.t.Fatalf("the turn ended with %+v, want approval", end)
	}
}

// pass lets time go by in a bubble.
func pass(d time.Duration) { <-time.After(d) }

// call returns the call as the transcript has it.
func (k *asking) call(id string) chat.ToolCall {
	k.t.Helper()
	messages, err := k.agent.Messages(k.t.Context())
	if err != nil {
		k.t.Fatal(err)
	}
	for _, m := range messages {
		for _, p := range m.Parts {
			if c, ok := p.(chat.ToolCall); ok && c.ID == id {
				return c
			}
		}
	}
	k.t.Fatalf("there is no call %s", id)
	return chat.ToolCall{}
}

func (k *asking) waiting() []agent.Pending {
	k.t.Helper()
	v, err := rpc(k.t, k.agent, "approvals")
	if err != nil {
		k.t.Fatal(err)
	}
	return v.([]agent.Pending)
}

func (k *asking) rules(a *agent.CoderAgent) []agent.SessionRule {
	k.t.Helper()
	list, err := a.Rules(k.t.Context())
	if err != nil {
		k.t.Fatal(err)
	}
	return list
}

// TestAlwaysStoresTheRuleThatWasShown in the commit of the decision, and only for a person at the machine. It is there after a
// restart, not in a fork or a child, and a clear drops it.
func TestAlwaysStoresTheRuleThatWasShown(t *testing.T) {
	const shown = "allow write(y)"
	k, log := newAsking(t, "c1"), t.TempDir()
	k.opts.Audit = openLog(t, log)
	k.open()
	k.park()
	always := agent.Decision{Approved: true, Always: true, By: "me"}
	if err := k.agent.Decide(t.Context(), "c1", always); err == nil || !strings.Contains(err.Error(), "no rule is offered") {
		t.Errorf("always without an offer gives %v", err)
	}
	if err := agent.OfferAlways(t.Context(), k.agent, "c1", shown); err != nil {
		t.Fatal(err)
	}
	if got := k.waiting(); len(got) != 1 || got[0].Always != shown {
		t.Errorf("what waits shows %+v", got)
	}
	page := agent.WithCaller(t.Context(), agent.Caller{Connection: "p", Page: true})
	if _, err := k.agent.Call(page, "decide", raws(`"c1"`, "true", "null", `{"always":true}`)); err == nil || !strings.Contains(err.Error(), "a page may decide on this one call") {
		t.Errorf("a page stores a rule: %v", err)
	}
	if err := k.agent.Decide(t.Context(), "c1", agent.Decision{Always: true}); err == nil {
		t.Error("a denial for always is taken")
	}
	if got := k.rules(k.agent); len(got) != 0 || k.acted.Load() != 0 || len(k.waiting()) != 1 {
		t.Fatalf("after refusals there are the rules %+v, and the tool acted %d times", got, k.acted.Load())
	}
	if err := k.agent.Decide(t.Context(), "c1", always); err != nil {
		t.Fatal(err)
	}
	agenttest.Finish(t, k.sub, "")
	k.close()

	k.open()
	got := k.rules(k.agent)
	if len(got) != 1 || got[0].Rule != shown || got[0].By != "me" || got[0].Created.IsZero() || k.acted.Load() != 1 {
		t.Errorf("after a restart the rules are %+v, and the tool acted %d times", got, k.acted.Load())
	}
	fork, err := k.agent.Fork(t.Context(), "", "f")
	if err != nil {
		t.Fatal(err)
	}
	child, err := k.host.Child(t.Context(), k.agent, agent.KindTask, "c")
	if err != nil {
		t.Fatal(err)
	}
	if lines := logged(t, log); !slices.Contains(lines, "rule c1 write by person, me") {
		t.Errorf("the audit log does not tell of the rule: %q", lines)
	}
	if f, c := k.rules(agenttest.Agent(t, k.host, fork.Name)), k.rules(child); len(f) != 0 || len(c) != 0 {
		t.Errorf("the fork has the rules %+v, the child %+v", f, c)
	}
	if _, err := rpc(t, k.agent, "removeRule", got[0].ID+1); err == nil {
		t.Error("a rule that is not there is removed")
	}
	if _, err := rpc(t, k.agent, "removeRule", got[0].ID); err != nil || len(k.rules(k.agent)) != 0 {
		t.Errorf("removing a rule: %v, and there are %+v", err, k.rules(k.agent))
	}
	k.close()
}

func TestAClearDropsTheRules(t *testing.T) {
	k := newAsking(t, "c1")
	k.open()
	k.park()
	if err := agent.OfferAlways(t.Context(), k.agent, "c1", "allow write(y)"); err != nil {
		t.Fatal(err)
	}
	if err := k.agent.Decide(t.Context(), "c1", agent.Decision{Approved: true, Always: true}); err != nil {
		t.Fatal(err)
	}
	agenttest.Finish(t, k.sub, "")
	if len(k.rules(k.agent)) != 1 {
		t.Fatal("the rule is not stored")
	}
	if err := k.agent.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	k.close()
	k.open()
	if got := k.rules(k.agent); len(got) != 0 {
		t.Errorf("after a clear there are the rules %+v", got)
	}
	k.close()
}

// TestOfManyAnswersOneCounts: a hundred clients answer at once, some yes and some no. All are told whose answer counted, and the
// same answer again, later, changes nothing.
func TestOfManyAnswersOneCounts(t *testing.T) {
	k := newAsking(t, "c1")
	k.open()
	defer k.close()
	k.park()
	var taken, late atomic.Int32
	var approved atomic.Bool
	var winner atomic.Value
	var all sync.WaitGroup
	watching := make([]*agent.Subscription, 100)
	for i := range watching {
		watching[i] = subscribe(t, k.agent)
		defer watching[i].Close()
	}
	for i := range 100 {
		all.Go(func() {
			err := k.agent.Decide(t.Context(), "c1", agent.Decision{Approved: i%2 == 0, By: fmt.Sprint(i)})
			var waiting *agent.NotWaitingError
			switch {
			case err == nil:
				taken.Add(1)
				approved.Store(i%2 == 0)
				winner.Store(fmt.Sprint(i))
			case errors.As(err, &waiting):
				late.Add(1)
			default:
				t.Errorf("answer %d: %v", i, err)
			}
		})
	}
	all.Wait()
	agenttest.Finish(t, k.sub, "")
	if taken.Load() != 1 || late.Load() != 99 || (k.acted.Load() == 1) != approved.Load() || k.acted.Load() > 1 {
		t.Errorf("%d answers were taken, %d came late, and the tool acted %d times (approved: %t)", taken.Load(), late.Load(), k.acted.Load(), approved.Load())
	}
	for i, sub := range watching {
		if by := decidedBy(t, sub); by != winner.Load() {
			t.Errorf("client %d is told that %s has decided, and it was %v", i, by, winner.Load())
		}
	}
	acted := k.acted.Load()
	var waiting *agent.NotWaitingError
	if err := k.agent.Decide(t.Context(), "c1", agent.Decision{Approved: true}); !errors.As(err, &waiting) || k.acted.Load() != acted {
		t.Errorf("the answer again gives %v, and the tool acted %d times", err, k.acted.Load())
	}
}

// decidedBy waits for what tells a client of a decision, and returns whose it was.
func decidedBy(t *testing.T, sub *agent.Subscription) string {
	t.Helper()
	for {
		u, err := sub.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if m, ok := u.(agent.MessageUpdated); ok {
			return m.By
		}
	}
}

// TestAYesRacesWithTheDeadline: at the very moment one of the two counts.
func TestAYesRacesWithTheDeadline(t *testing.T) {
	for range 10 {
		synctest.Test(t, func(t *testing.T) {
			k := newAsking(t, "c1")
			k.opts.DenyAfter = new(time.Hour)
			k.open()
			defer k.close()
			k.park()
			var err error
			var both sync.WaitGroup
			both.Go(func() {
				pass(time.Hour)
				err = k.agent.Decide(t.Context(), "c1", agent.Decision{Approved: true})
			})
			end := finished(t, k.sub)
			both.Wait()
			if (k.acted.Load() == 1) != (err == nil) || k.acted.Load() > 1 || end.Reason != chat.FinishStop {
				t.Errorf("the yes gave %v, the tool acted %d times, and the turn ended with %+v", err, k.acted.Load(), end)
			}
			if denied := k.call("c1").State == chat.OutputDenied; denied != (err != nil) {
				t.Errorf("the yes gave %v, and the call is %+v", err, k.call("c1"))
			}
		})
	}
}

// TestAYesRacesWithTheEnd: a yes, a no, a cancel, a clear and a prompt come at once. Whoever is first, the tool acts at most
// once, and not at all when the yes was not taken; then nothing waits any more.
func TestAYesRacesWithTheEnd(t *testing.T) {
	for round := range 10 {
		k := newAsking(t, "c1")
		k.model.Add(agenttest.Say("more"), agenttest.Say("more"))
		k.open()
		k.park()
		var yes error
		var all sync.WaitGroup
		for i := range 5 {
			all.Go(func() {
				switch (i + round) % 5 {
				case 0:
					yes = k.agent.Decide(t.Context(), "c1", agent.Decision{Approved: true})
				case 1:
					_ = k.agent.Decide(t.Context(), "c1", agent.Decision{}) // may come too late
				case 2:
					if err := k.agent.Cancel(t.Context(), ""); err != nil {
						t.Errorf("cancel: %v", err)
					}
				case 3:
					if err := k.agent.Clear(t.Context()); err != nil {
						t.Errorf("clear: %v", err)
					}
				case 4:
					agenttest.Ask(t, k.agent, "q2", "never mind")
				}
			})
		}
		all.Wait()
		if err := k.agent.Clear(t.Context()); err != nil { // ends whatever runs
			t.Fatal(err)
		}
		if n := k.acted.Load(); n > 1 || n == 1 && yes != nil {
			t.Errorf("round %d: the tool acted %d times, and the yes gave %v", round, n, yes)
		}
		if left := k.waiting(); len(left) != 0 {
			t.Errorf("round %d: %+v still waits", round, left)
		}
		k.close()
	}
}

func TestCancelVoidsWhatWaits(t *testing.T) {
	k := newAsking(t, "c1", "c2")
	k.open()
	k.park()
	if err := k.agent.Cancel(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	k.close()
	k.open()
	defer k.close()
	var waiting *agent.NotWaitingError
	if err := k.agent.Decide(t.Context(), "c1", agent.Decision{Approved: true}); !errors.As(err, &waiting) {
		t.Errorf("a yes to what was cancelled gives %v", err)
	}
	for _, id := range []string{"c1", "c2"} {
		if c := k.call(id); c.State != chat.OutputError || !strings.Contains(c.Error, "cancelled by the user before it ran") {
			t.Errorf("call %s is %+v", id, c)
		}
	}
	if k.acted.Load() != 0 {
		t.Error("the tool acted")
	}
}

// TestNobodyToAnswerNeverMeansYes: by its setting a session waits for ever, denies after a time, or at once.
func TestNobodyToAnswerNeverMeansYes(t *testing.T) {
	for _, c := range []struct {
		onAsk, reason string
		after         time.Duration
	}{
		{"park", "", 0},
		{"deny:30m", "nobody decided within 30m", 30 * time.Minute},
		{"deny", "nobody is there to decide", 0},
	} {
		t.Run(c.onAsk, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newAsking(t, "c1", "c2")
				k.open()
				defer k.close()
				if _, err := rpc(t, k.agent, "setup", agent.Setup{OnAsk: c.onAsk}); err != nil {
					t.Fatal(err)
				}
				begun := time.Now()
				if c.onAsk != "deny" {
					k.park()
				} else {
					agenttest.Ask(t, k.agent, "q1", "do it")
				}
				if c.onAsk == "park" {
					if n := k.host.Planned().Deadlines; n != 0 {
						t.Errorf("%d deadlines are kept", n)
					}
					synctest.Wait()
					pass(400 * 24 * time.Hour)
					if got := k.waiting(); len(got) != 2 || !got[0].DenyAt.IsZero() {
						t.Errorf("after a year %+v waits", got)
					}
					return
				}
				if c.after > 0 {
					if n := k.host.Planned().Deadlines; n != 1 {
						t.Errorf("%d deadlines are kept, want 1", n)
					}
					if got := k.waiting(); len(got) != 2 || !got[0].DenyAt.Equal(begun.Add(c.after)) {
						t.Errorf("what waits is %+v", got)
					}
				}
				if end := finished(t, k.sub); end.Reason != chat.FinishStop || time.Since(begun) < c.after || time.Since(begun) > c.after+time.Second {
					t.Errorf("the turn ended after %s with %+v", time.Since(begun), end)
				}
				for _, id := range []string{"c1", "c2"} {
					if got := k.call(id); got.State != chat.OutputDenied || !strings.Contains(got.Result(), "denied: "+c.reason) {
						t.Errorf("call %s is %+v, for the model %q", id, got, got.Result())
					}
				}
				if k.acted.Load() != 0 || k.host.Planned().Deadlines != 0 {
					t.Errorf("the tool acted %d times, and %d deadlines are kept", k.acted.Load(), k.host.Planned().Deadlines)
				}
			})
		})
	}
}

// TestADeadlineOutlivesItsHost: it counts from when the turn parked. What is late is denied when the next host starts, what is
// not keeps its time; a decision, a prompt and a clear end it.
func TestADeadlineOutlivesItsHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newAsking(t, "c1")
		k.opts.DenyAfter = new(time.Hour)
		k.open()
		k.park()
		begun := time.Now()
		k.close()
		pass(40 * time.Minute)
		k.open()
		if got := k.waiting(); len(got) != 1 || !got[0].DenyAt.Equal(begun.Add(time.Hour)) {
			t.Errorf("after a restart %+v waits", got)
		}
		k.close()
		pass(40 * time.Minute)
		k.open()
		if end := finished(t, k.sub); end.Reason != chat.FinishStop || time.Since(begun) > 81*time.Minute {
			t.Errorf("after %s the turn ended with %+v", time.Since(begun), end)
		}
		if got := k.call("c1"); got.State != chat.OutputDenied || !got.Approval.Unanswered || k.acted.Load() != 0 {
			t.Errorf("the call is %+v, and the tool acted %d times", got, k.acted.Load())
		}
		k.close()
	})
}

func TestADecisionEndsTheDeadline(t *testing.T) {
	for name, end := range map[string]func(k *asking) error{
		"a yes":    func(k *asking) error { return k.agent.Decide(k.t.Context(), "c1", agent.Decision{Approved: true}) },
		"a cancel": func(k *asking) error { return k.agent.Cancel(k.t.Context(), "") },
		"a clear":  func(k *asking) error { return k.agent.Clear(k.t.Context()) },
		"a prompt": func(k *asking) error { agenttest.Ask(k.t, k.agent, "q2", "no"); return nil },
		"another setting": func(k *asking) error {
			_, err := rpc(k.t, k.agent, "setup", agent.Setup{OnAsk: "park"})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newAsking(t, "c1")
				k.opts.DenyAfter = new(time.Hour)
				k.open()
				defer k.close()
				k.park()
				if err := end(k); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if n := k.host.Planned().Deadlines; n != 0 {
					t.Errorf("%d deadlines are kept", n)
				}
				pass(2 * time.Hour)
				synctest.Wait()
				if n := len(k.model.Requests()); n > 2 {
					t.Errorf("the model was asked %d times", n)
				}
			})
		})
	}
}

func TestADeadlineIsSetForWhatWaitsAlready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newAsking(t, "c1")
		k.open()
		defer k.close()
		k.park()
		pass(time.Hour)
		if _, err := rpc(t, k.agent, "setup", agent.Setup{OnAsk: "deny:30m"}); err != nil {
			t.Fatal(err)
		}
		if end := finished(t, k.sub); end.Reason != chat.FinishStop || k.call("c1").State != chat.OutputDenied {
			t.Errorf("the turn ended with %+v", end)
		}
		page := agent.WithCaller(t.Context(), agent.Caller{Connection: "p", Page: true})
		if _, err := k.agent.Call(page, "setup", raws(`{"onAsk":"park"}`)); err == nil {
			t.Error("a page sets the deadline")
		}
		for _, bad := range []string{"deny:", "deny:-1s", "deny:1000000h", "allow", "Park"} {
			if _, err := rpc(t, k.agent, "setup", agent.Setup{OnAsk: bad}); err == nil {
				t.Errorf("onAsk %q is taken", bad)
			}
		}
	})
}

// TestThreeDenialsEndTheTurn, whoever denies: people, the deadline or the policy. What the user says begins anew.
func TestThreeDenialsEndTheTurn(t *testing.T) {
	k := newAsking(t, "c1")
	k.model = agenttest.NewModel(
		agenttest.Call(use("c1", "write", "x")), agenttest.Call(use("c2", "write", "x")), agenttest.Call(use("c3", "write", "x")),
		agenttest.Call(use("c4", "write", "x")), agenttest.Say("I stop"))
	k.opts.Model, k.opts.DenyAfter = k.model, new(time.Duration(0))
	k.open()
	defer k.close()
	agenttest.Ask(t, k.agent, "q1", "do it")
	end := reason(agenttest.Finish(t, k.sub, "q1"))
	if end.Reason != chat.FinishDenied || !strings.Contains(end.Error, "3 calls of the turn were denied: write x, write x, write x") || !strings.Contains(end.Hint, "coder run --session a") {
		t.Errorf("after three denials the turn ended with %+v", end)
	}
	if n := len(k.model.Requests()); n != 3 {
		t.Errorf("the model was asked %d times", n)
	}
	agenttest.Ask(t, k.agent, "q2", "do another thing")
	if end := reason(agenttest.Finish(t, k.sub, "q2")); end.Reason != chat.FinishStop {
		t.Errorf("the next turn ended with %+v", end)
	}
	if n := k.acted.Load(); n != 0 {
		t.Errorf("the tool acted %d times", n)
	}
}

func TestDenialsOfThePolicyAndOfPeopleCountAlike(t *testing.T) {
	k := newAsking(t, "c1", "c2", "c3")
	k.open()
	defer k.close()
	k.park()
	for _, id := range []string{"c1", "c2"} {
		if err := k.agent.Decide(t.Context(), id, agent.Decision{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := rpc(t, k.agent, "setMode", "plan"); err != nil { // denies what is approved now
		t.Fatal(err)
	}
	if err := k.agent.Decide(t.Context(), "c3", agent.Decision{Approved: true}); err != nil {
		t.Fatal(err)
	}
	if end := finished(t, k.sub); end.Reason != chat.FinishDenied || !strings.Contains(end.Error, "3 calls") {
		t.Errorf("after three denials the turn ended with %+v", end)
	}
	if c := k.call("c3"); k.acted.Load() != 0 || c.State != chat.OutputError || !strings.Contains(c.Error, "mode plan") {
		t.Errorf("the tool acted %d times, and the call is %+v", k.acted.Load(), c)
	}
}

// placed is a tool that names a file.
func placed(acted *atomic.Int32) agent.Tool {
	return agent.NewTool("touch", permission.Writes, "Touch.", func(_ context.Context, a touching) (agent.Result, error) {
		acted.Add(1)
		return agent.Result{Text: "touched"}, nil
	})
}

type touching struct {
	Path string `json:"path"`
}

func (a touching) Action() agent.Action {
	return agent.Action{Summary: a.Path, Writes: []string{a.Path}}
}

func (a touching) Show(find func(string) string) string {
	return "touch " + filepath.Base(find(a.Path))
}

// TestAYesCoversWhatWasShown: a link on the way that leads elsewhere by now makes it another question.
func TestAYesCoversWhatWasShown(t *testing.T) {
	for _, swapped := range []bool{false, true} {
		k := newAsking(t)
		k.model = agenttest.NewModel(agenttest.Call(agenttest.Use{ID: "c1", Tool: "touch", Args: touching{"link/x"}}), agenttest.Say("done"))
		k.opts = agenttest.Options(t, k.model, placed(&k.acted))
		log := t.TempDir()
		k.opts.Mode, k.opts.Audit = permission.ModeAsk, openLog(t, log)
		workdir, err := filepath.EvalSymlinks(k.opts.Workdir)
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range []string{"one", "two"} {
			if err := os.Mkdir(filepath.Join(workdir, dir), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		link := filepath.Join(workdir, "link")
		if err := os.Symlink("one", link); err != nil {
			t.Skipf("no links can be made here: %v", err)
		}
		k.open()
		k.park()
		asked := k.waiting()
		if want := filepath.Join(workdir, "one", "x"); len(asked) != 1 || len(asked[0].Paths) != 1 || asked[0].Paths[0] != want || asked[0].Text != "touch x" {
			t.Errorf("the question is %+v, want the path %s", asked, want)
		}
		if swapped {
			if err := errors.Join(os.Remove(link), os.Symlink("two", link)); err != nil {
				t.Fatal(err)
			}
		}
		k.close()
		k.open() // the question is on disk, and not made anew
		if again := k.waiting(); fmt.Sprint(again) != fmt.Sprint(asked) {
			t.Errorf("after a restart the question is %+v, was %+v", again, asked)
		}
		if err := k.agent.Decide(t.Context(), "c1", agent.Decision{Approved: true}); err != nil {
			t.Fatal(err)
		}
		finished(t, k.sub)
		if got := k.acted.Load() == 0; got != swapped {
			t.Errorf("link swapped %t: the tool acted %d times", swapped, k.acted.Load())
		}
		if c := k.call("c1"); swapped && !strings.Contains(c.Error, "since it was approved, its path was") {
			t.Errorf("the call is %+v", c)
		}
		k.close()
		if lines := logged(t, log); slices.Contains(lines, "judged c1 touch deny by mode ask") != swapped {
			t.Errorf("link swapped %t: the audit log has %q", swapped, lines)
		}
	}
}

// fetching is a tool for which mode auto asks.
func fetching(acted *atomic.Int32) agent.Tool {
	return agent.NewTool("fetch", permission.Network, "Fetch.", func(context.Context, noteArgs) (agent.Result, error) {
		acted.Add(1)
		return agent.Result{Text: "fetched"}, nil
	})
}
