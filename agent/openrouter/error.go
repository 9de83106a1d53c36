package openrouter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coder-agent/coder/agent/chat"
)

// An Error says why the model did not answer, or not to the end.
type Error struct {
	Status     int             // HTTP status, or the number that an error inside a stream gives; 0 when there is none
	Message    string          // the server's words, or ours
	Code       string          // the server's code where it is no number, such as "tool_use_failed"
	Type       string          // error_type of OpenRouter, or type of OpenAI
	Provider   string          // who failed behind OpenRouter, if it says so
	RetryAfter time.Duration   // how long the server asks to wait; 0 when it does not say
	Metadata   json.RawMessage // error.metadata as it came
	Raw        []byte          // the answer's body or the error object, at most 1 MiB, without the key
	Generation string          // the provider's id of the response, if there was one
	Usage      chat.Usage      // what a response cost that failed on its way

	kind         kind
	availability *bool  // OpenRouter's own word on whether to try again
	host         string // of the server
	openrouter   bool
	attached     string // what the request had attached: "picture", "file" or ""
	excluded     string // why no endpoint is left, and what else there is, as OpenRouter's 404 tells
	cause        error
}

// A kind is what broke when no error came from the server.
type kind int

const (
	answered    kind = iota // the server said so
	unreachable             // no connection, or it broke before an answer
	untrusted               // TLS certificate
	silent                  // no byte for the idle timeout
	truncated               // the stream ended before the answer did
	emptyAnswer             // an answer without text, reasoning and calls
	malformed               // an event that is not JSON
	tooLarge                // an event over the bound
	unstreamed              // an answer that is no event stream
)

func (e *Error) Error() string {
	text := e.Message
	if e.Status != 0 {
		name := strconv.Itoa(e.Status)
		if s := http.StatusText(e.Status); s != "" && !strings.HasPrefix(text, s) {
			name += " " + s
		}
		text = name + ": " + text
	}
	if e.Provider != "" {
		text += " (provider " + e.Provider + ")"
	}
	return text
}

func (e *Error) Unwrap() error { return e.cause }

// Spent returns what the provider bills for the response although it failed.
func (e *Error) Spent() chat.Usage { return e.Usage }

// Retryable reports whether the same request may succeed when it is sent again.
func (e *Error) Retryable() bool {
	if e.RetryAfter > longestAsked {
		return false
	}
	switch e.kind {
	case unreachable, silent, truncated, emptyAnswer, malformed:
		return true
	case untrusted, tooLarge, unstreamed:
		return e.Status >= 500
	}
	switch {
	case e.availability != nil:
		return *e.availability
	case e.Code == "tool_use_failed": // Groq: the model wrote a call that it could not parse
		return true
	case e.daily():
		return false
	}
	if yes, known := passing(e.Type); known {
		return yes
	}
	switch e.Status {
	case 0, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	}
	return e.Status >= 500
}

// passing tells OpenRouter's error types (ApiErrorType) that pass by themselves from those that do not.
func passing(errorType string) (yes, known bool) {
	switch errorType {
	case "rate_limit_exceeded", "provider_overloaded", "provider_unavailable", "server", "timeout", "unmapped":
		return true, true
	case "context_length_exceeded", "max_tokens_exceeded", "token_limit_exceeded", "string_too_long",
		"authentication", "permission_denied", "payment_required", "invalid_request", "invalid_prompt", "not_found",
		"precondition_failed", "payload_too_large", "unprocessable", "content_policy_violation", "refusal",
		"invalid_image", "image_too_large", "image_too_small", "unsupported_image_format", "image_not_found",
		"image_download_failed":
		return false, true
	}
	return false, false
}

// daily reports whether the free requests of the day are used up.
func (e *Error) daily() bool {
	return e.Status == http.StatusTooManyRequests && strings.Contains(e.Message, "per-day")
}

// TooLong reports whether the request does not fit into the model's context window.
func (e *Error) TooLong() bool {
	switch e.Type {
	case "context_length_exceeded", "token_limit_exceeded":
		return true
	}
	m := strings.ToLower(e.Message)
	return e.Code == "context_length_exceeded" || e.Status == http.StatusBadRequest &&
		(strings.Contains(m, "context length") || strings.Contains(m, "context window") || strings.Contains(m, "context size") || strings.Contains(m, "prompt is too long"))
}

// local reports whether the server is on this machine.
func (e *Error) local() bool { return local((&url.URL{Host: e.host}).Hostname()) }

// local reports whether the name is this machine's own.
func local(name string) bool {
	ip, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && ip.IsLoopback()
}

// Hint says what the user can do about the error; "" when there is nothing.
func (e *Error) Hint() string {
	switch {
	case e.kind == unreachable && e.local():
		return "is the model server at " + e.host + " running? The base URL (OPENROUTER_BASE_URL) says where it is"
	case e.kind == unreachable:
		return "check the network, and that " + e.host + " is right and running"
	case e.kind == untrusted:
		return "the certificate of " + e.host + " is not trusted; a proxy that reads TLS needs its root installed"
	case e.kind == silent, e.kind == truncated, e.kind == emptyAnswer, e.kind == malformed:
		return "try again; if it happens often with this model, choose another"
	case e.kind == unstreamed:
		return "check that the base URL is that of an OpenAI-compatible API, such as " + DefaultBaseURL
	case e.TooLong():
		return "the conversation is too long for this model; compact it, or choose a model with a larger context window"
	case e.refusesMedia():
		return "a " + e.attached + " is attached to the conversation, which this model may not take: choose one that does, or begin another session without it"
	case e.daily():
		return "the free requests of this day are used up; add credits at https://openrouter.ai/credits or choose another model"
	}
	return e.statusHint()
}

