package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
)

// A windowed model says how many tokens it takes.
type windowed struct {
	*agenttest.Model
	window int
}

func (w windowed) Describe(context.Context, string) (chat.ModelInfo, error) {
	return chat.ModelInfo{Window: w.window}, nil
}

// errLong is a provider's refusal of a request that is too long.
type errLong struct{}

func (errLong) Error() string { return "400: maximum context length exceeded" }
func (errLong) TooLong() bool { return true }

// counting is a reply whose request the provider counts with so many tokens.
func counting(tokens int, reply agenttest.Reply) agenttest.Reply {
	return func(ctx context.Context, req chat.Request, yield func(chat.Event) bool) error {
		return reply(ctx, req, func(e chat.Event) bool {
			if a, ok := e.(chat.Answered); ok {
				a.Usage.Input = tokens
				e = a
			}
			return yield(e)
		})
	}
}

// A talk is a session under test.
type talk struct {
	*testing.T
	dir   string
	opts  agent.Options
	model *agenttest.Model
	host  *agent.Host
	a     *agent.CoderAgent
	sub   *agent.Subscription
	turns int
}

func newTalk(t *testing.T, window int, tools ...agent.Tool) *talk {
	t.Helper()
	k := &talk{T: t, dir: t.TempDir(), model: agenttest.NewModel()}
	k.opts = agenttest.Options(t, windowed{k.model, window}, tools...)
	k.opts.System = func(string) (string, error) { return "system", nil }
	k.open()
	return k
}

func (k *talk) open() {
	k.Helper()
	var err error
	if k.host, err = agent.Open(k.Context(), k.dir, k.opts); err != nil {
		k.Fatal(err)
	}
	k.Cleanup(func() { _ = k.host.Close() }) // closed twice by those who close it
	k.a = agenttest.Agent(k, k.host, "a")
	if k.sub, err = k.a.Subscribe(k.Context()); err != nil {
		k.Fatal(err)
	}
}

func (k *talk) close() {
	k.Helper()
	k.sub.Close()
	if err := k.host.Close(); err != nil {
		k.Fatal(err)
	}
}

// turn gives a prompt and returns the turn's events.
func (k *talk) turn(prompt string, replies ...agenttest.Reply) []chat.Event {
	k.Helper()
	k.model.Add(replies...)
	k.turns++
	id := fmt.Sprint("q", k.turns)
	agenttest.Ask(k, k.a, id, prompt)
	return agenttest.Finish(k, k.sub, id)
}

func (k *talk) messages() []chat.Message {
	k.Helper()
	messages, err := k.a.Messages(k.Context())
	if err != nil {
		k.Fatal(err)
	}
	return messages
}

func (k *talk) last() chat.Request {
	requests := k.model.Requests()
	return requests[len(requests)-1]
}

// extends checks that the last request has all that an earlier one had: 1 is the one before it.
func (k *talk) extends(ago int) {
	k.Helper()
	requests := k.model.Requests()
	before, now := requests[len(requests)-1-ago], requests[len(requests)-1]
	if before.System != now.System || len(now.Messages) < len(before.Messages) {
		k.Fatalf("the last request has %d messages, the one before %d", len(now.Messages), len(before.Messages))
	}
	for i := range len(before.Messages) - 1 {
		if was, is := encoded(k.T, before.Messages[i]), encoded(k.T, now.Messages[i]); was != is {
			k.Errorf("message %d was %.200s and is %.200s", i, was, is)
		}
	}
}

