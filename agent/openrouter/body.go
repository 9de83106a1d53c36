package openrouter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/coder-agent/coder/agent/chat"
)

// A body is a request's bytes: what stands before the messages, the messages, and what follows.
type body struct{ head, messages, tail []byte }

func (b body) len() int64 { return int64(len(b.head) + len(b.messages) + len(b.tail)) }

func (b body) reader() io.ReadCloser {
	return io.NopCloser(io.MultiReader(bytes.NewReader(b.head), bytes.NewReader(b.messages), bytes.NewReader(b.tail)))
}

// A head is the encoded beginning of a session's requests, kept while nothing of it changes.
type head struct {
	model, session, system string
	tools                  []chat.ToolSpec
	encoded                []byte
}

// of returns the encoded head for the request, made anew only if it differs from the last.
func (h *head) of(c *Client, req chat.Request) ([]byte, error) {
	if h.encoded != nil && h.model == req.Model && h.session == defaultTo(req.Route, req.Session) && h.system == req.System && sameTools(h.tools, req.Tools) {
		return h.encoded, nil
	}
	encoded, err := c.encodeHead(req)
	if err != nil {
		return nil, err
	}
	*h = head{req.Model, defaultTo(req.Route, req.Session), req.System, req.Tools, encoded}
	return encoded, nil
}

func sameTools(a, b []chat.ToolSpec) bool {
	return slices.EqualFunc(a, b, func(s, t chat.ToolSpec) bool {
		return s.Name == t.Name && s.Description == t.Description && bytes.Equal(s.Schema, t.Schema)
	})
}

// encodeHead writes all fields but the messages, and the system prompt as the first message. The list of messages
// stays open. Fields that only OpenRouter knows go to OpenRouter only.
func (c *Client) encodeHead(req chat.Request) ([]byte, error) {
	claude := c.openrouter && family(req.Model) == "anthropic"
	fields := struct {
		Model         string        `json:"model"`
		Stream        bool          `json:"stream"`
		StreamOptions streamOptions `json:"stream_options"`
		SessionID     string        `json:"session_id,omitempty"`    // providers are chosen by it, so that their cache is hit
		CacheControl  *cacheControl `json:"cache_control,omitempty"` // moves along with the end of the conversation
		Tools         []tool        `json:"tools,omitempty"`
	}{Model: req.Model, Stream: true, StreamOptions: streamOptions{true}}
	if c.openrouter {
		fields.SessionID = clipID(defaultTo(req.Route, req.Session))
	}
	if claude {
		fields.CacheControl = &cacheControl{"ephemeral"}
	}
	for _, spec := range req.Tools {
		t, err := encodeTool(spec)
		if err != nil {
			return nil, err
		}
		fields.Tools = append(fields.Tools, t)
	}
	out, err := marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("openrouter: encoding the request: %w", err)
	}
	out = append(bytes.TrimSuffix(out, []byte("}")), `,"messages":[`...)
	if req.System == "" {
		return out, nil
	}
	system := message{Role: "system", Content: req.System}
	if claude {
		system.Content = []part{{Type: "text", Text: req.System, CacheControl: &cacheControl{"ephemeral"}}}
	}
	first, err := marshal(system)
	return append(out, first...), err
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

// clipID keeps a session's name within the 256 characters that session_id may have.
func clipID(session string) string {
	if len(session) <= 256 {
		return session
	}
	return strings.ToValidUTF8(session[:256], "")
}

func encodeTool(spec chat.ToolSpec) (tool, error) {
	schema := spec.Schema
	if len(schema) == 0 || string(schema) == "null" {
		schema = json.RawMessage(noParameters)
	}
	compact, err := compactJSON(schema)
	if err != nil {
		return tool{}, fmt.Errorf("openrouter: the schema of tool %s: %w", spec.Name, err)
	}
	return tool{"function", toolFunction{spec.Name, spec.Description, compact}}, nil
}

// tail closes the list of messages and the request.
func tail(maxTokens int) []byte {
	out := []byte("]")
	if maxTokens > 0 {
		out = strconv.AppendInt(append(out, `,"max_tokens":`...), int64(maxTokens), 10)
	}
	return append(out, '}')
}
