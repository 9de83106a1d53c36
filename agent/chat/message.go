// Package chat holds what a session says: messages, the events that build them, and the transcript that folds events
// into messages. Its JSON is the AI SDK's UI message (parts) and UI message stream (events, there called chunks), so
// that what is stored, what is sent and what a browser page reads are the same bytes.
//
// Source of the shapes: AI SDK 6, "UIMessage" and "UI message stream protocol"; tool parts as @cloudflare/ai-chat
// 0.12.2 stores them.
package chat

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A Role says who speaks.
type Role string

// The roles of a UI message. System messages are accepted from old clients and never produced.
const (
	User      Role = "user"
	Assistant Role = "assistant"
	System    Role = "system"
)

// A Message is one entry of a transcript. An assistant message holds a whole turn: all its steps, their tool calls and
// the results.
type Message struct {
	ID       string
	Role     Role
	Parts    []Part
	Metadata json.RawMessage // as the client sent it; nil when absent

	// Steps says of each model response of an assistant message what only the agent needs: the i-th Step belongs to
	// the i-th StepStart part. It is stored beside the parts and is never part of the public JSON.
	Steps []Step
}

// Text returns the message's text parts joined by newlines.
func (m Message) Text() string {
	var texts []string
	for _, p := range m.Parts {
		if t, ok := p.(Text); ok && t.Text != "" {
			texts = append(texts, t.Text)
		}
	}
	return strings.Join(texts, "\n")
}

// A Step is what the provider said of one model response.
type Step struct {
	Status  StepStatus      `json:"status,omitempty"`
	Model   string          `json:"model,omitempty"`   // the model id that was asked for
	Served  string          `json:"served,omitempty"`  // the model that answered, as the provider names it
	Reason  ModelFinish     `json:"reason,omitempty"`  // why the response ended
	Usage   Usage           `json:"usage,omitzero"`    // tokens and cost of this response and of failed attempts at it
	Details json.RawMessage `json:"details,omitempty"` // merged reasoning_details, sent back on later requests

	// Client names the calls of the response whose tools run at a client: nobody else answers them, and no client
	// answers another. Continue says that a client wants the turn to go on by itself once all have their results.
	Client   []string `json:"client,omitempty"`
	Continue bool     `json:"continue,omitempty"`

	Questions []string `json:"questions,omitempty"` // those of Client that ask the user something: any client brings the answer

	Judged []Judged `json:"judged,omitempty"` // calls of the response that were asked for or denied, in the order of the verdicts
	Tasks  []Task   `json:"tasks,omitempty"`  // that calls of the response give to children
}

// A StepStatus says whether a model response is complete.
type StepStatus string

const (
	StepOpen        StepStatus = ""            // streaming, or cut off by a crash that nobody has noticed yet
	StepAnswered    StepStatus = "answered"    // the response is complete
	StepInterrupted StepStatus = "interrupted" // cut off; kept for show, hidden from the model, asked again
	StepCancelled   StepStatus = "cancelled"   // cut off by the user; its text stays in the conversation
)

// A ModelFinish is the provider's reason for the end of one response, normalised.
type ModelFinish string

// What a response can end with. Unknown reasons become ModelOther.
const (
	ModelStop     ModelFinish = "stop"
	ModelTools    ModelFinish = "tool-calls"
	ModelLength   ModelFinish = "length"
	ModelFiltered ModelFinish = "content-filter"
	ModelOther    ModelFinish = "other"
)

// Usage counts tokens and the provider's own price. Input includes Cached and CacheWrite; Output includes Reasoning.
type Usage struct {
	Input      int     `json:"input,omitempty"`
	Output     int     `json:"output,omitempty"`
	Cached     int     `json:"cached,omitempty"`
	CacheWrite int     `json:"cacheWrite,omitempty"`
	Reasoning  int     `json:"reasoning,omitempty"`
	Cost       float64 `json:"cost,omitempty"` // US dollars as the provider reports them; 0 when it reports none
}

