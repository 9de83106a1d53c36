package chat

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
)

// The data parts of our own.
const (
	steeringPart   = "data-steering"
	notePart       = "data-coder-note"
	compactionPart = "data-compaction"
)

type toolJSON struct {
	Type     string          `json:"type"`
	ID       string          `json:"toolCallId"`
	Name     string          `json:"toolName,omitempty"`
	State    ToolState       `json:"state"`
	Input    json.RawMessage `json:"input,omitempty"`
	Output   json.RawMessage `json:"output,omitempty"`
	Error    string          `json:"errorText,omitempty"`
	Approval *Approval       `json:"approval,omitempty"`

	// Preliminary is true with what a running call has put out so far, false with an output that came from a client, as in
	// the Agents SDK, and absent with any other.
	Preliminary *bool `json:"preliminary,omitempty"`
}

type steeringJSON struct {
	Type string       `json:"type"`
	ID   string       `json:"id"`
	Data steeringData `json:"data"`
}

type steeringData struct {
	Text string `json:"text"`
}

// marshal is json.Marshal without the escaping of <, > and &: what is stored is read by people too.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func marshalPart(p Part) (json.RawMessage, error) {
	switch p := p.(type) {
	case Text:
		return marshal(struct {
			Type  string    `json:"type"`
			Text  string    `json:"text"`
			State PartState `json:"state,omitempty"`
		}{"text", p.Text, p.State})
	case Reasoning:
		return marshal(struct {
			Type  string    `json:"type"`
			Text  string    `json:"text"`
			State PartState `json:"state,omitempty"`
		}{"reasoning", p.Text, p.State})
	case StepStart:
		return json.RawMessage(`{"type":"step-start"}`), nil
	case File:
		return marshal(struct {
			Type string `json:"type"`
			File
		}{"file", p})
	case Steering:
		return marshal(steeringJSON{steeringPart, p.ID, steeringData{p.Text}})
	case Note:
		return marshal(struct {
			Type string `json:"type"`
			noteJSON
		}{notePart, p.json()})
	case Compaction:
		return marshal(struct {
			Type string `json:"type"`
			compactionJSON
		}{compactionPart, p.json()})
	case ToolCall:
		out := toolJSON{
			Type: "tool-" + p.Name, ID: p.ID, Name: p.Name, State: p.State,
			Input: p.Input, Error: p.Error, Approval: p.Approval,
		}
		if p.State == InputStreaming {
			out.Input = nil // partial JSON is not JSON
		}
		output := p.Output
		if p.Progress != nil && !p.Finished() {
			output, out.State, out.Preliminary = p.Progress, OutputAvailable, new(true)
		}
		if output != nil {
			raw, err := marshal(output)
			if err != nil {
				return nil, err
			}
			out.Output = raw
			if output.Raw != nil {
				out.Preliminary = new(false)
			}
		}
		return marshal(out)
	case SourceURL:
		return marshal(struct {
			Type string `json:"type"`
			SourceURL
		}{"source-url", p})
	case SourceDocument:
		return marshal(struct {
			Type string `json:"type"`
			SourceDocument
		}{"source-document", p})
	case Data:
		return marshal(dataJSON{Type: dataPrefix + p.Name, ID: p.ID, Data: p.Data})
	case Unknown:
		return p.Raw, nil
	}
	return nil, errors.New("no part")
}

// heads begin the parts that are long, as we write them. Each is read whole with the type that it begins with: a transcript of megabytes
// is waited for while it is read, and to look for the type first takes as long as reading.
var heads = []string{`{"type":"tool-`, `{"type":"text"`, `{"type":"reasoning"`}

// readHead reads the type of a part.
func readHead(raw []byte) (head struct {
	Type string `json:"type"`
}, err error,
) {
	for _, begin := range heads {
		if bytes.HasPrefix(raw, []byte(begin)) {
			head.Type = strings.TrimSuffix(strings.TrimPrefix(begin, `{"type":"`), `"`)
			return head, nil
		}
	}
	return head, json.Unmarshal(raw, &head)
}

func unmarshalPart(raw json.RawMessage) (Part, error) {
	head, err := readHead(raw)
	if err != nil {
		return nil, err
	}
	switch {
	case head.Type == "":
		return nil, errors.New("a part without a type")
	case head.Type == "text":
		var p Text
		return p, json.Unmarshal(raw, &p)
	case head.Type == "reasoning":
		var p Reasoning
		return p, json.Unmarshal(raw, &p)
	case head.Type == "step-start":
		return StepStart{}, nil
	case head.Type == "file":
		var p File
		return p, json.Unmarshal(raw, &p)
	case head.Type == steeringPart:
		var in steeringJSON
		err := json.Unmarshal(raw, &in)
		return Steering{ID: in.ID, Text: in.Data.Text}, err
	case head.Type == notePart:
		var n Noted
		err := json.Unmarshal(raw, &n)
		return Note(n), err
	case head.Type == compactionPart:
		var c Compacted
		err := json.Unmarshal(raw, &c)
		return Compaction(c), err
	case head.Type == "dynamic-tool", strings.HasPrefix(head.Type, "tool-"):
		return unmarshalTool(raw)
	}
	if p, ok := unmarshalExtra(head.Type, raw); ok {
		return p, nil
	}
	return Unknown{Raw: bytes.Clone(raw)}, nil
}

func unmarshalTool(raw json.RawMessage) (Part, error) {
	var in struct {
		toolJSON
		Output uncopied `json:"output"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, err
	}
	p := ToolCall{ID: in.ID, Name: in.Name, State: in.State, Input: in.Input, Error: in.Error, Approval: in.Approval}
	if p.Name == "" {
		p.Name = strings.TrimPrefix(in.Type, "tool-")
	}
	switch {
	case len(in.Output) == 0:
	case in.Preliminary != nil && !*in.Preliminary:
		p.Output = new(ClientOutput(json.RawMessage(in.Output)))
	default:
		p.Output = new(Output)
		if err := p.Output.UnmarshalJSON(in.Output); err != nil {
			return nil, err
		}
	}
	if in.Preliminary != nil && *in.Preliminary {
		p.State, p.Output, p.Progress, p.Started = InputAvailable, nil, p.Output, true
	}
	return p, nil
}

// ClientOutput is the output of a tool that ran at a client. The model reads a string as it is, anything else as JSON.
func ClientOutput(raw json.RawMessage) Output {
	out := Output{Raw: bytes.Clone(raw)}
	if json.Unmarshal(raw, &out.Text) != nil || string(raw) == "null" {
		out.Text = string(raw)
	}
	return out
}

type outputJSON Output

// MarshalJSON gives Raw, or the object of a tool of ours.
func (o Output) MarshalJSON() ([]byte, error) {
	if o.Raw != nil {
		return o.Raw, nil
	}
	return marshal(outputJSON(o))
}

// UnmarshalJSON reads what MarshalJSON writes. Any shape but that of our tools is kept raw.
func (o *Output) UnmarshalJSON(data []byte) error {
	var in struct {
		outputJSON
		Text *string `json:"text"`
	}
	err := json.Unmarshal(data, &in)
	if in.Text == nil || err != nil && !hasText(data) {
		*o = ClientOutput(data)
		return nil
	}
	*o = Output(in.outputJSON)
	o.Text = *in.Text
	return err
}

func hasText(data []byte) bool {
	var head struct {
		Text *string `json:"text"`
	}
	return json.Unmarshal(data, &head) == nil && head.Text != nil
}
