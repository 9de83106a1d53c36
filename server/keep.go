package server

import (
	"errors"
	"net/http"
	"time"

	"github.com/coder-agent/coder/agent"
)

// A Pruning is the body of POST /host/prune: what may go. At least one bound must be set.
type Pruning struct {
	UnusedSeconds int64    `json:"unusedSeconds,omitempty"` // whole seconds since the last use
	Count         int      `json:"count,omitempty"`
	Bytes         int64    `json:"bytes,omitempty"`
	Names         []string `json:"names"` // of what may go only these; null: all
}

// longestUnused is a bound that a time.Duration can hold.
const longestUnused = 100 * 365 * 24 * 60 * 60 // seconds

func (p Pruning) retention() (agent.Retention, error) {
	r := agent.Retention{Unused: time.Duration(min(p.UnusedSeconds, longestUnused)) * time.Second, Count: p.Count, Bytes: p.Bytes}
	switch {
	case p.UnusedSeconds < 0 || p.Count < 0 || p.Bytes < 0:
		return r, errors.New("a bound must not be negative")
	case !r.Bounded():
		return r, errors.New("say what may go: unusedSeconds, count or bytes")
	}
	return r, nil
}

func (s *Server) prune(w http.ResponseWriter, r *http.Request) {
	var want Pruning
	if !decode(w, r, &want) {
		return
	}
	retention, err := want.retention()
	if err != nil {
		answer(w, http.StatusBadRequest, errorBody{Error: err.Error()})
		return
	}
	pruned, err := s.opts.Host.Prune(r.Context(), retention, want.Names)
	if err != nil {
		s.failed(w, "pruning sessions", err)
		return
	}
	answer(w, http.StatusOK, pruned)
}

// A Pin is the body of POST /host/sessions/NAME/pin, and with the name its answer.
type Pin struct {
	Name   string `json:"name,omitempty"`
	Pinned bool   `json:"pinned"`
}

func (s *Server) pin(w http.ResponseWriter, r *http.Request, name string) {
	var want Pin
	if !decode(w, r, &want) {
		return
	}
	if err := s.opts.Host.Pin(r.Context(), name, want.Pinned); err != nil {
		s.failed(w, "pinning session "+name, err)
		return
	}
	answer(w, http.StatusOK, Pin{name, want.Pinned})
}
