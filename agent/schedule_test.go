package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
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

// These tests run in bubbles, where a day passes at once when nobody has anything to do. A bubble begins at midnight UTC
// of 2000-01-01, and the host's own zone is UTC.

func plan(t *testing.T, a *agent.CoderAgent, p agent.Plan) agent.Schedule {
	t.Helper()
	s, err := a.Schedule(t.Context(), p)
	if err != nil {
		t.Fatalf("planning %+v: %v", p, err)
	}
	return s
}

// finished waits for the end of the next turn, a year at most.
func finished(t *testing.T, sub *agent.Subscription) chat.TurnFinished {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 366*24*time.Hour)
	defer cancel()
	for {
		u, err := sub.Next(ctx)
		if err != nil {
			t.Fatalf("waiting for a turn to end: %v", err)
		}
		if e, ok := u.(agent.TurnEvent); ok {
			if end, ok := e.Event.(chat.TurnFinished); ok {
				return end
			}
		}
	}
}

// prompts returns the texts of the user messages.
func prompts(t *testing.T, a *agent.CoderAgent) (texts []string) {
	t.Helper()
	messages, err := a.Messages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		if m.Role == chat.User {
			texts = append(texts, m.Text())
		}
	}
	return texts
}

func listed(t *testing.T, h *agent.Host) []agent.Schedule {
	t.Helper()
	list, err := h.Schedules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func closeHost(t *testing.T, h *agent.Host) {
	t.Helper()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
}

// says returns a model that answers n times.
func says(n int) *agenttest.Model {
	return agenttest.NewModel(slices.Repeat([]agenttest.Reply{agenttest.Say("done")}, n)...)
}

func TestAPlannedPromptComesAtItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := agenttest.Open(t, t.TempDir(), agenttest.Options(t, says(1)))
		a := agenttest.Agent(t, h, "a")
		sub := subscribe(t, a)
		begun := time.Now()
		s := plan(t, a, agent.Plan{Prompt: "look again", In: "90 minutes"})
		if p := h.Planned(); p.Count != 1 || !p.Next.Equal(begun.Add(90*time.Minute)) {
			t.Errorf("planned is %+v", p)
		}
		var told *agent.Prompted
		for told == nil {
			u, err := sub.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if p, ok := u.(agent.Prompted); ok {
				told = &p
			}
		}
		if took := time.Since(begun); took != 90*time.Minute {
			t.Errorf("it came after %s, want 90 minutes", took)
		}
		if told.By != "" || told.Turn.Client != "" || len(told.Turn.MessageIDs) != 0 {
			t.Errorf("clients are told %+v; want a turn that nobody asked for", told)
		}
		finished(t, sub)
		m, err := a.Messages(t.Context())
		if err != nil || len(m) != 2 || m[0].Text() != "look again\n\n[Schedule "+s.ID+", once: due 2000-01-01T01:30:00Z]" {
			t.Fatalf("messages = %+v, %v", m, err)
		}
		if got, want := string(m[0].Metadata), fmt.Sprintf(`{"schedule":{"id":%q,"due":"2000-01-01T01:30:00Z"}}`, s.ID); got != want {
			t.Errorf("its metadata is %s, want %s", got, want)
		}
		if list, p := listed(t, h), h.Planned(); len(list) != 0 || p.Count != 0 {
			t.Errorf("after it came there are %+v, planned %+v; want none", list, p)
		}
	})
}

