//go:build unix

package tools

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/secret"
	"github.com/coder-agent/coder/tools/sandbox"
)

// A workshop is a session with its jobs.
type workshop struct {
	*fakeSession
	jobs *Jobs
	sh   shell
}

func newWorkshop(t *testing.T) workshop {
	t.Helper()
	jobs := NewJobs(nil, nil)
	t.Cleanup(jobs.Close)
	return workshop{newSession(t), jobs, shell{jobs: jobs}}
}

func (w workshop) bash(t *testing.T, input string) string {
	t.Helper()
	return must(t, w.fakeSession, w.sh.run, input)
}

func (w workshop) job(t *testing.T, input string) string {
	t.Helper()
	return must(t, w.fakeSession, jobTool{w.jobs}.run, input)
}

// witness makes a pipe that a job holds open as w: when it has ended, so has the job's tree.
func (w workshop) witness(t *testing.T) (over func()) {
	t.Helper()
	path := filepath.Join(w.dir, "w")
	mkfifo(t, path)
	opened := make(chan *os.File, 1)
	go func() {
		f, err := os.Open(path)
		if err != nil {
			t.Error(err)
		}
		opened <- f
	}()
	return func() {
		t.Helper()
		f := <-opened
		defer f.Close()
		if err := f.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, f); err != nil {
			t.Errorf("something of the job lives on: %v", err)
		}
	}
}

func TestACommandThatTakesLongGoesOnAsAJob(t *testing.T) {
	w := newWorkshop(t)
	first := w.bash(t, `{"command":"echo begun; read -t 3 line < /dev/tty; while [ ! -e go ]; do sleep 0.05; done; echo went on; exit 3","timeout_s":1}`)
	contains(t, first, "begun", "(after 1 s the command goes on as job 1, though it takes no input: job with id 1 shows")
	if again := w.job(t, `{"id":"1"}`); !regexp.MustCompile(`^\(job 1 is running, for \d+ s; no new output\)$`).MatchString(again) {
		t.Errorf("a look is %q", again)
	}
	contains(t, refused(t, w.fakeSession, jobTool{w.jobs}.run, `{"id":"1","input":"x\n"}`), "has no input: end it, and start it again with background: true")
	w.put(t, "go", "")
	got := w.job(t, `{"id":1,"wait_s":60}`)
	for !strings.Contains(got, "has ended") { // it may have paused before its end
		got += w.job(t, `{"id":1,"wait_s":60}`)
	}
	if !strings.HasPrefix(got, "went on\n") || !strings.Contains(got, "(job 1 has ended with exit code 3, after ") || strings.Contains(got, "begun") {
		t.Errorf("the end is %q", got)
	}
	contains(t, w.job(t, `{"id":"1"}`), "(job 1 has ended with exit code 3, after ", "; no new output)")
	contains(t, w.job(t, `{}`), "1: echo begun; ", "(ended with exit code 3)")
	list, err := w.jobs.List(key(w), w.scratch)
	if err != nil || len(list) != 1 || *list[0].Exit != 3 || list[0].Last != "went on" {
		t.Errorf("the list is %+v, %v", list, err)
	}
	if log, err := os.ReadFile(list[0].Log); err != nil || !strings.HasSuffix(string(log), "went on\n") || !strings.HasPrefix(string(log), "begun\n") {
		t.Errorf("the log holds %q, %v", log, err)
	}
}

