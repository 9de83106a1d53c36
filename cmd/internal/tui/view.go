package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/cmd/internal/headless"
)

// leastHeight is how many rows the frame is made for at least.
const leastHeight = 6

// frame is what stands below what was printed: what is open of the turn, what waits, the input and the status. It has at most the
// terminal's height.
func (m *model) frame() ([]string, *tea.Cursor) {
	if m.quits {
		return []string{""}, nil
	}
	height := max(m.height, leastHeight)
	foot, cursor := m.foot(height)
	var middle []string
	switch {
	case m.picker != nil:
		middle = m.picker.view(m, max(4, height-len(foot)-3))
	case len(m.pending) > 0:
		middle = m.question(height - len(foot) - 1)
	case m.asksNow():
		middle = m.askView(max(6, height-len(foot)-1))
	default:
		middle = m.todo(height / 3)
	}
	middle = append([]string{""}, middle...)
	room := max(0, height-len(foot)-len(middle))
	top := append(m.live(), m.queue()...)
	if room < 0 {
		middle = middle[min(-room, len(middle)):]
		room = 0
	}
	if len(top) > room {
		top = top[len(top)-max(0, room):]
		if len(top) > 0 {
			top[0] = m.paint.faint.on("…")
		}
	}
	lines := append(top, middle...)
	if cursor != nil {
		moved := *cursor
		moved.Y += len(lines)
		cursor = &moved
	}
	return append(lines, foot...), cursor
}

// queue shows what was said and is not part of the transcript yet.
func (m *model) queue() []string {
	var out []string
	add := func(how, text string) {
		out = append(out, m.paint.user.on("▌ ")+cut(plain.Line(text, 400), max(10, m.width-4-len(how)))+m.paint.faint.on("  "+how))
	}
	if m.shellNow != "" {
		out = append(out, m.paint.accent.on("● ")+cut(m.paint.strong.on("!")+" "+plain.VisibleLine(m.shellNow, 300), m.width-2))
	}
	for _, s := range m.steered {
		add("goes in at the next step", s)
	}
	waits := 0
	for _, s := range m.outbox {
		switch {
		case s.withdrawn:
		case !m.lost.IsZero():
			add("waits for the connection", s.Text)
		case m.turn != "":
			add("waits for its turn", s.Text)
			waits++
		default:
			add("…", s.Text)
		}
	}
	for _, o := range m.others {
		add("waits for its turn", o.Text())
	}
	if waits > 0 {
		out = append(out, m.paint.faint.on("  Alt+↑ edits the last one"))
	}
	if len(out) > 0 {
		out = append([]string{""}, out...)
	}
	return out
}

// todo shows what the model means to do, while it works on it.
func (m *model) todo(rows int) []string {
	if m.turn == "" || len(m.doc.Todo) == 0 {
		return nil
	}
	completed, active := 0, -1
	for i, t := range m.doc.Todo {
		switch t.Status {
		case chat.TodoCompleted:
			completed++
		case chat.TodoActive:
			if active < 0 {
				active = i
			}
		}
	}
	if completed == len(m.doc.Todo) {
		return nil
	}
	rows = max(2, min(rows, 6))
	first := min(max(0, max(active, completed)-1), max(0, len(m.doc.Todo)-rows))
	out := []string{m.paint.faint.on(fmt.Sprintf("todo %d of %d", completed, len(m.doc.Todo)))}
	for _, t := range m.doc.Todo[first:min(len(m.doc.Todo), first+rows)] {
		out = append(out, m.todoLine(t))
	}
	return out
}

func (m *model) todoLine(t chat.Todo) string {
	text := plain.Line(t.Text, 200)
	switch t.Status {
	case chat.TodoCompleted:
		return cut(m.paint.good.on("  ✓ ")+m.paint.faint.on(text), m.width)
	case chat.TodoActive:
		return cut(m.paint.accent.on("  ▸ ")+m.paint.strong.on(text), m.width)
	}
	return cut(m.paint.faint.on("  ○ ")+text, m.width)
}

