package tui

import (
	"context"
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/plain"
)

// A shellRun is a command of the user's own. What it has said goes to the model with the next prompt.
type shellRun struct {
	command string
	output  string
	code    int
}

// mostOutput bounds what of a command's output goes to the model, in characters.
const mostOutput = 30_000

// shell runs a command as the user's shell would, in the folder of the session: nobody judges it, for the user has typed it.
func (m *model) shell(command string) tea.Cmd {
	if m.opts.Shell == nil {
		m.fail("shell commands cannot be run here", "")
		return nil
	}
	if m.shellStop != nil {
		m.fail("a command runs already", "Esc stops it")
		return nil
	}
	ctx, stop := context.WithCancel(m.ctx)
	m.shellStop, m.shellNow = stop, command
	session, workdir := m.session, m.doc.Workdir
	return func() tea.Msg {
		run := shellRun{command: command}
		var err error
		run.output, run.code, err = m.opts.Shell(ctx, workdir, command)
		return done{err, func(m *model, err error) tea.Cmd {
			stop()
			m.shellStop, m.shellNow = nil, ""
			if err != nil {
				m.failed("running "+plain.Line(command, 60), err)
			}
			if err == nil && m.session == session {
				m.ranShell(run)
			}
			return nil
		}}
	}
}

// ranShell shows what the command has said, and keeps it for the next prompt.
func (m *model) ranShell(run shellRun) {
	mark, p := "✓", m.paint.good
	if run.code != 0 {
		mark, p = "✗", m.paint.bad
	}
	lines := []string{p.on(mark) + " " + cut(m.paint.strong.on("!")+" "+plain.VisibleLine(run.command, 300), max(10, m.width-14))}
	if run.code != 0 {
		lines[0] += m.paint.faint.on(fmt.Sprintf("  exit %d", run.code))
	}
	for _, l := range shorten(wrap(plain.Output(run.output), m.width-4), openLines, openLines/2) {
		lines = append(lines, m.paint.faint.on("  │ ")+l)
	}
	m.print(card, lines)
	m.ran = append(m.ran, run)
}

// withRuns adds to a prompt what the user's own commands have said since the last.
func (m *model) withRuns(message chat.Message) chat.Message {
	if len(m.ran) == 0 {
		return message
	}
	var b strings.Builder
	b.WriteString("I have run this in the folder:\n")
	for _, run := range m.ran {
		output, _ := chat.Shorten(strings.ToValidUTF8(strings.TrimRight(run.output, "\n"), "\uFFFD"), mostOutput)
		fence := fenceFor(output)
		fmt.Fprintf(&b, "\n$ %s\n%s\n%s\n%s\n", run.command, fence, output, fence)
		if run.code != 0 {
			fmt.Fprintf(&b, "exit code %d\n", run.code)
		}
	}
	m.ran = nil
	message.Parts = append(message.Parts, chat.Text{Text: b.String()})
	return message
}