func TestAJobIsFedAndSignalled(t *testing.T) {
	w := newWorkshop(t)
	contains(t, w.bash(t, `{"command":"echo ready; while read -r line; do echo got $line; done; echo over; trap 'echo hup; exit 7' HUP; while :; do sleep 0.05; done","background":true}`),
		"ready\n(started as job 1: job with id 1 shows")
	contains(t, w.job(t, `{"id":"1","input":"one\ntwo\n"}`), "got one\ngot two\n(job 1 is running")
	contains(t, w.job(t, `{"id":"1","signal":"EOF"}`), "over\n(job 1 is running")
	contains(t, refused(t, w.fakeSession, jobTool{w.jobs}.run, `{"id":"1","signal":"EOF"}`), "has no input that could end")
	contains(t, refused(t, w.fakeSession, jobTool{w.jobs}.run, `{"id":"1","signal":"BUS"}`), `there is no signal "BUS" here; there are CONT, HUP, INT`)
	got := w.job(t, `{"id":"1","signal":"sighup","wait_s":30}`)
	for !strings.Contains(got, "has ended") {
		got += w.job(t, `{"id":"1","wait_s":30}`)
	}
	contains(t, got, "hup", "(job 1 has ended with exit code 7")
	contains(t, refused(t, w.fakeSession, jobTool{w.jobs}.run, `{"id":"9"}`), "this session has no job 9")
}

func TestAJobThatEndsAtOnceSaysSo(t *testing.T) {
	w := newWorkshop(t)
	contains(t, w.bash(t, `{"command":"echo no such thing; exit 1","background":true}`), "no such thing\n(job 1 has ended with exit code 1, after 0 s)")
	if news := w.jobs.News(key(w), w.scratch); len(news) != 0 {
		t.Errorf("what the model has seen end is told again: %+v", news)
	}
}

func TestTheModelIsToldOnceOfAnEnd(t *testing.T) {
	w := newWorkshop(t)
	w.bash(t, `{"command":"echo up; while [ ! -e go ]; do sleep 0.05; done","background":true}`)
	if news := w.jobs.News(key(w), w.scratch); len(news) != 0 {
		t.Errorf("a job that runs is told: %+v", news)
	}
	r, _ := w.jobs.find(key(w), w.scratch, "1")
	w.put(t, "go", "")
	<-r.done
	news := w.jobs.News(key(w), w.scratch)
	if len(news) != 1 || news[0].String() != "ended with exit code 0" {
		t.Fatalf("news are %+v", news)
	}
	w.jobs.Told(key(w), news)
	if news := w.jobs.News(key(w), w.scratch); len(news) != 0 {
		t.Errorf("and again: %+v", news)
	}
}

// TestOutputIsNewToWhoHasNotSeenIt: what counts is what the model can still see, not what was once shown.
func TestOutputIsNewToWhoHasNotSeenIt(t *testing.T) {
	w := newWorkshop(t)
	w.bash(t, `{"command":"echo one; read -r x; echo two; read -r x","background":true}`)
	contains(t, w.job(t, `{"id":"1","input":"\n"}`), "two\n(job 1 is running")
	w.looked = w.looked[:1] // the turn is made anew
	if got := w.job(t, `{"id":"1"}`); !strings.HasPrefix(got, "two\n(job 1 is running") {
		t.Errorf("after the look was taken back: %q", got)
	}
	w.looked = nil
	if got := w.job(t, `{"id":"1"}`); !strings.HasPrefix(got, "one\ntwo\n(job 1") {
		t.Errorf("after all was taken back: %q", got)
	}
}

func TestOfALongOutputOnlyTheNewIsCut(t *testing.T) {
	w := newWorkshop(t)
	w.bash(t, `{"command":"echo first; read -r x; seq 1 20000; read -r x; echo last; read -r x","background":true}`)
	got := w.job(t, `{"id":"1","input":"\n","wait_s":10}`)
	if !strings.HasPrefix(got, "1\n2\n") || !strings.Contains(got, "left out here; the whole, 20,001 lines, 106 KB, is in ") || !strings.Contains(got, "\n20000\n(job 1 is running") {
		t.Errorf("a long piece is %q … %q", got[:40], got[len(got)-80:])
	}
	if got := w.job(t, `{"id":"1","input":"\n"}`); !strings.HasPrefix(got, "last\n(job 1") {
		t.Errorf("and then %q", got)
	}
}

