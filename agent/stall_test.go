package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
)

const smallDisk = 3 << 20 // bytes

// A fullHost is one whose disk gets full at the moment at which a turn's end is recorded.
type fullHost struct {
	*agent.Host
	t     *testing.T
	disk  *agenttest.Disk
	model *agenttest.Model
	opts  agent.Options
	armed atomic.Int32 // when to fill the disk: after so many looks at the time
}

func newFullHost(t *testing.T, disk *agenttest.Disk, tools ...agent.Tool) *fullHost {
	t.Helper()
	f := &fullHost{t: t, disk: disk, model: agenttest.NewModel()}
	f.opts = agenttest.Options(t, f.model, tools...)
	f.opts.Now = func() time.Time {
		if f.armed.Load() > 0 && f.armed.Add(-1) == 0 {
			disk.Fill(t, 0)
		}
		return time.Now()
	}
	f.Host = agenttest.Open(t, disk.Dir, f.opts)
	return f
}

// looks is how often the end of a turn asks for the time: for the turn's row and for the session's.
const looks = 2

// then plays the reply and lets the end of its turn find the disk full.
func (f *fullHost) then(reply agenttest.Reply) agenttest.Reply { return f.after(1, reply) }

// after plays the reply and fills the disk after so many looks at the time.
func (f *fullHost) after(n int32, reply agenttest.Reply) agenttest.Reply {
	return func(ctx context.Context, req chat.Request, yield func(chat.Event) bool) error {
		f.armed.Store(n)
		return reply(ctx, req, yield)
	}
}

// stalls reads updates until one says that a turn stands still. Nothing may say before it that the turn has ended.
func stalls(t *testing.T, sub *agent.Subscription) agent.Turn {
	t.Helper()
	for {
		u, err := sub.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		switch u := u.(type) {
		case agent.Stalled:
			return u.Turn
		case agent.TurnEvent:
			if _, end := u.Event.(chat.TurnFinished); end {
				t.Fatalf("an end was told that is not on disk: %+v", u.Event)
			}
		}
	}
}

// hears reads updates until the words come.
func hears(t *testing.T, sub *agent.Subscription, words string) {
	t.Helper()
	for {
		u, err := sub.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := u.(agent.TurnEvent); ok {
			if d, ok := e.Event.(chat.TextDelta); ok && d.Delta == words {
				return
			}
		}
	}
}

// asked checks how often the model was asked.
func (f *fullHost) asked(want int) {
	f.t.Helper()
	if got := len(f.model.Requests()); got != want {
		f.t.Errorf("the model was asked %d times, want %d", got, want)
	}
}

// A full disk must not cost money in a loop: what is planned asks the model no more than anybody else.
func TestAPlannedPromptWaitsForOneThatStandsStill(t *testing.T) {
	agenttest.OnSmallDisk(t, smallDisk, func(disk *agenttest.Disk) {
		f := newFullHost(t, disk)
		a := agenttest.Agent(t, f.Host, "a")
		sub := subscribe(t, a)
		f.model.Add(f.then(agenttest.Say("all of it")))
		agenttest.Ask(t, a, "q1", "go")
		stalls(t, sub)
		disk.Free(t)
		s, err := a.Schedule(t.Context(), agent.Plan{Prompt: "planned", At: time.Now().Add(50 * time.Millisecond).Format(time.RFC3339Nano)})
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Until(s.Next) + 50*time.Millisecond) // the clock has met it by then
		f.asked(1)
		f.model.Add(agenttest.Say("two"), agenttest.Say("three"))
		agenttest.Ask(t, a, "q2", "go on")
		for range 3 { // the end of the first, and those of the other two
			finished(t, sub)
		}
		f.asked(3)
		if got := prompts(t, a); len(got) != 3 {
			t.Errorf("prompts = %q", got)
		}
	})
}