// Add returns the sum of u and v.
func (u Usage) Add(v Usage) Usage {
	return Usage{
		Input: u.Input + v.Input, Output: u.Output + v.Output, Cached: u.Cached + v.Cached,
		CacheWrite: u.CacheWrite + v.CacheWrite, Reasoning: u.Reasoning + v.Reasoning, Cost: u.Cost + v.Cost,
	}
}

// Sub returns what u has more than v.
func (u Usage) Sub(v Usage) Usage {
	return Usage{
		Input: u.Input - v.Input, Output: u.Output - v.Output, Cached: u.Cached - v.Cached,
		CacheWrite: u.CacheWrite - v.CacheWrite, Reasoning: u.Reasoning - v.Reasoning, Cost: u.Cost - v.Cost,
	}
}

// A Part is a typed piece of a message: Text, Reasoning, StepStart, ToolCall, File, SourceURL, SourceDocument, Data,
// Steering, Note, Compaction or Unknown. Parts are values: to change one, replace it in the slice.
type Part interface{ part() }

// PartState says whether a text or reasoning part is complete. User text has none.
type PartState string

const (
	PartStreaming PartState = "streaming"
	PartDone      PartState = "done"
)

// Text is prose.
type Text struct {
	ID    string    `json:"-"` // names the part while it is open
	Text  string    `json:"text"`
	State PartState `json:"state,omitempty"`
}

// Reasoning is what the model thought aloud. What must be sent back to the provider is in Step.Details.
type Reasoning struct {
	ID    string    `json:"-"` // as in Text
	Text  string    `json:"text"`
	State PartState `json:"state,omitempty"`
}

// StepStart begins the parts of one model response.
type StepStart struct{}

// File is an attachment: url is a data: or https: URL.
type File struct {
	MediaType string `json:"mediaType"`
	URL       string `json:"url"`
	Filename  string `json:"filename,omitempty"`
}

// Steering is a prompt that the user put into a running turn, at the place where the model saw it. In the JSON it is a
// data part named "steering".
type Steering struct {
	ID   string
	Text string
}

// ToolState is how far a tool call has come.
type ToolState string

// The states of a tool part, in the order in which a call can pass them.
const (
	InputStreaming    ToolState = "input-streaming"
	InputAvailable    ToolState = "input-available"
	ApprovalRequested ToolState = "approval-requested"
	ApprovalResponded ToolState = "approval-responded"
	OutputAvailable   ToolState = "output-available"
	OutputError       ToolState = "output-error"
	OutputDenied      ToolState = "output-denied"
)

// ToolCall is one use of a tool and, in its last states, the result.
type ToolCall struct {
	ID       string
	Name     string
	State    ToolState
	Input    json.RawMessage // the arguments, always valid JSON once the state is past InputStreaming
	Output   *Output         // with OutputAvailable
	Error    string          // with OutputError; written for the model
	Approval *Approval       // once one was asked for

	// Progress is what the running call has put out so far; nil when it has not said.
	Progress *Output

	// Started says that the tool may have acted although there is no result: a durable fact of the open turn that the
	// public JSON does not carry.
	Started bool
}

// Finished reports whether the call has its result.
func (c ToolCall) Finished() bool {
	return c.State == OutputAvailable || c.State == OutputError || c.State == OutputDenied
}

// Result returns the text that answers the call in a request to the model; it is never empty for a finished call.
func (c ToolCall) Result() string {
	switch c.State {
	case OutputAvailable:
		if c.Output != nil && c.Output.Text != "" {
			return c.Output.Text
		}
		return "(no output)"
	case OutputError:
		return "error: " + c.Error
	case OutputDenied:
		if c.Approval != nil && c.Approval.Unanswered {
			return "denied: " + c.Approval.Reason
		}
		if c.Approval != nil && c.Approval.Reason != "" {
			return "denied by the user: " + c.Approval.Reason
		}
		return "denied by the user"
	}
	return ""
}

