package tui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/cmd/internal/headless"
)

// An answering is how far the user is with the questions of a call.
type answering struct {
	call    string
	at      time.Time // it was shown first
	answers [][]string
	cursor  int
	chosen  map[int]bool // of the question at hand, where several may be chosen
	away    bool         // the user types their own words
	sent    bool
}

// askedUser takes the questions that wait, as the state document has them.
func (m *model) askedUser() tea.Cmd {
	if len(m.doc.Questions) == 0 {
		m.reply = answering{}
		return nil
	}
	q := m.doc.Questions[0]
	if q.ToolCallID == m.reply.call {
		return nil
	}
	m.reply = answering{call: q.ToolCallID, at: m.opts.Now(), chosen: map[int]bool{}}
	m.nextQuestion()
	m.reply.away = m.reply.away || !m.input.Empty()
	if len(q.Questions) > 0 {
		m.attract("asks: " + q.Questions[0].Text)
	}
	return startled()
}

// nextQuestion begins with the question at hand. One without options is answered by typing.
func (m *model) nextQuestion() {
	r, asks := &m.reply, m.doc.Questions[0].Questions
	r.cursor, r.chosen = 0, map[int]bool{}
	r.away = len(r.answers) < len(asks) && len(asks[len(r.answers)].Options) == 0
}

// replies reports whether keys go to a question of the agent.
func (m *model) replies() bool {
	return m.asksNow() && !m.reply.away && len(m.pending) == 0 && m.picker == nil && m.pager == nil
}

// asksNow reports whether a question of the agent waits for its answer.
func (m *model) asksNow() bool {
	r := m.reply
	return r.call != "" && !r.sent && len(m.doc.Questions) > 0 && len(r.answers) < len(m.doc.Questions[0].Questions)
}

// replyKey takes a key for a question of the agent.
func (m *model) replyKey(k tea.KeyPressMsg) tea.Cmd {
	r := &m.reply
	q := m.doc.Questions[0].Questions[len(r.answers)]
	name := k.String()
	early := m.opts.Now().Sub(r.at) < startle
	if k.Text != "" && (early || !m.isReply(k, q)) { // the user's own words
		r.away = true
		return m.input.Update(k)
	}
	switch name {
	case "tab", "esc":
		r.away = true
		return nil
	case "up", "k":
		r.cursor = max(0, r.cursor-1)
		return nil
	case "down", "j":
		r.cursor = min(max(0, len(q.Options)-1), r.cursor+1)
		return nil
	}
	if early {
		return nil
	}
	if n := int(k.Code - '1'); len(k.Text) == 1 && n >= 0 && n < len(q.Options) && n < 9 {
		r.cursor = n
		if !q.Multi {
			return m.answered([]string{q.Options[n]})
		}
		name = "space"
	}
	switch {
	case name == "space" && q.Multi && len(q.Options) > 0:
		r.chosen[r.cursor] = !r.chosen[r.cursor]
	case name == "enter" && q.Multi:
		var said []string
		for i, o := range q.Options {
			if r.chosen[i] {
				said = append(said, o)
			}
		}
		if len(said) > 0 {
			return m.answered(said)
		}
	case name == "enter" && len(q.Options) > 0:
		return m.answered([]string{q.Options[r.cursor]})
	case name == "o":
		r.away = true
	}
	return nil
}

// isReply reports whether a key that is text chooses.
func (m *model) isReply(k tea.KeyPressMsg, q chat.Ask) bool {
	if strings.Contains("jko ", k.Text) {
		return true
	}
	n := int(k.Code - '1')
	return len(k.Text) == 1 && n >= 0 && n < min(len(q.Options), 9)
}

// answered notes the answer to the question at hand; with the last one all go to the agent.
func (m *model) answered(said []string) tea.Cmd {
	r := &m.reply
	r.answers = append(r.answers, said)
	m.nextQuestion()
	q := m.doc.Questions[0]
	if len(r.answers) < len(q.Questions) {
		return nil
	}
	r.sent = true
	answers := r.answers
	return m.call(func(m *model, err error) tea.Cmd {
		if err != nil {
			m.failed("answering", err)
			m.reply = answering{} // from the beginning
			return m.askedUser()
		}
		return nil
	}, "answer", nil, q.ToolCallID, answers)
}

// askView shows the question at hand in at most rows lines.
func (m *model) askView(rows int) []string {
	call, r := m.doc.Questions[0], m.reply
	q := call.Questions[len(r.answers)]
	count := ""
	if n := len(call.Questions); n > 1 {
		count = fmt.Sprintf(" (%d of %d)", len(r.answers)+1, n)
	}
	bar := m.paint.accent.on("│ ")
	out := []string{m.paint.accent.on(cut("? "+cmp.Or(plain.VisibleLine(q.Header, 60), "a question")+count, m.width))}
	for _, l := range shorten(wrap(plain.Visible(q.Text), m.width-2), max(3, rows/2), 0) {
		out = append(out, bar+l)
	}
	fits := max(2, rows-len(out)-2)
	first := min(max(0, r.cursor-fits/2), max(0, len(q.Options)-fits))
	for i := first; i < min(len(q.Options), first+fits); i++ {
		out = append(out, bar+m.optionLine(q.Options[i], i, q.Multi))
	}
	if !call.DenyAt.IsZero() {
		out = append(out, bar+m.paint.faint.on("the agent decides for itself at "+call.DenyAt.Local().Format(time.DateTime)))
	}
	return append(out, m.paint.accent.on("└ ")+m.paint.faint.on(cut(m.askKeys(q.Multi, len(q.Options)), m.width-2)))
}

func (m *model) optionLine(option string, i int, multi bool) string {
	r := m.reply
	sign := "  "
	if i == r.cursor && !r.away {
		sign = "❯ "
	}
	if multi {
		box := "[ ] "
		if r.chosen[i] {
			box = "[x] "
		}
		sign += box
	}
	text := fmt.Sprintf("%s%d. %s", sign, i+1, plain.VisibleLine(option, 300))
	if i == 0 {
		text += m.paint.faint.on(" (recommended)")
	}
	if i == r.cursor && !r.away {
		text = m.paint.user.on(text)
	}
	return cut(text, m.width-2)
}

func (m *model) askKeys(multi bool, options int) string {
	switch {
	case m.reply.sent, m.opts.Now().Sub(m.reply.at) < startle && !m.reply.away:
		return "…"
	case m.reply.away && options > 0:
		return "Enter answers in your own words; Tab goes back to the options"
	case m.reply.away, options == 0:
		return "type your answer and press Enter"
	case multi:
		return "space chooses, Enter answers, o for your own words"
	}
	return "Enter or a number answers, o for your own words"
}

// ownWords answers the question at hand with what was typed.
func (m *model) ownWords(text string) tea.Cmd { return m.answered([]string{strings.TrimSpace(text)}) }

// forgetAnswers drops the answers of a call that waits no more.
func (m *model) forgetAnswers() {
	if !slices.ContainsFunc(m.doc.Questions, func(q headless.Questions) bool { return q.ToolCallID == m.reply.call }) {
		m.reply = answering{}
	}
}
