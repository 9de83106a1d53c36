// Package openroutertest is an honest fake of OpenRouter: an HTTP server on loopback that streams scripted answers, the
// way providers really cut and decorate them, and fails in every way that they are known to fail. It also checks what
// it is sent, as strictly as the strictest provider (see Check).
//
// # Scripts
//
// A script is JSON lines; a blank line or one that begins with # or // is a comment. Each line is a Response:
//
//	{"text":"Let me look.","calls":[{"name":"read","args":{"path":"a.go"}}]}
//	{"when":"no test files","text":"There are no tests."}
//	{"reasoning":"Hm.","text":"Done.","chunk":4,"delay":20,"comments":2,"cost":0.002}
//	{"fault":"429","retryAfter":2}
//	{"fault":"cut","text":"one two three","after":2}
//
// A request gets the first response that was not used yet and whose "when" (if it has one) is part of the text of the
// last message; a response with "repeat" is never used up. When none is left the answer is a 400 that says so.
//
// The fields are those of Response, the faults those of Faults. A request with the plugin "web" is a search: its last message is the
// query, its sources are the results, and the answer is whole instead of a stream.
package openroutertest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// A Response is one scripted answer. The zero value is an answer of one empty chunk with finish reason stop.
type Response struct {
	When   string `json:"when,omitempty"`   // only for requests whose last message holds this text
	Repeat bool   `json:"repeat,omitempty"` // may be used any number of times

	Reasoning string          `json:"reasoning,omitempty"` // comes first, with reasoning_details of type reasoning.text
	Details   json.RawMessage `json:"details,omitempty"`   // further reasoning_details, a list, in one chunk after it
	Text      string          `json:"text,omitempty"`
	Sources   []Source        `json:"sources,omitempty"` // cited pages: annotations in one chunk before the text
	Images    []string        `json:"images,omitempty"`  // URLs of pictures, each in a chunk behind the text
	Calls     []Call          `json:"calls,omitempty"`
	Finish    string          `json:"finish,omitempty"`   // "" is tool_calls with calls, else stop; "none" sends none
	Model     string          `json:"model,omitempty"`    // that served; "" is the one asked for
	Provider  string          `json:"provider,omitempty"` // "" is "Scripted"
	Usage     *Usage          `json:"usage,omitempty"`    // nil counts bytes, four to a token
	Cost      float64         `json:"cost,omitempty"`     // USD

	Chunk     int  `json:"chunk,omitempty"`     // bytes of text in a delta; 0 cuts behind each word, less than 0 not at all
	Fragments bool `json:"fragments,omitempty"` // arguments come in fragments of Chunk (or 7) bytes instead of whole
	Delay     int  `json:"delay,omitempty"`     // ms before each chunk
	Comments  int  `json:"comments,omitempty"`  // ": OPENROUTER PROCESSING" lines before the first chunk and before the last

	Fault      string  `json:"fault,omitempty"`      // one of Faults
	RetryAfter float64 `json:"retryAfter,omitempty"` // s, as a header, with a fault that is a status
	Message    string  `json:"message,omitempty"`    // the error's text; "" is one that fits
	After      int     `json:"after,omitempty"`      // chunks before a fault that comes inside the stream

	// For programs only.
	Body []byte `json:"-"` // sent as it is instead of all of the above, as an event stream; for recordings
	Cuts []int  `json:"-"` // offsets in Body behind which it is flushed
	Gate *Gate  `json:"-"` // holds the answer
}

// A Source is a page that an answer cites.
type Source struct {
	URL     string `json:"url"`
	Title   string `json:"title,omitempty"`
	Content string `json:"content,omitempty"` // excerpts, as a search gives them
}

// A Call is a tool call of an answer. ID "" makes one.
type Call struct {
	ID   string          `json:"id,omitempty"`
	Name string          `json:"name"`
	Args json.RawMessage `json:"args,omitempty"`
	Raw  string          `json:"raw,omitempty"` // instead of Args: text that need not be JSON
}

// Usage is what an answer says it has used, in tokens.
type Usage struct {
	Prompt     int `json:"prompt"`
	Completion int `json:"completion"`
	Cached     int `json:"cached,omitempty"`
	CacheWrite int `json:"cacheWrite,omitempty"`
	Reasoning  int `json:"reasoning,omitempty"`
}

// Load reads a script.
func Load(r io.Reader) ([]Response, error) {
	var out []Response
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 || line[0] == '#' || bytes.HasPrefix(line, []byte("//")) {
			continue
		}
		var resp Response
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&resp); err != nil {
			return nil, fmt.Errorf("openroutertest: line %d of the script: %w", n, err)
		}
		if resp.Fault != "" && !slices.Contains(Faults(), resp.Fault) {
			return nil, fmt.Errorf("openroutertest: line %d of the script: unknown fault %q; there are %s", n, resp.Fault, strings.Join(Faults(), " "))
		}
		out = append(out, resp)
	}
	return out, lines.Err()
}

// A Gate holds an answer before one of its chunks until it is released: tests wait for what happened instead of for
// time to pass.
type Gate struct {
	at      int
	reached chan struct{}
	release chan struct{}
	once    [2]sync.Once
}

// NewGate returns a gate before the chunk of the given number, counted from 0. Number 0 is before any chunk, but after
// the headers.
func NewGate(chunk int) *Gate {
	return &Gate{at: chunk, reached: make(chan struct{}), release: make(chan struct{})}
}

// Reached is closed when an answer waits at the gate.
func (g *Gate) Reached() <-chan struct{} { return g.reached }

// Release lets the answer go on, and every later one at once.
func (g *Gate) Release() { g.once[1].Do(func() { close(g.release) }) }
