package tools

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/agent/secret"
	"github.com/coder-agent/coder/tools/sandbox"
)

// maxJobs bounds the jobs of a session that run at the same time.
const maxJobs = 50

// Jobs are the commands of all sessions that go on beside their turns. It owns them: whoever makes one closes it. It is an
// agent.Jobs.
type Jobs struct {
	log     *slog.Logger
	changed func()

	mu       sync.Mutex
	sessions map[string]*sessionJobs // by key
	closed   bool
	owned    sync.WaitGroup
}

// A sessionJobs is what is known of the jobs of one session.
type sessionJobs struct {
	running map[string]*job // by id, and those that have ended under this host
	old     []jobRecord     // of hosts before, by their numbers

	network  *sandbox.Network // that its commands share while jobs run; nil: none yet, or this system has none
	starting int              // jobs that are about to be in it
}

// NewJobs returns a Jobs without any. changed is called when a job begins or ends, and must not block; nil is nothing.
func NewJobs(log *slog.Logger, changed func()) *Jobs {
	if changed == nil {
		changed = func() {}
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Jobs{log: log, changed: changed, sessions: make(map[string]*sessionJobs)}
}

// A job is one of them. Jobs guards its record.
type job struct {
	record jobRecord
	run    *sandbox.Job
	out    *live
	clean  *secret.Writer // in front of out
	done   chan struct{}  // closed when its end is in the record

	outcome sandbox.Outcome // set before done is closed
	err     error
}

// key is the name of a session as the agent's host has it.
func key(s session) string { return strings.ToLower(s.Name()) }

// of returns what is known of a session. What an earlier host has left running is lost: no job outlives its host.
func (j *Jobs) of(session, scratch string) *sessionJobs {
	s, ok := j.sessions[session]
	if ok {
		return s
	}
	s = &sessionJobs{running: make(map[string]*job)}
	j.sessions[session] = s
	var err error
	if s.old, err = readRecords(scratch); err != nil {
		j.log.Error("reading what is known of jobs", "session", session, "err", err)
	}
	return s
}

// A JobsError says that no more jobs may run.
type JobsError struct{ Running []agent.Job }

func (e *JobsError) Error() string {
	const most = 5
	var names []string
	for _, r := range e.Running[:min(most, len(e.Running))] {
		names = append(names, fmt.Sprintf("%s (%s, for %s)", r.ID, plain.VisibleLine(r.Command, 40), since(r.Started)))
	}
	return fmt.Sprintf("%d jobs run, and no more may: end one with job and signal TERM, such as %s", len(e.Running), strings.Join(names, ", "))
}

// add makes a command that runs a job of the session.
func (j *Jobs) add(session, scratch string, about agent.Job, reach permission.Reach, new *job) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.room(session, scratch); err != nil {
		return err
	}
	s := j.of(session, scratch)
	about.Status, about.Started, about.Log = agent.JobRunning, new.out.begun, new.out.spill()
	var err error
	if new.record, err = newRecord(scratch, s.highest(), about, reach); err != nil {
		return err
	}
	new.done = make(chan struct{})
	s.running[new.record.ID] = new
	j.owned.Go(func() { j.watch(session, new) })
	j.changed()
	return nil
}

// errNoJobs says that commands cannot go on here.
var errNoJobs = errors.New("commands cannot go on in the background here: leave background out")

// room reports why no further job may run; nil when one may.
func (j *Jobs) room(session, scratch string) error {
	if j.closed {
		return agent.ErrShutdown
	}
	if s := j.of(session, scratch); s.count() >= maxJobs {
		return &JobsError{Running: s.now()}
	}
	return nil
}

// now are the jobs that run, the first started first.
func (s *sessionJobs) now() []agent.Job {
	return slices.DeleteFunc(s.list(), func(r agent.Job) bool { return r.Status != agent.JobRunning })
}