func TestATurnWhoseEndCannotBeRecordedStandsStill(t *testing.T) {
	agenttest.OnSmallDisk(t, smallDisk, func(disk *agenttest.Disk) {
		f := newFullHost(t, disk)
		a := agenttest.Agent(t, f.Host, "a")
		sub := subscribe(t, a)
		f.model.Add(f.then(agenttest.Say("all of it")))
		agenttest.Ask(t, a, "q1", "go")
		if got := stalls(t, sub); got.ID != "q1" || !strings.Contains(got.Error, "no space left") || !strings.HasPrefix(got.Hint, "make room on the disk") {
			t.Errorf("told was %+v", got)
		}

		// Looking at the session asks nobody.
		again := subscribe(t, a)
		if s := again.Snapshot; s.Turn != nil || !s.Stalled || s.Failed == nil || s.Failed.ID != "q1" {
			t.Errorf("a new subscriber is told %+v", s)
		}
		if turn, events, ok, err := a.Replay(t.Context(), "q1"); err != nil || !ok || turn.Reason != chat.FinishError || strings.Contains(types(eventsOf(events)), "finished") {
			t.Errorf("Replay = %+v, %s, %v, %v", turn, types(eventsOf(events)), ok, err)
		}
		if list, err := f.Sessions(t.Context()); err != nil || list[0].Status != agent.Idle {
			t.Errorf("the list says %+v, %v; nobody works on it", list, err)
		}
		if turns, _ := f.Busy(); turns != 0 {
			t.Errorf("%d turns are said to run", turns)
		}
		var stall *agent.StallError
		err := a.Prompt(t.Context(), agent.Prompt{ID: "q2", Messages: []chat.Message{{ID: "u2", Role: chat.User}}})
		if !errors.As(err, &stall) || !strings.HasPrefix(stall.Hint(), "make room on the disk") {
			t.Errorf("a prompt while there is no room: %v", err)
		}
		f.asked(1)

		disk.Free(t)
		f.model.Add(agenttest.Say("and more"))
		agenttest.Ask(t, a, "q3", "go on")
		first := agenttest.Finish(t, sub, "q1")
		if end := first[len(first)-1].(chat.TurnFinished); end.Reason != chat.FinishStop {
			t.Errorf("the turn ended with %+v, want the end that it had", end)
		}
		agenttest.Finish(t, sub, "q3")
		f.asked(2)
		m, err := a.Messages(t.Context())
		if err != nil || len(m) != 4 || m[1].Text() != "all of it" || m[3].Text() != "and more" {
			t.Errorf("messages = %+v, %v", m, err)
		}
		if list, _ := f.Sessions(t.Context()); list[0].Usage.Input != 20 {
			t.Errorf("usage = %+v, want that of both turns", list[0].Usage)
		}
	})
}

func eventsOf(list []agent.TurnEvent) (events []chat.Event) {
	for _, e := range list {
		events = append(events, e.Event)
	}
	return events
}

func TestADecisionRevivesASessionThatStandsStill(t *testing.T) {
	agenttest.OnSmallDisk(t, smallDisk, func(disk *agenttest.Disk) {
		var acted atomic.Int32
		f := newFullHost(t, disk, write(&acted))
		a := agenttest.Agent(t, f.Host, "a")
		sub := subscribe(t, a)
		mode(t, a, permission.ModeAsk)
		f.model.Add(f.then(agenttest.Call(use("c1", "write", "x"))))
		agenttest.Ask(t, a, "q1", "go")
		stalls(t, sub)
		var stall *agent.StallError
		if err := a.Decide(t.Context(), "c1", agent.Decision{Approved: true}); !errors.As(err, &stall) || acted.Load() != 0 {
			t.Errorf("deciding while there is no room: %v, and the tool acted %d times", err, acted.Load())
		}
		disk.Free(t)
		f.model.Add(agenttest.Say("written"))
		if err := a.Decide(t.Context(), "c1", agent.Decision{Approved: true}); err != nil {
			t.Fatal(err)
		}
		agenttest.Finish(t, sub, "q1")
		agenttest.Finish(t, sub, "")
		f.asked(2)
		if acted.Load() != 1 {
			t.Errorf("the tool acted %d times, want once", acted.Load())
		}
	})
}

