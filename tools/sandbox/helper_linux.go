package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// exitUnbounded is the helper's exit code when a layer could not be applied: the command did not run.
const exitUnbounded = 126

const (
	policyFD = 3 // the policy comes here, then orders
	statusFD = 4
)

// Dispatch makes this process a helper if it was started as one, and does not return then. It must be the first thing
// that main does: a helper is started for each command.
func Dispatch() {
	if len(os.Args) < 2 || os.Args[1] != helperName {
		return
	}
	if len(os.Args) > 2 && os.Args[2] == keeperName {
		os.Exit(keepNetwork())
	}
	if len(os.Args) > 2 {
		os.Exit(probe(os.Args[2:]))
	}
	os.Exit(help())
}

// A helper applies the bounds to itself, starts the command within them, and is the first process of its world: it
// reaps what loses its parent, and when it ends, all ends.
type helper struct {
	policy policy
	orders *os.File
	status *os.File
	ending atomic.Bool  // the command was asked to end: wait for all of it
	child  atomic.Int32 // the command; 0 before it has started

	crowd atomic.Int32 // what it had started when it was ended for that

	bounded bool // the kernel bounds how many processes there may be
}

func help() int {
	h := helper{orders: os.NewFile(policyFD, "policy"), status: os.NewFile(statusFD, "status")}
	if h.orders == nil || h.status == nil {
		fmt.Fprintln(os.Stderr, "coder: error: "+helperName+" is started by coder itself")
		return exitUnbounded
	}
	// Nothing but input, output and errors outlives the exec.
	if err := unix.CloseRange(policyFD, ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return h.fail(fmt.Errorf("closing files: %w", err), 0)
	}
	// A signal from within must not end the first process; one that is caught is not passed on to the command as ignored.
	signal.Notify(make(chan os.Signal, 1))
	var err error
	if h.policy, err = readPolicy(h.orders); err != nil {
		return h.fail(err, 0)
	}
	stockThreads()
	go h.obey()
	return h.onThread(h.run)
}

// onThread runs f on a thread of its own, which is not the first: what f applies holds for that thread and what it
// starts. The first stays outside the bounds, so that nothing within them can signal the helper.
func (h *helper) onThread(f func() int) int {
	runtime.LockOSThread()
	code := make(chan int)
	var try func()
	try = func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			go try()
			select {} // holds the first thread
		}
		code <- f()
	}
	go try()
	return <-code
}

// obey follows the host's orders. When the host is gone or wants it, all ends.
func (h *helper) obey() {
	order := make([]byte, 1)
	for {
		n, err := h.orders.Read(order)
		if err != nil {
			if h.policy.Level < 3 {
				killDescendants()
			}
			os.Exit(exitUnbounded)
		}
		switch {
		case n == 1 && order[0] == orderEnd && h.policy.Level == 3:
			h.ending.Store(true)
			_ = unix.Kill(-1, unix.SIGTERM) // ESRCH: nothing is there
			_ = unix.Kill(-1, unix.SIGCONT) // one that was stopped hears of it
		case n == 1 && order[0] == orderSignal:
			if n, err := h.orders.Read(order); n == 1 && err == nil && h.child.Load() != 0 {
				_ = unix.Kill(-int(h.child.Load()), syscall.Signal(order[0])) // ESRCH: it has ended
			}
		}
	}
}

func (h *helper) run() int {
	p := h.policy
	var err error
	if h.bounded, err = h.policy.apply(); err != nil {
		return h.fail(err, 0)
	}
	h.say(status{Applied: true})
	if _, err := os.Stat(p.Dir); err != nil {
		var errno syscall.Errno
		errors.As(err, &errno)
		return h.fail(err, errno)
	}
	argv := p.Argv
	if argv[0] == ownProgram {
		argv = append([]string{"coder"}, argv[1:]...) // it goes by its name
	}
	child, err := syscall.ForkExec(p.Argv[0], argv, &syscall.ProcAttr{
		Dir: p.Dir, Env: p.Env, Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setsid: true, Setctty: p.Terminal},
	})
	if err != nil {
		var errno syscall.Errno
		errors.As(err, &errno)
		return h.fail(fmt.Errorf("starting %s: %w", p.Argv[0], err), errno)
	}
	h.child.Store(int32(child))
	go h.count()
	st := h.attend(child)
	st.Crowd = int(h.crowd.Load())
	h.say(st)
	return st.Code
}

