package openroutertest

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A player gives one response.
type player struct {
	w     http.ResponseWriter
	r     *http.Request
	flush *http.ResponseController
	req   *Request
	resp  Response
	sent  int // chunks
}

func (p *player) play() {
	if p.resp.Body != nil {
		p.replay()
		return
	}
	if p.refuse() {
		return
	}
	p.header("text/event-stream")
	chunks := p.chunks()
	end := len(chunks)
	fault := p.resp.Fault
	if find(fault).inside {
		end = min(p.resp.After, len(chunks))
	}
	for i, c := range chunks[:end] {
		if p.resp.Comments > 0 && (i == 0 || i == len(chunks)-1) {
			p.raw([]byte(strings.Repeat(": OPENROUTER PROCESSING\n\n", p.resp.Comments)))
		}
		if !p.send(c) {
			return
		}
	}
	if p.hold() && !p.fail(fault) && fault != "no-done" {
		p.raw([]byte("data: [DONE]\n\n"))
	}
}

// header begins the answer.
func (p *player) header(kind string) {
	p.w.Header().Set("Content-Type", kind)
	p.w.WriteHeader(http.StatusOK)
	if p.live() {
		_ = p.flush.Flush() // the client may be gone
	}
}

// live reports whether chunks must leave one by one. Others leave as the buffers fill, as behind a busy proxy.
func (p *player) live() bool {
	return p.resp.Delay > 0 || p.resp.Gate != nil || p.resp.Fault != ""
}

// send writes one chunk and reports whether the client is still there.
func (p *player) send(data []byte) bool {
	if !p.hold() || !p.wait(time.Duration(p.resp.Delay)*time.Millisecond) {
		return false
	}
	p.sent++
	return p.raw(data)
}

func (p *player) raw(data []byte) bool {
	if _, err := p.w.Write(data); err != nil {
		return false
	}
	return !p.live() || p.flush.Flush() == nil
}

// hold waits at the gate, if it stands before the next chunk.
func (p *player) hold() bool {
	g := p.resp.Gate
	if g == nil || p.sent != g.at {
		return true
	}
	g.once[0].Do(func() { close(g.reached) })
	select {
	case <-g.release:
		return true
	case <-p.r.Context().Done():
		return false
	}
}

func (p *player) wait(d time.Duration) bool {
	if d == 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-p.r.Context().Done():
		return false
	}
}

// replay sends a recorded body, flushed behind each cut.
func (p *player) replay() {
	p.w.Header().Set("Content-Type", "text/event-stream")
	from := 0
	for _, cut := range append(p.resp.Cuts, len(p.resp.Body)) {
		if _, err := p.w.Write(p.resp.Body[from:cut]); err != nil || p.flush.Flush() != nil {
			return
		}
		from = cut
	}
}

// wireChunk is an event as OpenRouter sends it.
type wireChunk struct {
	ID       string       `json:"id"`
	Object   string       `json:"object"`
	Created  int          `json:"created"`
	Model    string       `json:"model"`
	Provider string       `json:"provider"`
	Error    *wireError   `json:"error,omitempty"`
	Choices  []wireChoice `json:"choices"`
	Usage    *wireUsage   `json:"usage,omitempty"`
}

type wireError struct {
	Code     int    `json:"code"`
	Message  string `json:"message"`
	Metadata struct {
		Type string `json:"error_type"`
	} `json:"metadata"`
}

type wireChoice struct {
	Index  int       `json:"index"`
	Delta  wireDelta `json:"delta"`
	Finish *string   `json:"finish_reason"`
	Native *string   `json:"native_finish_reason"`
}

type wireDelta struct {
	Role      string          `json:"role"`
	Content   *string         `json:"content"`
	Reasoning string          `json:"reasoning,omitempty"`
	Details   json.RawMessage `json:"reasoning_details,omitempty"`
	Calls     []wireCall      `json:"tool_calls,omitempty"`

	Annotations json.RawMessage `json:"annotations,omitempty"`
	Images      json.RawMessage `json:"images,omitempty"`
}