// foot is the input between its rules, and the status.
func (m *model) foot(height int) ([]string, *tea.Cursor) {
	var out []string
	if m.doc.Mode == "full" {
		out = append(out, m.paint.alarm.on(cut(" MODE FULL: commands run and files change without asking ", m.width)))
	}
	out = append(out, m.paint.faint.on(strings.Repeat("─", max(0, m.width-1))))
	most := max(2, height/2-1)
	if len(m.pending) > 0 || m.asksNow() {
		most = 3
	}
	lines, cursor := m.input.View(max(10, m.width-1), most)
	if m.answers() || m.replies() || m.picker != nil {
		cursor = nil
	}
	if cursor != nil {
		moved := *cursor
		moved.Y += len(out)
		cursor = &moved
	}
	out = append(out, lines...)
	return append(out, m.status()), cursor
}

// status is the last line: what happens, and what the session is.
func (m *model) status() string {
	left, p := m.activity()
	right := m.traits()
	room := m.width - 1 - len([]rune(left)) - 2
	for len(right) > 1 && width(right) > room {
		right = right[:len(right)-1]
	}
	text := strings.Join(right, " · ")
	if width(right) > room {
		text = ""
	}
	gap := max(1, m.width-1-len([]rune(left))-len([]rune(text)))
	return cut(p.on(left)+strings.Repeat(" ", gap)+m.paint.faint.on(text), m.width)
}

func width(words []string) int { return len([]rune(strings.Join(words, " · "))) }

// activity says what happens now, and what the keys do about it.
func (m *model) activity() (string, paint) {
	now := m.opts.Now()
	switch {
	case m.armed == quitKey && m.turn != "":
		return "Ctrl+C again leaves; the turn goes on", m.paint.warn
	case m.armed == quitKey:
		return "Ctrl+C again leaves", m.paint.warn
	case m.armed == rewindKey:
		return "Esc again edits the last prompt", m.paint.warn
	case !m.lost.IsZero():
		if wait := m.lost.Sub(now); wait >= 1e9 {
			return fmt.Sprintf("not connected: again in %s", elapsed(wait)), m.paint.bad
		}
		return "not connected: connecting again", m.paint.bad
	case m.loading:
		return "loading", m.paint.faint
	case m.retry != "":
		return cut(m.retry, max(20, m.width-2)), m.paint.warn
	case len(m.pending) > 0:
		return "waits for your decision", m.paint.warn
	case m.asksNow():
		return "waits for your answer", m.paint.accent
	case m.turn != "":
		return "● working " + elapsed(now.Sub(m.since)) + " · Esc stops", m.paint.accent
	}
	return "Enter sends · /help", m.paint.faint
}

// traits is what the session is, the most important first.
func (m *model) traits() []string {
	out := []string{plain.Line(shortModel(m.doc.Model), 30), plain.Line(m.doc.Mode, 10)}
	if c := m.doc.Context; c.Window > 0 && c.Tokens > 0 {
		out = append(out, fmt.Sprintf("%d%% of %s", c.Tokens*100/c.Window, headless.Thousands(c.Window)))
	} else if c.Tokens > 0 {
		out = append(out, headless.Thousands(c.Tokens)+" tokens")
	}
	if cost := m.doc.Usage.Cost; cost > 0 {
		out = append(out, fmt.Sprintf("$%.4f", cost))
	}
	switch m.doc.Sandbox {
	case "":
	case headless.NoSandbox:
		out = append(out, "NO SANDBOX")
	default:
		out = append(out, "sandboxed")
	}
	if m.doc.Queued > 0 {
		out = append(out, fmt.Sprintf("%d queued", m.doc.Queued))
	}
	return append(out, plain.Line(m.about.Name, 40))
}

// shortModel is a model's id without who makes it.
func shortModel(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }
