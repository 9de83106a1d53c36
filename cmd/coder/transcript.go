package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/agent/store"
	"github.com/coder-agent/coder/cmd/internal/headless"
	"github.com/coder-agent/coder/tools"
)

// A transcript is a session as it is on disk, which is where a host that runs has what it tells: so it is read there,
// with what the host does not show to clients, the steps.
type transcript struct {
	session  agent.Session
	messages []chat.Message         // that of the open turn as far as it is
	queued   []chat.Message         // prompts that wait for their turn
	waiting  []chat.ToolCall        // for a decision
	asking   []chat.ToolCall        // for an answer
	asked    map[string]chat.Judged // the questions about them
	below    []headless.Approval    // calls of sub-agents for which calls of this session wait
	rules    []store.Rule
	last     store.Turn // that is done
	resumes  bool       // a host that starts now will go on with a turn, of this session or another
}

// transcript reads a session.
func (a *app) transcript(ctx context.Context, c config, name string) (transcript, error) {
	list, err := a.sessions(ctx, c)
	if err != nil {
		return transcript{}, err
	}
	i := slices.IndexFunc(list, func(s agent.Session) bool { return strings.EqualFold(s.Name, name) })
	if i < 0 {
		return transcript{}, &agent.NoSessionError{Name: name}
	}
	t := transcript{session: list[i], resumes: nameOf(list, agent.Interrupted) != ""}
	return t, read(ctx, c.DataDir, func(s *store.Store) error { return t.read(ctx, s) })
}

// nextStep says how to go on with what the session waits for, or else how to see it.
func (t *transcript) nextStep() string {
	name := t.session.Name
	switch {
	case len(t.approvals()) > 0:
		return "it waits for a decision: coder approve " + name + ", or coder deny " + name
	case len(t.asking) > 0:
		return "it asks you something: coder answer " + name
	}
	return "see it with: coder sessions show " + name
}

// nameOf returns the name of the first session with the status, or "".
func nameOf(list []agent.Session, status agent.Status) string {
	for _, s := range list {
		if s.Status == status {
			return s.Name
		}
	}
	return ""
}

// goingOn says of a missing key which session a host would go on with.
func goingOn(name string, err error) error {
	if _, ok := errors.AsType[*KeyError](err); ok {
		return fmt.Errorf("a host is needed, and goes on with session %s: %w", name, err)
	}
	return err
}

// read reads the messages, and the turns before and after them: when a turn has begun or ended meanwhile it looks again.
func (t *transcript) read(ctx context.Context, s *store.Store) error {
	key := strings.ToLower(t.session.Name)
	for {
		turns, err := s.Turns(ctx, key)
		if err != nil {
			return err
		}
		if err := t.fold(ctx, s, key, turns); err != nil {
			return err
		}
		again, err := s.Turns(ctx, key)
		if err != nil || slices.EqualFunc(turns, again, sameTurn) {
			return err
		}
	}
}

func sameTurn(a, b store.Turn) bool { return a.ID == b.ID && a.Status == b.Status }

// fold adds the events of the open turn to the settled messages.
func (t *transcript) fold(ctx context.Context, s *store.Store, key string, turns []store.Turn) error {
	settled, err := s.Messages(ctx, key)
	if err != nil {
		return err
	}
	script := chat.NewTranscript(settled)
	t.queued = nil
	for _, turn := range turns {
		if turn.Status == store.TurnQueued {
			t.queued = append(t.queued, slices.DeleteFunc(turn.Prompt, func(m chat.Message) bool { return m.Role != chat.User })...)
			continue
		}
		events, err := s.Events(ctx, key, turn.ID)
		if err != nil {
			return err
		}
		for _, body := range events {
			e, err := chat.DecodeEvent(body)
			if err != nil {
				return fmt.Errorf("reading turn %s: %w", turn.ID, err)
			}
			script.Apply(e)
		}
	}
	t.messages, t.waiting, t.asking = script.Snapshot(), script.Waiting(), script.Questions()
	t.asked = map[string]chat.Judged{}
	if t.below, err = below(ctx, s, key, script.WaitingTasks()); err != nil {
		return err
	}
	for _, c := range t.waiting {
		if asked, ok := script.Asked(c.ID); ok {
			t.asked[c.ID] = asked
		}
	}
	if t.rules, err = s.Rules(ctx, key); err != nil {
		return err
	}
	t.last, _, err = s.LastTurn(ctx, key)
	return err
}

