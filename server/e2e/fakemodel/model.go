package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"

	"github.com/coder-agent/coder/agent/openrouter/openroutertest"
)

// A provider serves all models.
type provider struct {
	mu     sync.Mutex
	models map[string]*model // by id
}

// A model is the script of one model id and those of its answers that are held.
type model struct {
	fake  *openroutertest.Server
	gates []*openroutertest.Gate
}

// A step is one scripted answer.
type step struct {
	openroutertest.Response
	Hold *int `json:"hold"` // chunks before the answer waits; nil: it does not
}

func newProvider() *provider { return &provider{models: make(map[string]*model)} }

func (p *provider) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/chat/completions", p.answer)
	mux.HandleFunc("POST /script/{model}", p.script)
	mux.HandleFunc("GET /reached/{model}/{n}", p.reached)
	mux.HandleFunc("POST /release/{model}/{n}", p.release)
	mux.HandleFunc("GET /requests/{model}", p.requests)
	return mux
}

// model returns the model of that id, which may be new.
func (p *provider) model(id string) *model {
	p.mu.Lock()
	defer p.mu.Unlock()
	m, ok := p.models[id]
	if !ok {
		m = &model{fake: openroutertest.New()}
		p.models[id] = m
	}
	return m
}

// answer plays the model's next answer.
func (p *provider) answer(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the host is gone
	}
	var head struct {
		Model string `json:"model"`
	}
	if err := json.Unmarshal(body, &head); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	p.model(head.Model).fake.ServeHTTP(w, r)
}

// script puts answers at the end of the model's script.
func (p *provider) script(w http.ResponseWriter, r *http.Request) {
	var steps []step
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&steps); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	m := p.model(r.PathValue("model"))
	for _, step := range steps {
		if step.Hold != nil {
			step.Gate = openroutertest.NewGate(*step.Hold)
			p.mu.Lock()
			m.gates = append(m.gates, step.Gate)
			p.mu.Unlock()
		}
		m.fake.Add(step.Response)
	}
}

// gate finds the held answer that the path names.
func (p *provider) gate(r *http.Request) (*openroutertest.Gate, error) {
	m := p.model(r.PathValue("model"))
	p.mu.Lock()
	defer p.mu.Unlock()
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil || n < 0 || n >= len(m.gates) {
		return nil, fmt.Errorf("model %s holds %d answers, none is number %s", r.PathValue("model"), len(m.gates), r.PathValue("n"))
	}
	return m.gates[n], nil
}

func (p *provider) reached(w http.ResponseWriter, r *http.Request) {
	gate, err := p.gate(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	select {
	case <-gate.Reached():
	case <-r.Context().Done():
	}
}

func (p *provider) release(w http.ResponseWriter, r *http.Request) {
	gate, err := p.gate(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	gate.Release()
}

func (p *provider) requests(w http.ResponseWriter, r *http.Request) {
	bodies := []json.RawMessage{}
	for _, req := range p.model(r.PathValue("model")).fake.Requests() {
		bodies = append(bodies, req.Body)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(bodies) // the suite may be gone
}
