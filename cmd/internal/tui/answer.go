package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/cmd/internal/headless"
	"github.com/coder-agent/coder/cmd/internal/tui/render"
)

// An answer is how far the assistant's message that is last has been printed. What is printed stays as it is; so a part is printed
// once it can no longer change, and not before those in front of it.
type answer struct {
	id   string
	next int  // the first part that is not printed
	step int  // of that part, counted from 0; -1 before the first
	open text // the prose at next, if that is one and has begun
}

// A text is prose that comes in pieces.
type text struct {
	md    *render.Markdown // nil: it has not begun
	clean plain.Stream
	fed   int  // bytes of the part that went in
	shown bool // lines of it were printed
}

// advance prints what of the last message is finished. over says that nothing more comes to it: its turn has ended and does not
// wait for anybody.
func (m *model) advance(over bool) {
	message, ok := m.script.TurnMessage()
	if !ok {
		return
	}
	if m.answer.id != message.ID {
		m.answer = answer{id: message.ID, step: -1}
	}
	for m.answer.next < len(message.Parts) {
		ended := over || slices.ContainsFunc(message.Parts[m.answer.next+1:], begins)
		if !m.finish(message, message.Parts[m.answer.next], ended, over) {
			return
		}
		m.answer.next++
		m.answer.open = text{}
	}
}

// begins reports whether another step begins, so that no more comes to the prose before.
func begins(p chat.Part) bool {
	_, ok := p.(chat.StepStart)
	return ok
}

// finish prints the part, or reports false while it may still change. closed says that no more comes to it if it is prose.
func (m *model) finish(message chat.Message, p chat.Part, closed, over bool) bool {
	switch p := p.(type) {
	case chat.StepStart:
		m.stepEnd(message)
		m.answer.step++
	case chat.Text:
		return m.finishText(p, closed)
	case chat.Reasoning:
		if p.State == chat.PartStreaming && !closed {
			return false
		}
		m.printThought(p.Text)
	case chat.ToolCall:
		if !p.Finished() && !over {
			return false
		}
		m.print(card, m.card(p, m.verbose))
		delete(m.begun, p.ID)
	case chat.Steering:
		m.print(prompt, m.promptLines(p.Text, "", promptLines))
	case chat.Compaction:
		if p.Status == chat.CompactionRunning && !over {
			return false
		}
		m.print(card, m.compaction(p))
	case chat.Note:
		m.printTold(p)
	case chat.File:
		m.print(card, []string{m.paint.faint.on(fmt.Sprintf("▪ file %s (%s)", plain.Line(p.Filename, 80), plain.Line(p.MediaType, 80)))})
	case chat.SourceURL:
		m.print(card, []string{m.paint.faint.on(cut("▪ "+plain.Line(p.Title+" "+p.URL, 300), m.width))})
	}
	return true
}

// finishText prints what of the prose is settled.
func (m *model) finishText(p chat.Text, closed bool) bool {
	closed = closed || p.State != chat.PartStreaming
	t := &m.answer.open
	m.feed(t, p.Text, closed)
	lines := t.md.Settled()
	if closed {
		lines = append(slices.Clone(lines), t.md.Close()...)
	}
	if !t.shown {
		for len(lines) > 0 && lines[0] == "" {
			lines = lines[1:]
		}
	}
	switch {
	case len(lines) == 0:
	case t.shown && m.last == prose:
		m.more(lines)
	default:
		m.print(prose, lines)
		t.shown = true
	}
	return closed
}

// feed gives the renderer what of the part it has not had.
func (m *model) feed(t *text, all string, closed bool) {
	if t.md == nil {
		t.md = m.markdown()
	}
	if t.fed < len(all) {
		t.md.Append(t.clean.Next(all[t.fed:]))
		t.fed = len(all)
	}
	if closed {
		t.md.Append(t.clean.End())
	}
}

// printThought folds what the model has thought into one line, or shows it when cards are open.
func (m *model) printThought(text string) {
	text = strings.TrimSpace(plain.Text(text))
	if text == "" {
		return
	}
	if !m.verbose {
		first, _, _ := strings.Cut(text, "\n")
		m.print(card, []string{m.paint.faint.on(cut("∴ thought: "+first, m.width))})
		return
	}
	lines := shorten(wrap(text, m.width-2), openLines, 0)
	for i := range lines {
		lines[i] = m.paint.faint.on(lines[i])
	}
	m.print(card, indent(m.paint.faint.on("∴ "), "  ", lines))
}

