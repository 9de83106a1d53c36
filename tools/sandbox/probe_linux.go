package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// A task is what a probe tries to get at.
type task struct {
	Outside []string `json:"outside"` // files to write
	Secret  string   `json:"secret"`  // a file to read
	Addr    string   `json:"addr"`    // of a listener on this machine
	Host    int      `json:"host"`    // the process id of the host
	Hook    string   `json:"hook"`    // a file to change
	Git     string   `json:"git"`     // a folder to move
}

// probe is the command of the self-test: it runs within the bounds and says what it could not do.
func probe(args []string) int {
	if len(args) != 2 {
		return 2
	}
	if args[0] == "append" {
		f, err := os.OpenFile(args[1], os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return 1
		}
		_, err = f.WriteString("+upper")
		if errors.Join(err, f.Close()) != nil {
			return 1
		}
		return 0
	}
	var t task
	if err := json.Unmarshal([]byte(args[1]), &t); err != nil {
		return 2
	}
	// What must work: without it the rest means nothing.
	if err := os.WriteFile("written", nil, 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := json.NewEncoder(os.Stdout).Encode(t.checks()); err != nil {
		return 1
	}
	return 0
}

func (t task) checks() []Check {
	return []Check{
		check(checkWrite, t.write()),
		check(checkSecret, t.read(t.Secret)),
		check(checkConnect, t.connect()),
		check(checkUnix, unixSocket()),
		check(checkEnviron, t.environ()),
		check(checkSignal, unix.Kill(t.Host, 0)),
		check(checkHooks, os.WriteFile(t.Hook, []byte("#!/bin/sh\n"), 0o600)),
		check(checkRename, t.rename()),
		check(checkNamespace, userNamespace()),
	}
}

// check says that something is held if it failed.
func check(name string, err error) Check {
	if err == nil {
		return Check{Name: name}
	}
	return Check{Name: name, Held: true, Detail: err.Error()}
}

func (t task) write() (err error) {
	for _, path := range t.Outside {
		if err = os.WriteFile(path, nil, 0o600); err == nil {
			return nil
		}
	}
	return err
}

func (t task) read(path string) error {
	data, err := os.ReadFile(path)
	if err == nil && len(data) == 0 {
		return errors.New("it is empty")
	}
	return err
}

func (t task) connect() error {
	conn, err := net.DialTimeout("tcp", t.Addr, time.Second)
	if err == nil {
		conn.Close()
	}
	return err
}

func unixSocket() error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

// environ looks for the host under its own id, and under all others: in a world of its own it has another one, or none.
func (t task) environ() error {
	if err := t.read(fmt.Sprintf("/proc/%d/environ", t.Host)); err == nil {
		return nil
	}
	return t.read(fmt.Sprintf("/proc/%d/environ", os.Getppid()))
}

// rename moves the folder away and back.
func (t task) rename() error {
	away := filepath.Join(filepath.Dir(t.Git), "away")
	if err := os.Rename(t.Git, away); err != nil {
		return err
	}
	_ = os.Rename(away, t.Git) // it was moved: where it is now does not matter
	return nil
}

// userNamespace starts a process in a user namespace of its own; a thread cannot enter one alone.
func userNamespace() error {
	pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, unix.CLONE_NEWUSER|uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	if pid == 0 {
		_, _, _ = unix.RawSyscall(unix.SYS_EXIT, 0, 0, 0)
	}
	_, _ = unix.Wait4(int(pid), nil, 0, nil)
	return nil
}