func encoded(t *testing.T, m chat.Message) string {
	t.Helper()
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// mark is the last compaction of events.
func mark(events []chat.Event) (c chat.Compacted, ok bool) {
	for _, e := range events {
		if m, is := e.(chat.Compacted); is {
			c, ok = m, true
		}
	}
	return c, ok
}

func reason(events []chat.Event) chat.TurnFinished { return events[len(events)-1].(chat.TurnFinished) }

var long = strings.Repeat("words and more words. ", 400) // about 2,200 tokens

// TestAFullWindowIsCompacted before the request that would not fit: for the model only. What it still knows is what stands
// in the summary, the user's words, the todo list and the last turns.
func TestAFullWindowIsCompacted(t *testing.T) {
	k := newTalk(t, 100_000, seeing())
	k.turn("first wish: blue", counting(20_000, agenttest.Call(use("c1", "see", "old"))), counting(30_000, agenttest.Say(long)))
	k.turn("second wish: green", counting(70_000, agenttest.Say(long)))
	k.turn("third", counting(90_000, agenttest.Call(use("c2", "see", "new"))), // then 90,000 and some are too many
		counting(91_000, agenttest.Say("SUM", "MARY")), counting(9_000, agenttest.Say("done")))
	requests := k.model.Requests()
	ask, next := requests[len(requests)-2], requests[len(requests)-1]
	if got := ask.Messages[len(ask.Messages)-1].Text(); !strings.Contains(got, "is about to be compacted") || len(ask.Messages) != 7 {
		t.Errorf("the summary is asked for with %d messages, the last %q", len(ask.Messages), got)
	}
	text := next.Messages[0].Text()
	for _, want := range []string{"SUMMARY", "first wish: blue", "second wish: green", "[pending] new", "count as unread"} {
		if !strings.Contains(text, want) {
			t.Errorf("the model reads %q, which lacks %q", text, want)
		}
	}
	if len(next.Messages) != 3 || next.Messages[1].Text() != "third" || strings.Contains(text, "third") {
		t.Errorf("after the compaction the request has %d messages", len(next.Messages))
	}
	messages := k.messages()
	if len(messages) != 6 || messages[0].Text() != "first wish: blue" {
		t.Fatalf("clients have %d messages, want all six", len(messages))
	}
	raw, err := json.Marshal(messages[5])
	if err != nil || !strings.Contains(string(raw), `{"type":"data-compaction","id":"compaction_`) {
		t.Errorf("the answer is stored as %s, %v", raw, err)
	}
	if _, ok, _ := k.a.Seen(t.Context(), "/w/old"); ok {
		t.Error("a file whose reading was compacted away counts as seen")
	}
	if _, ok, _ := k.a.Seen(t.Context(), "/w/new"); !ok {
		t.Error("a file that was read in the kept turn does not count as seen")
	}
	doc := document(t, subscribe(t, k.a).Snapshot.State)
	if doc.Context != (agent.ContextUse{Tokens: 9_005, Window: 100_000}) || doc.Usage.Input != 20_000+30_000+70_000+90_000+91_000+9_000 {
		t.Errorf("the state shows context %+v and usage %+v", doc.Context, doc.Usage)
	}
	k.turn("fourth", agenttest.Say("fine"))
	k.extends(1)
	before := k.last()
	k.close()
	k.open()
	k.turn("fifth", agenttest.Say("fine too"))
	k.extends(1)
	if encoded(t, before.Messages[0]) != encoded(t, k.last().Messages[0]) {
		t.Error("under the next host the summary reads otherwise")
	}
	if _, ok, _ := k.a.Seen(t.Context(), "/w/old"); ok {
		t.Error("under the next host a file that was compacted away counts as seen")
	}
}

// TestALongTurnIsCompactedBetweenItsSteps: no call is parted from its result, and the prompt stays word for word.
func TestALongTurnIsCompactedBetweenItsSteps(t *testing.T) {
	k := newTalk(t, 100_000, look())
	var replies []agenttest.Reply
	for i := range 8 { // the last counts 80,000, and its results are more than what is left but for the answer
		replies = append(replies, counting(10_000*(i+1), agenttest.Call(use(fmt.Sprint("c", i), "look", long), use(fmt.Sprint("d", i), "look", long))))
	}
	events := k.turn("do all of it", append(replies,
		agenttest.Say("first summary"), counting(5_000, agenttest.Call(use("e", "look", "x"))), agenttest.Say("done"))...)
	m, _ := mark(events)
	if m.Status != chat.CompactionDone || !m.Auto || m.Step < 4 || m.Step > 7 || m.Messages != 1 || reason(events).Reason != chat.FinishStop {
		t.Fatalf("the mark is %+v, the turn ends with %+v", m, reason(events))
	}
	said := k.last().Messages
	if len(said) != 2 || said[0].Role != chat.User || !strings.Contains(said[0].Text(), "do all of it") {
		t.Fatalf("the model is sent %+v", said)
	}
	calls := map[string]int{}
	for _, p := range said[1].Parts {
		if c, ok := p.(chat.ToolCall); ok {
			if !c.Finished() {
				t.Errorf("call %s has no result", c.ID)
			}
			calls[c.ID[1:]]++
		}
	}
	if len(said[1].Steps) != 9-m.Step || calls["7"] != 2 || calls["0"] != 0 || calls[fmt.Sprint(m.Step)] != 2 || calls[fmt.Sprint(m.Step-1)] != 0 {
		t.Errorf("%d steps are left, with the calls %v, after a cut at step %d", len(said[1].Steps), calls, m.Step)
	}
	// A second compaction keeps what the first has kept of the user's words.
	k.turn("and then?", counting(95_000, agenttest.Say("hm")))
	events = k.turn("go on", agenttest.Say("second summary"), agenttest.Say("done again"))
	m, _ = mark(events)
	text := k.last().Messages[0].Text()
	if m.Status != chat.CompactionDone || !strings.Contains(text, "second summary") || strings.Contains(text, "first summary") || !strings.Contains(text, "do all of it") {
		t.Errorf("after a second compaction (%+v) the model reads %q", m, text)
	}
}

// TestWhatTheProviderRefusesIsCompacted without the window being known. The request for the summary is smaller than the one
// that was refused.
func TestWhatTheProviderRefusesIsCompacted(t *testing.T) {
	k := newTalk(t, 0)
	k.turn("one", agenttest.Say(long))
	k.turn("two", agenttest.Say(long))
	events := k.turn("three", agenttest.Fail(errLong{}), agenttest.Fail(errLong{}), agenttest.Say("summary"), agenttest.Say("done"))
	if m, _ := mark(events); m.Status != chat.CompactionDone || reason(events).Reason != chat.FinishStop {
		t.Fatalf("the mark is %+v, the turn ends with %+v", m, reason(events))
	}
	requests := k.model.Requests()[2:]
	sizes := make([]int, len(requests))
	for i, r := range requests {
		for _, m := range r.Messages {
			sizes[i] += len(m.Text())
		}
	}
	if len(requests) != 4 || sizes[1] >= sizes[0] || sizes[2] >= sizes[1] || sizes[3] >= sizes[0] {
		t.Errorf("the requests have %v bytes: refused, refused as a summary, summary, answer", sizes)
	}
	k.turn("four", agenttest.Say("fine"))
	k.extends(1)
}

// TestACompactionThatDoesNotHelpIsTheLast: no second one follows before the model has answered.
func TestACompactionThatDoesNotHelpIsTheLast(t *testing.T) {
	k := newTalk(t, 0)
	k.turn("one", agenttest.Say(long))
	k.turn("two", agenttest.Say(long))
	events := k.turn("three", agenttest.Fail(errLong{}), agenttest.Say("summary"), agenttest.Fail(errLong{}))
	end := reason(events)
	if end.Reason != chat.FinishError || !strings.Contains(end.Error, "does not fit into the model's context window") ||
		!strings.Contains(end.Hint, "coder sessions fork a --at MESSAGE") || len(k.model.Requests()) != 5 {
		t.Errorf("after %d requests the turn ends with %+v", len(k.model.Requests()), end)
	}
	// Also when no summary can be had at all, and when nothing stands before the prompt.
	other := newTalk(t, 0)
	end = reason(other.turn("one", agenttest.Fail(errLong{})))
	if end.Reason != chat.FinishError || !strings.Contains(end.Error, "does not fit") || len(other.model.Requests()) != 1 {
		t.Errorf("a single prompt that is too long ends after %d requests with %+v", len(other.model.Requests()), end)
	}
	third := newTalk(t, 0)
	third.turn("one", agenttest.Say(long))
	tooLong := agenttest.Fail(errLong{})
	events = third.turn("two", tooLong, tooLong, tooLong, tooLong, tooLong)
	m, _ := mark(events)
	if end := reason(events); m.Status != chat.CompactionFailed || end.Reason != chat.FinishError || len(third.model.Requests()) != 6 {
		t.Errorf("when no summary fits, the mark is %+v and the turn ends after %d requests with %+v", m, len(third.model.Requests()), end)
	}
}

// TestACompactionOutlivesTheHost: the turn that a crash has cut off owes it again.
func TestACompactionOutlivesTheHost(t *testing.T) {
	k := newTalk(t, 100_000)
	k.turn("one", agenttest.Say(long))
	k.turn("two", counting(95_000, agenttest.Say(long)))
	reached := make(chan struct{})
	k.model.Add(agenttest.Hold(reached, nil, nil, "half a sum"))
	agenttest.Ask(k, k.a, "q3", "three")
	<-reached
	k.close()
	k.model.Add(agenttest.Say("whole summary"), agenttest.Say("done"))
	k.open()
	for k.sub.Snapshot.Turn != nil {
		u, err := k.sub.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := u.(agent.TurnEvent); ok {
			if _, last := e.Event.(chat.TurnFinished); last {
				break
			}
		}
	}
	text := k.last().Messages[0].Text()
	if !strings.Contains(text, "whole summary") || strings.Contains(text, "half a sum") || k.messages()[5].Text() != "done" {
		t.Errorf("after the crash the model reads %q; the messages are %+v", text, k.messages())
	}
	marks := 0
	for _, p := range k.messages()[5].Parts {
		if _, ok := p.(chat.Compaction); ok {
			marks++
		}
	}
	if marks != 1 {
		t.Errorf("the answer has %d marks, want one", marks)
	}
}

// TestAClientCompacts a session that rests, and hears how far it is.
func TestAClientCompacts(t *testing.T) {
	k := newTalk(t, 0, look())
	compact := func() (chat.Compaction, []chat.Compaction, error) {
		var told []chat.Compaction
		v, err := k.a.CallStreaming(t.Context(), "compact", nil, func(v any) { told = append(told, v.(chat.Compaction)) })
		m, _ := v.(chat.Compaction)
		return m, told, err
	}
	if _, _, err := compact(); err == nil || !strings.Contains(err.Error(), "there is nothing to compact") {
		t.Errorf("compacting an empty session: %v", err)
	}
	k.turn("one", agenttest.Say(long))
	if _, _, err := compact(); err == nil || !strings.Contains(err.Error(), "there is nothing to compact") {
		t.Errorf("compacting the only turn: %v", err)
	}
	k.turn("two", counting(3_000, agenttest.Say("short")))
	k.model.Add(counting(3_100, agenttest.Say("summary")))
	m, told, err := compact()
	if err != nil || m.Status != chat.CompactionDone || m.Auto || m.Summary != "summary" || m.Messages != 2 || m.Before <= m.After || m.Usage.Output == 0 {
		t.Errorf("compact gives %+v, %v", m, err)
	}
	if len(told) == 0 || told[0].Status != chat.CompactionRunning || told[0].Before != m.Before {
		t.Errorf("compact tells %+v", told)
	}
	if n := len(k.model.Requests()); n != 3 {
		t.Errorf("%d requests were sent: the compaction must ask once, and nothing else", n)
	}
	if messages := k.messages(); len(messages) != 4 || messages[3].Text() != "short" {
		t.Errorf("clients have the messages %+v", messages)
	}
	k.turn("three", agenttest.Say("fine"))
	if said := k.last().Messages; len(said) != 4 || !strings.Contains(said[0].Text(), "summary") || said[1].Text() != "two" {
		t.Errorf("the next request has %+v", said)
	}
	u, err := rpc(t, k.a, "usage")
	if err != nil || u.(agent.UsageAnswer).Input != 10+3_000+3_100+10 {
		t.Errorf("the usage is %+v, %v; want that of four answers", u, err)
	}
}

// TestACompactionCanBeCancelled, and does not run beside a turn.
func TestACompactionCanBeCancelled(t *testing.T) {
	k := newTalk(t, 0)
	k.turn("one", agenttest.Say(long))
	k.turn("two", agenttest.Say("short"))
	reached, results := make(chan struct{}), make(chan error)
	k.model.Add(agenttest.Hold(reached, nil, nil, "half"))
	go func() {
		_, err := k.a.Call(t.Context(), "compact", nil)
		results <- err
	}()
	<-reached
	if _, err := k.a.Call(t.Context(), "compact", nil); err == nil || !strings.Contains(err.Error(), "a turn of the session runs") {
		t.Errorf("a second compaction: %v", err)
	}
	if err := k.a.Cancel(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if err := <-results; err == nil || err.Error() != "the compaction was cancelled" {
		t.Errorf("a cancelled compaction gives %v", err)
	}
	k.turn("three", agenttest.Say("fine"))
	if said := k.last().Messages; len(said) != 5 || said[0].Text() != "one" {
		t.Errorf("after a cancelled compaction the request has %+v", said)
	}
}

// TestAFailedCompactionLeavesTheRequestAsItIs: the window was only an estimate.
func TestAFailedCompactionLeavesTheRequestAsItIs(t *testing.T) {
	k := newTalk(t, 100_000)
	k.turn("one", agenttest.Say(long))
	k.turn("two", counting(95_000, agenttest.Say(long)))
	var asked atomic.Int32
	silent := func(context.Context, chat.Request, func(chat.Event) bool) error {
		asked.Add(1)
		return errors.New("no summaries today")
	}
	events := k.turn("three", silent, agenttest.Say("done"))
	if m, _ := mark(events); m.Status != chat.CompactionFailed || m.Error != "no summaries today" || reason(events).Reason != chat.FinishStop || asked.Load() != 1 {
		t.Errorf("the mark is %+v after %d tries, the turn ends with %+v", m, asked.Load(), reason(events))
	}
	k.extends(2)
}
