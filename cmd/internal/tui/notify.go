package tui

import (
	"strings"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/cmd/internal/headless"
)

// attract tells somebody who looks elsewhere that something has come to an end or waits: as a notification where the terminal has
// them, and else by its bell.
func (m *model) attract(what string) {
	if !m.blurred {
		return
	}
	text := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == ';' {
			return ' '
		}
		return r
	}, plain.VisibleLine("coder: "+what, 120))
	m.raw = append(m.raw, "\x1b]9;"+text+"\x07\x07")
}

// notify attracts at the end of a turn.
func (m *model) notify(reason chat.FinishReason) {
	if reason == chat.FinishApproval || reason == chat.FinishQuestion {
		return // the question does
	}
	m.attract(headless.Ending(reason))
}