func TestWhenAPromptIsPlanned(t *testing.T) {
	tests := []struct {
		name string
		plan agent.Plan
		next string // or what the error says
		when string
	}{
		{"a date with its offset", agent.Plan{At: "2000-01-01T09:00:00+01:00"}, "2000-01-01T08:00:00Z", "once"},
		{"a date in the host's zone", agent.Plan{At: "2000-01-02 09:00"}, "2000-01-02T09:00:00Z", "once"},
		{"a date in another zone", agent.Plan{At: "2000-07-01T09:00", TZ: "Europe/Berlin"}, "2000-07-01T09:00:00+02:00", "once"},
		{"a delay", agent.Plan{In: "1h30m"}, "2000-01-01T01:30:00Z", "once"},
		{"a delay in days", agent.Plan{In: "2 days, 3 hours"}, `"2 days, 3 hours" is not a length of time`, ""},
		{"a delay of days and hours", agent.Plan{In: "2d 3 hours"}, "2000-01-03T03:00:00Z", "once"},
		{"a cron line", agent.Plan{Cron: " 0 9  * * 1-5"}, "2000-01-03T09:00:00Z", `by cron "0 9 * * 1-5"`},
		{"a cron line in another zone", agent.Plan{Cron: "0 9 * * *", TZ: "Europe/Berlin"}, "2000-01-01T09:00:00+01:00", `by cron "0 9 * * *" in Europe/Berlin`},
		{"an interval", agent.Plan{Every: "90m"}, "2000-01-01T01:30:00Z", "every 1h30m"},
		{"an interval of seconds", agent.Plan{Every: "90s"}, "2000-01-01T00:01:30Z", "every 1m30s"},

		{"no time", agent.Plan{}, "exactly one of at, in, cron and every", ""},
		{"two times", agent.Plan{In: "1h", Every: "1h"}, "exactly one of at, in, cron and every", ""},
		{"a past date", agent.Plan{At: "1999-12-31T09:00:00Z"}, "is past: it is now 2000-01-01T00:00:00Z", ""},
		{"a far date", agent.Plan{At: "2010-12-31T09:00:00Z"}, "ten years", ""},
		{"a long delay", agent.Plan{In: "999999w"}, "is not a length of time", ""},
		{"no date", agent.Plan{At: "tomorrow"}, "is not a date such as", ""},
		{"no unit", agent.Plan{In: "90"}, "is not a length of time such as", ""},
		{"milliseconds", agent.Plan{In: "500ms"}, "is not a length of time such as", ""},
		{"a negative delay", agent.Plan{In: "-5m"}, "is not a length of time such as", ""},
		{"too often", agent.Plan{Every: "59s"}, "too often", ""},
		{"no cron line", agent.Plan{Cron: "0 9 * *"}, "has 4 fields, not 5", ""},
		{"a day that never comes", agent.Plan{Cron: "0 0 30 2 *"}, "no day matches", ""},
		{"no zone", agent.Plan{Cron: "0 9 * * *", TZ: "Berlin"}, `no time zone "Berlin" here; use a name such as Europe/Berlin`, ""},
	}
	synctest.Test(t, func(t *testing.T) {
		a := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), agenttest.Options(t, says(0))), "a")
		for _, tt := range tests {
			tt.plan.Prompt = tt.name
			s, err := a.Schedule(t.Context(), tt.plan)
			got := s.Next.Format(time.RFC3339)
			if err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, tt.next) || err == nil && s.When() != tt.when {
				t.Errorf("%s: %+v gives %q %q, want %q %q", tt.name, tt.plan, got, s.When(), tt.next, tt.when)
			}
		}
	})
}

func TestPlanningHasBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := agenttest.Options(t, says(0))
		h := agenttest.Open(t, t.TempDir(), opts)
		a := agenttest.Agent(t, h, "a")
		for _, prompt := range []string{" ", strings.Repeat("x", 32<<10+1), "\xff"} {
			if _, err := a.Schedule(t.Context(), agent.Plan{Prompt: prompt, In: "1h"}); err == nil {
				t.Errorf("a prompt of %d bytes was planned", len(prompt))
			}
		}
		first := plan(t, a, agent.Plan{Prompt: strings.Repeat("x", 32<<10), Every: "1h"})
		<-time.After(time.Minute)
		if again := plan(t, a, agent.Plan{Prompt: first.Prompt, Every: "60m"}); again.ID != first.ID || !again.Next.Equal(first.Next) {
			t.Errorf("the same plan twice gave %s and %s", first.ID, again.ID)
		}
		for i := range 99 {
			plan(t, a, agent.Plan{Prompt: fmt.Sprint(i), In: "1h"})
		}
		if _, err := a.Schedule(t.Context(), agent.Plan{Prompt: "one more", In: "1h"}); err == nil || !strings.Contains(err.Error(), "cancel one") {
			t.Errorf("the 101st schedule of a session: %v", err)
		}
		plan(t, agenttest.Agent(t, h, "b"), agent.Plan{Prompt: "another session", In: "1h"})

		opts.Workdir = ""
		homeless := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), opts), "a")
		var where *agent.WorkdirError
		if _, err := homeless.Schedule(t.Context(), agent.Plan{Prompt: "x", In: "1h"}); !errors.As(err, &where) {
			t.Errorf("planning without a workdir: %v", err)
		}
	})
}

func TestAnIntervalComesAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := agenttest.Open(t, t.TempDir(), agenttest.Options(t, says(3)))
		a := agenttest.Agent(t, h, "a")
		sub := subscribe(t, a)
		begun := time.Now()
		plan(t, a, agent.Plan{Prompt: "tick", Every: "20m"})
		for n := 1; n <= 3; n++ {
			finished(t, sub)
			if took := time.Since(begun); took != time.Duration(n)*20*time.Minute {
				t.Errorf("time %d came after %s", n, took)
			}
		}
		list := listed(t, h)
		if len(list) != 1 || list[0].Runs != 3 || list[0].Skipped != 0 || !list[0].Next.Equal(begun.Add(80*time.Minute)) || !list[0].Last.Equal(begun.Add(time.Hour)) {
			t.Errorf("schedules = %+v", list)
		}
	})
}

// A model may plan; it may not plan a hundred turns for one moment.
func TestPlannedPromptsComeNoFasterThanTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		model := says(30)
		h := agenttest.Open(t, t.TempDir(), agenttest.Options(t, model))
		a := agenttest.Agent(t, h, "a")
		for n := range 30 {
			plan(t, a, agent.Plan{Prompt: fmt.Sprint("task ", n), In: "1h"})
		}
		<-time.After(time.Hour + time.Minute/2)
		for _, came := range []int{12, 24, 30} {
			list := listed(t, h)
			if len(model.Requests()) != came || len(list) != 30-came {
				t.Fatalf("%d of 30 have come, and %d are left; want %d to have come", len(model.Requests()), len(list), came)
			}
			for _, s := range list {
				if !strings.Contains(s.Error, "12 planned prompts came to the session in 10 minutes") {
					t.Errorf("of one that waits the list says %q", s.Error)
				}
			}
			<-time.After(11 * time.Minute)
		}
	})
	synctest.Test(t, func(t *testing.T) { // the shortest interval is not slowed down
		h := agenttest.Open(t, t.TempDir(), agenttest.Options(t, says(60)))
		a := agenttest.Agent(t, h, "a")
		plan(t, a, agent.Plan{Prompt: "tick", Every: "1m"})
		<-time.After(time.Hour + time.Second)
		if s := listed(t, h)[0]; s.Runs != 60 || s.Skipped != 0 || s.Error != "" {
			t.Errorf("in an hour came %+v, want 60", s)
		}
	})
}

func TestACronLineGoesByTheClocksOfItsZone(t *testing.T) {
	if _, err := time.LoadLocation("Europe/Berlin"); err != nil {
		t.Skipf("this system has no time zones: %v", err)
	}
	synctest.Test(t, func(t *testing.T) {
		<-time.After(84 * 24 * time.Hour) // 2000-03-25; the clocks go forward on the 26th
		h := agenttest.Open(t, t.TempDir(), agenttest.Options(t, says(3)))
		a := agenttest.Agent(t, h, "a")
		sub := subscribe(t, a)
		plan(t, a, agent.Plan{Prompt: "nightly", Cron: "30 2 * * *", TZ: "Europe/Berlin"})
		for _, want := range []string{"2000-03-25T02:30:00+01:00", "2000-03-26T03:00:00+02:00", "2000-03-27T02:30:00+02:00"} {
			finished(t, sub)
			texts := prompts(t, a)
			if got := texts[len(texts)-1]; !strings.HasSuffix(got, "due "+want+"]") {
				t.Errorf("the prompt is %q, want one that was due %s", got, want)
			}
			if at, err := time.Parse(time.RFC3339, want); err != nil || !time.Now().Equal(at) {
				t.Errorf("it came at %s, want %s", time.Now(), want)
			}
		}
	})
}

func TestWhatWasMissedComesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, opts := t.TempDir(), agenttest.Options(t, says(3))
		h, err := agent.Open(t.Context(), dir, opts)
		if err != nil {
			t.Fatal(err)
		}
		a := agenttest.Agent(t, h, "A")
		every := plan(t, a, agent.Plan{Prompt: "tick", Every: "1h"})
		once := plan(t, a, agent.Plan{Prompt: "then", In: "4h"})
		closeHost(t, h)
		<-time.After(5*time.Hour + 20*time.Minute)

		h = agenttest.Open(t, dir, opts)
		a = agenttest.Agent(t, h, "a")
		sub := subscribe(t, a)
		synctest.Wait()
		want := []string{
			"tick\n\n[Schedule " + every.ID + ", every 1h: due 2000-01-01T01:00:00Z; it comes late, at 2000-01-01T05:20:00Z: no host ran then; this prompt stands for 4 times that passed since, too]",
			"then\n\n[Schedule " + once.ID + ", once: due 2000-01-01T04:00:00Z; it comes late, at 2000-01-01T05:20:00Z: no host ran then]",
		}
		if got := prompts(t, a); !slices.Equal(got, want) {
			t.Errorf("prompts = %q\nwant %q", got, want)
		}
		if got := listed(t, h); len(got) != 1 || got[0].Session != "A" || got[0].Next.Format(time.RFC3339) != "2000-01-01T06:00:00Z" {
			t.Errorf("schedules = %+v, want the hourly one at its next full hour", got)
		}
		for len(prompts(t, a)) < 3 {
			finished(t, sub)
		}
		if time.Now().Format(time.RFC3339) != "2000-01-01T06:00:00Z" {
			t.Errorf("the next came at %s", time.Now())
		}
	})
}

func TestAPlanSurvivesTheHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, opts := t.TempDir(), agenttest.Options(t, says(1))
		h, err := agent.Open(t.Context(), dir, opts)
		if err != nil {
			t.Fatal(err)
		}
		plan(t, agenttest.Agent(t, h, "a"), agent.Plan{Prompt: "later", In: "2h"})
		closeHost(t, h)
		<-time.After(time.Hour)

		opts.HoldSchedules = true // a host that can ask no model
		h, err = agent.Open(t.Context(), dir, opts)
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * time.Hour)
		if got := prompts(t, agenttest.Agent(t, h, "a")); len(got) != 0 || h.Planned().Count != 1 {
			t.Errorf("a host that holds schedules has %q, planned %+v", got, h.Planned())
		}
		closeHost(t, h)

		opts.HoldSchedules = false
		a := agenttest.Agent(t, agenttest.Open(t, dir, opts), "a")
		synctest.Wait()
		if got := prompts(t, a); len(got) != 1 || !strings.Contains(got[0], "no host ran then") {
			t.Errorf("prompts = %q", got)
		}
	})
}

func TestTheNextTimeIsSkippedWhileTheLastIsAtWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reached, release := make(chan struct{}), make(chan struct{})
		model := agenttest.NewModel(agenttest.Hold(reached, release, agenttest.Say("slow")), agenttest.Say("fast"))
		h := agenttest.Open(t, t.TempDir(), agenttest.Options(t, model))
		a := agenttest.Agent(t, h, "a")
		sub := subscribe(t, a)
		plan(t, a, agent.Plan{Prompt: "tick", Every: "1h"})
		<-reached
		<-time.After(3*time.Hour + time.Minute)
		if list := listed(t, h); list[0].Skipped != 3 || list[0].Next.Format(time.RFC3339) != "2000-01-01T05:00:00Z" {
			t.Errorf("schedules = %+v, want three times skipped", list)
		}
		if got := prompts(t, a); len(got) != 1 {
			t.Errorf("prompts = %q, want none on top of the first", got)
		}
		close(release)
		finished(t, sub)
		finished(t, sub)
		if got := prompts(t, a); len(got) != 2 || !strings.HasSuffix(got[1], "due 2000-01-01T05:00:00Z; before, 3 times came while the last prompt was at work and was skipped]") {
			t.Errorf("prompts = %q", got)
		}
		if list := listed(t, h); list[0].Skipped != 0 || list[0].Runs != 2 {
			t.Errorf("schedules = %+v", list)
		}
	})
}

func TestAPlannedPromptWaitsForTheUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reached, release := make(chan struct{}), make(chan struct{})
		model := agenttest.NewModel(agenttest.Hold(reached, release, agenttest.Say("one")), agenttest.Say("two"), agenttest.Say("three"))
		h := agenttest.Open(t, t.TempDir(), agenttest.Options(t, model))
		a := agenttest.Agent(t, h, "a")
		sub := subscribe(t, a)
		agenttest.Ask(t, a, "q1", "first")
		<-reached
		plan(t, a, agent.Plan{Prompt: "planned", In: "5m"})
		<-time.After(10 * time.Minute)
		agenttest.Ask(t, a, "q2", "second")
		close(release)
		for range 3 {
			finished(t, sub)
		}
		got := prompts(t, a)
		if len(got) != 3 || got[1] != "second" || !strings.HasPrefix(got[2], "planned") || !strings.Contains(got[2], "it comes late, at 2000-01-01T00:10:00Z: the session was at work") {
			t.Errorf("prompts = %q, want the user's before the planned one", got)
		}
	})
}

func TestAPlannedPromptDeniesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var acted atomic.Int32
		model := agenttest.NewModel(agenttest.Call(use("c1", "write", "y")), agenttest.Say("written"), agenttest.Say("looked"))
		opts := agenttest.Options(t, model, write(&acted))
		opts.Mode = permission.ModeAsk
		dir := t.TempDir()
		h, err := agent.Open(t.Context(), dir, opts)
		if err != nil {
			t.Fatal(err)
		}
		a := agenttest.Agent(t, h, "a")
		plan(t, a, agent.Plan{Prompt: "planned", In: "5m"})
		gone := plan(t, a, agent.Plan{Prompt: "never", In: "6m"})
		agenttest.Ask(t, a, "q1", "write it")
		<-time.After(time.Hour) // the call waits, and so do the planned prompts
		if err := h.CancelSchedule(t.Context(), gone.ID); err != nil {
			t.Errorf("cancelling a schedule that is due: %v", err)
		}
		closeHost(t, h)

		h = agenttest.Open(t, dir, opts)
		a = agenttest.Agent(t, h, "a")
		sub := subscribe(t, a)
		<-time.After(time.Hour)
		if got := prompts(t, a); len(got) != 1 {
			t.Errorf("prompts = %q while a decision is wanted", got)
		}
		if err := a.Decide(t.Context(), "c1", agent.Decision{Approved: true}); err != nil {
			t.Fatalf("the call does not wait any more: %v", err)
		}
		finished(t, sub)
		finished(t, sub)
		if got := prompts(t, a); len(got) != 2 || !strings.HasPrefix(got[1], "planned") || acted.Load() != 1 {
			t.Errorf("prompts = %q, and the tool acted %d times", got, acted.Load())
		}
		if list := listed(t, h); len(list) != 0 {
			t.Errorf("schedules = %+v", list)
		}
	})
}

func TestAParkedFiringIsNotStacked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var acted atomic.Int32
		model := agenttest.NewModel(agenttest.Call(use("c1", "write", "y")), agenttest.Say("written"), agenttest.Say("again"))
		opts := agenttest.Options(t, model, write(&acted))
		opts.Mode = permission.ModeAsk
		h := agenttest.Open(t, t.TempDir(), opts)
		a := agenttest.Agent(t, h, "a")
		sub := subscribe(t, a)
		plan(t, a, agent.Plan{Prompt: "tick", Every: "1h"})
		if end := finished(t, sub); end.Reason != chat.FinishApproval {
			t.Fatalf("the first ended with %+v", end)
		}
		<-time.After(4*time.Hour + time.Minute)
		if list := listed(t, h); list[0].Skipped != 4 {
			t.Errorf("schedules = %+v, want four times skipped", list)
		}
		if err := a.Decide(t.Context(), "c1", agent.Decision{Approved: true}); err != nil {
			t.Fatal(err)
		}
		finished(t, sub)
		if got := prompts(t, a); len(got) != 1 || acted.Load() != 1 {
			t.Errorf("prompts = %q, and the tool acted %d times", got, acted.Load())
		}
		finished(t, sub)
		if time.Now().Format(time.RFC3339) != "2000-01-01T06:00:00Z" {
			t.Errorf("the next came at %s", time.Now())
		}
	})
}

func TestAScheduleThatCannotFireSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := agenttest.Options(t, says(1))
		h := agenttest.Open(t, t.TempDir(), opts)
		a := agenttest.Agent(t, h, "a")
		sub := subscribe(t, a)
		once := plan(t, a, agent.Plan{Prompt: "once", In: "30m"})
		plan(t, a, agent.Plan{Prompt: "tick", Every: "1h"})
		if err := os.Remove(opts.Workdir); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Hour + time.Minute)
		list := listed(t, h)
		if len(list) != 2 || list[1].ID != once.ID || !list[1].Next.IsZero() || list[0].Next.IsZero() {
			t.Fatalf("schedules = %+v; want the interval to go on and the other to stay without a next time", list)
		}
		for _, s := range list {
			if !strings.Contains(s.Error, "working in "+opts.Workdir) {
				t.Errorf("schedule %s says %q", s.ID, s.Error)
			}
		}
		if p := h.Planned(); p.Count != 1 {
			t.Errorf("planned is %+v, want the interval alone", p)
		}
		if err := os.Mkdir(opts.Workdir, 0o700); err != nil {
			t.Fatal(err)
		}
		finished(t, sub)
		if list = listed(t, h); list[0].Error != "" || list[0].Runs != 1 {
			t.Errorf("schedules = %+v; want the interval to have come", list)
		}
	})
}

func TestSchedulesGoWithTheirSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := agenttest.Open(t, t.TempDir(), agenttest.Options(t, says(1)))
		plan(t, agenttest.Agent(t, h, "a"), agent.Plan{Prompt: "x", In: "1h"})
		b := agenttest.Agent(t, h, "b")
		kept := plan(t, b, agent.Plan{Prompt: "y", In: "2h"})
		if err := h.Delete(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if list := listed(t, h); len(list) != 1 || list[0].ID != kept.ID || h.Planned().Count != 1 {
			t.Errorf("schedules = %+v, planned %+v; want that of the other session", list, h.Planned())
		}
		if err := b.Clear(t.Context()); err != nil || len(listed(t, h)) != 1 {
			t.Errorf("clearing the transcript (%v) left schedules %+v", err, listed(t, h))
		}
		var none *agent.NoScheduleError
		if err := h.CancelSchedule(t.Context(), "s-none"); !errors.As(err, &none) {
			t.Errorf("cancelling what is not there: %v", err)
		}
		if err := agenttest.Agent(t, h, "c").CancelSchedule(t.Context(), kept.ID); !errors.As(err, &none) {
			t.Errorf("cancelling a schedule of another session: %v", err)
		}
	})
}

func TestTheClockMayBeSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ahead atomic.Int64
		opts := agenttest.Options(t, says(1))
		opts.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		h := agenttest.Open(t, t.TempDir(), opts)
		a := agenttest.Agent(t, h, "a")
		sub := subscribe(t, a)
		plan(t, a, agent.Plan{Prompt: "x", In: "10h"})
		<-time.After(time.Hour)
		ahead.Store(int64(24 * time.Hour)) // or the machine slept
		jumped := time.Now()
		finished(t, sub)
		if took := time.Since(jumped); took > time.Minute {
			t.Errorf("after the clock was set it took %s", took)
		}
		if got := prompts(t, a); !strings.Contains(got[0], "or the machine slept") {
			t.Errorf("prompts = %q", got)
		}
	})
}

func TestAPageMayCancelAndNotPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := agenttest.Open(t, t.TempDir(), agenttest.Options(t, says(0)))
		a := agenttest.Agent(t, h, "a")
		call := func(page bool, method, arg string) (any, error) {
			ctx := agent.WithCaller(t.Context(), agent.Caller{Connection: "c", Page: page})
			return a.Call(ctx, method, []json.RawMessage{json.RawMessage(arg)})
		}
		if _, err := call(true, "schedule", `{"prompt":"x","in":"1h"}`); err == nil {
			t.Error("a page has planned a prompt")
		}
		made, err := call(false, "schedule", `{"prompt":"x","in":"1h"}`)
		if err != nil {
			t.Fatal(err)
		}
		list, err := call(true, "listSchedules", `null`)
		if got, _ := list.([]agent.Schedule); err != nil || len(got) != 1 || got[0].ID != made.(agent.Schedule).ID {
			t.Errorf("a page sees %+v, %v", list, err)
		}
		id, err := json.Marshal(made.(agent.Schedule).ID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := call(true, "cancelSchedule", string(id)); err != nil || len(listed(t, h)) != 0 {
			t.Errorf("a page cancels: %v, left %+v", err, listed(t, h))
		}
	})
}

func TestClientsNeitherMakeNorLoseTheMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := agenttest.Open(t, t.TempDir(), agenttest.Options(t, says(2)))
		a := agenttest.Agent(t, h, "a")
		sub := subscribe(t, a)
		plan(t, a, agent.Plan{Prompt: "x", In: "1h"})
		finished(t, sub)
		sent, err := a.Messages(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		mark := string(sent[0].Metadata)
		sent = slices.Clone(sent) // what an agent gives is its own
		sent[0].Metadata = nil
		sent = append(sent, chat.Message{
			ID: "u2", Role: chat.User, Parts: []chat.Part{chat.Text{Text: "mine"}},
			Metadata: json.RawMessage(`{"\u0073chedule":{"id":"s-forged"}}`),
		})
		if err := a.Prompt(t.Context(), agent.Prompt{ID: "q", Messages: sent, Client: "page"}); err != nil {
			t.Fatal(err)
		}
		finished(t, sub)
		got, err := a.Messages(t.Context())
		if err != nil || len(got) != 4 || string(got[0].Metadata) != mark || got[2].Metadata != nil {
			t.Errorf("messages = %+v, %v; want the first marked as it was and the third not", got, err)
		}
	})
}
