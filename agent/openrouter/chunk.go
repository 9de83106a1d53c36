package openrouter

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/coder-agent/coder/agent/chat"
)

// chunk is one event of a stream as it comes, of all servers that are known: fields that some send in another shape
// are raw, and a field of a wrong type is as good as absent.
type chunk struct {
	ID       string          `json:"id"`
	Model    string          `json:"model"`
	Provider string          `json:"provider"`
	Choices  []choice        `json:"choices"`
	Usage    *usage          `json:"usage"`
	Error    json.RawMessage `json:"error"`
	Groq     *struct {
		Usage *usage `json:"usage"`
	} `json:"x_groq"`
}

type choice struct {
	Index   looseInt        `json:"index"`
	Delta   *delta          `json:"delta"`
	Message *delta          `json:"message"` // of servers that answer whole in one event
	Finish  string          `json:"finish_reason"`
	Usage   *usage          `json:"usage"` // Moonshot's own API
	Error   json.RawMessage `json:"error"`
}

type delta struct {
	Content          json.RawMessage `json:"content"`
	Refusal          string          `json:"refusal"`
	Reasoning        json.RawMessage `json:"reasoning"`
	ReasoningContent string          `json:"reasoning_content"` // DeepSeek, Z.AI, xAI, llama.cpp
	Details          json.RawMessage `json:"reasoning_details"`
	ToolCalls        []callDelta     `json:"tool_calls"`
	Annotations      json.RawMessage `json:"annotations"`
	Images           json.RawMessage `json:"images"`
}

type callDelta struct {
	Index    *looseInt `json:"index"`
	ID       string    `json:"id"`
	Function struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	} `json:"function"`
}

// looseInt is an integer that may come as a string.
type looseInt int

// UnmarshalJSON never fails: an index that is no number is 0.
func (n *looseInt) UnmarshalJSON(data []byte) error {
	f, _ := strconv.ParseFloat(string(bytes.Trim(data, `"`)), 64)
	*n = looseInt(f)
	return nil
}

// usage counts in float64: some servers send tokens as floats, and null everywhere.
type usage struct {
	Prompt     float64 `json:"prompt_tokens"`
	Completion float64 `json:"completion_tokens"`
	Cost       float64 `json:"cost"` // credits, which are US dollars
	BYOK       bool    `json:"is_byok"`
	CacheHit   float64 `json:"prompt_cache_hit_tokens"` // DeepSeek's own API
	Details    struct {
		Cached     float64 `json:"cached_tokens"`
		CacheWrite float64 `json:"cache_write_tokens"`
	} `json:"prompt_tokens_details"`
	Out struct {
		Reasoning float64 `json:"reasoning_tokens"`
	} `json:"completion_tokens_details"`
	CostDetails struct {
		Upstream float64 `json:"upstream_inference_cost"`
	} `json:"cost_details"`
}

func (u *usage) chat() chat.Usage {
	out := chat.Usage{
		Input: int(u.Prompt), Output: int(u.Completion),
		Cached: int(max(u.Details.Cached, u.CacheHit)), CacheWrite: int(u.Details.CacheWrite),
		Reasoning: int(u.Out.Reasoning), Cost: u.Cost,
	}
	if u.BYOK { // then cost is OpenRouter's fee, and the provider bills the rest to the user's own key
		out.Cost += u.CostDetails.Upstream
	}
	return out
}

// A piece is what one event says, in one shape for all servers.
type piece struct {
	id, model, provider string
	text, reasoning     string
	details             []json.RawMessage
	detailed            bool // reasoning_details came, even if empty
	more                bool // the reasoning is also the next fragment of the last detail
	calls               []callPiece
	sources             []source
	images              []string // URLs
	finish              string
	usage               *chat.Usage
	err                 json.RawMessage // nil unless the event is an error
}

// A callPiece is a fragment of a tool call.
type callPiece struct {
	index          int // -1 when absent
	id, name, args string
}

// parseChunk reads one event. It fails only on what is not JSON.
func parseChunk(raw []byte) (piece, error) {
	var c chunk
	var wrong *json.UnmarshalTypeError
	if err := json.Unmarshal(raw, &c); err != nil && !errors.As(err, &wrong) {
		return piece{}, err
	}
	p := piece{id: c.ID, model: c.Model, provider: c.Provider}
	p.err = present(c.Error)
	used := c.Usage
	if used == nil && c.Groq != nil {
		used = c.Groq.Usage
	}
	for _, ch := range c.Choices {
		if ch.Index != 0 {
			continue // one answer was asked for
		}
		p.finish = defaultTo(p.finish, ch.Finish)
		if used == nil {
			used = ch.Usage
		}
		if p.err == nil {
			p.err = present(ch.Error)
		}
		if d := ch.Delta; d != nil {
			p.add(d)
		} else if ch.Message != nil {
			p.add(ch.Message)
		}
	}
	if used != nil {
		u := used.chat()
		p.usage = &u
	}
	return p, nil
}

// present returns raw unless it is absent, null or an empty string, list or object.
func present(raw json.RawMessage) json.RawMessage {
	switch string(raw) {
	case "", "null", `""`, "{}", "[]", "false":
		return nil
	}
	return raw
}

func (p *piece) add(d *delta) {
	p.text += d.Refusal
	p.content(d.Content)
	p.media(d)
	details := present(d.Details)
	if len(d.Details) > 0 && string(d.Details) != "null" {
		p.detailed = true
		_ = json.Unmarshal(details, &p.details) // anything but a list is nothing
	}
	switch reasoning := plainText(d.Reasoning); {
	case reasoning != "":
		p.reasoning += reasoning
	case d.ReasoningContent != "":
		p.reasoning += d.ReasoningContent
	case len(p.details) > 0:
		p.reasoning += detailsText(p.details)
	}
	for _, call := range d.ToolCalls {
		c := callPiece{index: -1, id: call.ID, name: call.Function.Name, args: argumentText(call.Function.Arguments)}
		if call.Index != nil {
			c.index = int(*call.Index)
		}
		p.calls = append(p.calls, c)
	}
}

// content takes text, or a list of parts as Mistral sends it: text, and thinking that holds texts itself.
func (p *piece) content(raw json.RawMessage) {
	if len(raw) == 0 || raw[0] != '[' {
		p.text += plainText(raw)
		return
	}
	type part struct {
		Type     string          `json:"type"`
		Text     string          `json:"text"`
		Thinking json.RawMessage `json:"thinking"`
	}
	var parts []part
	_ = json.Unmarshal(raw, &parts)
	for _, pt := range parts {
		switch pt.Type {
		case "text", "":
			p.text += pt.Text
		case "thinking":
			var inner []part
			if json.Unmarshal(pt.Thinking, &inner) != nil {
				p.reasoning += plainText(pt.Thinking)
			}
			for _, in := range inner {
				p.reasoning += in.Text
			}
		}
	}
}

// argumentText returns the piece of arguments: a string's text, or an object as it stands.
func argumentText(raw json.RawMessage) string {
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	if raw[0] == '"' {
		return plainText(raw)
	}
	return string(raw)
}
