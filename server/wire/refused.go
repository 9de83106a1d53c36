package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// A RefusedError says that a frame asks for an answer and cannot be taken for a reason of ours: it is too large, or holds
// what we cannot read. Whoever sent it waits for the end of ID. Err is a *MalformedError.
type RefusedError struct {
	Call bool   // of a Call, else of a ChatRequest
	ID   string // of the request
	Err  error
}

func (e *RefusedError) Error() string { return e.Err.Error() }
func (e *RefusedError) Unwrap() error { return e.Err }

// Reason says for whoever sent the frame what is wrong with it.
func (e *RefusedError) Reason() string {
	what := "the prompt"
	if e.Call {
		what = "the call"
	}
	var field *json.UnmarshalTypeError
	switch {
	case errors.Is(e.Err, errValues):
		return what + " has " + errValues.Error()
	case errors.Is(e.Err, errLarge):
		return what + " is " + errLarge.Error()
	case errors.Is(e.Err, errDepth):
		return what + " is " + errDepth.Error() + " levels"
	case errors.As(e.Err, &field):
		name := field.Field[strings.LastIndexByte(field.Field, '.')+1:]
		return fmt.Sprintf("%s cannot be read: its %q is of type %s", what, name, strings.SplitN(field.Value, " ", 2)[0])
	}
	cause := e.Err
	for next := errors.Unwrap(cause); next != nil; next = errors.Unwrap(cause) {
		cause = next
	}
	return what + " cannot be read: " + cause.Error()
}

// Hint says what the user can do.
func (e *RefusedError) Hint() string {
	switch {
	case e.Call:
		return "call the method with less, or flatter, arguments"
	case errors.Is(e.Err, errValues):
		return "the transcript is too long for one frame: clear it or begin a new session"
	case errors.Is(e.Err, errDepth):
		return "send the messages without what is nested so deep, or begin a new session"
	}
	return "send messages of the AI SDK: each with a role and a list of parts"
}

// refused makes the error of a frame that is too large or too deep one that is answered, if its head can be read.
func refused(data []byte, err *MalformedError) error {
	var head struct {
		Type    string  `json:"type"`
		ID      *string `json:"id"`
		Success *bool   `json:"success"` // of an answer
	}
	if json.Unmarshal(data, &head) != nil || head.ID == nil || head.Success != nil {
		return err
	}
	err.Type = head.Type
	switch head.Type {
	case Call{}.frameType():
		return &RefusedError{Call: true, ID: *head.ID, Err: err}
	case ChatRequest{}.frameType():
		return &RefusedError{ID: *head.ID, Err: err}
	}
	return err
}

// present notes that there was a value.
type present bool

func (p *present) UnmarshalJSON([]byte) error {
	*p = true
	return nil
}

// proposes reports whether the body of a request is one by the protocol, which wants any other unanswered: a JSON object
// with messages, whatever these are.
func proposes(body []byte) bool {
	var in struct {
		Messages present `json:"messages"`
	}
	return json.Unmarshal(body, &in) == nil && bool(in.Messages)
}