type wireCall struct {
	Index    int    `json:"index"`
	ID       string `json:"id,omitempty"`
	Type     string `json:"type,omitempty"`
	Function struct {
		Name      string `json:"name,omitempty"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

type wireUsage struct {
	Prompt     int     `json:"prompt_tokens"`
	Completion int     `json:"completion_tokens"`
	Total      int     `json:"total_tokens"`
	Cost       float64 `json:"cost"`
	Details    struct {
		Cached     int `json:"cached_tokens"`
		CacheWrite int `json:"cache_write_tokens"`
	} `json:"prompt_tokens_details"`
	Out struct {
		Reasoning int `json:"reasoning_tokens"`
	} `json:"completion_tokens_details"`
}

// chunks cuts the response into the events of its stream, all but [DONE].
func (p *player) chunks() [][]byte {
	if p.resp.Fault == "empty" {
		return p.last()
	}
	var out [][]byte
	empty := ""
	add := func(d wireDelta) {
		d.Role = "assistant"
		if d.Content == nil && d.Calls == nil {
			d.Content = &empty
		}
		out = append(out, p.event(d, nil, nil))
	}
	for _, piece := range cut(p.resp.Reasoning, p.resp.Chunk) {
		detail := []map[string]any{{"type": "reasoning.text", "text": piece, "format": "unknown", "index": 0}}
		add(wireDelta{Reasoning: piece, Details: encode(detail)})
	}
	if len(p.resp.Details) > 0 {
		add(wireDelta{Details: p.resp.Details})
	}
	if len(p.resp.Sources) > 0 {
		var list []map[string]any
		for _, s := range p.resp.Sources {
			list = append(list, map[string]any{"type": "url_citation", "url_citation": s})
		}
		add(wireDelta{Annotations: encode(list)})
	}
	text := p.resp.Text
	if p.resp.Fault == "huge" {
		text += strings.Repeat("0123456789abcdef", 1<<16)
		add(wireDelta{Content: &text})
	} else {
		for _, piece := range cut(text, p.resp.Chunk) {
			add(wireDelta{Content: &piece})
		}
	}
	for _, link := range p.resp.Images {
		add(wireDelta{Images: encode([]map[string]any{{"type": "image_url", "image_url": map[string]string{"url": link}}})})
	}
	for i, call := range p.resp.Calls {
		for _, fragment := range p.fragments(i, call) {
			add(wireDelta{Calls: []wireCall{fragment}})
		}
	}
	return append(out, p.last()...)
}

// fragments cuts a call: its name with no arguments, then these whole or in pieces.
func (p *player) fragments(index int, call Call) []wireCall {
	args := string(call.Args)
	switch {
	case call.Raw != "":
		args = call.Raw
	case args == "":
		args = "{}"
	}
	if last := index == len(p.resp.Calls)-1; last && (p.resp.Fault == "bad-args" || p.resp.Fault == "length") {
		args = strings.TrimSuffix(strings.TrimSpace(args), "}")
	}
	first := wireCall{Index: index, ID: call.ID, Type: "function"}
	first.Function.Name = call.Name
	out := []wireCall{first}
	size := -1
	if p.resp.Fragments {
		size = 7
		if p.resp.Chunk > 0 {
			size = p.resp.Chunk
		}
	}
	for _, piece := range cut(args, size) {
		f := wireCall{Index: index}
		f.Function.Arguments = piece
		out = append(out, f)
	}
	return out
}

// last makes the two events that end an answer: the finish reason, and usage with the reason again.
func (p *player) last() [][]byte {
	finish := p.resp.Finish
	switch {
	case p.resp.Fault == "length":
		finish = "length"
	case finish == "" && len(p.resp.Calls) > 0 && p.resp.Fault != "empty":
		finish = "tool_calls"
	case finish == "":
		finish = "stop"
	}
	reason := &finish
	if finish == "none" {
		reason = nil
	}
	empty := ""
	d := wireDelta{Role: "assistant", Content: &empty}
	return [][]byte{p.event(d, reason, nil), p.event(d, reason, p.usage())}
}

func (p *player) usage() *wireUsage {
	u := p.resp.Usage
	if u == nil {
		size := len(p.resp.Text) + len(p.resp.Reasoning)
		for _, c := range p.resp.Calls {
			size += len(c.Name) + len(c.Args) + len(c.Raw)
		}
		u = &Usage{Prompt: len(p.req.Body) / 4, Completion: (size + 3) / 4, Reasoning: len(p.resp.Reasoning) / 4}
		if p.resp.Fault == "empty" {
			u = &Usage{}
		}
	}
	out := &wireUsage{Prompt: u.Prompt, Completion: u.Completion, Total: u.Prompt + u.Completion, Cost: p.resp.Cost}
	out.Details.Cached, out.Details.CacheWrite, out.Out.Reasoning = u.Cached, u.CacheWrite, u.Reasoning
	return out
}

func (p *player) event(d wireDelta, finish *string, u *wireUsage) []byte {
	c := p.wire()
	c.Choices = []wireChoice{{Delta: d, Finish: finish, Native: finish}}
	c.Usage = u
	return frame(c)
}

// wire returns an event without a choice.
func (p *player) wire() wireChunk {
	c := wireChunk{
		ID: generation(p.req.N), Object: "chat.completion.chunk", Created: 1_800_000_000,
		Model: p.resp.Model, Provider: p.resp.Provider, Choices: []wireChoice{},
	}
	if c.Model == "" {
		c.Model = p.req.Model
	}
	if c.Provider == "" {
		c.Provider = "Scripted"
	}
	return c
}

func frame(v any) []byte {
	return append(append([]byte("data: "), encode(v)...), "\n\n"...)
}

// encode is for values that cannot fail to encode.
func encode(v any) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// cut divides text: 0 behind each word, less than 0 not at all, else into size bytes, never inside a character.
func cut(text string, size int) []string {
	var out []string
	for len(text) > 0 {
		n := len(text)
		switch {
		case size == 0:
			if i := strings.IndexByte(text[:n-1], ' '); i >= 0 {
				n = i + 1
			}
		case size > 0:
			for n = min(size, n); n < len(text) && !utf8.RuneStart(text[n]); n++ {
			}
		}
		out = append(out, text[:n])
		text = text[n:]
	}
	return out
}

// reset breaks the connection at once.
func (p *player) reset() {
	conn, _, err := p.flush.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // then Close sends RST; without, a plain end: both break the answer
	}
	_ = conn.Close()
}

func seconds(s float64) string { return strconv.FormatFloat(s, 'f', -1, 64) }