// approvals are the calls that wait, as they were asked for.
func (t *transcript) approvals() (list []headless.Approval) {
	summary := summaries()
	for _, c := range t.waiting {
		asked := t.asked[c.ID]
		list = append(list, headless.Approval{
			ToolCallID: c.ID, ToolName: c.Name, Input: c.Input, Summary: summary(c), Reason: asked.Reason, Question: asked.Question,
		})
	}
	return append(list, t.below...)
}

// undecided are the calls that wait for a decision, those of sub-agents too.
func (t transcript) undecided() []chat.ToolCall {
	list := slices.Clone(t.waiting)
	for _, a := range t.below {
		list = append(list, chat.ToolCall{ID: a.ToolCallID, Name: a.ToolName, Input: a.Input})
	}
	return list
}

// below reads from the sessions below what they wait for, named as from the session with the key.
func below(ctx context.Context, s *store.Store, key string, tasks []chat.Task) (list []headless.Approval, err error) {
	for _, task := range tasks {
		for _, w := range task.Waits {
			child := transcript{session: agent.Session{Name: w.Session}}
			if err := child.fold(ctx, s, strings.ToLower(w.Session), nil); err != nil {
				return nil, err
			}
			for _, a := range child.approvals() {
				if a.Session == "" && a.ToolCallID == w.ToolCallID {
					a.ToolCallID, a.Session = agent.TaskCallID(key, w), w.Session
					list = append(list, a)
				}
			}
		}
	}
	return list, nil
}

// print prints the transcript for people.
func (t *transcript) print(out io.Writer) error {
	doc := headless.Transcript{
		Session: t.session.Name, Messages: t.messages, Queued: t.queued, Summary: summaries(), Show: tools.Show, Asks: asksOf(), End: t.end(),
	}
	doc.Open = string(t.session.Status)
	return headless.PrintTranscript(out, doc)
}

// waitsFor says who goes on with a session that the running host leaves alone.
func waitsFor(s agent.Session) string {
	return fmt.Sprintf("waits for a host of %s; a prompt has the running one take over: coder run --session %s", plain.Line(s.Provider, 200), s.Name)
}

// end says how it stands with the session.
func (t *transcript) end() string {
	name := t.session.Name
	switch t.session.Status {
	case agent.Running:
		return "It is running."
	case agent.Interrupted:
		if t.session.Provider != "" {
			return "It was interrupted, and " + waitsFor(t.session) + "."
		}
		return "It was interrupted: no host runs. The next one that asks the same provider goes on with it."
	case agent.Waiting:
		n := len(t.waiting) + len(t.below)
		if n == 0 {
			break // for a client
		}
		if n > 1 {
			return fmt.Sprintf("%d calls wait for your decision: coder approve %s CALL, or coder deny %s CALL; --all decides on all", n, name, name)
		}
		return fmt.Sprintf("It waits for your decision: coder approve %s, or coder deny %s", name, name)
	}
	if len(t.asking) > 0 {
		return "It waits for your answer: coder answer " + name
	}
	switch t.last.Reason {
	case "", chat.FinishStop:
		return ""
	case chat.FinishError:
		return "The last turn failed: " + plain.Line(t.last.Error, 300)
	}
	end := "The last turn: " + headless.Ending(t.last.Reason)
	if t.last.Error != "" {
		end += ": " + plain.Line(t.last.Error, 300)
	}
	return end
}

// summaries returns what puts a call into one line, as the tool itself does.
func summaries() func(chat.ToolCall) string {
	known := make(map[string]agent.Tool)
	for _, tool := range tools.All(tools.Options{Search: new(tools.Search)}) {
		known[tool.Name] = tool
	}
	return func(c chat.ToolCall) string {
		if tool, ok := known[c.Name]; ok {
			if action, err := tool.Action(c.Input); err == nil {
				return action.Summary
			}
		}
		return string(c.Input)
	}
}
