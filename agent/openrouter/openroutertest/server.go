package openroutertest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

// A Server answers chat-completions requests. It is safe for concurrent use.
type Server struct {
	Key     string // if set, requests with another bearer token get a 401
	Lenient bool   // answers also requests that Check finds wrong

	mu       sync.Mutex
	script   []Response
	used     []bool
	reply    func(*Request) Response
	requests []*Request
	models   []Model
	calls    int               // tool calls that were given ids
	codes    map[string]string // of logins, with their challenge; nil: there are none

	conns    int
	http     *http.Server
	listener net.Listener
	served   chan struct{}
}

// A Request is one that the server got.
type Request struct {
	N      int // counted from 0
	Header http.Header
	Body   []byte // as it came

	Model    string            `json:"model"`
	Session  string            `json:"session_id"`
	Stream   bool              `json:"stream"`
	Messages []Message         `json:"messages"`
	Tools    []json.RawMessage `json:"tools"`
	Plugins  []Plugin          `json:"plugins"`
}

// A Message is one message of a Request.
type Message struct {
	Role       string          `json:"role"`
	Content    json.RawMessage `json:"content"`
	ToolCallID string          `json:"tool_call_id"`
	ToolCalls  []struct {
		ID       string `json:"id"`
		Function struct {
			Name      string `json:"name"`
			Arguments string `json:"arguments"`
		} `json:"function"`
	} `json:"tool_calls"`
	Details json.RawMessage `json:"reasoning_details"`
}

// Text returns the message's text, also when it comes in parts.
func (m Message) Text() string {
	var s string
	if json.Unmarshal(m.Content, &s) == nil {
		return s
	}
	var parts []struct {
		Text string `json:"text"`
	}
	_ = json.Unmarshal(m.Content, &parts) // null has no text
	for _, p := range parts {
		s += p.Text
	}
	return s
}

// Last returns the text of the last message.
func (r *Request) Last() string {
	if len(r.Messages) == 0 {
		return ""
	}
	return r.Messages[len(r.Messages)-1].Text()
}

// New returns a server that plays the script. Call Start, or use it as an http.Handler.
func New(script ...Response) *Server {
	s := &Server{}
	s.Add(script...)
	return s
}

// Add puts responses at the end of the script.
func (s *Server) Add(script ...Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = append(s.script, script...)
	s.used = append(s.used, make([]bool, len(script))...)
}

// Reply answers every request by f instead of the script.
func (s *Server) Reply(f func(*Request) Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reply = f
}

// A Model is an entry of the list of models.
type Model struct {
	ID      string `json:"id"`
	Context int    `json:"context_length"`

	Architecture Architecture `json:"architecture,omitzero"`
}

// An Architecture says what a model takes. OpenRouter has it of each model, other servers of none.
type Architecture struct {
	Inputs []string `json:"input_modalities"`
}

// List makes the server have a list of models. Without one, asking for it is a 404.
func (s *Server) List(models ...Model) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.models = models
}

// serveModels answers GET …/models.
func (s *Server) serveModels(w http.ResponseWriter) {
	s.mu.Lock()
	models := s.models
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"data": models}) // the client may be gone
}

func (s *Server) lists() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.models != nil
}

// Requests returns what the server was asked so far, in order.
func (s *Server) Requests() []*Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*Request(nil), s.requests...)
}

// Left returns how many responses of the script nobody has asked for; those that repeat do not count.
func (s *Server) Left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for i, used := range s.used {
		if !used && !s.script[i].Repeat {
			n++
		}
	}
	return n
}

// Start listens on a free port of 127.0.0.1 and serves until Close.
func (s *Server) Start() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("openroutertest: %w", err)
	}
	s.listener, s.http, s.served = l, &http.Server{Handler: s, ConnState: s.count}, make(chan struct{})
	go func() {
		defer close(s.served)
		_ = s.http.Serve(l) // always ErrServerClosed or what Close did to the listener
	}()
	return nil
}

