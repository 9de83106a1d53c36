package tui

import (
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

// startle is how long keys are not taken for an answer after a question has come up: they were meant for something else.
const startle = 400 * time.Millisecond

// A deciding is the question that the user looks at.
type deciding struct {
	call    string
	at      time.Time         // it was shown first
	top     int               // the first line of the body that is shown
	seen    int               // lines of it that were drawn, from the first on without a gap
	rows    int               // lines of it that fit, when it was drawn last
	lines   int               // that it has, at the width of then
	away    bool              // the user types something else meanwhile
	instead bool              // what is typed says what to do instead
	sent    bool              // the answer is on its way
	early   []tea.KeyPressMsg // typed before keys were answers; text, if more of it comes
}

// read reports whether all of the question was on the screen.
func (d *deciding) read() bool { return d.lines > 0 && d.seen >= d.lines }

// asked is what waits for a decision, with the whole of each question.
type asked struct {
	by   Session
	list []headless.Approval
	err  error
}

// waiting asks for the questions, if others wait than are known.
func (m *model) waiting() tea.Cmd {
	if m.loading || slices.EqualFunc(m.doc.Pending, m.pending, sameCall) {
		return nil
	}
	if len(m.doc.Pending) == 0 {
		m.pending, m.decision = nil, deciding{}
		return nil
	}
	session := m.session
	return func() tea.Msg {
		a := asked{by: session}
		a.err = session.Call(m.ctx, "approvals", &a.list)
		return a
	}
}

func sameCall(a, b headless.Approval) bool { return a.ToolCallID == b.ToolCallID }

func (m *model) askedPending(a asked) tea.Cmd {
	switch {
	case a.by != m.session:
		return nil
	case a.err != nil:
		m.failed("asking what waits for a decision", a.err)
		return nil
	}
	fresh := len(a.list) > 0 && (len(m.pending) == 0 || m.pending[0].ToolCallID != a.list[0].ToolCallID)
	m.pending = a.list
	if fresh {
		m.decision = deciding{call: a.list[0].ToolCallID, at: m.opts.Now(), away: !m.input.Empty()}
		m.attract("waits for you: " + headless.Title(a.list[0].ToolName, a.list[0].Summary))
		return startled()
	}
	if len(a.list) == 0 {
		m.decision = deciding{}
	}
	return nil
}

// collected says that keys are answers from now on.
type collected struct{}

// startled tells when keys are answers.
func startled() tea.Cmd { return tea.Tick(startle, func(time.Time) tea.Msg { return collected{} }) }

// startled reports whether the question is too new for an answer.
func (m *model) startled() bool { return m.opts.Now().Sub(m.decision.at) < startle }

// answers reports whether keys go to the question.
func (m *model) answers() bool {
	return len(m.pending) > 0 && !m.decision.away && !m.decision.instead && m.picker == nil && m.pager == nil
}

// answerKey takes a key for the question.
func (m *model) answerKey(k tea.KeyPressMsg) tea.Cmd {
	d := &m.decision
	name := k.String()
	if m.isText(k) {
		return m.typeInstead(k)
	}
	switch name {
	case "down", "j":
		m.scroll(1)
		return nil
	case "up", "k":
		m.scroll(-1)
		return nil
	case "pgdown", "space", "ctrl+f":
		m.scroll(max(1, d.rows-1))
		return nil
	case "pgup", "ctrl+b":
		m.scroll(-max(1, d.rows-1))
		return nil
	case "end":
		m.scroll(d.lines)
		return nil
	case "home":
		m.scroll(-d.lines)
		return nil
	case "tab", "esc":
		d.away = true
		return nil
	}
	if d.sent {
		return nil
	}
	if m.startled() {
		if k.Text != "" {
			d.early, d.at = append(d.early, k), m.opts.Now() // whoever types goes on: no later letter of theirs is an answer
			return startled()
		}
		return nil
	}
	d.early = nil
	a := m.pending[0]
	switch name {
	case "y":
		return m.approve(a, false)
	case "a":
		if a.Always == "" {
			m.tell("this call is asked for each time: no rule is offered for it")
			return nil
		}
		return m.approve(a, true)
	case "n":
		return m.decide(a, client.Decision{})
	case "e":
		d.instead = true
	}
	return nil
}

// isText reports whether a key at a question begins, or goes on with, a text: no answer and no way through the question does.
func (m *model) isText(k tea.KeyPressMsg) bool {
	switch {
	case k.Text == "" || m.decision.sent:
		return false
	case strings.Contains("ynae", k.Text):
		return false
	case strings.Contains("jk ", k.Text):
		return len(m.decision.early) > 0 && m.startled()
	}
	return true
}

// typeInstead leaves the question for the text that is typed. What was typed before keys were answers belongs to it.
func (m *model) typeInstead(k tea.KeyPressMsg) tea.Cmd {
	d := &m.decision
	keys := []tea.KeyPressMsg{k}
	if m.startled() {
		keys = append(d.early, k)
	}
	d.away, d.early = true, nil
	var cmds []tea.Cmd
	for _, k := range keys {
		cmds = append(cmds, m.input.Update(k))
	}
	return tea.Batch(cmds...)
}

// scroll moves what is shown of the question.
func (m *model) scroll(by int) {
	d := &m.decision
	d.top = min(max(0, d.top+by), max(0, d.lines-d.rows))
}

// approve says yes, once all of the question was on the screen.
func (m *model) approve(a headless.Approval, always bool) tea.Cmd {
	if d := &m.decision; !d.read() {
		d.top = min(max(0, d.seen-1), max(0, d.lines-d.rows)) // the first that was not
		return nil
	}
	return m.decide(a, client.Decision{Approved: true, Always: always})
}

func (m *model) decide(a headless.Approval, d client.Decision) tea.Cmd {
	m.decision.sent = true
	m.said[a.ToolCallID] = true
	session := m.session
	return func() tea.Msg {
		return done{session.Decide(m.ctx, a.ToolCallID, d), func(m *model, err error) tea.Cmd {
			if m.session != session {
				return nil
			}
			m.decision.sent = false
			switch {
			case err != nil:
				delete(m.said, a.ToolCallID)
				m.failed("deciding", err)
			case d.Always:
				m.tell("from now on in this session: " + plain.Visible(a.Always) + " (/rules lists and removes)")
			}
			return nil
		}}
	}
}

// decided tells who has decided, if that was not us.
func (m *model) decided(e chat.Decided) {
	c, ok := m.script.Call(e.ToolCallID)
	if !ok || m.said[e.ToolCallID] || e.By == m.about.Client && !e.Unanswered {
		return
	}
	m.sayDecided(c, e.Approved, e.Unanswered, e.By)
}

func (m *model) sayDecided(c chat.ToolCall, approved, unanswered bool, by string) {
	m.said[c.ID] = true
	verb := "denied"
	if approved {
		verb = "approved"
	}
	if unanswered {
		by = "nobody decided in time"
	} else {
		by = "by " + headless.Who(by)
	}
	m.tell(fmt.Sprintf("%s %s: %s", verb, by, headless.Title(c.Name, m.opts.Summary(c))))
}

// sayDecisions tells who has decided on calls of a message that has changed.
func (m *model) sayDecisions(before chat.Message, u client.MessageUpdated) {
	waited := map[string]bool{}
	for _, p := range before.Parts {
		if c, ok := p.(chat.ToolCall); ok && c.State == chat.ApprovalRequested {
			waited[c.ID] = true
		}
	}
	for _, p := range u.Message.Parts {
		c, ok := p.(chat.ToolCall)
		if !ok || !waited[c.ID] || c.State == chat.ApprovalRequested || m.said[c.ID] {
			continue
		}
		if a := c.Approval; a != nil && a.Approved != nil && (a.Unanswered || u.Client != m.about.Client) {
			m.sayDecided(c, *a.Approved, a.Unanswered, u.Client)
		}
	}
}

// leastQuestion is how many rows a question needs: its title, two of its lines, where they are, and the keys; leastWidth is how many
// columns: in fewer its lines are cut.
const (
	leastQuestion = 5
	leastWidth    = 12
)

// question shows the first call that waits, in at most rows lines. Where there is little room, all but the title and the keys scrolls.
func (m *model) question(rows int) []string {
	if len(m.pending) == 0 {
		return nil
	}
	d := &m.decision
	if rows < leastQuestion || m.width < leastWidth {
		d.lines, d.seen = 0, 0 // nothing of it is on the screen
		return []string{m.paint.warn.on(cut("? a call wants your yes: make the terminal larger to read it", m.width))}
	}
	a := m.pending[0]
	head, body, foot := m.questionHead(a), m.body(a), m.questionFoot(a)
	if len(head)+len(foot) > rows/2 {
		last := len(foot) - 1
		body = slices.Concat(head[1:], m.barred(body), foot[:last])
		head, foot = head[:1], foot[last:]
	} else {
		body = m.barred(body)
	}
	fits := max(1, rows-len(head)-len(foot)-1)
	if d.lines != len(body) {
		d.lines, d.seen = len(body), 0
	}
	d.rows = min(fits, len(body))
	d.top = min(d.top, max(0, len(body)-d.rows))
	if d.top <= d.seen {
		d.seen = max(d.seen, d.top+d.rows)
	}
	foot = foot[:len(foot)-1]
	out := append(slices.Clip(head), body[d.top:d.top+d.rows]...)
	if d.rows < len(body) {
		where := fmt.Sprintf("lines %d–%d of %d: space or PgDn for more", d.top+1, d.top+d.rows, len(body))
		out = append(out, m.paint.warn.on("│ ")+m.paint.faint.on(cut(where, m.width-2)))
	}
	keys := m.questionFoot(a) // now that more of it was seen
	return append(append(out, foot...), keys[len(keys)-1])
}

// barred puts the bar of a question before lines.
func (m *model) barred(lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = m.paint.warn.on("│ ") + l
	}
	return out
}