func TestAJobInATerminal(t *testing.T) {
	for _, box := range []*sandbox.Box{nil, wholeBox(t)} {
		t.Run(fmt.Sprintf("level %d", box.Level()), func(t *testing.T) { jobInATerminal(t, box) })
	}
}

func jobInATerminal(t *testing.T, box *sandbox.Box) {
	w := newWorkshop(t)
	w.sh.box = box
	got := w.bash(t, `{"command":"test -t 0 && test -t 1 && test -t 2 && stty size && : < /dev/tty && printf '\\033[31mname?\\033[0m ' && read -r n && echo hello $n && printf '1%%\\r2%%\\rdone\\n'; sleep 300","background":true,"pty":true}`)
	contains(t, got, "40 120\nname? \n(started as job 1")
	contains(t, w.job(t, `{"id":"1","input":"you\n"}`), "hello you\ndone\n(job 1 is running")
	got = w.job(t, `{"id":"1","signal":"INT","wait_s":30}`)
	for !strings.Contains(got, "has ended") {
		got += w.job(t, `{"id":"1","wait_s":30}`)
	}
	contains(t, got, "(job 1 has ended by signal: interrupt")
	contains(t, w.bash(t, `{"command":"test -t 1 && stty size","pty":true}`), "40 120")
}

func TestNoSecretIsInAJobsOutput(t *testing.T) {
	w := newWorkshop(t)
	w.secrets = &secret.Set{}
	w.secrets.Add("MY_SERVICE_TOKEN", "mst-4f9a1c07e2b85d36")
	got := w.bash(t, `{"command":"printf mst-4f9a1; sleep 0.1; echo c07e2b85d36; printf 'name? '; read -r x","background":true}`)
	contains(t, got, "[redacted: MY_SERVICE_TOKEN]\nname? ")
	r, _ := w.jobs.find(key(w), w.scratch, "1")
	if log, err := os.ReadFile(w.jobs.about(r).Log); err != nil || !strings.Contains(string(log), "[redacted") {
		t.Errorf("the log holds %q, %v", log, err)
	}
}

func TestFiftyJobsAndNoMore(t *testing.T) {
	for _, box := range []*sandbox.Box{nil, wholeBox(t)} {
		t.Run(fmt.Sprintf("level %d", box.Level()), func(t *testing.T) { fiftyJobs(t, box) })
	}
}