func (s *Server) count(_ net.Conn, state http.ConnState) {
	if state == http.StateNew {
		s.mu.Lock()
		s.conns++
		s.mu.Unlock()
	}
}

// Connections returns how many connections were made so far.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns
}

// URL returns the base URL for clients.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() + "/api/v1" }

// Close ends the server and every answer that is still under way.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.served
	return err
}

// ServeHTTP answers POST …/chat/completions, GET …/models if there is a list, and what is about keys if it issues one.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/models") && s.lists() {
		s.serveModels(w)
		return
	}
	if s.serveKeys(w, r) {
		return
	}
	if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/chat/completions") {
		writeError(w, http.StatusNotFound, r.Method+" "+r.URL.Path+" is not served here", "not_found")
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	req := &Request{Header: r.Header.Clone(), Body: body}
	decodeErr := json.Unmarshal(body, req)
	resp, err := s.choose(req, errors.Join(decodeErr, s.refuse(r, body)))
	var refusal *refusal
	switch {
	case errors.As(err, &refusal):
		writeError(w, refusal.status, refusal.message, "")
		return
	case err != nil:
		writeError(w, http.StatusBadRequest, err.Error(), "invalid_request")
		return
	}
	if resp.Body == nil {
		w.Header().Set("X-Generation-Id", generation(req.N))
	}
	p := &player{w: w, r: r, flush: http.NewResponseController(w), req: req, resp: resp}
	if req.searches() {
		p.search()
		return
	}
	p.play()
}

type refusal struct {
	status  int
	message string
}

func (r *refusal) Error() string { return r.message }

// refuse says what is wrong with a request before any script is looked at.
func (s *Server) refuse(r *http.Request, body []byte) error {
	if s.Key != "" && r.Header.Get("Authorization") != "Bearer "+s.Key {
		return &refusal{http.StatusUnauthorized, "No auth credentials found"}
	}
	if s.Lenient {
		return nil
	}
	return Check(body)
}

// choose records the request and finds the response to it.
func (s *Server) choose(req *Request, wrong error) (Response, error) {
	s.mu.Lock()
	req.N = len(s.requests)
	s.requests = append(s.requests, req)
	reply := s.reply
	var resp Response
	if wrong == nil && reply == nil {
		resp, wrong = s.take(req)
	}
	s.mu.Unlock()
	if wrong == nil && reply != nil {
		resp = reply(req)
	}
	return s.identify(resp), wrong
}

// take uses the first response that fits.
func (s *Server) take(req *Request) (Response, error) {
	for i, resp := range s.script {
		if s.used[i] || resp.When != "" && !strings.Contains(req.Last(), resp.When) {
			continue
		}
		s.used[i] = !resp.Repeat
		return resp, nil
	}
	return Response{}, fmt.Errorf("openroutertest: the script has no response left for request %d, whose last message is %.80q", req.N, req.Last())
}

// identify gives ids to the calls that have none, each its own.
func (s *Server) identify(resp Response) Response {
	resp.Calls = append([]Call(nil), resp.Calls...)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range resp.Calls {
		if resp.Calls[i].ID == "" {
			s.calls++
			resp.Calls[i].ID = fmt.Sprintf("call_%04d", s.calls)
		}
	}
	return resp
}

func generation(n int) string { return fmt.Sprintf("gen-%06d", n) }

// writeError answers with an error as OpenRouter words it.
func writeError(w http.ResponseWriter, status int, message, kind string) {
	type metadata struct {
		Type string `json:"error_type"`
	}
	var body struct {
		Error struct {
			Code     int       `json:"code"`
			Message  string    `json:"message"`
			Metadata *metadata `json:"metadata,omitempty"`
		} `json:"error"`
	}
	body.Error.Code, body.Error.Message = status, message
	if kind != "" {
		body.Error.Metadata = &metadata{kind}
	}
	var out bytes.Buffer
	_ = json.NewEncoder(&out).Encode(body) // strings and numbers: cannot fail
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // the client may be gone
}
