package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/coder-agent/coder/agent/chat"
)

// An UnknownTypeError says that a frame has a type that is not in the table. The protocol wants it unanswered.
type UnknownTypeError struct{ Type string }

func (e *UnknownTypeError) Error() string { return fmt.Sprintf("wire: unknown frame type %q", e.Type) }

// A MalformedError says that a message is no frame, or not a whole one. The protocol wants it unanswered.
type MalformedError struct {
	Type string // "" when it has none
	Err  error
}

func (e *MalformedError) Error() string {
	if e.Type == "" {
		return "wire: malformed frame: " + e.Err.Error()
	}
	return "wire: malformed " + e.Type + ": " + e.Err.Error()
}

func (e *MalformedError) Unwrap() error { return e.Err }

// readers is the one table of frame types.
var readers = map[string]func([]byte) (Frame, error){
	"rpc":                            readRPC,
	"cf_agent_state":                 readState,
	"cf_agent_chat_messages":         readChatMessages,
	"cf_agent_chat_clear":            read[ChatClear],
	"cf_agent_use_chat_request":      readChatRequest,
	"cf_agent_chat_request_cancel":   read[ChatCancel],
	"cf_agent_stream_resume_request": read[ResumeRequest],
	"cf_agent_stream_resume_ack":     read[ResumeAck],
	"cf_agent_tool_approval":         readApprove,
	"cf_agent_tool_result":           readToolResult,
	"cf_agent_identity":              read[Identity],
	"cf_agent_state_error":           read[StateError],
	"cf_agent_mcp_servers":           read[MCPServers],
	responseType:                     readResponse,
	"cf_agent_message_updated":       read[MessageUpdated],
	"cf_agent_stream_resuming":       read[Resuming],
	"cf_agent_stream_pending":        read[Pending],
	"cf_agent_stream_resume_none":    read[ResumeNone],
	coderEventType:                   read[CoderEvent],
}

// Decode reads one frame of either direction. The error is an *UnknownTypeError, a *MalformedError, or a *RefusedError
// around one. What it returns shares no memory with data.
func Decode(data []byte) (Frame, error) {
	name, err := typeOf(data)
	if errors.Is(err, errDepth) || errors.Is(err, errValues) {
		return nil, refused(data, &MalformedError{Err: err})
	}
	if err != nil {
		return nil, &MalformedError{Err: err}
	}
	reader, ok := readers[name]
	if !ok {
		return nil, &UnknownTypeError{Type: name}
	}
	f, err := reader(data)
	var unread *unreadError
	var large *RefusedError
	switch {
	case errors.As(err, &large):
		return nil, large
	case errors.As(err, &unread):
		return nil, &RefusedError{ID: unread.ID, Err: &MalformedError{Type: name, Err: unread.Err}}
	case err != nil:
		return nil, &MalformedError{Type: name, Err: err}
	}
	return f, nil
}

var (
	errDepth  = fmt.Errorf("nested deeper than %d", MaxDepth)
	errValues = errors.New("too many values")
	errLarge  = errors.New("larger than 1 MiB")
	errNoType = errors.New("no type")
)

// typeOf finds the frame's type. Frames of ours have it first, so that the whole need not be read twice.
func typeOf(data []byte) (string, error) {
	if err := bounded(data); err != nil {
		return "", err
	}
	if rest, ok := bytes.CutPrefix(data, []byte(`{"type":"`)); ok {
		if end := bytes.IndexByte(rest, '"'); end > 0 && bytes.IndexByte(rest[:end], '\\') < 0 {
			if _, known := readers[string(rest[:end])]; known {
				return string(rest[:end]), nil
			}
		}
	}
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return "", err
	}
	if head.Type == "" {
		return "", errNoType
	}
	return head.Type, nil
}

// bounded counts levels and values. It looks at what is outside strings only: what is no JSON at all the decoder will see.
func bounded(data []byte) error {
	depth, outer, values := 0, 0, 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			i++
			for i < len(data) && data[i] != '"' {
				if data[i] == '\\' {
					i++
				}
				i++
			}
		case '{', '[':
			if depth++; depth > MaxDepth {
				return errDepth
			}
		case '}', ']':
			depth--
		case ',':
			if values++; depth <= outerLevels {
				outer++
			}
			if values > MaxValues || outer > MaxOuter {
				return errValues
			}
		}
	}
	return nil
}

func read[F Frame](data []byte) (Frame, error) {
	var f F
	err := json.Unmarshal(data, &f)
	return f, err
}

