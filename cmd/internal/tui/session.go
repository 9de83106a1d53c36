package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/cmd/internal/headless"
	"github.com/coder-agent/coder/server/client"
)

// told is what a session has told since the last time.
type told struct {
	by      Session
	updates []client.Update
	err     error // why it has ended
}

// mostUpdates bounds how many updates are taken before keys are looked at again.
const mostUpdates = 256

// next waits for what the session tells, and takes what has come by then.
func (m *model) next() tea.Cmd {
	session := m.session
	return func() tea.Msg {
		u, err := session.Next(m.ctx)
		t := told{by: session, err: err}
		if err != nil {
			return t
		}
		t.updates = append([]client.Update{u}, m.ready(session, mostUpdates)...)
		return t
	}
}

// ready takes what the session has told already.
func (m *model) ready(session Session, most int) (updates []client.Update) {
	now, stop := context.WithCancel(m.ctx)
	stop()
	for len(updates) < most {
		u, err := session.Next(now)
		if err != nil {
			break // nothing more has come; if the session has ended, the next call says so
		}
		updates = append(updates, u)
	}
	return updates
}

func (m *model) told(t told) tea.Cmd {
	if t.by != m.session {
		return nil
	}
	var cmds []tea.Cmd
	for _, u := range t.updates {
		if m.loading && !early(u) {
			m.early = append(m.early, u)
			continue
		}
		cmds = append(cmds, m.apply(u))
	}
	if t.err != nil {
		m.end(t.err)
		return tea.Batch(cmds...)
	}
	if !m.loading {
		cmds = append(cmds, m.next())
	}
	return tea.Batch(cmds...)
}

// early reports whether the update can be taken before the transcript is there.
func early(u client.Update) bool {
	switch u.(type) {
	case client.Connected, client.Disconnected, client.State:
		return true
	}
	return false
}

// end takes the end of the session.
func (m *model) end(err error) {
	m.quits = true
	if m.ctx.Err() != nil && errors.Is(err, context.Cause(m.ctx)) {
		return
	}
	m.ended = err
}

// apply takes one update of the session.
func (m *model) apply(u client.Update) tea.Cmd {
	switch u := u.(type) {
	case client.State:
		return m.state(u)
	case client.Event:
		return m.event(u)
	case client.TurnEnded:
		return m.turnEnded(u)
	case client.Messages:
		m.messages(u)
	case client.MessageUpdated:
		m.messageUpdated(u)
	case client.Cleared:
		m.tell(headless.Who(u.Client) + " emptied the transcript")
		m.before = 0
		m.script, m.seen, m.answer = chat.NewTranscript(nil), map[string]bool{}, answer{}
	case client.Disconnected:
		if m.lost.IsZero() {
			m.warn("connection lost (" + plain.Line(u.Err.Error(), 200) + "); connecting again")
		}
		m.lost = m.opts.Now().Add(u.Wait)
	case client.Connected:
		if !m.lost.IsZero() {
			m.lost = time.Time{}
			m.tell("connected again")
			return m.catchUp()
		}
	}
	return nil
}

// catchUp asks for what others have said and been answered while the connection was down. A turn that we have seen begin, or a prompt of
// ours, comes with its events.
func (m *model) catchUp() tea.Cmd {
	if m.turn != "" || m.loading || len(m.outbox) > 0 {
		return nil
	}
	return m.load()
}

// state takes the state document.
func (m *model) state(u client.State) tea.Cmd {
	before, was := m.doc, m.known
	if !m.doc.decode(u.State) {
		return nil
	}
	m.known = true
	if was && before.Model != m.doc.Model {
		m.tell("model: " + plain.Line(m.doc.Model, 80))
	}
	if was && before.Mode != m.doc.Mode {
		m.tell("mode: " + plain.Line(m.doc.Mode, 20))
	}
	if !was && m.doc.Status == "running" {
		m.since = m.opts.Now()
	}
	m.forgetAnswers()
	return tea.Batch(m.waiting(), m.askedUser())
}

// event takes one event of a turn.
func (m *model) event(u client.Event) tea.Cmd {
	if m.held != nil {
		m.release(u.Event)
	}
	m.turn, m.retry = u.Turn, ""
	switch e := u.Event.(type) {
	case chat.TurnStarted:
		m.turnStarted(u, e)
		return nil
	case chat.ToolStarted:
		m.begun[e.ToolCallID] = m.opts.Now()
	case chat.Steered:
		if i := slices.Index(m.steered, e.Text); i >= 0 {
			m.steered = slices.Delete(m.steered, i, i+1)
		}
	case chat.TaskGiven:
		m.tasks[e.ToolCallID] = e.Session
	case chat.Retrying:
		m.retry = fmt.Sprintf("asking again in %s (%d of %d): %s", headless.Seconds(e.Wait), e.Attempt, e.Of, plain.Line(e.Reason, 200))
	case chat.Interrupted:
		if !e.Cancelled {
			m.retry = "asking again: " + plain.Line(e.Reason, 200)
		}
	case chat.Decided:
		m.decided(e)
	case chat.TurnFinished:
		m.script.Apply(e)
		m.finished(e)
		return nil
	}
	m.script.Apply(u.Event)
	m.advance(false)
	return nil
}