// highest is the highest number that is known.
func (s *sessionJobs) highest() (n int) {
	for _, r := range s.old {
		n = max(n, r.number)
	}
	for _, r := range s.running {
		n = max(n, r.record.number)
	}
	return n
}

func (s *sessionJobs) list() []agent.Job {
	records := slices.Clone(s.old)
	for _, r := range s.running {
		r.record.Last = r.out.last()
		records = append(records, r.record)
	}
	slices.SortFunc(records, func(a, b jobRecord) int { return a.number - b.number })
	list := make([]agent.Job, len(records))
	for i, r := range records {
		list[i] = r.Job
		if list[i].Status == agent.JobRunning && s.running[r.ID] == nil {
			list[i].Status = agent.JobLost
		}
	}
	return list
}

// share returns the loopback of a session's jobs: nil when it has none that run, unless a job is to begin. What
// begins has called begin before.
func (j *Jobs) share(session, scratch string, box *sandbox.Box, begins bool) (*sandbox.Network, error) {
	if j == nil {
		return nil, nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.of(session, scratch)
	if s.network != nil || !begins {
		return s.network, nil
	}
	var err error
	s.network, err = box.NewNetwork()
	return s.network, err
}

// begin says that a job is about to begin, or why none may. begun says that it has, or will not.
func (j *Jobs) begin(session, scratch string) error {
	if j == nil {
		return errNoJobs
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.room(session, scratch); err != nil {
		return err
	}
	j.of(session, scratch).starting++
	return nil
}

func (j *Jobs) begun(session, scratch string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.of(session, scratch)
	s.starting--
	s.unshare()
}

// unshare lets go of the loopback when no job is in it. A command that shares it has it still.
func (s *sessionJobs) unshare() {
	if s.starting <= 0 && s.count() == 0 {
		s.network.Close()
		s.network = nil
	}
}

// count is how many jobs run.
func (s *sessionJobs) count() (n int) {
	for _, r := range s.running {
		if r.record.Status == agent.JobRunning {
			n++
		}
	}
	return n
}

// watch waits for the end of a job, and writes it down.
func (j *Jobs) watch(session string, r *job) {
	defer close(r.done)
	outcome, err := r.run.Wait()
	err = errors.Join(err, r.clean.Flush())
	r.out.end()
	last := r.out.last()
	j.mu.Lock()
	defer j.mu.Unlock()
	r.outcome, r.err = outcome, err
	r.record.Last = last
	for _, m := range outcome.Moved {
		r.record.Moved = append(r.record.Moved, agent.Moved(m))
	}
	if j.closed { // it stays in the record as running: the next host tells that it has ended with this one
		if len(r.record.Moved) > 0 {
			if err := r.record.write(); err != nil {
				j.log.Error("writing down what a job has left", "session", session, "err", err)
			}
		}
		return
	}
	if err := r.record.ended(time.Now(), outcome.Code, outcome.Signal, last); err != nil {
		j.log.Error("writing down the end of a job", "session", session, "err", err)
	}
	if s := j.sessions[session]; s != nil {
		s.shelve()
		s.unshare()
	}
	j.changed()
}

// maxKept bounds the jobs that have ended, and whose output is in memory all the same.
const maxKept = 20

// shelve leaves of the jobs that ended first no more than what is on disk.
func (s *sessionJobs) shelve() {
	var ended []jobRecord
	for _, r := range s.running {
		if r.record.Status != agent.JobRunning {
			ended = append(ended, r.record)
		}
	}
	slices.SortFunc(ended, func(a, b jobRecord) int { return a.Ended.Compare(*b.Ended) })
	for _, r := range ended[:max(0, len(ended)-maxKept)] {
		s.old = append(s.old, r)
		delete(s.running, r.ID)
	}
}

// find returns the job of an id, or of a number alone.
func (j *Jobs) find(session, scratch, id string) (running *job, old *jobRecord) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.of(session, scratch)
	number, _, _ := strings.Cut(id, "-")
	for _, r := range s.running {
		if have, _, _ := strings.Cut(r.record.ID, "-"); have == number {
			return r, nil
		}
	}
	for i := range s.old {
		if have, _, _ := strings.Cut(s.old[i].ID, "-"); have == number {
			return nil, &s.old[i]
		}
	}
	return nil, nil
}

// about returns what is known of a job.
func (j *Jobs) about(r *job) agent.Job {
	j.mu.Lock()
	defer j.mu.Unlock()
	return r.record.Job
}

// List returns what is known of the jobs of a session.
func (j *Jobs) List(session, scratch string) ([]agent.Job, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.of(session, scratch).list(), nil
}

// News returns the jobs that have ended, and of which the model has not been told.
func (j *Jobs) News(session, scratch string) []agent.Job {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.of(session, scratch)
	var ended []jobRecord
	for _, r := range s.old {
		if r.Status == agent.JobRunning {
			r.Status = agent.JobLost
		}
		if !r.Told {
			ended = append(ended, r)
		}
	}
	for _, r := range s.running {
		if r.record.Status != agent.JobRunning && !r.record.Told {
			ended = append(ended, r.record)
		}
	}
	slices.SortFunc(ended, func(a, b jobRecord) int { return a.number - b.number })
	news := make([]agent.Job, len(ended))
	for i, r := range ended {
		news[i] = r.Job
	}
	return news
}

// Told notes that the model knows that jobs have ended.
func (j *Jobs) Told(session string, jobs []agent.Job) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s, ok := j.sessions[session]
	if !ok {
		return
	}
	for _, told := range jobs {
		if r, ok := s.running[told.ID]; ok {
			j.noteTold(session, &r.record)
		}
		for i := range s.old {
			if s.old[i].ID == told.ID {
				j.noteTold(session, &s.old[i])
			}
		}
	}
}

