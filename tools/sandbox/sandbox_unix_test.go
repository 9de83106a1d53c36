//go:build unix

package sandbox

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"
)

var environ = []string{"PATH=" + os.Getenv("PATH")}

// shell makes a command of a script.
func shell(t *testing.T, script string, out io.Writer) Command {
	t.Helper()
	argv, err := Shell(environ, script)
	if err != nil {
		t.Fatal(err)
	}
	return Command{Argv: argv, Dir: t.TempDir(), Env: environ, Stdout: out}
}

func TestACommandsEndIsTold(t *testing.T) {
	tests := []struct {
		name, script, out string
		want              Outcome
	}{
		{"well", "echo a; echo b >&2", "a\nb\n", Outcome{}},
		{"with an exit code", "exit 7", "", Outcome{Code: 7}},
		{"by a signal", "kill -KILL $$", "", Outcome{Code: -1, Signal: "killed"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			got, err := Run(t.Context(), shell(t, tt.script, &b))
			got.Duration = 0
			if err != nil || got.Code != tt.want.Code || got.Signal != tt.want.Signal || got.TimedOut || len(got.Running) > 0 || b.String() != tt.out {
				t.Errorf("%q: %+v, %v, %q; want %+v, %q", tt.script, got, err, b.String(), tt.want, tt.out)
			}
		})
	}
}

func TestAQuietCommandShowsNoErrors(t *testing.T) {
	var b bytes.Buffer
	c := shell(t, "echo a; echo b >&2", &b)
	c.Quiet = true
	if _, err := Run(t.Context(), c); err != nil || b.String() != "a\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
}

func TestAProgramThatIsNotThereIsAnError(t *testing.T) {
	_, err := Run(t.Context(), Command{Argv: []string{"/none"}, Dir: "/", Stdout: io.Discard})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an error that names no cause: %v", err)
	}
}

// A witness is a named pipe that all processes of a tree hold open: its end is theirs.
type witness struct {
	path string
	read *os.File
}

func newWitness(t *testing.T) *witness {
	t.Helper()
	w := &witness{path: filepath.Join(t.TempDir(), "witness")}
	if err := syscall.Mkfifo(w.path, 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

// begun waits until a line has come through the pipe.
func (w *witness) begun(t *testing.T) {
	t.Helper()
	f, err := os.Open(w.path)
	if err != nil {
		t.Fatal(err)
	}
	w.read = f
	if _, err := f.Read(make([]byte, 64)); err != nil {
		t.Fatal(err)
	}
}

// over waits until nobody holds the pipe any more.
func (w *witness) over(t *testing.T) {
	t.Helper()
	if err := w.read.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, w.read); err != nil {
		t.Errorf("a process of the tree lives on: %v", err)
	}
	w.read.Close()
}

// trees are scripts that leave processes in ways that are harder and harder to find. $W is the witness. One that leaves
// its session, loses its parent and takes off its environment as well cannot be found without a pid namespace.
var trees = []struct {
	name, script string
	linux        bool // only found there
}{
	{"children", "exec 3>$W; sleep 300 & sleep 300 & echo go >&3; wait", false},
	{"grandchildren of a pipeline", "exec 3>$W; (sleep 300 | (sleep 300; cat)) & echo go >&3; wait", false},
	{"children that ignore SIGTERM", "exec 3>$W; trap '' TERM; (trap '' TERM; while :; do sleep 300; done) & echo go >&3; wait", false},
	{"a child in a session of its own", "exec 3>$W; setsid sleep 300 & echo go >&3; wait", true},
	{"a daemon: its own session, its parent gone", "exec 3>$W; setsid sh -c '(sleep 300 &) ; exit' ; echo go >&3; sleep 300", true},
}

func TestACancelEndsTheWholeTree(t *testing.T) {
	for _, tt := range trees {
		if tt.linux && runtime.GOOS != "linux" {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			w := newWitness(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			c := shell(t, tt.script, io.Discard)
			c.Env = append(slices.Clone(environ), "W="+w.path)
			why := errors.New("enough")
			done := make(chan error, 1)
			go func() {
				_, err := Run(ctx, c)
				done <- err
			}()
			w.begun(t)
			begin := time.Now()
			cancel(why)
			if err := <-done; !errors.Is(err, why) {
				t.Errorf("the error is %v, want %v", err, why)
			}
			if d := time.Since(begin); d > 15*time.Second {
				t.Errorf("it took %v", d)
			}
			w.over(t)
		})
	}
}

func TestTimeUpEndsTheWholeTree(t *testing.T) {
	w := newWitness(t)
	var b bytes.Buffer
	c := shell(t, "exec 3>$W; sleep 300 & echo go >&3; echo begun; wait", &b)
	c.Env = append(slices.Clone(environ), "W="+w.path)
	c.Timeout = time.Second
	done := make(chan Outcome, 1)
	go func() {
		out, err := Run(t.Context(), c)
		if err != nil {
			t.Error(err)
		}
		done <- out
	}()
	w.begun(t)
	if out := <-done; !out.TimedOut || out.Signal == "" || b.String() != "begun\n" {
		t.Errorf("%+v, %q", out, b.String())
	}
	w.over(t)
}

func TestACommandEndsThoughAChildHoldsThePipe(t *testing.T) {
	w := newWitness(t)
	var b bytes.Buffer
	c := shell(t, "exec 3>$W; sleep 300 & echo go >&3; echo begun", &b)
	c.Env = append(slices.Clone(environ), "W="+w.path)
	done := make(chan Outcome, 1)
	go func() {
		out, err := Run(t.Context(), c)
		if err != nil {
			t.Error(err)
		}
		done <- out
	}()
	w.begun(t)
	out := <-done
	if out.Code != 0 || len(out.Running) == 0 || b.String() != "begun\n" {
		t.Errorf("%+v, %q", out, b.String())
	}
	for _, p := range out.Running {
		if runtime.GOOS == "linux" && p.Name != "sleep" {
			t.Errorf("left running is %+v", p)
		}
	}
	endProcesses(t, out.Running)
	w.over(t)
}

// endProcesses ends what a command of a test has left behind.
func endProcesses(t *testing.T, list []Process) {
	t.Helper()
	for _, p := range list {
		if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
			t.Errorf("ending %+v: %v", p, err)
		}
	}
}

func TestADeadContextStartsNothing(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("before it began")
	cancel(why)
	c := shell(t, "touch ran", io.Discard)
	if _, err := Run(ctx, c); !errors.Is(err, why) {
		t.Errorf("the error is %v", err)
	}
	if _, err := os.Stat(filepath.Join(c.Dir, "ran")); err == nil {
		t.Error("it ran")
	}
}

func TestAProgramIsNotTakenFromTheFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "git"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for _, path := range []string{".", "", ":", ".:" + filepath.Join(dir, "none")} {
		if p, err := LookPath([]string{"PATH=" + path}, "git"); err == nil {
			t.Errorf("with PATH=%q git is %s", path, p)
		}
	}
	if p, err := LookPath([]string{"PATH=" + dir}, "git"); err != nil || p != filepath.Join(dir, "git") {
		t.Errorf("git is %q, %v", p, err)
	}
}

func BenchmarkRun(b *testing.B) {
	argv, err := Shell(environ, "true")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Run(b.Context(), Command{Argv: argv, Dir: "/", Env: environ, Stdout: io.Discard}); err != nil {
			b.Fatal(err)
		}
	}
}