// wholeBox is a box of the highest level that works here; nil is none.
func wholeBox(t *testing.T) *sandbox.Box {
	t.Helper()
	o := sandbox.Options{Home: t.TempDir(), Cache: t.TempDir()}
	r, err := sandbox.Test(t.Context(), o, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return sandbox.New(o, r)
}

func fiftyJobs(t *testing.T, box *sandbox.Box) {
	w := newWorkshop(t)
	w.sh.box = box
	over := w.witness(t)
	var group errgroup.Group
	group.SetLimit(10)
	for range maxJobs {
		group.Go(func() error {
			res, err := w.sh.run(t.Context(), w.fakeSession, bashArgs{Command: "exec 3>w; echo up; exec sleep 300", Background: true})
			if err == nil && !strings.Contains(res.Text, "started as job ") {
				err = errors.New(res.Text)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	contains(t, refused(t, w.fakeSession, w.sh.run, `{"command":"touch ran","background":true}`), "50 jobs run, and no more may: end one with job and signal TERM, such as 1 (exec 3>w; echo up")
	if _, err := os.Stat(filepath.Join(w.dir, "ran")); err == nil {
		t.Error("the 51st began")
	}
	contains(t, w.bash(t, `{"command":"echo begun; sleep 300","timeout_s":1}`), "begun\n(ended after 1 s with everything it had started, because it could not go on as a job: 50 jobs run")
	contains(t, w.job(t, `{"id":"7","signal":"TERM","wait_s":30}`), "(job 7 has ended by signal: terminated")
	contains(t, w.bash(t, `{"command":"echo up; sleep 300","background":true}`), "started as job 51")
	if n := w.jobs.Running(); n != maxJobs {
		t.Errorf("%d jobs run, want %d", n, maxJobs)
	}
	begin := time.Now()
	w.jobs.Close()
	if d := time.Since(begin); d > 15*time.Second {
		t.Errorf("their end took %v", d)
	}
	over()
	if err := w.jobs.begin(key(w), w.scratch); !errors.Is(err, agent.ErrShutdown) {
		t.Errorf("a job of a host that has ended: %v", err)
	}
}

// TestAJobEndsWithItsHost: the next one knows of it, and gives its number to no other.
func TestAJobEndsWithItsHost(t *testing.T) {
	w := newWorkshop(t)
	over := w.witness(t)
	w.bash(t, `{"command":"exec 3>w; echo up; exec sleep 300","background":true}`)
	w.jobs.Close()
	over()
	next := NewJobs(nil, nil)
	t.Cleanup(next.Close)
	w.jobs, w.sh.jobs = next, next
	news := next.News(key(w), w.scratch)
	if len(news) != 1 || news[0].String() != "ended with its host" {
		t.Errorf("news are %+v", news)
	}
	w.looked = nil
	contains(t, w.job(t, `{"id":"1"}`), "up\n(job 1 has ended with its host)")
	contains(t, refused(t, w.fakeSession, jobTool{next}.run, `{"id":"1","input":"x"}`), "job 1 has ended, and takes neither input nor signals")
	contains(t, w.bash(t, `{"command":"echo up; sleep 300","background":true}`), "started as job 2")
	third := NewJobs(nil, nil)
	t.Cleanup(third.Close)
	if news := third.News(key(w), w.scratch); len(news) != 1 || news[0].ID != "2" {
		t.Errorf("news of the third are %+v", news)
	}
}

func TestJobsOfASessionEndWithIt(t *testing.T) {
	w, other := newWorkshop(t), newSession(t)
	over := w.witness(t)
	w.bash(t, `{"command":"exec 3>w; echo up; setsid sleep 300 & exec sleep 300","background":true}`)
	if _, err := do(t, other, jobTool{w.jobs}.run, `{"id":"1"}`); err == nil || !strings.Contains(err.Error(), "this session has no job 1") {
		t.Errorf("a look at another session's job: %v", err)
	}
	w.jobs.Drop(key(w))
	over()
	if n := w.jobs.Running(); n != 0 {
		t.Errorf("%d jobs run on", n)
	}
}

func TestOnlyTheNameThatSaysItsReachTypes(t *testing.T) {
	for _, reach := range []string{networkJob, unsandboxedJob} {
		if got := jobID(3, reachOf("1"+reach)); got != "3"+reach {
			t.Errorf("the id is %s", got)
		}
	}
	w := newWorkshop(t)
	w.bash(t, `{"command":"cat","background":true}`)
	r, _ := w.jobs.find(key(w), w.scratch, "1")
	w.jobs.mu.Lock()
	s := w.jobs.sessions[key(w)]
	delete(s.running, "1")
	r.record.ID = "1-unsandboxed"
	s.running[r.record.ID] = r
	w.jobs.mu.Unlock()
	contains(t, refused(t, w.fakeSession, jobTool{w.jobs}.run, `{"id":"1","input":"x\n"}`), "the job is 1-unsandboxed: name it so to type to it")
	contains(t, w.job(t, `{"id":"1-unsandboxed","input":"x\n"}`), "x\n(job 1-unsandboxed is running")
	if list, err := json.Marshal(mustList(t, w)); err != nil || !strings.Contains(string(list), `"id":"1-unsandboxed"`) {
		t.Errorf("the list is %s, %v", list, err)
	}
}

func mustList(t *testing.T, w workshop) []agent.Job {
	t.Helper()
	list, err := w.jobs.List(key(w), w.scratch)
	if err != nil {
		t.Fatal(err)
	}
	return list
}
