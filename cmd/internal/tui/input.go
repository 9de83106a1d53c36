package tui

import (
	"context"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/cmd/internal/tui/editor"
	"github.com/coder-agent/coder/server/client"
)

// write makes the editor of the session: with its own draft, its own files and its own past.
func (m *model) write() {
	o := m.opts.Editor
	o.Emit, o.Files, o.Commands, o.Workdir, o.Placeholder = m.typed, m.files(), m.completions, m.about.Workdir, "What is to be done? / for commands, @ for files, ! for the shell"
	o.Styles = editor.Styles{
		Prompt: m.on(func(p *palette) paint { return p.user }), Shell: m.on(func(p *palette) paint { return p.warn }),
		Chip: m.on(func(p *palette) paint { return p.accent }), Placeholder: m.on(func(p *palette) paint { return p.faint }),
		Label: m.on(func(p *palette) paint { return p.warn }), Selected: m.on(func(p *palette) paint { return p.user }),
		Help: m.on(func(p *palette) paint { return p.faint }),
	}
	if m.opts.Drafts != nil {
		drafts, err := m.opts.Drafts(m.about.Name)
		if err != nil {
			m.failed("keeping the draft", err)
		} else {
			o.Drafts = drafts
		}
	}
	var err error
	if m.input, err = editor.New(o); err != nil {
		m.failed("reading the draft", err)
	}
	m.input.SetVim(m.vim)
}

// on paints with what the palette is by then.
func (m *model) on(which func(*palette) paint) func(string) string {
	return func(s string) string { return which(m.paint).on(s) }
}

// findPatience bounds the completion of a file's name.
const findPatience = 5 * time.Second

// files finds files of the session's folder.
func (m *model) files() func(string, int) ([]editor.File, error) {
	session := m.session
	return func(query string, limit int) ([]editor.File, error) {
		ctx, cancel := context.WithTimeout(m.ctx, findPatience)
		defer cancel()
		var found struct{ Files []editor.File }
		err := session.Call(ctx, "findFiles", &found, query, limit)
		return found.Files, err
	}
}

// completions are the commands that a line can begin with.
func (m *model) completions() []editor.Command {
	var list []editor.Command
	for _, c := range commands() {
		list = append(list, editor.Command{Name: c.name, Args: c.args, Help: c.about})
	}
	for _, c := range m.custom() {
		list = append(list, editor.Command{Name: c.Name, Args: "[ARGUMENTS]", Help: c.About})
	}
	return list
}

// typed takes what the editor has to say.
func (m *model) typed(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case editor.Submit:
		return m.submit(msg)
	case editor.Shell:
		return tea.Batch(m.shell(msg.Command), m.input.Settled(msg.ID))
	case editor.External:
		return func() tea.Msg { return external{msg.Command, msg.Done} }
	case editor.Notice:
		m.failed("", msg.Err)
	}
	return nil
}

// submit sends what was typed: as a command, as what to do instead, into the running turn, or as the next prompt.
func (m *model) submit(s editor.Submit) tea.Cmd {
	if m.decision.instead && len(m.pending) > 0 {
		m.decision.instead = false
		return tea.Batch(m.decide(m.pending[0], client.Decision{Reason: s.Text}), m.input.Settled(s.ID))
	}
	if _, _, ok := m.command(s.Text); !ok && m.asksNow() && s.Editing == "" && len(m.pending) == 0 {
		return tea.Batch(m.ownWords(s.Text), m.input.Settled(s.ID))
	}
	if command, rest, ok := m.command(s.Text); ok && s.Editing == "" {
		return tea.Batch(m.input.Settled(s.ID), command.run(m, rest))
	}
	if i := slices.IndexFunc(m.outbox, func(o sent) bool { return o.turn == s.Editing }); i >= 0 { // it stands for one that waits
		m.outbox[i].withdrawn = true
		m.session.Cancel(m.outbox[i].turn)
	}
	if m.turn != "" && !s.Queue && s.Editing == "" && len(s.Attachments) == 0 && len(m.ran) == 0 {
		return m.steer(s)
	}
	return m.send(s)
}

// A sent prompt waits for its turn.
type sent struct {
	editor.Submit
	turn      string
	message   chat.Message
	withdrawn bool // taken back
}

// send sends a prompt. It leaves the draft when the agent has taken it.
func (m *model) send(s editor.Submit) tea.Cmd {
	message := chat.Message{ID: s.ID, Role: chat.User, Parts: []chat.Part{chat.Text{Text: s.Text}}}
	for _, a := range s.Attachments {
		message.Parts = append(message.Parts, a.File())
	}
	message = m.withRuns(message)
	session := m.session
	m.outbox = append(m.outbox, sent{Submit: s, turn: session.Prompt(message), message: message})
	return func() tea.Msg {
		return done{session.Flush(m.ctx), func(m *model, err error) tea.Cmd {
			if err != nil || m.session != session {
				return nil // the session's end is told by itself
			}
			return m.input.Settled(s.ID)
		}}
	}
}

// say sends a prompt that was not typed here, such as that of a command.
func (m *model) say(text string) tea.Cmd {
	return m.send(editor.Submit{ID: client.UserMessage("").ID, Text: text})
}

// steer puts what was typed into the running turn.
func (m *model) steer(s editor.Submit) tea.Cmd {
	m.steered = append(m.steered, s.Text)
	return m.call(func(m *model, err error) tea.Cmd {
		if err == nil {
			return m.input.Settled(s.ID)
		}
		if i := slices.Index(m.steered, s.Text); i >= 0 {
			m.steered = slices.Delete(m.steered, i, i+1)
		}
		m.failed("steering", err)
		return m.input.Refused(s.ID)
	}, "steer", nil, s.Text)
}

// editQueued takes the last prompt that waits for its turn into the editor. It keeps its place until it is sent anew.
func (m *model) editQueued() {
	for _, s := range slices.Backward(m.outbox) {
		if s.withdrawn {
			continue
		}
		m.input.Edit(s.turn, "waits for its turn; empty takes it back", s.Text, s.Attachments...)
		return
	}
}

// withdraw takes back the prompt that is edited, when nothing is left of it.
func (m *model) withdraw() bool {
	i := slices.IndexFunc(m.outbox, func(s sent) bool { return s.turn == m.input.Editing() })
	if i < 0 || strings.TrimSpace(m.input.Value()) != "" {
		return false
	}
	m.outbox[i].withdrawn = true
	m.session.Cancel(m.outbox[i].turn)
	m.input.Reset()
	return true
}
