package tui

import (
	"slices"
	"strings"

	"github.com/coder-agent/coder/agent/plain"
)

// A kind of block says whether it stands apart from the one before.
type kind int

const (
	nothing kind = iota
	prose        // what the model says
	card         // a call, or another short line about the turn; several stand together
	note         // about the session
	prompt       // what the user says
)

// print prints a finished block. Between blocks is an empty line, but not between cards and between notes.
func (m *model) print(k kind, lines []string) {
	if len(lines) == 0 {
		return
	}
	if m.last != nothing && (m.last != k || k != card && k != note) {
		m.out = append(m.out, "")
	}
	m.last = k
	m.out = append(m.out, lines...)
}

// more prints further lines of the block that was printed last.
func (m *model) more(lines []string) { m.out = append(m.out, lines...) }

// take returns what is to be printed, once.
func (m *model) take() []string {
	out := m.out
	m.out = nil
	return out
}

// takeRaw returns what is to be told to the terminal itself, once.
func (m *model) takeRaw() string {
	raw := strings.Join(m.raw, "")
	m.raw = nil
	return raw
}

// tell prints a note about the session.
func (m *model) tell(text string) { m.printNote(m.paint.faint, text) }

// warn prints a note that must not be missed.
func (m *model) warn(text string) { m.printNote(m.paint.warn, text) }

func (m *model) printNote(p paint, text string) {
	lines := wrap(plain.Text(text), m.width-2)
	for i := range lines {
		lines[i] = p.on(lines[i])
	}
	m.print(note, indent(m.paint.faint.on("· "), "  ", lines))
}

// fail prints an error, and what the user can do about it.
func (m *model) fail(text, hint string) {
	lines := wrap(plain.Text(text), m.width-2)
	for i := range lines {
		lines[i] = m.paint.bad.on(lines[i])
	}
	if hint != "" {
		for _, l := range wrap(plain.Text(hint), m.width-2) {
			lines = append(lines, m.paint.faint.on(l))
		}
	}
	m.print(note, indent(m.paint.bad.on("✗ "), "  ", lines))
}

// failed is fail for an error of Go.
func (m *model) failed(deed string, err error) {
	hint := ""
	if hinted, ok := err.(interface{ Hint() string }); ok {
		hint = hinted.Hint()
	}
	text := err.Error()
	if deed != "" {
		text = deed + ": " + text
	}
	m.fail(text, hint)
}

// Bounds of what is printed of one thing.
const (
	promptLines = 30 // of a prompt; what was pasted is long
	diffLines   = 16 // of a change
	tailLines   = 4  // of what a running command has put out
	failLines   = 6  // of what a command has put out that failed
	openLines   = 40 // of a card that is open
)

// printPrompt prints what somebody has said. who is "" for the user of this terminal.
func (m *model) printPrompt(text, who string) {
	m.print(prompt, m.promptLines(text, who, promptLines))
}

func (m *model) promptLines(text, who string, most int) []string {
	lines := shorten(wrap(plain.Text(text), m.width-2), most, 0)
	for i := range lines {
		lines[i] = m.paint.user.on(lines[i])
	}
	lines = indent(m.paint.user.on("▌ "), m.paint.user.on("▌ "), lines)
	if who != "" {
		lines = slices.Insert(lines, 0, m.paint.faint.on(plain.Line(who, 60)+":"))
	}
	return lines
}

// shorten leaves out the lines that are more than most: in the end, or before the last ones.
func shorten(lines []string, most, last int) []string {
	left := len(lines) - most + 1
	if left <= 1 {
		return lines
	}
	out := slices.Clone(lines[:most-1-last])
	out = append(out, "… "+plural(left, "more line"))
	return append(out, lines[len(lines)-last:]...)
}
