package tui

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/plain"
)

// card shows a call in one line, and below it what of it matters now: the end of what it puts out while it runs, why it failed, what
// it has changed. open shows more of that.
func (m *model) card(c chat.ToolCall, open bool) []string {
	mark, p := m.mark(c)
	facts := m.facts(c)
	room := m.width - 2
	if facts != "" {
		facts = "  " + facts
		room -= len([]rune(facts))
	}
	name, summary := plain.VisibleLine(c.Name, 40), m.summary(c)
	title := cut(strings.TrimSpace(m.paint.strong.on(name)+" "+summary), max(room, 20))
	lines := []string{cut(p.on(mark)+" "+title+m.paint.faint.on(facts), m.width)}
	lines = append(lines, m.child(c)...)
	for _, l := range m.result(c, open) {
		lines = append(lines, m.paint.faint.on("  │ ")+l)
	}
	return lines
}

// mark is the state of a call as a sign.
func (m *model) mark(c chat.ToolCall) (string, paint) {
	switch c.State {
	case chat.OutputAvailable:
		if code, ok := exitCode(c); ok && code != 0 {
			return "✗", m.paint.bad
		}
		return "✓", m.paint.good
	case chat.OutputError, chat.OutputDenied:
		return "✗", m.paint.bad
	case chat.ApprovalRequested:
		return "?", m.paint.warn
	case chat.InputStreaming:
		return "○", m.paint.faint
	}
	if c.Started || m.script.Open() {
		return "●", m.paint.accent
	}
	return "~", m.paint.faint
}

// summary puts the arguments into one line.
func (m *model) summary(c chat.ToolCall) string {
	if c.State == chat.InputStreaming {
		return "…"
	}
	return plain.VisibleLine(m.opts.Summary(c), 300)
}

// details is what the tools' results tell front-ends, as far as a card shows it.
type details struct {
	ExitCode   *int   `json:"exitCode"`
	Signal     string `json:"signal"`
	DurationMS int64  `json:"durationMs"`
	TimedOut   bool   `json:"timedOut"`
	Running    []any  `json:"running"`

	Diff    string `json:"diff"`
	Cut     bool   `json:"cut"`
	Added   int    `json:"added"`
	Removed int    `json:"removed"`

	Matches *int `json:"matches"`
	Files   *int `json:"files"`
	From    int  `json:"from"`
	To      int  `json:"to"`

	Status int `json:"status"`
	Bytes  int `json:"bytes"`

	Session string `json:"session"` // of a sub-agent: its address
}

func detailsOf(c chat.ToolCall) (d details) {
	o := c.Output
	if o == nil {
		o = c.Progress
	}
	if o == nil || len(o.Details) == 0 {
		return d
	}
	if json.Unmarshal(o.Details, &d) != nil {
		return details{} // of a tool that we do not know
	}
	return d
}

func exitCode(c chat.ToolCall) (int, bool) {
	d := detailsOf(c)
	if d.ExitCode == nil {
		return 0, false
	}
	return *d.ExitCode, true
}

// facts says in a few words what has come of the call.
func (m *model) facts(c chat.ToolCall) string {
	d := detailsOf(c)
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	switch {
	case c.State == chat.OutputDenied:
		add("denied")
	case c.State == chat.ApprovalRequested:
		add("waits for you")
	case d.TimedOut:
		add("timed out")
	case d.Signal != "":
		add("ended by %s", plain.Line(d.Signal, 20))
	case d.ExitCode != nil && *d.ExitCode != 0:
		add("exit %d", *d.ExitCode)
	}
	switch {
	case d.Diff != "":
		add("+%d −%d", d.Added, d.Removed)
	case d.Matches != nil && d.Files != nil:
		add("%d in %s", *d.Matches, plural(*d.Files, "file"))
	case d.Files != nil:
		add("%s", plural(*d.Files, "file"))
	case d.From > 0 && d.To > 0:
		add("lines %d–%d", d.From, d.To)
	case d.Status > 0:
		add("%d, %d KB", d.Status, (d.Bytes+1023)/1024)
	}
	switch began, ok := m.begun[c.ID]; {
	case d.DurationMS >= 1000:
		add("%s", (time.Duration(d.DurationMS) * time.Millisecond).Round(100*time.Millisecond))
	case ok && !c.Finished() && m.opts.Now().Sub(began) >= time.Second:
		add("%s", elapsed(m.opts.Now().Sub(began)))
	}
	return strings.Join(out, ", ")
}

// result is what stands below the line of a call.
func (m *model) result(c chat.ToolCall, open bool) []string {
	width := m.width - 4
	most := func(usual int) int {
		if open {
			return openLines
		}
		return usual
	}
	d := detailsOf(c)
	switch {
	case !c.Finished():
		if c.Progress == nil {
			return nil
		}
		return m.tail(c.Progress.Text, width, most(tailLines))
	case c.State == chat.OutputDenied && c.Approval != nil && c.Approval.Reason != "":
		return faintly(m, wrap(plain.Output(c.Approval.Reason), width), failLines)
	case c.State == chat.OutputError:
		return faintly(m, wrap(plain.Output(c.Error), width), most(failLines))
	case d.Diff != "":
		return m.diff(d.Diff, width, most(diffLines))
	case d.ExitCode != nil && *d.ExitCode != 0:
		return m.tail(c.Result(), width, most(failLines))
	case c.Name == askUser:
		return wrap(plain.Output(c.Result()), width)
	case open:
		return faintly(m, wrap(plain.Output(c.Result()), width), openLines)
	}
	return nil
}

// askUser is the tool with which the agent asks the user: its result is what the user has said.
const askUser = "ask_user"

// child is the line of the sub-agent to which the call has given its task.
func (m *model) child(c chat.ToolCall) []string {
	session := detailsOf(c).Session
	if session == "" {
		session = m.tasks[c.ID]
	}
	if session == "" {
		return nil
	}
	about := []string{plain.Line(session, 120)}
	for _, k := range m.doc.Children {
		if k.Session != session {
			continue
		}
		about = append(about, plain.Line(k.Agent, 20))
		if !c.Finished() {
			about = append(about, plain.Line(k.Status, 20))
		}
		if k.Usage.Cost > 0 {
			about = append(about, fmt.Sprintf("$%.4f", k.Usage.Cost))
		}
	}
	return []string{m.paint.faint.on(cut("  └ "+strings.Join(about, " · "), m.width))}
}

// tail is the end of what a command has put out.
func (m *model) tail(text string, width, most int) []string {
	text = strings.TrimRight(text[max(0, len(text)-64<<10):], "\n")
	if text == "" {
		return nil
	}
	lines := strings.Split(plain.Output(text), "\n")
	lines = lines[max(0, len(lines)-most):]
	for i, l := range lines {
		lines[i] = m.paint.faint.on(cut(strings.ReplaceAll(l, "\t", "    "), width))
	}
	return lines
}

func faintly(m *model, lines []string, most int) []string {
	lines = shorten(lines, most, 0)
	for i := range lines {
		lines[i] = m.paint.faint.on(lines[i])
	}
	return lines
}
