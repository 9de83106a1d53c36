package agent_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
)

// fakeJobs has one job, which has ended, and notes what the host wants of it.
type fakeJobs struct {
	mu    sync.Mutex
	told  bool
	calls []string
}

func (f *fakeJobs) did(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, what)
}

func (f *fakeJobs) job() agent.Job {
	return agent.Job{ID: "1", Command: "npm\nrun dev", Status: agent.JobEnded, Exit: new(1)}
}

func (f *fakeJobs) List(string, string) ([]agent.Job, error) { return []agent.Job{f.job()}, nil }

func (f *fakeJobs) News(session, _ string) []agent.Job {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.told || session != "one" {
		return nil
	}
	return []agent.Job{f.job()}
}

func (f *fakeJobs) Told(string, []agent.Job) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told = true
}

func (f *fakeJobs) End(session, id string) error {
	f.did("end " + session + " " + id)
	return &agent.NoJobError{ID: id}
}
func (f *fakeJobs) Drop(session string) { f.did("drop " + session) }
func (f *fakeJobs) All() []agent.Job    { return nil }
func (f *fakeJobs) Running() int        { return 0 }
func (f *fakeJobs) Close()              { f.did("close") }

// TestTheModelHearsOfAnEndBeforeItsNextStep: once, and in a request that extends the one before.
func TestTheModelHearsOfAnEndBeforeItsNextStep(t *testing.T) {
	jobs := &fakeJobs{}
	model := agenttest.NewModel(agenttest.Say("first"), agenttest.Say("second"))
	opts := agenttest.Options(t, model)
	opts.Jobs = jobs
	h := agenttest.Open(t, t.TempDir(), opts)
	a := agenttest.Agent(t, h, "One")
	sub, err := a.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, turn := range []string{"q1", "q2"} {
		agenttest.Ask(t, a, turn, "go on")
		agenttest.Finish(t, sub, turn)
	}
	requests := model.Requests()
	if len(requests) != 2 {
		t.Fatalf("%d requests", len(requests))
	}
	for i, req := range requests {
		n := 0
		for _, m := range req.Messages {
			for _, p := range m.Parts {
				if note, ok := p.(chat.Note); ok && note.Kind == agent.JobsNote {
					n += strings.Count(note.Text, "Job 1 (npm run dev) has ended with exit code 1.")
				}
			}
		}
		if n != 1 {
			t.Errorf("request %d tells it %d times", i, n)
		}
	}
	if _, err := a.Call(t.Context(), "endJob", []json.RawMessage{json.RawMessage(`"7"`)}); err == nil || err.Error() != "no job 7 runs in this session" {
		t.Errorf("ending a job that is not there: %v", err)
	}
	if err := h.Delete(t.Context(), "One"); err != nil {
		t.Error(err)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if got := strings.Join(jobs.calls, ", "); got != "end one 7, drop one, drop one, close" {
		t.Errorf("the host did %s", got)
	}
}
