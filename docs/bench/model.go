//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder-agent/coder/agent/openrouter/openroutertest"
)

// A request is what the model's process has seen of one request.
type request struct {
	Arrived  time.Time `json:"arrived"`  // its first bytes were read
	Answered time.Time `json:"answered"` // the last byte of the answer was handed to the system
	Body     []byte    `json:"body"`     // of the first request and the last only
}

// A modelProcess is the scripted model with a stopwatch. It runs in a process of its own, so that what it takes is not
// counted as anybody's.
type modelProcess struct {
	mu       sync.Mutex
	fake     *openroutertest.Server // a new one for each script: it keeps what it was sent
	replies  []reply
	requests []request
}

// serveModel is the role of that process. It prints its URL and serves until it is interrupted.
func serveModel(ctx context.Context) error {
	m := &modelProcess{fake: openroutertest.New()}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", m.answer)
	mux.HandleFunc("POST /bench/script", m.script)
	mux.HandleFunc("GET /bench/requests", m.report)
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("listening on http://%s\n", l.Addr())
	hs := &http.Server{Handler: mux}
	stop := context.AfterFunc(ctx, func() { _ = hs.Close() }) // Serve reports it
	defer stop()
	if err := hs.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// answer notes when the request came and when its answer was complete.
func (m *modelProcess) answer(w http.ResponseWriter, r *http.Request) {
	arrived := time.Now()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	m.mu.Lock()
	at := len(m.requests)
	if at > 1 {
		m.requests[at-1].Body = nil
	}
	m.requests = append(m.requests, request{Arrived: arrived, Body: body})
	fake := m.fake
	m.mu.Unlock()
	r.Body = io.NopCloser(bytes.NewReader(body))
	fake.ServeHTTP(w, r)
	_ = http.NewResponseController(w).Flush() // the client may have gone
	m.mu.Lock()
	defer m.mu.Unlock()
	if at < len(m.requests) {
		m.requests[at].Answered = time.Now()
	}
}

// next is the script's answer to the request that came last. Scripts begin again when they have ended.
func (m *modelProcess) next(*openroutertest.Request) openroutertest.Response {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.replies[(len(m.requests)-1)%len(m.replies)]
	if r.Tool == "" {
		return openroutertest.Response{Text: strings.Repeat(r.Text, max(1, r.Chunks)), Delay: r.Delay} // cut behind each word
	}
	args, err := json.Marshal(r.Args)
	if err != nil {
		return openroutertest.Response{Fault: "500", Message: err.Error()}
	}
	return openroutertest.Response{Calls: []openroutertest.Call{{Name: r.Tool, Args: args}}}
}

func (m *modelProcess) script(w http.ResponseWriter, r *http.Request) {
	var replies []reply
	if err := json.NewDecoder(r.Body).Decode(&replies); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.replies, m.requests, m.fake = replies, nil, openroutertest.New()
	m.fake.Reply(m.next)
}

func (m *modelProcess) report(w http.ResponseWriter, _ *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_ = json.NewEncoder(w).Encode(m.requests) // the bench may have gone
}

// A model is the handle on that process.
type model struct {
	server *server
	base   string // what clients are told
}

func startModel(ctx context.Context, work, self string) (*model, error) {
	s, err := startServer(ctx, work, nil, self, "-role", "model")
	if err != nil {
		return nil, err
	}
	return &model{server: s, base: s.url + "/v1"}, nil
}

// play sets the script and forgets the requests so far.
func (m *model) play(ctx context.Context, replies []reply) error {
	body, err := json.Marshal(replies)
	if err != nil {
		return err
	}
	_, err = m.call(ctx, http.MethodPost, "/bench/script", body)
	return err
}

// requests returns the requests since the script was set.
func (m *model) requests(ctx context.Context) ([]request, error) {
	body, err := m.call(ctx, http.MethodGet, "/bench/requests", nil)
	if err != nil {
		return nil, err
	}
	var requests []request
	err = json.Unmarshal(body, &requests)
	return requests, err
}

func (m *model) call(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, m.server.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("the model's process answered %s: %s", res.Status, answer)
	}
	return answer, err
}

func (m *model) stop() error { return m.server.stop() }
