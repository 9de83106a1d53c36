package tui

import (
	"errors"
	"fmt"
	"math"
	"slices"

	tea "charm.land/bubbletea/v2"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/cmd/internal/headless"
	"github.com/coder-agent/coder/server/client"
)

// How much of a session's past is asked for, and how much of that is printed, when it is opened. The rest is asked for when somebody wants to
// see it.
const (
	askMessages  = 60
	pastMessages = 12
	pastLines    = 200
)

// loaded is the end of the transcript as the agent has it.
type loaded struct {
	by   Session
	past struct {
		Before   int // messages that stand before these
		Messages []chat.Message
	}
	told []client.Update // before the agent has answered
	err  error
}

// load asks for the end of the transcript. Nobody else takes what the session tells meanwhile: what of it comes before the answer may be in
// the transcript already, and is handed over with it.
func (m *model) load() tea.Cmd {
	m.loading = true
	session := m.session
	return func() tea.Msg {
		l := loaded{by: session, err: client.ErrLost}
		for errors.Is(l.err, client.ErrLost) {
			l.err = session.Call(m.ctx, "recentMessages", &l.past, askMessages)
		}
		l.told = m.ready(session, math.MaxInt)
		return l
	}
}

// loadedTranscript shows the transcript, as far as it is not shown, and then takes what came meanwhile.
func (m *model) loadedTranscript(l loaded) tea.Cmd {
	if l.by != m.session {
		return nil
	}
	m.loading = false
	early := slices.Concat(m.early, l.told)
	m.early = nil
	for _, u := range early {
		if state, ok := u.(client.State); ok {
			m.doc.decode(state.State) // whether a turn runs
		}
	}
	switch {
	case l.err != nil:
		m.failed("reading the transcript", l.err)
	case !m.shown:
		m.shown = true
		m.overlaps = m.doc.Status == "running" || slices.ContainsFunc(early, starts)
		m.before = l.past.Before
		m.showPast(l.past.Messages)
	case m.turn == "":
		m.overlaps = m.doc.Status == "running" || slices.ContainsFunc(early, starts)
		m.before = l.past.Before
		m.showMissed(l.past.Messages)
	}
	var cmds []tea.Cmd
	for _, u := range early {
		cmds = append(cmds, m.apply(u))
	}
	if l.err == nil {
		cmds = append(cmds, m.input.Restore(func(id string) bool { return m.seen[id] || m.sending(id) }))
	}
	return tea.Batch(append(cmds, m.waiting(), m.askedUser(), m.next())...)
}

func starts(u client.Update) bool {
	e, ok := u.(client.Event)
	if !ok {
		return false
	}
	_, ok = e.Event.(chat.TurnStarted)
	return ok
}

// showPast prints the end of the transcript. The message of a turn that runs waits for that turn's first event, which tells what
// of it comes again.
func (m *model) showPast(messages []chat.Message) {
	for _, message := range messages {
		m.seen[message.ID] = true
	}
	end := len(messages)
	if m.overlaps && end > 0 && messages[end-1].Role == chat.Assistant {
		end--
	}
	first := m.firstShown(messages[:end])
	if n := first + m.before; n > 0 {
		m.tell(fmt.Sprintf("… %s before this: Ctrl+X shows all, /export writes it to a file", plural(n, "message")))
	}
	for i := first; i < end; i++ {
		m.showSettled(messages, i)
	}
	m.script = chat.NewTranscript(messages)
}

// firstShown finds where the part begins that is printed: few messages, and not too many lines.
func (m *model) firstShown(messages []chat.Message) int {
	first := max(0, len(messages)-pastMessages)
	lines := 0
	for i := len(messages) - 1; i > first; i-- {
		for _, p := range messages[i].Parts {
			if t, ok := p.(chat.Text); ok {
				lines += len(t.Text)/max(m.width, 20) + 2
			} else {
				lines++
			}
		}
		if lines > pastLines {
			return i
		}
	}
	return first
}

// showSettled prints one message of a transcript.
func (m *model) showSettled(messages []chat.Message, i int) {
	message := messages[i]
	if message.Role != chat.Assistant {
		who := ""
		if headless.Planned(message) {
			who = "a schedule"
		}
		m.printPrompt(message.Text(), who)
		return
	}
	m.script = chat.NewTranscript(messages[: i+1 : i+1])
	m.advance(i < len(messages)-1 || !m.waits())
}

// waits reports whether the last message waits for somebody.
func (m *model) waits() bool { return len(m.script.Waiting()) > 0 || len(m.script.Delegated()) > 0 }

// showMissed prints what has come while we were away, but for the message of a turn that runs, as showPast does.
func (m *model) showMissed(messages []chat.Message) {
	from := slices.IndexFunc(messages, func(c chat.Message) bool { return c.ID == m.answer.id })
	if from < 0 {
		for from = len(messages); from > 0 && !m.seen[messages[from-1].ID]; from-- {
		}
	}
	end := len(messages)
	if m.overlaps && end > 0 && messages[end-1].Role == chat.Assistant && messages[end-1].ID != m.answer.id {
		end--
	}
	for i := from; i < end; i++ {
		if messages[i].Role == chat.Assistant || !m.seen[messages[i].ID] {
			m.seen[messages[i].ID] = true
			m.showSettled(messages, i)
		}
	}
	m.script = chat.NewTranscript(messages)
}

// whole hands over all messages of the session, those too that were never asked for.
func (m *model) whole(deed string, use func(*model, []chat.Message) tea.Cmd) tea.Cmd {
	if m.before == 0 {
		return use(m, m.script.Snapshot())
	}
	var messages []chat.Message
	return m.call(func(m *model, err error) tea.Cmd {
		if err != nil {
			m.failed(deed, err)
			return nil
		}
		return use(m, messages)
	}, "getMessages", &messages)
}

// cutAt drops the message of the turn that comes now, with all of its events.
func (m *model) cutAt(id string) {
	m.overlaps = false
	m.script = chat.NewTranscript(headless.Before(m.script.Snapshot(), id))
}

// release lets a turn go on that began before we came: its first event after the start names the call that was decided first. What the
// message holds before that is the transcript's.
func (m *model) release(next chat.Event) {
	messages := m.script.Snapshot()
	if called, ok := next.(chat.ToolCalled); ok {
		messages = headless.BeforeCall(messages, called.ToolCallID)
	}
	m.script = chat.NewTranscript(messages)
	m.script.Apply(*m.held)
	m.held = nil
}