func (m *model) questionHead(a headless.Approval) []string {
	count := ""
	if n := len(m.pending); n > 1 {
		count = fmt.Sprintf(" (1 of %d)", n)
	}
	title := plain.VisibleLine(a.ToolName, 60) + " wants your yes" + count
	out := []string{m.paint.warn.on(cut("? "+title, m.width))}
	about := headless.About(a)
	if a.Session != "" {
		about = slices.Insert(about, 0, "by the sub-agent "+plain.Line(a.Session, 400))
	}
	for _, l := range about {
		p := m.paint.faint
		if strings.Contains(l, "OUTSIDE THE SANDBOX") || strings.Contains(l, "NETWORK") || strings.Contains(l, "not sandboxed") {
			p = m.paint.bad
		}
		for _, l := range fitted(l, m.width-2) {
			out = append(out, m.paint.warn.on("│ ")+p.on(l))
		}
	}
	return out
}

// shownBody is a question's body as it was made last.
type shownBody struct {
	call  string
	width int
	paint *palette
	lines []string
}

// body is questionBody, made once for each question and width.
func (m *model) body(a headless.Approval) []string {
	if b := &m.asks; b.call != a.ToolCallID || b.width != m.width || b.paint != m.paint {
		*b = shownBody{a.ToolCallID, m.width, m.paint, m.questionBody(a)}
	}
	return m.asks.lines
}

