//go:build unix

package sandbox

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// A group is the tree of a command without bounds. Its root leads a session of its own: no terminal, one process group that can
// be signalled as a whole. How far a child that leaves the group can be found differs by system: see members.
type group struct {
	root   int
	marker string
}

func start(cmd *exec.Cmd, marker string) (tree, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: isTerminal(cmd)} // Ctty 0 is its input
	return startAs(cmd, marker)
}

// isTerminal reports whether the command was given a terminal: a pipe is never its input and its output at once.
func isTerminal(cmd *exec.Cmd) bool {
	in, isFile := cmd.Stdin.(*os.File)
	out, isOut := cmd.Stdout.(*os.File)
	return isFile && isOut && in == out
}

func startAs(cmd *exec.Cmd, marker string) (tree, error) {
	if err := spawn(cmd); err != nil {
		return nil, err
	}
	return &group{root: cmd.Process.Pid, marker: marker}, nil
}

func (t *group) close() {}

// end asks all processes of the tree to end and kills those that are there after patience.
func (t *group) end(exited <-chan struct{}) {
	t.signal(syscall.SIGTERM, exited)
	late := time.NewTimer(patience)
	defer late.Stop()
	tick := time.NewTicker(10 * time.Millisecond) // they are not all our children: they can only be looked for
	defer tick.Stop()
	for waiting := true; waiting; {
		select {
		case <-late.C:
			waiting = false
		case <-tick.C:
			if closed(exited) && !t.alive() {
				return
			}
		}
	}
	for range 30 { // a process may have forked between the look and the signal
		t.signal(syscall.SIGKILL, exited)
		<-tick.C
		if closed(exited) && !t.alive() {
			return
		}
	}
}

// signals are those that a job can be sent.
var signals = slices.Sorted(maps.Keys(signalNumbers))

var signalNumbers = map[string]syscall.Signal{
	"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL, "HUP": syscall.SIGHUP, "QUIT": syscall.SIGQUIT,
	"USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT,
}

// send signals the process group of the root.
func (t *group) send(name string) error {
	if err := syscall.Kill(-t.root, signalNumbers[name]); err != nil && !errors.Is(err, syscall.ESRCH) { // ESRCH: it ended meanwhile
		return fmt.Errorf("sandbox: sending %s: %w", name, err)
	}
	return nil
}

func (t *group) signal(sig syscall.Signal, exited <-chan struct{}) {
	if !closed(exited) || t.groupAlive() {
		_ = syscall.Kill(-t.root, sig) // ESRCH: it ended meanwhile
	}
	for _, p := range t.members() {
		_ = syscall.Kill(p.PID, sig)
	}
}

// groupAlive reports whether the process group has a member. A dead one that nobody has waited for counts too.
func (t *group) groupAlive() bool {
	err := syscall.Kill(-t.root, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// left lists what outlived the command.
func (t *group) left() []Process {
	if !t.groupAlive() {
		return nil // the common case costs one system call
	}
	var found []Process
	for range 3 { // one that is just ending closes its files before it is gone
		if found = t.members(); len(found) == 0 {
			return nil
		}
		<-time.After(2 * time.Millisecond)
	}
	return found
}

func (t *group) drain(r *os.File, copied <-chan struct{}) { drainUntil(r, copied) }

// drainUntil lets the reader of the pipe come to its end, for a bounded time.
func drainUntil(r *os.File, copied <-chan struct{}) {
	if err := r.SetReadDeadline(time.Now().Add(drain)); err != nil {
		r.Close() // a pipe without deadlines: its reader ends with it
	}
	<-copied
}
