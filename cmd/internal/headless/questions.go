package headless

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/plain"
)

// Questions is a call of the agent that waits for the user's answers.
type Questions struct {
	ToolCallID string     `json:"toolCallId"`
	ToolName   string     `json:"toolName"`
	Questions  []chat.Ask `json:"questions"`
	DenyAt     time.Time  `json:"denyAt,omitzero"` // when the agent decides for itself unless somebody answers
}

// An Answer is what the command has answered.
type Answer struct {
	ToolCallID string `json:"toolCallId"`
	Text       string `json:"text"` // a line for each question
}

// PrintQuestions prints the questions of a session that wait, each with the command that answers.
func PrintQuestions(out io.Writer, session string, list []Questions) {
	p := &progress{Options: Options{Err: out}, session: session}
	p.questions(list)
}

// questions prints what waits for the user's answer, unless whoever follows is asked right there.
func (p *progress) questions(list []Questions) {
	if p.Asks {
		return
	}
	for _, q := range list {
		p.note("waiting for your answer:")
		for _, l := range AskLines(q.Questions) {
			p.note("  %s", l)
		}
		p.note("  %s   (an option's number, or your own words)", answering(p.session, q))
		if !q.DenyAt.IsZero() {
			p.note("  the agent decides for itself at %s if nobody answers", q.DenyAt.Local().Format(time.DateTime))
		}
	}
}

// answering is the command that answers.
func answering(session string, q Questions) string {
	return fmt.Sprintf("coder answer %s %s%s", session, q.ToolCallID, strings.Repeat(" -a ANSWER", len(q.Questions)))
}

// AskLines are the questions of a call for people, their options numbered. The words are the model's: nothing in them is
// hidden, and nothing is obeyed.
func AskLines(asks []chat.Ask) (out []string) {
	for _, q := range asks {
		head, text := plain.VisibleLine(q.Header, summaryWidth)+": ", plain.Visible(q.Text)
		if strings.HasPrefix(text, strings.TrimSuffix(q.Header, "…")) {
			head = "" // the beginning of the question
		}
		lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
		out = append(out, head+lines[0])
		for _, l := range lines[1:] {
			out = append(out, "  "+l)
		}
		for i, option := range q.Options {
			line := fmt.Sprintf("  %d. %s", i+1, plain.VisibleLine(option, errorWidth))
			if i == 0 {
				line += " (recommended)"
			}
			out = append(out, line)
		}
		if q.Multi {
			out = append(out, "  several may be chosen, such as 1,2")
		}
	}
	return out
}

// answer shows what the command itself has answered.
func (p *progress) answered(a Answer) {
	for l := range strings.SplitSeq(plain.Visible(a.Text), "\n") {
		p.note("answered: %s", l)
	}
}

// unanswered reads which questions wait.
func (f *follower) unanswered(ctx context.Context) error {
	if err := f.session.Ask(ctx, "questions", &f.result.Questions); err != nil {
		return fmt.Errorf("asking which questions wait: %w", err)
	}
	return nil
}
