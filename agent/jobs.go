package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/agent/store"
)

// A Job is a command of a session that goes on beside its turns, as clients see it.
type Job struct {
	Session  string     `json:"session,omitempty"` // in a list of several
	ID       string     `json:"id"`
	Command  string     `json:"command"`
	Workdir  string     `json:"workdir"`
	Status   JobStatus  `json:"status"`
	Started  time.Time  `json:"started"`
	Ended    *time.Time `json:"ended,omitempty"`    // nil while it runs, and when nobody saw its end
	Exit     *int       `json:"exit,omitempty"`     // nil while it runs, and when a signal ended it
	Signal   string     `json:"signal,omitempty"`   // that ended it
	Terminal bool       `json:"terminal,omitempty"` // it has one
	Last     string     `json:"last"`               // line of its output
	Log      string     `json:"log"`                // the file with its output
	Moved    []Moved    `json:"moved,omitempty"`    // what was put aside at its end
}

// A Moved is a protected file that was made or changed while a job ran, and is now in the session's folder. Perhaps somebody else
// has made it: nobody can tell.
type Moved struct {
	Path string `json:"path"`
	To   string `json:"to"`
}

// A JobStatus says what has become of a job.
type JobStatus string

const (
	JobRunning JobStatus = "running"
	JobEnded   JobStatus = "ended"
	JobLost    JobStatus = "lost" // it has ended with its host, which was stopped or killed
)

// String says in words how a job is.
func (j Job) String() string {
	switch {
	case j.Status == JobRunning:
		return "running"
	case j.Status == JobLost:
		return "ended with its host"
	case j.Signal != "":
		return "ended by signal: " + j.Signal
	case j.Exit != nil:
		return fmt.Sprintf("ended with exit code %d", *j.Exit)
	}
	return "ended"
}

// Jobs are the jobs of all sessions. They belong to the tools, which start them; the host ends them when it closes, and
// those of a session when it is deleted. A session is named by its key; scratch is the path of its folder.
type Jobs interface {
	List(session, scratch string) ([]Job, error) // all that are known, the first started first
	News(session, scratch string) []Job          // those that have ended, and of which the model has not been told
	Told(session string, jobs []Job)             // the model has been told
	End(session, id string) error                // ends all that the job started; does not wait for it
	Drop(session string)                         // ends all jobs of the session, waits for that and forgets them
	All() []Job                                  // that run, in all sessions; Session is its key
	Running() int                                // how many these are
	Close()                                      // ends all, waits for that, and refuses new ones
}

// noJobs are those of a host whose tools have none.
type noJobs struct{}

func (noJobs) List(string, string) ([]Job, error) { return []Job{}, nil }
func (noJobs) News(string, string) []Job          { return nil }
func (noJobs) Told(string, []Job)                 {}
func (noJobs) End(_, id string) error             { return &NoJobError{ID: id} }
func (noJobs) Drop(string)                        {}
func (noJobs) All() []Job                         { return nil }
func (noJobs) Running() int                       { return 0 }
func (noJobs) Close()                             {}

// A NoJobError says that a session has no job of that id that runs.
type NoJobError struct{ ID string }

func (e *NoJobError) Error() string { return fmt.Sprintf("no job %s runs in this session", e.ID) }

// Hint says where to look.
func (e *NoJobError) Hint() string { return "coder jobs lists them" }

// Jobs returns the jobs of the session, the first started first.
func (a *CoderAgent) Jobs(_ context.Context) ([]Job, error) {
	return a.host.opts.Jobs.List(a.key, a.scratch())
}

// Jobs returns the jobs that run, in all sessions, the first started first.
func (h *Host) Jobs() []Job {
	list := h.opts.Jobs.All()
	slices.SortFunc(list, func(a, b Job) int { return a.Started.Compare(b.Started) })
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, j := range list {
		if a, ok := h.agents[j.Session]; ok {
			list[i].Session = a.name
		}
	}
	return append([]Job{}, list...)
}

// EndJob ends a job of a session with all that it started. It does not wait for that.
func (h *Host) EndJob(session, id string) error {
	return h.opts.Jobs.End(strings.ToLower(session), id)
}

// hasJobs reports whether a session has jobs that run.
func (h *Host) hasJobs(key string) bool {
	return slices.ContainsFunc(h.opts.Jobs.All(), func(j Job) bool { return j.Session == key })
}

// RunningJobs is how many jobs run in all sessions.
func (h *Host) RunningJobs() int { return h.opts.Jobs.Running() }

// endJobMethod ends a job, with all that it started.
func endJobMethod(a *CoderAgent, _ context.Context, id string) (any, error) {
	return nil, a.host.opts.Jobs.End(a.key, id)
}

func jobsMethod(a *CoderAgent, ctx context.Context, _ []json.RawMessage, _ func(any)) (any, error) {
	return a.Jobs(ctx)
}

// JobsNote is the kind of the note that tells the model that jobs have ended.
const JobsNote = "jobs"

// tellJobs tells the model, before its next step, which jobs have ended since it was last told.
func (t *turn) tellJobs(ended []Job) error {
	lines := make([]string, len(ended))
	for i, j := range ended {
		lines[i] = fmt.Sprintf("Job %s (%s) has %s.", j.ID, plain.VisibleLine(j.Command, 80), j)
		for _, m := range j.Moved {
			lines[i] += fmt.Sprintf(" %s, which came while it ran and which no command may write, is now %s; if the user has made it, tell the user.", plain.VisibleLine(m.Path, 300), m.To)
		}
	}
	text := "(From coder, not from the user.) " + strings.Join(lines, " ") + " The job tool shows what was not seen of their output."
	if err := t.record(store.Fast, chat.Noted{ID: newID("note"), Kind: JobsNote, Text: text}); err != nil {
		return err
	}
	t.agent.host.opts.Jobs.Told(t.agent.key, ended)
	return nil
}