func (j *Jobs) noteTold(session string, r *jobRecord) {
	if r.Told {
		return
	}
	if err := r.tell(); err != nil { // the next host tells it again
		j.log.Error("writing down that a job has ended", "session", session, "err", err)
	}
}

// End ends all that a job has started. It does not wait.
func (j *Jobs) End(session, id string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if s, ok := j.sessions[session]; ok {
		for _, r := range s.running {
			if have, _, _ := strings.Cut(r.record.ID, "-"); r.record.Status == agent.JobRunning && (r.record.ID == id || have == id) {
				r.run.End()
				return nil
			}
		}
	}
	return &agent.NoJobError{ID: id}
}

// Drop ends all jobs of a session, waits for that and forgets them.
func (j *Jobs) Drop(session string) {
	j.mu.Lock()
	s := j.sessions[session]
	delete(j.sessions, session)
	j.mu.Unlock()
	s.end()
}

// end ends all jobs, and waits for that.
func (s *sessionJobs) end() {
	if s == nil {
		return
	}
	for _, r := range s.running {
		r.run.End()
	}
	for _, r := range s.running {
		<-r.done
	}
	s.network.Close()
}

// All returns the jobs that run, in all sessions.
func (j *Jobs) All() (all []agent.Job) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for session, s := range j.sessions {
		for _, r := range s.now() {
			r.Session = session
			all = append(all, r)
		}
	}
	return all
}

// Running is how many jobs run in all sessions.
func (j *Jobs) Running() (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range j.sessions {
		n += s.count()
	}
	return n
}

// Close ends all jobs, waits for that, and refuses new ones.
func (j *Jobs) Close() {
	j.mu.Lock()
	j.closed = true
	sessions := j.sessions
	j.sessions = make(map[string]*sessionJobs)
	j.mu.Unlock()
	for _, s := range sessions {
		for _, r := range s.running {
			r.run.End()
		}
	}
	for _, s := range sessions {
		s.end()
	}
	j.owned.Wait()
}
