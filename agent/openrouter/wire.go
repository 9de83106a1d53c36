package openrouter

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/coder-agent/coder/agent/chat"
)

// message is one message of a request.
type message struct {
	Role             string          `json:"role"`
	Content          any             `json:"content"` // string, []part, or nil for an answer that is only calls
	ReasoningDetails json.RawMessage `json:"reasoning_details,omitempty"`
	ToolCalls        []toolCall      `json:"tool_calls,omitempty"`
	ToolCallID       string          `json:"tool_call_id,omitempty"`
	Images           []part          `json:"images,omitempty"` // of an answer
}

type toolCall struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

type part struct {
	Type         string        `json:"type"`
	Text         string        `json:"text,omitempty"`
	Image        *imagePart    `json:"image_url,omitempty"`
	File         *filePart     `json:"file,omitempty"`
	CacheControl *cacheControl `json:"cache_control,omitempty"`
}

type imagePart struct {
	URL string `json:"url"`
}

type filePart struct {
	Name string `json:"filename,omitempty"`
	Data string `json:"file_data"`
}

type cacheControl struct {
	Type string `json:"type"`
}

type tool struct {
	Type     string       `json:"type"`
	Function toolFunction `json:"function"`
}

type toolFunction struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters"`
}

// What stands in for what there is not.
const (
	noResult       = "(there is no result: the call was not run to its end)"
	interruptNote  = "[I interrupted your answer here.]"
	madePicture    = "[a picture]"
	noParameters   = `{"type":"object","properties":{}}`
	emptyArguments = "{}"
)

// userMessages converts the parts of a user's (or, from old clients, a system) message.
func userMessages(role chat.Role, parts []chat.Part, blind bool) []message {
	var texts []string
	var files []part
	for _, p := range parts {
		switch p := p.(type) {
		case chat.Text:
			texts = append(texts, p.Text)
		case chat.File:
			files = append(files, attachment(p, blind))
		}
	}
	text := strings.Join(texts, "\n")
	blank := strings.TrimSpace(text) == ""
	switch {
	case len(files) == 0 && blank:
		return nil
	case len(files) == 0 || role != chat.User:
		return []message{{Role: string(role), Content: text}}
	case !blank:
		files = append([]part{{Type: "text", Text: text}}, files...) // text first, as OpenRouter advises
	}
	return []message{{Role: "user", Content: files}}
}

// attachment converts a file: pictures and PDFs as such, text as text. What no model takes, or this one does not, is named.
func attachment(f chat.File, blind bool) part {
	kind, _, _ := strings.Cut(strings.ToLower(f.MediaType), ";")
	switch {
	case kind == "image/png", kind == "image/jpeg", kind == "image/webp", kind == "image/gif":
		if blind {
			return part{Type: "text", Text: "[attached picture " + defaultTo(f.Filename, "without a name") + ": left out, because this model takes no pictures; say so if it matters]"}
		}
		return part{Type: "image_url", Image: &imagePart{f.URL}}
	case kind == "application/pdf":
		return part{Type: "file", File: &filePart{Name: defaultTo(f.Filename, "attachment.pdf"), Data: f.URL}}
	}
	name := defaultTo(f.Filename, "without a name")
	if strings.HasPrefix(kind, "text/") || kind == "application/json" || kind == "image/svg+xml" {
		if text, ok := dataText(f.URL); ok {
			return part{Type: "text", Text: "[attached file " + name + "]\n" + text}
		}
	}
	return part{Type: "text", Text: "[attached file " + name + " of type " + f.MediaType + ": its content cannot be sent to a model]"}
}

// dataText returns the content of a data: URL.
func dataText(link string) (string, bool) {
	head, data, found := strings.Cut(link, ",")
	if !found || !strings.HasPrefix(head, "data:") {
		return "", false
	}
	if strings.HasSuffix(head, ";base64") {
		text, err := base64.StdEncoding.DecodeString(data)
		return string(text), err == nil
	}
	text, err := url.PathUnescape(data)
	return text, err == nil
}

// stepMessages converts one model response with its results, and what the user said into it.
func stepMessages(parts []chat.Part, step chat.Step, details json.RawMessage, g *gallery) []message {
	var out []message
	switch step.Status {
	case chat.StepAnswered:
		out = answeredMessages(parts, details, g)
	case chat.StepCancelled:
		if text := stepText(parts); text != "" {
			out = append(out, message{Role: "assistant", Content: text})
		}
		out = append(out, message{Role: "user", Content: interruptNote})
	}
	for _, p := range parts {
		var text string
		switch p := p.(type) {
		case chat.Steering:
			text = p.Text
		case chat.Note:
			text = p.Text
		}
		if strings.TrimSpace(text) != "" {
			out = append(out, message{Role: "user", Content: text})
		}
	}
	return out
}

// answeredMessages gives the answer and one tool message for each of its calls, as providers insist; then the pictures of
// the results, which a tool message cannot hold. An answer of nothing but reasoning is left out: most refuse one without
// content.
func answeredMessages(parts []chat.Part, details json.RawMessage, g *gallery) []message {
	answer := message{Role: "assistant", ReasoningDetails: details, Images: pictures(parts)}
	if text := stepText(parts); text != "" {
		answer.Content = text
	} else if len(answer.Images) > 0 {
		answer.Content = madePicture
	}
	out := []message{answer}
	for _, p := range parts {
		c, ok := p.(chat.ToolCall)
		if !ok {
			continue
		}
		call := toolCall{ID: c.ID, Type: "function"}
		call.Function.Name = toolName(c.Name)
		call.Function.Arguments = arguments(c.Input)
		out[0].ToolCalls = append(out[0].ToolCalls, call)
		out = append(out, message{Role: "tool", Content: defaultTo(c.Result(), noResult) + g.hang(c), ToolCallID: c.ID})
	}
	if len(g.parts) > 0 {
		return append(out, message{Role: "user", Content: g.parts})
	}
	if out[0].Content == nil && len(out) == 1 {
		return nil
	}
	return out
}

// stepText returns the text of an answer; "" when it is blank.
func stepText(parts []chat.Part) string {
	text := chat.Message{Parts: parts}.Text()
	if strings.TrimSpace(text) == "" {
		return ""
	}
	return text
}

// arguments returns the input as providers take it back: an object, also for a call whose arguments were broken.
func arguments(input json.RawMessage) string {
	compact, err := compactJSON(input)
	if err != nil || compact[0] != '{' {
		return emptyArguments
	}
	return string(compact)
}

// toolName makes a name that providers take back of whatever a model has called: ≤ 64 of [A-Za-z0-9_-].
func toolName(name string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-':
			return r
		}
		return '_'
	}, name)
	return defaultTo(clean[:min(len(clean), 64)], "unknown")
}

// encodeMessages appends each message with a comma before it.
func encodeMessages(out []byte, list []message) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, m := range list {
		b.Reset()
		if err := enc.Encode(m); err != nil {
			return out, err
		}
		out = append(append(out, ','), bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
	}
	return out, nil
}
