package headless

import (
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/plain"
)

// taskOf says in words to whom a task was given.
func taskOf(e chat.TaskGiven) string {
	text := plain.Line(e.Session, 200) + " (" + plain.Line(e.Agent, 40) + ")"
	if e.Background {
		text += " in the background"
	}
	return text
}

// taskWaits tells what a sub-agent waits for: the questions themselves come with the end of the turn.
func (p *progress) taskWaits(e chat.TaskWaits) {
	for _, w := range e.For {
		p.note("  sub-agent %s waits: %s", plain.Line(w.Session, 200), Title(w.ToolName, w.Summary))
	}
}

// shownAt is the session that shows all of a call.
func (a Approval) shownAt(session string) string {
	if a.Session != "" {
		return plain.Line(a.Session, 400)
	}
	return session
}
