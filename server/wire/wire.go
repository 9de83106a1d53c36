// Package wire holds every frame of the Cloudflare Agents protocol that we speak as a typed struct, with one Encode and
// one Decode for both directions. A frame is one JSON object with a string "type" in one WebSocket text message.
//
// Source of the shapes: agents 0.32.0 and @cloudflare/ai-chat 0.12.2, as recorded from the real server.
package wire

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/coder-agent/coder/agent/chat"
)

// MaxFrame bounds one frame from a client, in bytes: clients send their whole transcript with each prompt.
const MaxFrame = 32 << 20

// MaxCall bounds an RPC call, in bytes: what is large in the protocol comes with prompts and results.
const MaxCall = 1 << 20

// Bounds of what a frame may hold. Each value that is made of it costs a hundred times the bytes that it takes in the
// frame; without them 32 MiB of empty messages would become 3 GB.
const (
	MaxDepth  = 64      // nesting of objects and arrays
	MaxValues = 1 << 20 // members and elements
	MaxOuter  = 1 << 17 // of these in the four outer levels: messages, their fields and parts; arguments
)

const outerLevels = 4

// A Frame is one JSON message on a connection.
type Frame interface{ frameType() string }

// TypeOf returns the frame's type as it stands in the JSON.
func TypeOf(f Frame) string { return f.frameType() }

// Encode gives the frame's JSON, its type first.
func Encode(f Frame) ([]byte, error) {
	body, err := marshal(f)
	if err != nil {
		return nil, fmt.Errorf("wire: encoding %s: %w", f.frameType(), err)
	}
	name := f.frameType()
	out := make([]byte, 0, len(body)+len(name)+12)
	out = append(out, `{"type":"`...)
	out = append(out, name...)
	out = append(out, '"')
	if len(body) > 2 { // more than {}
		out = append(out, ',')
	}
	return append(out, body[1:]...), nil
}

// marshal is json.Marshal without the escaping of <, > and &, which would grow code by a third.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

type (
	chatRequestJSON struct {
		ID   string   `json:"id"`
		Init initJSON `json:"init"`
	}
	initJSON struct {
		Method string `json:"method"`
		Body   string `json:"body"`
	}
	chatBodyJSON struct {
		Messages    []json.RawMessage `json:"messages"`
		Trigger     Trigger           `json:"trigger,omitempty"`
		ClientTools json.RawMessage   `json:"clientTools,omitempty"`
	}
	messageHead struct {
		ID   string    `json:"id"`
		Role chat.Role `json:"role"`
	}
)

// MarshalJSON writes the request with its body as a JSON text inside the JSON.
func (r ChatRequest) MarshalJSON() ([]byte, error) {
	body := chatBodyJSON{Messages: make([]json.RawMessage, 0, len(r.Messages)), Trigger: r.Trigger, ClientTools: r.ClientTools}
	for _, m := range r.Messages {
		raw, err := marshal(m)
		if err != nil {
			return nil, err
		}
		body.Messages = append(body.Messages, raw)
	}
	text, err := marshal(body)
	if err != nil {
		return nil, err
	}
	return marshal(chatRequestJSON{r.ID, initJSON{"POST", string(text)}})
}
