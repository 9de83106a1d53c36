package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/coder-agent/coder/agent/plain"
)

// A picker lets the user choose one of a list; what is typed narrows it.
type picker struct {
	title  string
	items  []choice
	filter string
	at     int
	free   string // what Enter does with a filter that matches nothing, such as "use"; "" does nothing
	pick   func(m *model, value string) tea.Cmd
}

// A choice is one line of a picker.
type choice struct {
	value string
	label string // plain text
	about string // what else there is to know, faint behind it
}

// matching are the choices that have each word of the filter in them.
func (p *picker) matching() []choice {
	words := strings.Fields(strings.ToLower(p.filter))
	var out []choice
next:
	for _, c := range p.items {
		text := strings.ToLower(c.value + " " + c.label + " " + c.about)
		for _, w := range words {
			if !strings.Contains(text, w) {
				continue next
			}
		}
		out = append(out, c)
	}
	return out
}

// mostFilter bounds a filter, in characters.
const mostFilter = 200

// narrow adds to the filter what was typed, or pasted: that may hold anything.
func (p *picker) narrow(text string) { p.filter, p.at = plain.Line(p.filter+text, mostFilter), 0 }

// pickerKey takes a key for the picker.
func (m *model) pickerKey(k tea.KeyPressMsg) tea.Cmd {
	p := m.picker
	list := p.matching()
	switch k.String() {
	case "esc":
		m.picker = nil
	case "up", "ctrl+p":
		p.at = max(0, p.at-1)
	case "down", "ctrl+n":
		p.at = min(max(0, len(list)-1), p.at+1)
	case "pgup":
		p.at = max(0, p.at-10)
	case "pgdown":
		p.at = min(max(0, len(list)-1), p.at+10)
	case "backspace":
		if r := []rune(p.filter); len(r) > 0 {
			p.filter, p.at = string(r[:len(r)-1]), 0
		}
	case "ctrl+u":
		p.filter, p.at = "", 0
	case "enter":
		m.picker = nil
		if p.at < len(list) {
			return p.pick(m, list[p.at].value)
		}
		if p.free != "" && strings.TrimSpace(p.filter) != "" {
			return p.pick(m, strings.TrimSpace(p.filter))
		}
	default:
		if k.Text != "" {
			p.narrow(k.Text)
		}
	}
	return nil
}

// view shows the picker in at most rows lines.
func (p *picker) view(m *model, rows int) []string {
	list := p.matching()
	out := []string{m.paint.strong.on(p.title) + "  " + m.paint.user.on(p.filter) + m.paint.faint.on("▏")}
	fits := max(1, min(rows-2, 12))
	first := min(max(0, p.at-fits/2), max(0, len(list)-fits))
	for i := first; i < min(len(list), first+fits); i++ {
		c := list[i]
		line := "  " + c.label
		if i == p.at {
			line = m.paint.user.on("❯ " + c.label)
		}
		out = append(out, cut(line+"  "+m.paint.faint.on(c.about), m.width))
	}
	switch {
	case len(list) == 0 && p.free != "" && p.filter != "":
		out = append(out, m.paint.faint.on("  Enter: "+p.free+" "+p.filter))
	case len(list) == 0:
		out = append(out, m.paint.faint.on("  nothing like that"))
	}
	return append(out, m.paint.faint.on(cut(fmt.Sprintf("  %d of %d · type to search, ↑↓ choose, Enter takes, Esc leaves", len(list), len(p.items)), m.width)))
}
