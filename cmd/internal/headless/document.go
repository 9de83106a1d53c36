package headless

import (
	"encoding/json"
	"strings"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/plain"
)

// A document is what of the session's state document matters here.
type document struct {
	Workdir string
	Model   string
	Mode    string
	Status  string
	Queued  int
	Pending []Approval

	Questions []Questions
}

// state takes a new state document. One that cannot be read tells nothing.
func (f *follower) state(raw json.RawMessage) {
	var doc document
	if json.Unmarshal(raw, &doc) != nil {
		return
	}
	f.doc = doc
	if f.result.Workdir == "" {
		f.result.Workdir, f.result.Model, f.result.Mode = doc.Workdir, doc.Model, doc.Mode
	}
}

// waits tells that the turn waits behind another.
func (f *follower) waits() {
	if f.doc.Queued > 0 && !f.queued {
		f.queued = true
		f.show.note("waiting: another turn of the session runs")
	}
}

// superseded is why a prompt denies what waits: the agent's own words.
const superseded = "the user sent a new prompt instead"

// begins notes the calls that the prompt of the turn has denied, and tells the questions that it has answered: those that
// waited when it began.
func (f *follower) begins(started chat.TurnStarted) {
	if !f.prompted || started.MessageID == "" {
		return
	}
	for _, a := range f.doc.Pending {
		f.result.Decided = append(f.result.Decided, Decision{
			ToolCallID: a.ToolCallID, ToolName: a.ToolName, Summary: a.Summary, Reason: superseded,
		})
	}
	for _, q := range f.doc.Questions {
		headers := make([]string, len(q.Questions))
		for i, ask := range q.Questions {
			headers[i] = ask.Header
		}
		f.show.note("answered by this prompt: %s", plain.VisibleLine(strings.Join(headers, ", "), summaryWidth))
	}
}

// tell shows what was decided before the turn.
func (f *follower) tell() error {
	for _, a := range f.result.Answered {
		f.show.answered(a)
	}
	for _, d := range f.result.Decided {
		f.show.decision(d)
		if f.options.Format != JSONL {
			continue
		}
		err := f.line("coder-decided", struct {
			ToolCallID string `json:"toolCallId"`
			Approved   bool   `json:"approved"`
			Reason     string `json:"reason,omitempty"`
		}{d.ToolCallID, d.Approved, d.Reason})
		if err != nil {
			return err
		}
	}
	return nil
}