func (e *Error) statusHint() string {
	switch e.Status {
	case http.StatusUnauthorized:
		if e.openrouter {
			return "log in anew with: coder login; or create a key at https://openrouter.ai/keys, then: export OPENROUTER_API_KEY=sk-or-..."
		}
		return "set the key that " + e.host + " wants in OPENROUTER_API_KEY"
	case http.StatusPaymentRequired:
		return "add credits at https://openrouter.ai/credits, raise the key's limit, or choose a model whose id ends in :free"
	case http.StatusForbidden:
		return "the key, the account's guardrails or the provider's moderation forbid this request"
	case http.StatusNotFound:
		hint := "check the model id, and that it supports tools"
		if e.openrouter {
			hint += ": https://openrouter.ai/models?supported_parameters=tools"
		}
		return hint + e.excluded
	case http.StatusRequestEntityTooLarge:
		return "send fewer or smaller images and files"
	case http.StatusRequestTimeout:
		return "try again; if it happens often with this model, choose another"
	case http.StatusTooManyRequests:
		if e.RetryAfter > 0 {
			return fmt.Sprintf("try again in %v, or choose another model", e.RetryAfter.Round(time.Second))
		}
		return "wait a moment, or choose another model"
	}
	if e.Status >= 500 {
		return "the provider has trouble; try again later, or choose another model"
	}
	return ""
}

// wireError is the error object of OpenRouter and OpenAI, as far as it is used.
type wireError struct {
	Code         json.RawMessage `json:"code"`
	Message      json.RawMessage `json:"message"`
	Type         string          `json:"type"`
	ErrorType    string          `json:"error_type"`
	HTTPStatus   int             `json:"http_status"`
	StatusCode   int             `json:"status_code"` // Groq, inside streams
	Metadata     json.RawMessage `json:"metadata"`
	Availability *struct {
		Code           string      `json:"code"`
		Retryable      *bool       `json:"retryable"`
		RetryAfter     json.Number `json:"retry_after"`
		ExcludedBy     any         `json:"excluded_by"`
		FallbackModels []string    `json:"fallback_models"`
	} `json:"availability"`
}

// parse fills e from an error object, which may be a string.
func (e *Error) parse(raw json.RawMessage) {
	var w wireError
	if text := plainText(raw); text != "" {
		e.Message = text
		return
	}
	_ = json.Unmarshal(raw, &w) // what does not fit its type is left out
	e.Message = plainText(w.Message)
	e.Type = w.ErrorType
	if code := strings.Trim(string(w.Code), `"`); code != "" && code != "null" {
		if n, err := strconv.ParseFloat(code, 64); err == nil {
			e.Status = defaultTo(e.Status, int(n))
		} else {
			e.Code = code
		}
	}
	e.Status = defaultTo(e.Status, defaultTo(w.HTTPStatus, w.StatusCode))
	if a := w.Availability; a != nil {
		e.availability = a.Retryable
		if s, err := a.RetryAfter.Float64(); err == nil && s > 0 {
			e.RetryAfter = time.Duration(min(s, 1e6) * float64(time.Second))
		}
		if a.ExcludedBy != nil {
			e.excluded += fmt.Sprintf("; excluded by %v", a.ExcludedBy)
		}
		if len(a.FallbackModels) > 0 {
			e.excluded += "; available instead: " + strings.Join(a.FallbackModels, ", ")
		}
		e.Code = defaultTo(e.Code, a.Code)
	}
	e.parseMetadata(w.Metadata)
	e.Type = defaultTo(e.Type, w.Type)
	e.Message = clip(defaultTo(e.Message, defaultTo(e.Code, "no reason given")), 2000)
}

func (e *Error) parseMetadata(raw json.RawMessage) {
	var meta struct {
		Type     string          `json:"error_type"`
		Provider string          `json:"provider_name"`
		Raw      json.RawMessage `json:"raw"`
		Reasons  []string        `json:"reasons"`
	}
	if len(raw) == 0 || json.Unmarshal(raw, &meta) != nil && meta.Provider == "" {
		return
	}
	e.Metadata = raw
	e.Type = defaultTo(e.Type, meta.Type)
	e.Provider = defaultTo(e.Provider, meta.Provider)
	// "Provider returned error" alone tells nothing: the reason is upstream's own text.
	if upstream := upstreamText(meta.Raw); upstream != "" && !strings.Contains(e.Message, upstream) {
		e.Message = strings.TrimSuffix(e.Message, ".") + ": " + upstream
	}
	if len(meta.Reasons) > 0 {
		e.Message += ": " + strings.Join(meta.Reasons, ", ")
	}
}

// upstreamText finds the message in what a provider answered: text, JSON, or JSON inside a string.
func upstreamText(raw json.RawMessage) string {
	text := plainText(raw)
	if text == "" {
		text = string(raw)
	}
	if text == "null" {
		return ""
	}
	var inner struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
		Detail  string          `json:"detail"`
	}
	if json.Unmarshal([]byte(text), &inner) != nil {
		return text
	}
	var object struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(inner.Error, &object)
	for _, s := range []string{object.Message, plainText(inner.Error), inner.Message, inner.Detail} {
		if s != "" {
			return s
		}
	}
	return text
}

// plainText returns a JSON string's text, or those of an array of strings; "" for anything else.
func plainText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return strings.Join(list, ", ")
	}
	return ""
}

// clip cuts s to at most n bytes at the border of a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

func defaultTo[T comparable](v, other T) T {
	var zero T
	if v == zero {
		return other
	}
	return v
}

// scrub removes the key from what the server sent: some servers repeat it in their errors.
func scrub(body []byte, key string) []byte {
	if len(key) < 8 {
		return body
	}
	return bytes.ReplaceAll(body, []byte(key), []byte("[key]"))
}
