package chat

import (
	"fmt"
	"slices"
	"strings"
)

// An Ask is one question of the model to the user. One call holds up to three.
type Ask struct {
	Header  string   `json:"header"`            // one or two words; no other question of the call has it
	Text    string   `json:"text"`              // the question
	Options []string `json:"options,omitempty"` // to choose from; the first is what the model recommends
	Multi   bool     `json:"multi,omitempty"`   // several may be chosen
}

// Questions returns the calls of the last message that ask the user something and have no answer yet.
func (t *Transcript) Questions() []ToolCall {
	m, _ := t.TurnMessage()
	return slices.DeleteFunc(t.calls(InputAvailable), func(c ToolCall) bool { return !m.Asks(c.ID) })
}

// Asks reports whether the call asks the user something, rather than being a client's to run.
func (m Message) Asks(callID string) bool {
	return slices.ContainsFunc(m.Steps, func(s Step) bool { return slices.Contains(s.Questions, callID) })
}

// An AnswerError says why answers are not taken. Nothing has become of the question: it waits as before.
type AnswerError struct{ Why string }

func (e *AnswerError) Error() string { return e.Why }

// Hint says what an answer is.
func (e *AnswerError) Hint() string {
	return "give each question one answer: the text of an option, or your own words"
}

// Reply puts the answers to the questions of a call into the words that the model reads: a line for each, such as
// "Database: Postgres". answers has what was chosen or said for each question, in their order; words that are no option are the
// user's own. An *AnswerError names what is missing.
func Reply(asks []Ask, answers [][]string) (string, error) {
	if len(answers) > len(asks) {
		return "", &AnswerError{Why: fmt.Sprintf("%s for %s", number(len(answers), "answer"), number(len(asks), "question"))}
	}
	var lines, missing []string
	for i, q := range asks {
		var said []string
		if i < len(answers) {
			said = words(answers[i])
		}
		switch {
		case len(said) == 0:
			missing = append(missing, q.Header)
		case len(said) > 1 && !q.Multi:
			return "", &AnswerError{Why: fmt.Sprintf("the question %q takes one answer, not %d", q.Header, len(said))}
		}
		lines = append(lines, q.Header+": "+strings.Join(said, "; "))
	}
	if len(missing) > 0 {
		return "", &AnswerError{Why: "no answer to: " + strings.Join(missing, ", ")}
	}
	return strings.Join(lines, "\n"), nil
}

// words drops what says nothing.
func words(said []string) (kept []string) {
	for _, s := range said {
		if s = strings.TrimSpace(s); s != "" {
			kept = append(kept, s)
		}
	}
	return kept
}

// Unanswered is what the model reads when nobody has answered its questions, for the reason why.
func Unanswered(asks []Ask, why string) string {
	text := why + ": decide yourself, and say what you assumed"
	var recommended []string
	for _, q := range asks {
		if len(q.Options) > 0 {
			recommended = append(recommended, q.Header+": "+q.Options[0])
		}
	}
	if len(recommended) > 0 {
		text += ". You recommended " + strings.Join(recommended, "; ")
	}
	return text
}

func number(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