// printTold tells what the host has told the model.
func (m *model) printTold(n chat.Note) {
	switch n.Kind {
	case chat.CircleNote:
		m.tell("told the agent: " + plain.Line(n.Text, 300))
	case chat.SnapshotNote:
		m.warn(plain.Line(strings.TrimPrefix(n.Text, "(From coder, not from the user.) "), 300))
	case "instructions":
		m.tell("told the agent what the folder's instructions say, now that they are trusted")
	}
}

// stepEnd tells that the response before was cut off.
func (m *model) stepEnd(message chat.Message) {
	if i := m.answer.step; i >= 0 && i < len(message.Steps) && message.Steps[i].Status == chat.StepInterrupted {
		m.print(card, []string{m.paint.warn.on("~ interrupted here: the model does not see this answer and was asked again")})
	}
}

// compaction tells how far a summary is that takes the place of what was said.
func (m *model) compaction(c chat.Compaction) []string {
	switch c.Status {
	case chat.CompactionDone:
		return []string{m.paint.faint.on(cut(fmt.Sprintf("⊖ compacted: for the model a summary stands for the %s before; about %s tokens are now %s",
			plural(c.Messages, "message"), headless.Thousands(c.Before), headless.Thousands(c.After)), m.width))}
	case chat.CompactionFailed:
		return []string{m.paint.bad.on(cut("✗ compacting: "+plain.Line(c.Error, 300), m.width))}
	}
	return []string{m.paint.accent.on("● ") + m.paint.faint.on(fmt.Sprintf("compacting: about %s tokens, %s of the summary are written",
		headless.Thousands(c.Before), headless.Thousands(c.Written)))}
}

// live returns what is open of the last message, as it looks now.
func (m *model) live() []string {
	message, ok := m.script.TurnMessage()
	if !ok || m.answer.id != message.ID {
		return nil
	}
	var out []string
	last := m.last
	add := func(k kind, lines []string) {
		if len(lines) > 0 && last != nothing && (last != k || k != card) {
			out = append(out, "")
		}
		if len(lines) > 0 {
			last = k
			out = append(out, lines...)
		}
	}
	for i := m.answer.next; i < len(message.Parts); i++ {
		switch p := message.Parts[i].(type) {
		case chat.Text:
			if i == m.answer.next && m.answer.open.md != nil {
				lines := m.answer.open.md.Live()
				if m.answer.open.shown {
					out = append(out, lines...)
				} else {
					add(prose, lines)
				}
			}
		case chat.Reasoning:
			if m.script.Open() {
				add(card, m.thinking(p.Text))
			}
		case chat.ToolCall:
			if !m.shownAsQuestion(p.ID) {
				add(card, m.card(p, m.verbose))
			}
		case chat.Compaction:
			add(card, m.compaction(p))
		case chat.Steering:
			add(prompt, m.promptLines(p.Text, "", promptLines))
		}
	}
	return out
}

// shownAsQuestion reports whether the call is the one that the user is asked about.
func (m *model) shownAsQuestion(callID string) bool {
	if len(m.pending) > 0 {
		return m.pending[0].ToolCallID == callID
	}
	return m.asksNow() && m.reply.call == callID
}

// thinking is the end of what the model thinks.
func (m *model) thinking(text string) []string {
	if m.verbose {
		lines := wrap(plain.Text(text), m.width-2)
		lines = lines[max(0, len(lines)-tailLines):]
		for i := range lines {
			lines[i] = m.paint.faint.on(lines[i])
		}
		return indent(m.paint.faint.on("∴ "), "  ", lines)
	}
	text = plain.Line(text[max(0, len(text)-400):], 400)
	room := max(10, m.width-14)
	if r := []rune(text); len(r) > room {
		text = "…" + string(r[len(r)-room+1:])
	}
	return []string{m.paint.faint.on(cut("∴ thinking: "+text, m.width))}
}

// elapsed says how long something takes already.
func elapsed(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%ds", d/time.Second)
	}
	if d < time.Hour {
		return fmt.Sprintf("%dm %02ds", d/time.Minute, d/time.Second%60)
	}
	return fmt.Sprintf("%dh %02dm", d/time.Hour, d/time.Minute%60)
}

func plural(n int, what string) string { return headless.Count(n, what) }