// TestAFullDiskInMidTurn: what could not be recorded was not told, and what was told stays.
func TestAFullDiskInMidTurn(t *testing.T) {
	agenttest.OnSmallDisk(t, smallDisk, func(disk *agenttest.Disk) {
		f := newFullHost(t, disk)
		a := agenttest.Agent(t, f.Host, "a")
		sub := subscribe(t, a)
		reached, release := make(chan struct{}), make(chan struct{})
		f.model.Add(agenttest.Hold(reached, release, agenttest.Say("never told"), "told "))
		agenttest.Ask(t, a, "q1", "go")
		agenttest.Ask(t, a, "q2", "and then")
		<-reached
		hears(t, sub, "told ")
		disk.Fill(t, 0)
		close(release)
		stalls(t, sub)
		f.asked(1)

		disk.Free(t)
		f.model.Add(agenttest.Say("second"), agenttest.Say("third"))
		agenttest.Ask(t, a, "q3", "go on")
		first := agenttest.Finish(t, sub, "q1")
		if end := first[len(first)-1].(chat.TurnFinished); end.Reason != chat.FinishError || types(first) != "coder-interrupted coder-turn-finished" {
			t.Errorf("the turn ended with %s: %+v", types(first), end)
		}
		agenttest.Finish(t, sub, "q2")
		agenttest.Finish(t, sub, "q3")
		f.asked(3)
		m, err := a.Messages(t.Context())
		if err != nil || len(m) != 6 || m[1].Text() != "told " || m[3].Text() != "second" || m[5].Text() != "third" {
			t.Errorf("messages = %+v, %v", m, err)
		}
	})
}

// TestAQueuedPromptThatCannotBeginGoesOnWaiting: it was accepted, so it is not lost.
func TestAQueuedPromptThatCannotBeginGoesOnWaiting(t *testing.T) {
	agenttest.OnSmallDisk(t, smallDisk, func(disk *agenttest.Disk) {
		f := newFullHost(t, disk)
		a := agenttest.Agent(t, f.Host, "a")
		sub := subscribe(t, a)
		reached, release := make(chan struct{}), make(chan struct{})
		f.model.Add(agenttest.Hold(reached, release, f.after(looks+1, agenttest.Say("first"))))
		agenttest.Ask(t, a, "q1", "one")
		<-reached
		agenttest.Ask(t, a, "q2", "two")
		close(release)
		agenttest.Finish(t, sub, "q1")
		if got := stalls(t, sub); got.ID != "q2" || !strings.Contains(got.Error, "no space left") {
			t.Errorf("told was %+v", got)
		}
		f.asked(1)
		disk.Free(t)
		f.model.Add(agenttest.Say("second"), agenttest.Say("third"))
		agenttest.Ask(t, a, "q3", "three")
		if events := agenttest.Finish(t, sub, "q2"); chat.Type(events[0]) != "start" {
			t.Errorf("the waiting turn's events are %s", types(events))
		}
		agenttest.Finish(t, sub, "q3")
		m, err := a.Messages(t.Context())
		if err != nil || len(m) != 6 || m[3].Text() != "second" || m[5].Text() != "third" {
			t.Errorf("messages = %+v, %v", m, err)
		}
	})
}

// TestTheNextHostTakesUpWhatStoodStill, and asks the model once for what is missing.
func TestTheNextHostTakesUpWhatStoodStill(t *testing.T) {
	agenttest.OnSmallDisk(t, smallDisk, func(disk *agenttest.Disk) {
		f := &fullHost{t: t, disk: disk, model: agenttest.NewModel()}
		reached, release := make(chan struct{}), make(chan struct{})
		f.model.Add(agenttest.Hold(reached, release, agenttest.Say("never told"), "told "))
		f.opts = agenttest.Options(t, f.model)
		h, err := agent.Open(t.Context(), disk.Dir, f.opts)
		if err != nil {
			t.Fatal(err)
		}
		a := agenttest.Agent(t, h, "a")
		sub := subscribe(t, a)
		agenttest.Ask(t, a, "q1", "go")
		<-reached
		hears(t, sub, "told ")
		disk.Fill(t, 0)
		close(release)
		stalls(t, sub)
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		disk.Free(t)
		reached, release = make(chan struct{}), make(chan struct{})
		f.model.Add(agenttest.Hold(reached, release, agenttest.Say("whole")))
		a = agenttest.Agent(t, agenttest.Open(t, disk.Dir, f.opts), "a")
		<-reached
		sub = subscribe(t, a)
		close(release)
		agenttest.Finish(t, sub, "q1")
		f.asked(2)
		if m, err := a.Messages(t.Context()); err != nil || len(m) != 2 || m[1].Text() != "told \nwhole" {
			t.Errorf("messages = %+v, %v", m, err)
		}
	})
}

