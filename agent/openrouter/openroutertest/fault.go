package openroutertest

import "net/http"

// A fault is one way to fail. Those with a status are an HTTP error in OpenRouter's own words.
type fault struct {
	name          string
	inside        bool // comes inside the stream, after Response.After chunks
	status        int
	message, kind string
}

var faults = [...]fault{
	{name: "400", status: 400, message: "This model does not accept the request", kind: "invalid_request"},
	{name: "401", status: 401, message: "No auth credentials found", kind: "authentication"},
	{
		name: "402", status: 402, kind: "payment_required",
		message: "This request requires more credits, or fewer max_tokens. You requested up to 64000 tokens, but can only afford 500.",
	},
	{name: "403", status: 403, message: "The request was flagged by moderation", kind: "permission_denied"},
	{name: "404", status: 404, message: "No endpoints found that support tool use.", kind: "not_found"},
	{name: "408", status: 408, message: "The request timed out", kind: "timeout"},
	{name: "413", status: 413, message: "The request is too large", kind: "payload_too_large"},
	{name: "429", status: 429, message: "Rate limit exceeded", kind: "rate_limit_exceeded"},
	{name: "500", status: 500, message: "Internal Server Error", kind: "server"},
	{name: "502html", status: 502}, // an HTML page, as a proxy makes it
	{name: "503", status: 503, message: "No provider is available", kind: "provider_overloaded"},
	{name: "504", status: 504, message: "The provider timed out", kind: "timeout"},
	{name: "529", status: 529, message: "The provider is overloaded", kind: "provider_overloaded"},

	{name: "html"},     // status 200, an HTML page instead of a stream
	{name: "json"},     // status 200, an error object instead of a stream
	{name: "redirect"}, // 302 to another host
	{name: "reset"},    // the connection breaks before any answer
	{name: "silent"},   // the headers, then nothing
	{name: "empty"},    // no content, finish reason stop: the response's text and calls do not count
	{name: "huge"},     // one chunk of 1 MiB behind the text
	{name: "bad-args"}, // the last call's arguments lack their last brace
	{name: "length"},   // the same with finish reason length
	{name: "no-done"},  // everything but [DONE]

	{name: "stall", inside: true},       // nothing more comes, the connection stays
	{name: "cut", inside: true},         // the connection breaks
	{name: "truncate", inside: true},    // the stream ends in order, but without finish reason and [DONE]
	{name: "error-chunk", inside: true}, // an error in OpenRouter's form, then the end
	{name: "error-event", inside: true}, // an error in Groq's form: event: error, no [DONE]
	{name: "garbage", inside: true},     // an event that is not JSON
}

// Faults returns the names of all faults.
func Faults() []string {
	names := make([]string, len(faults))
	for i, f := range faults {
		names[i] = f.name
	}
	return names
}

// find returns the fault of that name, or a zero one.
func find(name string) fault {
	for _, f := range faults {
		if f.name == name {
			return f
		}
	}
	return fault{}
}

// refuse gives the answers that are no stream.
func (p *player) refuse() bool {
	h := p.w.Header()
	if p.resp.RetryAfter > 0 {
		h.Set("Retry-After", seconds(p.resp.RetryAfter))
	}
	if f := find(p.resp.Fault); f.message != "" {
		if p.resp.Message != "" {
			f.message = p.resp.Message
		}
		writeError(p.w, f.status, f.message, f.kind)
		return true
	}
	switch p.resp.Fault {
	case "502html", "html":
		h.Set("Content-Type", "text/html")
		if p.resp.Fault == "502html" {
			p.w.WriteHeader(http.StatusBadGateway)
		}
		p.raw([]byte("<!doctype html>\n<html><head><title>502 Bad Gateway</title></head><body><h1>502</h1></body></html>\n"))
	case "json":
		h.Set("Content-Type", "application/json")
		p.raw([]byte(`{"error":{"code":502,"message":"Provider returned error","metadata":{"provider_name":"Scripted","raw":"upstream fell over"}}}`))
	case "redirect":
		h.Set("Location", "http://elsewhere.invalid/")
		p.w.WriteHeader(http.StatusFound)
	case "reset":
		p.reset()
	case "silent":
		p.header("text/event-stream")
		<-p.r.Context().Done()
	default:
		return false
	}
	return true
}

// fail makes the faults inside a stream and reports whether it made one.
func (p *player) fail(fault string) bool {
	message := p.resp.Message
	if message == "" {
		message = "Provider disconnected"
	}
	switch fault {
	case "stall":
		<-p.r.Context().Done()
	case "cut":
		panic(http.ErrAbortHandler)
	case "truncate":
	case "error-chunk":
		c := p.wire()
		c.Error = &wireError{Code: http.StatusBadGateway, Message: message}
		c.Error.Metadata.Type = "provider_unavailable"
		empty, finish := "", "error"
		c.Choices = []wireChoice{{Delta: wireDelta{Role: "assistant", Content: &empty}, Finish: &finish}}
		if p.resp.Usage != nil || p.resp.Cost > 0 { // some providers bill what they broke off
			c.Usage = p.usage()
		}
		p.raw(frame(c))
	case "error-event":
		p.raw([]byte("event: error\n"))
		p.raw(frame(map[string]any{"error": map[string]any{
			"message": message, "type": "invalid_request_error", "code": "tool_use_failed",
			"failed_generation": "<function=read{", "status_code": 400,
		}}))
	case "garbage":
		p.raw([]byte("data: {\"id\":\"gen\",\"choi\n\n"))
	default:
		return false
	}
	return true
}
