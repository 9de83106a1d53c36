package openroutertest

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Check reports what a provider would refuse in a chat-completions request: a body that is not JSON or not for a
// stream and no search, no model, an unknown role, an empty content, a tool call whose arguments are no JSON object, that has an id
// twice, or that is not followed at once by exactly one tool message, and a tool message that answers no call.
func Check(body []byte) error {
	var req struct {
		Model    string    `json:"model"`
		Stream   bool      `json:"stream"`
		Messages []Message `json:"messages"`
		Plugins  []Plugin  `json:"plugins"`
	}
	if err := json.Unmarshal(body, &req); err != nil {
		return fmt.Errorf("the body is not the JSON of a request: %w", err)
	}
	switch {
	case req.Model == "":
		return errors.New("model is missing")
	case !req.Stream && !(&Request{Plugins: req.Plugins}).searches():
		return errors.New("stream is not true")
	case len(req.Messages) == 0:
		return errors.New("messages are missing")
	}
	c := checker{ids: make(map[string]bool)}
	for i, m := range req.Messages {
		if err := c.message(m); err != nil {
			return fmt.Errorf("messages[%d] (%s): %w", i, m.Role, err)
		}
	}
	return c.settled()
}

// A checker holds what earlier messages said.
type checker struct {
	ids     map[string]bool // of all calls
	waiting []string        // calls whose tool message must come now
}

func (c *checker) message(m Message) error {
	if m.Role == "tool" {
		for i, id := range c.waiting {
			if id == m.ToolCallID {
				c.waiting = append(c.waiting[:i:i], c.waiting[i+1:]...)
				return filled(m)
			}
		}
		return fmt.Errorf("tool_call_id %q answers no call of the message before, or one that is answered", m.ToolCallID)
	}
	if err := c.settled(); err != nil {
		return err
	}
	switch m.Role {
	case "system", "developer", "user":
		return filled(m)
	case "assistant":
		if len(m.ToolCalls) == 0 {
			return filled(m)
		}
	default:
		return errors.New("unknown role")
	}
	for _, call := range m.ToolCalls {
		var object map[string]json.RawMessage
		switch {
		case call.ID == "" || c.ids[call.ID]:
			return fmt.Errorf("tool call id %q is empty or was used before", call.ID)
		case call.Function.Name == "":
			return errors.New("a tool call without a name")
		case json.Unmarshal([]byte(call.Function.Arguments), &object) != nil || object == nil:
			return fmt.Errorf("the arguments of call %s are no JSON object: %q", call.ID, call.Function.Arguments)
		}
		c.ids[call.ID] = true
		c.waiting = append(c.waiting, call.ID)
	}
	return nil
}

// settled reports calls that have no result.
func (c *checker) settled() error {
	if len(c.waiting) > 0 {
		return fmt.Errorf("tool calls without a result: %q", c.waiting)
	}
	return nil
}

func filled(m Message) error {
	var parts []json.RawMessage
	if json.Unmarshal(m.Content, &parts) == nil && len(parts) > 0 || m.Text() != "" {
		return nil
	}
	return errors.New("the content is empty")
}
