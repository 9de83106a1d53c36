package chat

import (
	"encoding/json"
	"slices"
	"strings"
)

// Compaction is the mark where, for the model, a summary takes the place of what was said before. Clients keep all of it.
// In the JSON it is a data part named "compaction", with the fields but ID as its data.
type Compaction struct {
	ID     string           `json:"-"`
	Status CompactionStatus `json:"status"`
	Auto   bool             `json:"auto,omitempty"` // the next request would not have fitted; else a client has asked for it

	Before  int `json:"before,omitempty"`  // tokens of the request that would have come, about
	After   int `json:"after,omitempty"`   // the same, once it is done
	Written int `json:"written,omitempty"` // tokens of the summary so far, about

	// From is the first message that the model still sees whole, or from its step Step on, counted from 0. What stood
	// before it is Messages messages, the last perhaps in part.
	From     string `json:"from,omitempty"`
	Step     int    `json:"step,omitempty"`
	Messages int    `json:"messages,omitempty"`

	Summary string   `json:"summary,omitempty"` // by the model
	Prompts []string `json:"prompts,omitempty"` // the user's own words of what was replaced, the latest last
	Todo    []Todo   `json:"todo,omitempty"`    // the list as it was

	Usage Usage  `json:"usage,omitzero"`  // of the requests for the summary
	Error string `json:"error,omitempty"` // why there is none
}

// A CompactionStatus says how far a compaction is.
type CompactionStatus string

// The statuses of a compaction.
const (
	CompactionRunning CompactionStatus = "running"
	CompactionDone    CompactionStatus = "done"
	CompactionFailed  CompactionStatus = "failed"
)

type compactionJSON struct {
	ID   string         `json:"id"`
	Data compactionData `json:"data"`
}

type compactionData Compaction

func (c Compaction) json() compactionJSON { return compactionJSON{c.ID, compactionData(c)} }

// MarshalJSON gives the data part's chunk without its type, which EncodeEvent adds.
func (c Compacted) MarshalJSON() ([]byte, error) { return marshal(Compaction(c).json()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Compacted) UnmarshalJSON(data []byte) error {
	var in compactionJSON
	err := json.Unmarshal(data, &in)
	*c = Compacted(in.Data)
	c.ID = in.ID
	return err
}

// compact puts the mark in, or in the place of an earlier state of it.
func (t *Transcript) compact(c Compaction) {
	m := t.last()
	for i, p := range slices.Backward(m.Parts) {
		if have, ok := p.(Compaction); ok && have.ID == c.ID {
			m.Parts[i] = c
			return
		}
	}
	m.Parts = append(m.Parts, c)
}

// compacting is what the compactions among parts have cost.
func compacting(parts []Part) (u Usage) {
	for _, p := range parts {
		if c, ok := p.(Compaction); ok {
			u = u.Add(c.Usage)
		}
	}
	return u
}

// Compacting returns the last mark of the open turn, and whether the model has answered since.
func (t *Transcript) Compacting() (c Compaction, answered, ok bool) {
	m, live := t.TurnMessage()
	if !live {
		return c, false, false
	}
	step := -1
	for i, p := range m.Parts {
		switch p := p.(type) {
		case StepStart:
			step++
			answered = answered || step < len(m.Steps) && m.Steps[step].Status == StepAnswered
		case Compaction:
			if i >= t.before {
				c, answered, ok = p, false, true
			}
		}
	}
	return c, answered, ok
}

// text is what the model reads in place of what was replaced.
func (c Compaction) text() string {
	var b strings.Builder
	b.WriteString("(From coder, not from the user.) The beginning of this session no longer fits and was replaced by this summary, which you wrote. " +
		"Go on from it; do not repeat what is done. Files count as unread unless you read them below: read one again before you change it.\n\n<summary>\n")
	b.WriteString(strings.TrimSpace(c.Summary))
	b.WriteString("\n</summary>\n")
	if len(c.Prompts) > 0 {
		b.WriteString("\nWhat the user said in that part, word for word where nothing is left out:\n")
		for _, p := range c.Prompts {
			b.WriteString("\n<prompt>\n" + p + "\n</prompt>\n")
		}
	}
	if len(c.Todo) > 0 {
		b.WriteString("\nYour todo list:\n")
		for _, t := range c.Todo {
			b.WriteString("- [" + string(t.Status) + "] " + t.Text + "\n")
		}
	}
	return b.String()
}
