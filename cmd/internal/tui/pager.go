package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/coder-agent/coder/agent/chat"
)

// A pager covers the screen with text that is longer than it.
type pager struct {
	title string
	lines func(width int) []string // made anew for another width
	made  []string
	width int
	top   int
	end   bool // begin at the end
}

// show covers the screen.
func (m *model) show(title string, lines func(width int) []string) {
	m.pager = &pager{title: title, lines: lines}
}

func (p *pager) pieces(width int) []string {
	if p.made == nil || p.width != width {
		p.made, p.width = p.lines(width), width
	}
	return p.made
}

// pagerKey takes a key for the pager.
func (m *model) pagerKey(name string) {
	p := m.pager
	lines, rows := p.pieces(m.width), max(1, m.height-2)
	last := max(0, len(lines)-rows)
	switch name {
	case "q", "esc", "ctrl+x", "enter":
		m.pager = nil
	case "down", "j":
		p.top = min(last, p.top+1)
	case "up", "k":
		p.top = max(0, p.top-1)
	case "pgdown", "space", "ctrl+f":
		p.top = min(last, p.top+rows-1)
	case "pgup", "b", "ctrl+b":
		p.top = max(0, p.top-rows+1)
	case "home", "g":
		p.top = 0
	case "end", "G", "shift+g":
		p.top = last
	}
}

// page is what covers the screen, or nil.
func (m *model) page() []string {
	if m.pager == nil || m.quits {
		return nil
	}
	p := m.pager
	rows := max(1, m.height-2)
	lines := p.pieces(m.width)
	last := max(0, len(lines)-rows)
	if p.end {
		p.top, p.end = last, false
	}
	p.top = min(p.top, last)
	out := []string{m.paint.strong.on(cut(p.title, m.width))}
	out = append(out, lines[p.top:min(len(lines), p.top+rows)]...)
	for len(out) < m.height-1 {
		out = append(out, "")
	}
	where := fmt.Sprintf("lines %d–%d of %d", min(p.top+1, len(lines)), min(len(lines), p.top+rows), len(lines))
	return append(out, m.paint.faint.on(cut(where+" · ↑↓ PgUp PgDn g G · q leaves", m.width)))
}

// openTranscript covers the screen with the whole session, its cards open.
func (m *model) openTranscript() tea.Cmd {
	return m.whole("reading the transcript", func(m *model, messages []chat.Message) tea.Cmd {
		m.show("session "+m.about.Name, func(width int) []string { return m.transcript(messages, width) })
		m.pager.end = true
		return nil
	})
}

// transcript is the whole session as lines, by a model of its own that prints nothing else.
func (m *model) transcript(messages []chat.Message, width int) []string {
	scratch := &model{
		ctx: m.ctx, opts: m.opts, paint: m.paint, width: width, height: m.height, verbose: true,
		seen: map[string]bool{}, script: chat.NewTranscript(nil), about: m.about,
	}
	for i := range messages {
		scratch.showSettled(messages, i)
	}
	if len(scratch.out) == 0 {
		return []string{m.paint.faint.on("nothing has been said yet")}
	}
	return scratch.out
}

// text is a pager's lines of plain text.
func textLines(text string) func(int) []string {
	return func(width int) []string {
		var out []string
		for l := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
			out = append(out, wrap(l, width)...)
		}
		return out
	}
}
