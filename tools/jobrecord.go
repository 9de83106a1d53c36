package tools

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/permission"
)

// A jobRecord is what is on disk of a job, beside its output, in the session's folder: so its number is never given twice, and
// a later host can say what has become of it.
type jobRecord struct {
	agent.Job
	Network     bool `json:"network,omitempty"`
	Unsandboxed bool `json:"unsandboxed,omitempty"`
	Told        bool `json:"told,omitempty"` // the model knows that it has ended

	number int
	file   string
}

// jobsFolder is in the session's folder.
const jobsFolder = "jobs"

// newRecord takes the next number, which is above all that are known. The id says what the job may reach beyond the sandbox: a call that gives it input is judged
// by that.
func newRecord(scratch string, above int, job agent.Job, reach permission.Reach) (r jobRecord, err error) {
	dir := filepath.Join(scratch, jobsFolder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return r, fmt.Errorf("making the folder for jobs: %w", err)
	}
	have, err := readRecords(scratch)
	if err != nil {
		return r, err
	}
	r = jobRecord{Job: job, Network: reach.Network, Unsandboxed: reach.Unsandboxed, number: above + 1}
	if len(have) > 0 {
		r.number = max(r.number, have[len(have)-1].number+1)
	}
	r.ID = jobID(r.number, reach)
	r.file = filepath.Join(dir, strconv.Itoa(r.number)+".json")
	f, err := os.OpenFile(r.file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return r, fmt.Errorf("making the record of a job: %w", err)
	}
	return r, errors.Join(f.Close(), r.write())
}

// The ends of the ids of jobs that reach beyond the sandbox.
const (
	networkJob     = "-network"
	unsandboxedJob = "-unsandboxed"
)

func jobID(number int, reach permission.Reach) string {
	id := strconv.Itoa(number)
	switch {
	case reach.Unsandboxed:
		return id + unsandboxedJob
	case reach.Network:
		return id + networkJob
	}
	return id
}

// reachOf is what the job of an id may reach.
func reachOf(id string) permission.Reach {
	return permission.Reach{Network: strings.HasSuffix(id, networkJob), Unsandboxed: strings.HasSuffix(id, unsandboxedJob)}
}

// write replaces the record as a whole. Of a session that was deleted meanwhile nothing comes back.
func (r jobRecord) write() error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	next := r.file + ".new"
	if err := os.WriteFile(next, data, 0o600); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("keeping the record of job %s: %w", r.ID, err)
	}
	return os.Rename(next, r.file)
}

// readRecords returns the records of a session, by their numbers. One that cannot be read is passed over, but its number is not
// given again.
func readRecords(scratch string) (list []jobRecord, err error) {
	dir := filepath.Join(scratch, jobsFolder)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for jobs: %w", err)
	}
	for _, e := range entries {
		name, isRecord := strings.CutSuffix(e.Name(), ".json")
		number, err := strconv.Atoi(name)
		if !isRecord || err != nil {
			continue
		}
		r := jobRecord{number: number, file: filepath.Join(dir, e.Name())}
		data, err := os.ReadFile(r.file)
		if err == nil {
			err = json.Unmarshal(data, &r)
		}
		if err != nil {
			r.Job = agent.Job{ID: name, Status: agent.JobLost}
			r.Told = true
		}
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b jobRecord) int { return a.number - b.number })
	return list, nil
}

// tell notes that the model knows that the job has ended. One that nobody saw end has ended with its host.
func (r *jobRecord) tell() error {
	if r.Told = true; r.Status == agent.JobRunning {
		r.Status = agent.JobLost
	}
	return r.write()
}

// ended notes how a job has ended.
func (r *jobRecord) ended(at time.Time, code int, signal, last string) error {
	r.Status, r.Ended, r.Signal, r.Last = agent.JobEnded, &at, signal, last
	if signal == "" {
		r.Exit = &code
	}
	return r.write()
}
