package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/server"
)

// statusTimeout bounds the question whether a host is there: it answers from memory.
const statusTimeout = 3 * time.Second

// loopback is the HTTP client for hosts: no proxy.
var loopback = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// A hostError is a host's refusal of a request.
type hostError struct {
	Status int
	Text   string
	Do     string
}

func (e *hostError) Error() string { return e.Text }

// Hint is the host's own.
func (e *hostError) Hint() string { return e.Do }

// request sends one request to the host and decodes its answer into result, unless that is nil. body is JSON, or "".
func (h hostFile) request(ctx context.Context, method, path, body string, result any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+h.Addr+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+h.Token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := loopback.Do(req)
	if err != nil {
		return fmt.Errorf("asking the host at %s: %w", h.Addr, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return refusal(resp)
	}
	if result == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(result); err != nil {
		return fmt.Errorf("reading the answer of the host at %s: %w", h.Addr, err)
	}
	return nil
}

func refusal(resp *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return err
	}
	var body struct{ Error, Hint string }
	if json.Unmarshal(text, &body) != nil || body.Error == "" {
		body.Error = fmt.Sprintf("the host answers %s: %s", resp.Status, strings.TrimSpace(string(text)))
	}
	return &hostError{resp.StatusCode, body.Error, body.Hint}
}

// status asks the host who it is. An error says that no such host is there: it has gone, or another program has its
// port now.
func (h hostFile) status(ctx context.Context) (server.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	var s server.Status
	if err := h.request(ctx, http.MethodGet, "/host/status", "", &s); err != nil {
		return s, err
	}
	if s.PID != h.PID {
		return s, fmt.Errorf("the host at %s is process %d, not %d", h.Addr, s.PID, h.PID)
	}
	return s, nil
}

func (h hostFile) sessions(ctx context.Context) ([]agent.Session, error) {
	var list server.Sessions
	err := h.request(ctx, http.MethodGet, "/host/sessions", "", &list)
	return list.Sessions, err
}

func (h hostFile) deleteSession(ctx context.Context, name string) error {
	return h.request(ctx, http.MethodDelete, "/host/sessions/"+name, "", nil)
}

// post sends body as JSON.
func (h hostFile) post(ctx context.Context, path string, body, result any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return h.request(ctx, http.MethodPost, path, string(data), result)
}

func (h hostFile) schedules(ctx context.Context) ([]agent.Schedule, error) {
	var list server.Schedules
	err := h.request(ctx, http.MethodGet, "/host/schedules", "", &list)
	return list.Schedules, err
}

func (h hostFile) cancelSchedule(ctx context.Context, id string) error {
	return h.request(ctx, http.MethodDelete, "/host/schedules/"+url.PathEscape(id), "", nil)
}

func (h hostFile) jobs(ctx context.Context) ([]agent.Job, error) {
	var list server.Jobs
	err := h.request(ctx, http.MethodGet, "/host/jobs", "", &list)
	return list.Jobs, err
}

func (h hostFile) endJob(ctx context.Context, session, id string) error {
	return h.request(ctx, http.MethodDelete, "/host/jobs/"+session+"/"+url.PathEscape(id), "", nil)
}

// stop asks the host to end and waits until its process has. One that does not answer any more is ending by itself.
func (h hostFile) stop(ctx context.Context) error {
	err := h.request(ctx, http.MethodPost, "/host/stop", "{}", nil)
	if err == nil || ending(err) {
		err = waitGone(ctx, h.PID)
	}
	if err != nil {
		return &hintedError{err, fmt.Sprintf("end process %d yourself; no session is lost by that", h.PID)}
	}
	return nil
}

// stopIdle asks the host to end if nobody uses it, which the host decides, and waits until its process has. One that
// does not answer is ending already: somebody was faster.
func (h hostFile) stopIdle(ctx context.Context) (stopped bool, err error) {
	err = h.request(ctx, http.MethodPost, "/host/stop", `{"ifIdle":true}`, nil)
	if refused, ok := errors.AsType[*hostError](err); ok {
		if refused.Status == http.StatusConflict {
			return false, nil
		}
		return false, err
	}
	return true, waitGone(ctx, h.PID)
}

// ending reports whether the error of a request says that the host, which has just been there, is ending: it does not
// answer, or says so.
func ending(err error) bool {
	refused, answered := errors.AsType[*hostError](err)
	return err != nil && (!answered || refused.Status == http.StatusServiceUnavailable)
}

// waitGone waits until the process has ended. It is no child of ours, so all we can do is look.
func waitGone(ctx context.Context, pid int) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for alive(pid) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// running finds the host that serves the data dir. It is false when there is none.
func running(ctx context.Context, dataDir string) (hostFile, server.Status, bool, error) {
	h, ok, err := readHostFile(dataDir)
	if err != nil || !ok || !alive(h.PID) {
		return hostFile{}, server.Status{}, false, err
	}
	status, err := h.status(ctx)
	if ctx.Err() != nil {
		return hostFile{}, server.Status{}, false, context.Cause(ctx)
	}
	return h, status, err == nil, nil
}