// turnStarted begins a turn: the prompt that it answers is in the transcript now.
func (m *model) turnStarted(u client.Event, e chat.TurnStarted) {
	m.since = m.opts.Now()
	if e.MessageID == "" {
		if m.overlaps {
			m.held, m.overlaps = &e, false
			return
		}
		m.script.Apply(e)
		return
	}
	if m.overlaps {
		m.cutAt(e.MessageID)
	}
	m.advance(true)
	if i := slices.IndexFunc(m.outbox, func(s sent) bool { return s.turn == u.Turn }); i >= 0 {
		m.prompted(m.outbox[i].message, "")
		m.outbox = slices.Delete(m.outbox, i, i+1)
	} else if len(m.others) > 0 {
		m.prompted(m.others[0], m.who(u.Client))
		m.others = m.others[1:]
	}
	m.script.Apply(e)
}

// prompted adds a prompt to the transcript, unless it is there.
func (m *model) prompted(message chat.Message, who string) {
	if m.seen[message.ID] {
		return
	}
	if i := slices.Index(m.late, message.Text()); i >= 0 {
		who, m.late = "", slices.Delete(m.late, i, i+1)
	}
	if headless.Planned(message) {
		who = "a schedule"
	}
	m.advance(true)
	m.script.Append(message)
	m.seen[message.ID] = true
	m.printPrompt(message.Text(), who)
}

// who names a client that has prompted. A prompt of nobody's was put into a turn that had ended by then, by a client of which no more
// is known; only a sub-agent is prompted by the agent itself.
func (m *model) who(by string) string {
	if by == "" && !strings.Contains(m.about.Name, "/sub/") {
		return "another client"
	}
	return headless.Who(by)
}

// finished prints how the turn ended.
func (m *model) finished(e chat.TurnFinished) {
	m.advance(e.Reason != chat.FinishApproval && e.Reason != chat.FinishClient && e.Reason != chat.FinishQuestion)
	m.turn, m.retry, m.steered, m.late = "", "", nil, m.steered
	switch e.Reason {
	case chat.FinishStop, chat.FinishApproval, chat.FinishQuestion:
	case chat.FinishError:
		m.fail(plain.Text(e.Error), e.Hint)
	case chat.FinishCancelled:
		m.warn("stopped")
	case chat.FinishClient:
		m.tell("parked until a client answers, whose tool was called; a new prompt goes on without it")
	default:
		m.warn(headless.Ending(e.Reason))
		if e.Error != "" {
			m.fail(plain.Line(e.Error, 300), e.Hint)
		}
	}
	m.notify(e.Reason)
}

// turnEnded takes the end of a turn: of one that we have seen, of one that ended out of sight, or of a prompt that was not taken.
func (m *model) turnEnded(u client.TurnEnded) tea.Cmd {
	if i := slices.IndexFunc(m.outbox, func(s sent) bool { return s.turn == u.Turn }); i >= 0 {
		s := m.outbox[i]
		m.outbox = slices.Delete(m.outbox, i, i+1)
		return m.refused(s, u)
	}
	running := m.turn == u.Turn
	switch {
	case running:
		m.turn, m.retry, m.steered = "", "", nil
	case u.Cancelled && len(m.others) > 0:
		m.others = m.others[1:] // somebody has taken back what waited
	}
	switch {
	case u.Lost:
		m.tell("the turn ended while the connection was down; what came of it:")
		return m.load()
	case running && u.Error != "":
		m.advance(true)
		m.fail(u.Error, u.Hint)
	case running:
		m.advance(len(m.pending) == 0 && len(m.doc.Questions) == 0)
	}
	return nil
}

// refused takes the end of a prompt of ours that has begun no turn.
func (m *model) refused(s sent, u client.TurnEnded) tea.Cmd {
	switch {
	case s.withdrawn:
		return nil
	case u.Cancelled:
		m.tell("cancelled before its turn: " + plain.Line(s.Text, 80))
	case u.Error != "":
		m.printPrompt(s.Text, "")
		m.fail(u.Error, u.Hint)
		if m.input.Empty() {
			m.input.SetValue(s.Text) // nobody types it twice
		}
	case u.Lost:
		return m.load()
	}
	return nil
}

// messages takes the whole transcript: somebody else has prompted, or their turn is over.
func (m *model) messages(u client.Messages) {
	for _, message := range u.Messages[m.lastSeen(u.Messages):] {
		if message.Role != chat.User || m.seen[message.ID] || m.sending(message.ID) {
			continue
		}
		if m.turn != "" {
			if slices.ContainsFunc(m.others, func(o chat.Message) bool { return o.ID == message.ID }) {
				continue
			}
			m.others = append(m.others, message)
			continue
		}
		m.prompted(message, m.who(u.Client))
	}
}

// lastSeen is where the messages begin that can be new: behind the last prompt that is known. What stands before those that were
// asked for is known, too.
func (m *model) lastSeen(messages []chat.Message) int {
	for i, message := range slices.Backward(messages) {
		if m.seen[message.ID] {
			return i + 1
		}
	}
	return min(m.before, len(messages))
}

func (m *model) sending(id string) bool {
	return slices.ContainsFunc(m.outbox, func(s sent) bool { return s.message.ID == id })
}

// messageUpdated takes a message that has changed outside a turn: somebody has decided.
func (m *model) messageUpdated(u client.MessageUpdated) {
	if m.script.Open() {
		return // its events come
	}
	if last, ok := m.script.TurnMessage(); ok && last.ID == u.Message.ID {
		m.sayDecisions(last, u)
	}
	m.script.Replace(u.Message)
	m.advance(false)
}
