package openrouter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/coder-agent/coder/agent/chat"
)

// calls gathers the tool calls of one response from their fragments. Providers differ in every way (see the table of
// recorded deviations in the tests); what holds for all: a fragment belongs to the slot of its index, and without one
// to the last slot, unless its id or name says that a new call begins.
type calls struct {
	answer  *answer
	slots   []*slot
	byIndex map[int]*slot
}

// A slot is one call as far as it has come.
type slot struct {
	wireID string // as the provider names it
	id     string // as everybody else does
	name   string
	args   strings.Builder
	begun  bool // ToolInputStarted is out
}

func (c *calls) none() bool { return len(c.slots) == 0 }

// add takes in a fragment and reports whether the consumer wants more.
func (c *calls) add(p callPiece) bool {
	s := c.find(p)
	if s == nil {
		s = &slot{}
		c.slots = append(c.slots, s)
	}
	if p.index >= 0 {
		if c.byIndex == nil {
			c.byIndex = make(map[int]*slot)
		}
		c.byIndex[p.index] = s
	}
	s.wireID = defaultTo(s.wireID, p.id)
	s.name = defaultTo(s.name, p.name)
	s.args.WriteString(p.args)
	if s.name == "" {
		return true // nothing can be told of it yet
	}
	delta := p.args
	if !s.begun {
		if !c.begin(s) {
			return false
		}
		delta = s.args.String()
	}
	return delta == "" || c.answer.emit(chat.ToolInputDelta{ToolCallID: s.id, InputTextDelta: delta})
}

// find returns the slot that the fragment continues, or nil when a new call begins.
func (c *calls) find(p callPiece) *slot {
	s := c.byIndex[p.index]
	switch {
	case p.index < 0 && p.id != "":
		return c.byID(p.id)
	case p.index < 0 && len(c.slots) > 0:
		s = c.slots[len(c.slots)-1]
	}
	switch {
	case s == nil:
		return nil
	case p.id != "" && s.wireID != "" && p.id != s.wireID:
		return c.byID(p.id) // the index is used again, or belongs to another call
	case p.id == "" && p.name != "" && s.name != "" && (p.name != s.name || json.Valid([]byte(s.args.String()))):
		return nil // named again after it was complete: servers without ids that give all calls the same index
	}
	return s
}

func (c *calls) byID(id string) *slot {
	for _, s := range c.slots {
		if s.wireID == id {
			return s
		}
	}
	return nil
}

// begin gives the call its id and tells of it.
func (c *calls) begin(s *slot) bool {
	s.begun = true
	s.id = s.wireID
	if s.id == "" || c.taken(s) {
		s.id = c.answer.client.newID()
	}
	c.answer.output = true
	return c.answer.emit(chat.ToolInputStarted{ToolCallID: s.id, ToolName: s.name})
}

// taken reports whether the id is that of another call: some models count from 0 in every answer (Kimi's
// "functions.glob:0").
func (c *calls) taken(s *slot) bool {
	for _, other := range c.slots {
		if other != s && other.id == s.id {
			return true
		}
	}
	for _, m := range c.answer.req.Messages {
		for _, p := range m.Parts {
			if call, ok := p.(chat.ToolCall); ok && call.ID == s.id {
				return true
			}
		}
	}
	return false
}

// end emits the calls as they are at the end of the response and reports whether the consumer wants more.
func (c *calls) end(finish string) bool {
	for i, s := range c.slots {
		if !s.begun {
			s.name = defaultTo(s.name, "unknown")
			if !c.begin(s) {
				return false
			}
		}
		cut := i == len(c.slots)-1 && (reason(finish) == chat.ModelLength || reason(finish) == chat.ModelFiltered)
		if !c.answer.emit(s.event(cut, finish)) {
			return false
		}
	}
	return true
}

// event returns the call's last event. cut says that the response ended before the model had finished, so that only
// arguments which are complete in themselves count.
func (s *slot) event(cut bool, finish string) chat.Event {
	text := strings.TrimSpace(s.args.String())
	if !cut && (text == "" || text == "null") {
		text = "{}"
	}
	input, err := compactJSON([]byte(text))
	switch {
	case err == nil && input[0] == '{':
		return chat.ToolCalled{ToolCallID: s.id, ToolName: s.name, Input: input}
	case err != nil:
		input, _ = marshal(text)
	}
	failed := chat.ToolInputFailed{ToolCallID: s.id, ToolName: s.name, Input: input}
	switch {
	case cut && reason(finish) == chat.ModelLength:
		failed.ErrorText = "the answer reached the output limit before the arguments of this call were complete, so it was not run; " +
			"send less at once, for example in several smaller calls"
	case cut:
		failed.ErrorText = "a content filter ended the answer before the arguments of this call were complete, so it was not run"
	case err == nil:
		failed.ErrorText = fmt.Sprintf("the arguments of this call are not a JSON object: %s; send the call again with an object", clip(text, 80))
	default:
		failed.ErrorText = "the arguments of this call are not valid JSON, so it was not run: " + broken(text) + "; send the call again"
	}
	return failed
}

// broken says what is wrong with text that is not JSON, and where.
func broken(text string) string {
	const most = 60 // bytes of the text in front of the place
	var value json.RawMessage
	err := json.Unmarshal([]byte(text), &value)
	end := len(text)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		end = min(end, int(syntax.Offset))
	}
	return fmt.Sprintf("%v after %q", err, strings.ToValidUTF8(text[max(0, end-most):end], ""))
}

// compactJSON checks the JSON and removes the blanks between its tokens: stored and read again it has the same bytes.
func compactJSON(data []byte) (json.RawMessage, error) {
	var b bytes.Buffer
	b.Grow(len(data))
	if err := json.Compact(&b, data); err != nil {
		return nil, err
	}
	if b.Len() == 0 {
		return nil, &json.SyntaxError{}
	}
	return b.Bytes(), nil
}

// marshal is json.Marshal without the escaping of <, > and &.
func marshal(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