// readRPC tells a call from its answer: the protocol has one type for both. A call that is too large is refused before
// anything is made of it.
func readRPC(data []byte) (Frame, error) {
	if len(data) > MaxCall {
		if err := refused(data, &MalformedError{Err: errLarge}); errors.As(err, new(*RefusedError)) {
			return nil, err
		}
	}
	var in struct {
		ID      *string           `json:"id"`
		Method  *string           `json:"method"`
		Args    []json.RawMessage `json:"args"`
		Success *bool             `json:"success"`
		Result  json.RawMessage   `json:"result"`
		Done    bool              `json:"done"`
		Error   string            `json:"error"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, err
	}
	switch {
	case in.ID == nil:
		return nil, errors.New("no id")
	case in.Success != nil:
		return CallResult{ID: *in.ID, Success: *in.Success, Result: in.Result, Done: in.Done, Error: in.Error}, nil
	case in.Method == nil:
		return nil, errors.New("no method")
	case in.Args == nil:
		return nil, errors.New("no args")
	}
	return Call{ID: *in.ID, Method: *in.Method, Args: in.Args}, nil
}

func readState(data []byte) (Frame, error) {
	var f State
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, err
	}
	if f.State == nil {
		return nil, errors.New("no state")
	}
	return f, nil
}

func readChatMessages(data []byte) (Frame, error) {
	var f ChatMessages
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, err
	}
	if f.Messages == nil {
		return nil, errors.New("no messages")
	}
	return f, nil
}

func readApprove(data []byte) (Frame, error) {
	var in struct {
		Approve
		Approved *bool `json:"approved"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, err
	}
	if in.ToolCallID == "" || in.Approved == nil {
		return nil, errors.New("no toolCallId or no approved")
	}
	in.Approve.Approved = *in.Approved
	return in.Approve, nil
}

func readToolResult(data []byte) (Frame, error) {
	var f ToolResult
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, err
	}
	if f.ToolCallID == "" {
		return nil, errors.New("no toolCallId")
	}
	return f, nil
}

// An unreadError says that a request is one, but for what is in it.
type unreadError struct {
	ID  string
	Err error
}

func (e *unreadError) Error() string { return e.Err.Error() }
func (e *unreadError) Unwrap() error { return e.Err }

func readChatRequest(data []byte) (Frame, error) {
	var in struct {
		ID   *string `json:"id"`
		Init struct {
			Method string   `json:"method"`
			Body   unquoted `json:"body"`
		} `json:"init"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, err
	}
	body := readBody(in.Init.Body) // data is of no use any more, and may go meanwhile
	switch {
	case in.ID == nil || in.Init.Method != "POST" || !body.proposes:
		return nil, errors.Join(errors.New("no id, no POST or no messages"), body.err)
	case body.err != nil:
		return nil, &unreadError{*in.ID, body.err}
	case *in.ID == "":
		return nil, &unreadError{"", errors.New("its id is empty")}
	}
	f := ChatRequest{ID: *in.ID, Trigger: body.Trigger, ClientTools: body.ClientTools, Messages: make([]chat.Message, 0, len(body.Messages))}
	for _, m := range body.Messages {
		f.Messages = append(f.Messages, chat.Message(m))
	}
	return f, nil
}

// unquoted is a JSON string as the decoder has unquoted it, without a further copy: a client's whole transcript is in it.
type unquoted []byte

func (u *unquoted) UnmarshalText(text []byte) error {
	*u = text // it is the decoder's, which is done with it, or the frame's
	return nil
}

// A proposedBody is the body of a request, JSON inside a JSON string.
type proposedBody struct {
	Messages    []proposed      `json:"messages"`
	Trigger     Trigger         `json:"trigger"`
	ClientTools json.RawMessage `json:"clientTools"`

	proposes bool  // it has messages, whether or not they could be read
	err      error // why they could not
}

func readBody(text []byte) (b proposedBody) {
	if err := bounded(text); err != nil {
		return proposedBody{proposes: true, err: err} // as far as we look
	}
	err := json.Unmarshal(text, &b)
	if err == nil && b.Messages == nil {
		err = errors.New("its messages are no list")
	}
	if err != nil {
		return proposedBody{proposes: proposes(text), err: fmt.Errorf("its body: %w", err)}
	}
	b.proposes = true
	return b
}

// proposed is a message of a client's transcript: whole if it is the user's, else its name only.
type proposed chat.Message

func (p *proposed) UnmarshalJSON(raw []byte) error {
	var head messageHead
	if err := json.Unmarshal(raw, &head); err != nil {
		return err
	}
	*p = proposed{ID: head.ID, Role: head.Role}
	if head.Role != chat.User {
		return nil
	}
	return (*chat.Message)(p).UnmarshalJSON(raw)
}

func readResponse(data []byte) (Frame, error) {
	if f, ok := scanResponse(data); ok {
		return f, nil
	}
	return read[ChatResponse](data)
}
