package tui

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/cmd/internal/headless"
)

// FuzzAnyTextIsInert shows any text in every place where text from elsewhere is shown, at any width: nothing of it reaches the
// terminal that the terminal would obey, and no line of the frame is wider than the terminal.
func FuzzAnyTextIsInert(f *testing.F) {
	for _, seed := range []string{
		"plain", "\x1b]0;owned\x07\x1b[2J", "\x1b]52;c;aGk=\x07", "a\u202eb\u2066c", "x\x00\x9b31m\r\ny", "👨‍👩‍👧🏳️‍🌈e\u0301", "&#27;[31m &#x202e; `\x1b[1m`",
		"```go\n\x1b[1m\n```\n| a | b |\n|---|---|\n| \x1b[2J | 日本 |", "[link](http://x\x1b]8;;y)", strings.Repeat("長", 500),
	} {
		f.Add(seed, seed, 60)
	}
	f.Fuzz(func(t *testing.T, one, other string, width int) {
		if len(one) > 1<<14 || len(other) > 1<<14 {
			return
		}
		width = 20 + int(uint(width)%120)
		s := newStage(t, width, 24, map[string]any{
			"title": one, "model": other, "todo": []chat.Todo{{Text: one, Status: chat.TodoActive}}, "children": []child{{Session: one, Agent: other}},
		})
		s.press(`"x`, "enter")
		s.events("ours-1", chat.TurnStarted{MessageID: "m"}, chat.StepStarted{}, chat.ReasoningStarted{ID: "r"}, chat.ReasoningDelta{ID: "r", Delta: one}, chat.TextStarted{ID: "t"},
			chat.TextDelta{ID: "t", Delta: one}, chat.TextDelta{ID: "t", Delta: other})
		inert(t, s)
		s.events("ours-1", chat.TextEnded{ID: "t"}, chat.ToolCalled{ToolCallID: "c", ToolName: one, Input: raw(map[string]string{"command": other})},
			chat.ToolStarted{ToolCallID: "c"}, chat.ToolProgress{ToolCallID: "c", Output: chat.Output{Text: one}}, chat.Steered{ID: "s", Text: other})
		inert(t, s)
		s.events("ours-1", chat.ToolFinished{ToolCallID: "c", Output: chat.Output{Text: one, Details: raw(map[string]any{"diff": "--- a\n+++ b\n@@ -1 +1 @@\n-" + one + "\n+" + other + "\n", "signal": one})}},
			chat.ToolCalled{ToolCallID: "d", ToolName: "bash", Input: raw(map[string]string{"command": other})}, chat.ApprovalAsked{ToolCallID: "d", ApprovalID: "a"},
			chat.TurnFinished{Reason: chat.FinishApproval})
		q := question("d", other, headless.Approval{Reason: one})
		q.Always = other
		s.f.answers["approvals"] = []headless.Approval{q}
		s.state(map[string]any{"status": "waiting", "pending": []headless.Approval{q}, "title": other})
		inert(t, s)
		s.state(map[string]any{"questions": []map[string]any{{"toolCallId": "e", "questions": []map[string]any{{"header": one, "text": other, "options": []string{one, other}}}}}})
		s.events("t2", chat.TurnStarted{}, chat.ToolFailed{ToolCallID: "d", ErrorText: one}, chat.TurnFinished{Reason: chat.FinishError, Error: other, Hint: one})
		inert(t, s)
		s.m.openTranscript()
		for _, l := range s.m.page() {
			inertLine(t, l, width)
		}
		if title := s.m.title(); strings.ContainsFunc(title, control) {
			t.Errorf("the title is %q", title)
		}
	})
}

func control(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// inert checks what was printed, which may be as wide as it likes, and the frame.
func inert(t *testing.T, s *stage) {
	t.Helper()
	for _, l := range s.m.take() {
		inertLine(t, l, 1<<30)
	}
	frame, _ := s.m.frame()
	if len(frame) > 24 {
		t.Errorf("the frame has %d lines on a terminal of 24", len(frame))
	}
	for _, l := range frame {
		inertLine(t, l, s.m.width)
	}
}

func inertLine(t *testing.T, l string, width int) {
	t.Helper()
	if text := ansi.Strip(l); strings.ContainsFunc(text, control) || !utf8.ValidString(l) {
		t.Errorf("a line holds what a terminal obeys: %q", l)
	}
	if left := sgr.ReplaceAllString(l, ""); strings.Contains(left, "\x1b") {
		t.Errorf("a line holds more than styles: %q", l)
	}
	if w := ansi.StringWidth(l); w > width {
		t.Errorf("a line has %d cells of %d: %q", w, width, l)
	}
}