// Output is what a tool gave back.
type Output struct {
	Text    string          `json:"text"`              // for the model
	Details json.RawMessage `json:"details,omitempty"` // for front-ends; the shape is the tool's
	Files   []FileSeen      `json:"files,omitempty"`   // whole files whose content the model now knows
	Told    []string        `json:"told,omitempty"`    // folders (absolute) whose own instructions the text names
	Todo    []Todo          `json:"todo,omitzero"`     // the whole todo list as it now is; nil leaves it
	Usage   Usage           `json:"usage,omitzero"`    // what the call itself has cost, such as a search that the provider bills

	Pictures []Picture `json:"pictures,omitempty"` // for the model, beside the text

	// Raw is the whole output of a tool that runs at a client, any JSON value as it came. Text is made from it, and
	// Details and Files are empty: what a client says of files is not believed.
	Raw json.RawMessage `json:"-"`
}

// FileSeen says which content of a file the model has seen: the basis of the read-before-edit guard.
type FileSeen struct {
	Path string `json:"path"` // absolute, slashes as the system has them
	Hash string `json:"hash"` // hex SHA-256 of the content; "" when the file is gone
}

// A Todo is one item of the list of what the model means to do.
type Todo struct {
	Text   string     `json:"text"`
	Status TodoStatus `json:"status"`
}

// A TodoStatus says how far an item has come.
type TodoStatus string

// The statuses of an item.
const (
	TodoPending   TodoStatus = "pending"
	TodoActive    TodoStatus = "in_progress"
	TodoCompleted TodoStatus = "completed"
)

// Approval is the question to the user about one call, and the answer.
type Approval struct {
	ID       string `json:"id"`
	Approved *bool  `json:"approved,omitempty"` // nil: nobody has decided
	Reason   string `json:"reason,omitempty"`   // the user's words with a denial
	By       string `json:"by,omitempty"`       // the connection that decided

	Unanswered bool `json:"unanswered,omitempty"` // denied because nobody decided in time; Reason says so
}

// Unknown is a part that this version does not know. Its JSON is kept as it came.
type Unknown struct{ Raw json.RawMessage }

func (Text) part()       {}
func (Reasoning) part()  {}
func (StepStart) part()  {}
func (File) part()       {}
func (Steering) part()   {}
func (Note) part()       {}
func (Compaction) part() {}
func (ToolCall) part()   {}
func (Unknown) part()    {}

type messageJSON struct {
	ID       string            `json:"id"`
	Role     Role              `json:"role"`
	Parts    []json.RawMessage `json:"parts"`
	Metadata json.RawMessage   `json:"metadata,omitempty"`
	Content  *string           `json:"content,omitempty"` // AI SDK 4 and older
}

// MarshalJSON gives the UI message; Steps are left out.
func (m Message) MarshalJSON() ([]byte, error) {
	out := messageJSON{ID: m.ID, Role: m.Role, Parts: make([]json.RawMessage, 0, len(m.Parts)), Metadata: m.Metadata}
	for _, p := range m.Parts {
		raw, err := marshalPart(p)
		if err != nil {
			return nil, fmt.Errorf("chat: part of message %s: %w", m.ID, err)
		}
		out.Parts = append(out.Parts, raw)
	}
	return marshal(out)
}

// UnmarshalJSON reads a UI message. A message of the older shape, with its text in content, becomes one with a text
// part. Parts that are not objects with a type are an error.
func (m *Message) UnmarshalJSON(data []byte) error {
	var in struct {
		messageJSON
		Parts []uncopied `json:"parts"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*m = Message{ID: in.ID, Role: in.Role, Metadata: in.Metadata, Parts: make([]Part, 0, len(in.Parts))}
	if in.Parts == nil && in.Content != nil {
		m.Parts = append(m.Parts, Text{Text: *in.Content})
	}
	for _, raw := range in.Parts {
		p, err := unmarshalPart(json.RawMessage(raw))
		if err != nil {
			return fmt.Errorf("chat: part of message %s: %w", in.ID, err)
		}
		m.Parts = append(m.Parts, p)
	}
	return nil
}

// uncopied is a piece of the JSON that is being read, where it lies: a part may be as long as a frame.
type uncopied []byte

func (u *uncopied) UnmarshalJSON(data []byte) error {
	*u = data
	return nil
}
