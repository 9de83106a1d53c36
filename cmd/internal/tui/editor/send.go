package editor

import (
	"crypto/rand"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// enter sends the text. Behind a backslash it breaks the line instead, for terminals that cannot tell Shift+Enter.
func (e *Editor) enter() tea.Cmd {
	b := e.buf
	if b.cursor > 0 && b.text[b.cursor-1] == '\\' {
		b.together(func() { b.replace(b.cursor-1, b.cursor, "\n") })
		return nil
	}
	return e.send(false)
}

// send hands the text to the program. It is on disk until the program says that the host has it.
func (e *Editor) send(queue bool) tea.Cmd {
	raw := withoutBlankLines(e.buf.text)
	if raw == "" {
		return nil
	}
	id, pieces := rand.Text(), e.chips.pieces(raw)
	text, files := e.chips.expand(raw)
	command, shell := strings.CutPrefix(text, "!")
	command = strings.TrimSpace(command)
	if shell && command == "" {
		return nil
	}
	var kept tea.Cmd
	if e.opts.History != nil {
		kept = e.notice(e.opts.History.Add(Entry{Workdir: e.opts.Workdir, Pieces: pieces}))
	}
	e.unsent = append(e.unsent, Unsent{ID: id, Pieces: pieces})
	e.unsent = e.unsent[max(len(e.unsent)-maxUnsent, 0):]
	editing, held := e.editing, e.chips.pieces(e.waits())
	e.clear()
	e.buf.reset(e.chips.fold(held))
	e.vim.sent()
	var msg tea.Msg = Submit{ID: id, Text: text, Attachments: files, Queue: queue, Editing: editing}
	if shell && editing == "" {
		msg = Shell{ID: id, Command: command}
	}
	return tea.Batch(kept, e.save(), e.emit(msg))
}

// maxUnsent is how many prompts wait for a word of the host: as many as it queues.
const maxUnsent = 32

// waits is the draft in whose place another text stands: it comes back when that is sent.
func (e *Editor) waits() string {
	switch r := &e.recall; {
	case e.editing != "":
		return e.stashed
	case r.at >= 0 && r.at < len(r.list):
		return r.texts[len(r.list)]
	}
	return ""
}

// withoutBlankLines takes blank lines from both ends of a text, and blanks from its end. Its first line keeps its indentation.
func withoutBlankLines(text string) string {
	text = strings.TrimRight(text, " \t\n")
	for {
		line, rest, more := strings.Cut(text, "\n")
		if !more || strings.TrimSpace(line) != "" {
			return text
		}
		text = rest
	}
}