func TestCancelAndClearEndWhatStandsStill(t *testing.T) {
	agenttest.OnSmallDisk(t, smallDisk, func(disk *agenttest.Disk) {
		f := newFullHost(t, disk)
		ends := map[string]func(*agent.CoderAgent) error{
			"cancel": func(a *agent.CoderAgent) error { return a.Cancel(t.Context(), "cancel") },
			"clear":  func(a *agent.CoderAgent) error { return a.Clear(t.Context()) },
			"delete": func(a *agent.CoderAgent) error { return f.Delete(t.Context(), a.Name()) },
		}
		for name, end := range ends {
			a := agenttest.Agent(t, f.Host, name)
			sub := subscribe(t, a)
			f.model.Add(f.then(agenttest.Say("all of it")))
			agenttest.Ask(t, a, name, "go")
			stalls(t, sub)
			var stall *agent.StallError
			if err := end(a); !errors.As(err, &stall) {
				t.Errorf("%s while there is no room: %v", name, err)
			}
			disk.Free(t)
			if err := end(a); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			sub.Close()
		}
		f.asked(len(ends))
		list, err := f.Sessions(t.Context())
		names := make([]string, 0, len(list))
		for _, s := range list {
			names = append(names, s.Name)
		}
		slices.Sort(names)
		if err != nil || !slices.Equal(names, []string{"cancel", "clear"}) {
			t.Errorf("sessions = %v, %v", names, err)
		}
	})
}

func mode(t *testing.T, a *agent.CoderAgent, m permission.Mode) {
	t.Helper()
	if _, err := a.Call(t.Context(), "setMode", raw(t, m)); err != nil {
		t.Fatal(err)
	}
}

func raw(t *testing.T, args ...any) (list []json.RawMessage) {
	t.Helper()
	for _, arg := range args {
		data, err := json.Marshal(arg)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, data)
	}
	return list
}

// TestWhatStandsStillGoesOnByItself: who waits behind it is told, and has the prompt answered when there is room again.
func TestWhatStandsStillGoesOnByItself(t *testing.T) {
	agenttest.OnSmallDisk(t, smallDisk, func(disk *agenttest.Disk) {
		synctest.Test(t, func(t *testing.T) {
			f := newFullHost(t, disk)
			a := agenttest.Agent(t, f.Host, "a")
			sub := subscribe(t, a)
			reached, release := make(chan struct{}), make(chan struct{})
			f.model.Add(agenttest.Hold(reached, release, f.then(agenttest.Say("first"))), f.then(agenttest.Say("second")))
			agenttest.Ask(t, a, "q1", "one")
			<-reached
			agenttest.Ask(t, a, "q2", "two")
			close(release)
			waits, stands := stalls(t, sub), stalls(t, sub)
			if waits.ID != "q2" || stands.ID != "q1" || !strings.Contains(waits.Error, "no space left") || !strings.Contains(waits.Hint, "goes on with it within a minute") {
				t.Errorf("told was %+v and %+v", waits, stands)
			}
			f.asked(1)
			<-time.After(5 * time.Minute) // in vain
			f.asked(1)
			disk.Free(t)
			began := time.Now()
			agenttest.Finish(t, sub, "q1")
			if got := stalls(t, sub); got.ID != "q2" {
				t.Errorf("told was %+v", got)
			}
			if waited := time.Since(began); waited > time.Minute {
				t.Errorf("it went on after %s", waited)
			}
			f.asked(2)
			disk.Free(t)
			agenttest.Finish(t, sub, "q2") // nobody waits: only recorded
			f.asked(2)
			if m, err := a.Messages(t.Context()); err != nil || len(m) != 4 || m[3].Text() != "second" {
				t.Errorf("messages = %+v, %v", m, err)
			}
			sub.Close()
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		})
	})
}