// questionBody is the whole of what the call would do: each line of it, however long.
func (m *model) questionBody(a headless.Approval) []string {
	lines := m.opts.Show.Lines(a)
	if len(lines) == 0 {
		lines = []string{plain.Visible(a.Summary)}
	}
	changes := a.Workdir == "" && slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "+") || strings.HasPrefix(l, "-") })
	var out []string
	for _, l := range lines {
		p := paint{}
		switch {
		case changes && strings.HasPrefix(l, "+"):
			p = m.paint.good
		case changes && strings.HasPrefix(l, "-"):
			p = m.paint.bad
		case !changes:
			p = m.paint.strong
		}
		for _, piece := range broken(l, m.width-2) {
			out = append(out, p.on(piece))
		}
	}
	if a.Left > 0 {
		out = append(out, m.paint.warn.on(fmt.Sprintf("%d characters of it are left out; all of them: coder sessions show %s --json", a.Left, m.about.Name)))
	}
	return out
}

// questionFoot names the keys, and the rule that "always" would store.
func (m *model) questionFoot(a headless.Approval) []string {
	d := &m.decision
	var out []string
	if !a.DenyAt.IsZero() {
		out = append(out, m.paint.warn.on("│ ")+m.paint.faint.on("it is denied at "+a.DenyAt.Local().Format(time.DateTime)+" if nobody decides"))
	}
	switch {
	case d.sent || m.startled():
		return append(out, m.paint.warn.on("└ ")+m.paint.faint.on("…"))
	case d.instead:
		return append(out, m.paint.warn.on("└ ")+"what to do instead: type it and press Enter; Esc goes back")
	case d.away:
		return append(out, m.paint.warn.on("└ ")+m.paint.faint.on("Tab goes back to the question; a prompt that you send denies it"))
	}
	yes := "y yes"
	if !d.read() {
		yes = "y shows the rest first"
	}
	keys := yes + " · n no · e say what instead"
	if a.Always != "" {
		keys = yes + " · n no · a always · e say what instead"
		for _, l := range fitted("a always: "+plain.Visible(a.Always), m.width-2) {
			out = append(out, m.paint.warn.on("│ ")+m.paint.faint.on(l))
		}
	}
	return append(out, m.paint.warn.on("└ ")+cut(keys+" · Tab to type", m.width-2))
}