// apply bounds the calling thread. The order matters: Landlock forbids mounts, and the filter forbids the calls that
// the layers before it are made with.
func (p policy) apply() (bounded bool, err error) {
	goFirst() // what is not dumpable cannot write to its files in /proc
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return false, fmt.Errorf("hiding the helper: %w", err)
	}
	if p.Level == 3 {
		if !p.Network && !p.Shared {
			if err := loopbackUp(); err != nil {
				return false, fmt.Errorf("bringing up the loopback device: %w", err)
			}
		}
		if err := p.mount(); err != nil {
			return false, err
		}
	} else if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return false, fmt.Errorf("becoming the reaper: %w", err)
	}
	if p.Umask >= 0 {
		unix.Umask(p.Umask)
	}
	if bounded, err = p.limit(); err != nil {
		return false, err
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return false, fmt.Errorf("forbidding core dumps: %w", err)
	}
	if err := dropCapabilities(); err != nil {
		return false, fmt.Errorf("dropping capabilities: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return false, fmt.Errorf("forbidding new privileges: %w", err)
	}
	if err := p.landlock(); err != nil {
		return false, fmt.Errorf("applying Landlock: %w", err)
	}
	if err := p.seccomp(); err != nil {
		return false, fmt.Errorf("applying the system call filter: %w", err)
	}
	return bounded, nil
}

// attend waits for the command and reaps whatever else ends. Of a command that was asked to end it waits for all: each of
// its processes may need its time, and the host's patience bounds it.
func (h *helper) attend(child int) (st status) {
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil: // ECHILD: all has ended
			return st
		case pid == child:
			st.Ended, st.Code = true, ws.ExitStatus()
			if ws.Signaled() {
				st.Signal = int(ws.Signal())
				st.Code = 128 + st.Signal
			}
		}
		if st.Ended && !h.ending.Load() {
			st.Left = h.left()
			if h.policy.Level < 3 {
				killDescendants()
			}
			return st
		}
	}
}

// maxLeft bounds the list of what a command left behind.
const maxLeft = 16

// left lists what outlived the command. One that is just ending needs a moment to be gone.
func (h *helper) left() (found []Process) {
	for range 3 {
		for reap() {
		}
		if found = descendants(); len(found) == 0 {
			return nil
		}
		<-time.After(2 * time.Millisecond)
	}
	return found[:min(len(found), maxLeft)]
}

// reap takes one ended child and reports whether there was one.
func reap() bool {
	pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
	return pid > 0 && err == nil
}

// descendants lists the living processes below this one.
func descendants() []Process {
	names, err := readNames("/proc")
	if err != nil {
		return nil
	}
	self := os.Getpid()
	below, all := map[int]bool{self: true}, map[int]stat{}
	for _, n := range names {
		pid, err := strconv.Atoi(n)
		if err != nil {
			continue
		}
		if s, ok := readStat(n); ok {
			all[pid] = s
		}
	}
	for grown := true; grown; {
		grown = false
		for pid, s := range all {
			if !below[pid] && below[s.parent] {
				below[pid], grown = true, true
			}
		}
	}
	var found []Process
	for pid, s := range all {
		if pid != self && below[pid] && s.state != 'Z' && s.state != 'X' {
			found = append(found, Process{PID: pid, Name: s.name})
		}
	}
	return found
}

func readNames(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// killDescendants ends all below this process, also what is born meanwhile.
func killDescendants() {
	for range 200 {
		list := descendants()
		for _, p := range list {
			_ = unix.Kill(p.PID, unix.SIGKILL) // ESRCH: it ended meanwhile
		}
		for reap() {
		}
		if len(list) == 0 {
			return
		}
		<-time.After(2 * time.Millisecond)
	}
}

func (h *helper) fail(err error, errno syscall.Errno) int {
	h.say(status{Failed: err.Error(), Errno: int(errno)})
	return exitUnbounded
}

func (h *helper) say(st status) {
	line, err := json.Marshal(st)
	if err == nil {
		_, _ = h.status.Write(append(line, '\n')) // the host is gone: nobody wants to know
	}
}

// loopbackUp lets the processes of a new network namespace reach each other.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
}
