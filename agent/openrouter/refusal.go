package openrouter

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// refused makes the error of an answer that is not an event stream.
func (c *Client) refused(resp *http.Response, source io.Reader) error {
	raw, err := io.ReadAll(io.LimitReader(source, mostErrorBody))
	if len(raw) == 0 && err != nil && resp.Request.Context().Err() != nil {
		return context.Cause(resp.Request.Context())
	}
	e := c.failure(answered, "")
	e.Raw = scrub(raw, c.opts.Key)
	e.Generation = resp.Header.Get("X-Generation-Id")
	e.Provider = resp.Header.Get("X-Provider-Name")
	e.RetryAfter = retryAfter(resp.Header, c.opts.Now())
	if resp.StatusCode != http.StatusOK {
		e.Status = resp.StatusCode
	}
	var answer struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
		Detail  json.RawMessage `json:"detail"`
		Choices []struct {
			Error json.RawMessage `json:"error"`
		} `json:"choices"`
	}
	valid := json.Unmarshal(e.Raw, &answer) == nil
	if len(answer.Choices) > 0 && len(answer.Choices[0].Error) > 0 {
		answer.Error = answer.Choices[0].Error
	}
	switch {
	case len(answer.Error) > 0 && string(answer.Error) != "null":
		e.parse(answer.Error)
	case answer.Message != "":
		e.Message = clip(answer.Message, 2000)
	case plainText(answer.Detail) != "":
		e.Message = clip(plainText(answer.Detail), 2000)
	case resp.StatusCode == http.StatusOK:
		e.kind = unstreamed
		e.Message = c.base.Host + " answered without an event stream: " + describe(e.Raw, valid)
	default:
		e.Message = describe(e.Raw, valid)
	}
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		e.kind = unstreamed
		e.Message = "the server redirects to another address, which is not followed because it would get the key"
	}
	return e
}

// describe says in a few words what a body is that holds no error object.
func describe(raw []byte, isJSON bool) string {
	text := strings.TrimSpace(string(raw))
	switch {
	case text == "":
		return "an empty answer"
	case isJSON:
		return clip(text, 200)
	case strings.HasPrefix(text, "<"):
		_, title, found := strings.Cut(text, "<title>")
		title, _, closed := strings.Cut(title, "</title>")
		if found && closed {
			return "an HTML page: " + clip(strings.Join(strings.Fields(title), " "), 200)
		}
		return "an HTML page"
	}
	return clip(strings.Join(strings.Fields(text), " "), 200)
}

// retryAfter reads the header, which holds seconds or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if s, err := strconv.ParseFloat(v, 64); err == nil && s > 0 {
		return time.Duration(min(s, 1e6) * float64(time.Second))
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
