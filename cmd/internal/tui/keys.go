package tui

import (
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/coder-agent/coder/agent/chat"
)

// A key is one that does something when it is pressed a second time.
type key string

const (
	noKey     key = ""
	quitKey   key = "ctrl+c"
	rewindKey key = "esc"
)

// again is how long the second press may take.
const again = 2 * time.Second

// key takes a key: it is for what covers the screen, for a list, for a question, for us, or for the text that is typed.
func (m *model) key(k tea.KeyPressMsg) tea.Cmd {
	name := k.String()
	was := m.armed
	m.armed = noKey
	if name == "ctrl+c" && (m.pager != nil || m.picker != nil || !m.input.Takes(k)) {
		return m.interruptKey(was)
	}
	switch {
	case m.pager != nil:
		m.pagerKey(name)
		return m.uncovered()
	case m.picker != nil:
		return tea.Batch(m.pickerKey(k), m.uncovered())
	case m.answers():
		return m.answerKey(k)
	case m.replies():
		return m.replyKey(k)
	}
	switch name {
	case "enter":
		if m.withdraw() {
			return nil
		}
	case "esc":
		if !m.input.Takes(k) {
			return m.escape(was)
		}
	case "ctrl+o":
		m.verbose = !m.verbose
		return nil
	case "ctrl+x":
		return m.openTranscript()
	case "tab":
		if len(m.pending) > 0 || m.asksNow() {
			m.decision.away = false
			if m.asksNow() && len(m.doc.Questions[0].Questions[len(m.reply.answers)].Options) > 0 {
				m.reply.away = false
			}
			return nil
		}
	case "alt+up":
		m.editQueued()
		return nil
	case "ctrl+z":
		return func() tea.Msg { return suspend{} }
	case "ctrl+d":
		if m.input.Empty() {
			m.quit()
			return nil
		}
	}
	return m.input.Update(k)
}

// uncovered has a question startle anew that stood behind what has covered it.
func (m *model) uncovered() tea.Cmd {
	if m.pager != nil || m.picker != nil || len(m.pending) == 0 && !m.asksNow() {
		return nil
	}
	m.decision.at, m.reply.at = m.opts.Now(), m.opts.Now()
	return startled()
}

// interruptKey takes Ctrl+C: it empties what is typed, then it arms the end, then it ends the program.
func (m *model) interruptKey(was key) tea.Cmd {
	switch {
	case m.pager != nil, m.picker != nil:
		m.pager, m.picker = nil, nil
		return m.uncovered()
	case !m.input.Empty():
		m.input.Reset()
		m.decision.instead = false
	case was == quitKey && m.opts.Now().Sub(m.armedAt) < again:
		m.quit()
	default:
		m.armed, m.armedAt = quitKey, m.opts.Now()
	}
	return nil
}

// escape leaves what is begun, interrupts the turn, or, twice, goes back to the last prompt.
func (m *model) escape(was key) tea.Cmd {
	switch {
	case m.decision.instead:
		m.decision.instead, m.decision.away = false, !m.input.Empty() // what was typed stays
	case m.shellStop != nil:
		m.shellStop()
	case m.turn != "":
		m.session.Cancel(m.turn)
		m.retry = "stopping"
	case len(m.pending) > 0 && m.decision.away && m.input.Empty():
		m.decision.away = false
	case was == rewindKey && m.opts.Now().Sub(m.armedAt) < again:
		return m.rewind()
	case m.asksNow() && m.reply.away && m.input.Empty():
		m.reply.away = len(m.doc.Questions[0].Questions[len(m.reply.answers)].Options) == 0
	case m.input.Empty() && len(m.pending) == 0:
		m.armed, m.armedAt = rewindKey, m.opts.Now()
	}
	return nil
}

// rewind goes on before the last prompt, in a fork: what was said since stays in this session.
func (m *model) rewind() tea.Cmd {
	messages := m.script.Snapshot()
	i := len(messages) - 1
	for i >= 0 && messages[i].Role != chat.User {
		i--
	}
	if i < 0 {
		m.tell("there is no prompt to go back to")
		return nil
	}
	text := messages[i].Text()
	if i == 0 {
		return m.open("", text)
	}
	return m.fork(messages[i-1].ID, text)
}

func (m *model) paste(msg tea.PasteMsg) tea.Cmd {
	if m.picker != nil {
		m.picker.narrow(msg.Content)
		return nil
	}
	if m.answers() {
		m.decision.away = true
	}
	m.reply.away = true
	return m.input.Update(msg)
}
