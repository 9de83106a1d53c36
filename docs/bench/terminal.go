//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/creack/pty"
)

// patience bounds how long a terminal may take to be told something.
const patience = 30 * time.Second

// A terminal is a program in a pseudo-terminal. It answers what programs ask terminals, at once, and watches what it is told.
type terminal struct {
	cmd  *exec.Cmd
	side *os.File
	took time.Duration // from start to what was waited for

	mu      sync.Mutex
	told    []byte // since the last line was entered
	changed chan struct{}
	done    chan struct{}
}

// openTerminal starts the program and waits for the text.
func openTerminal(cmd *exec.Cmd, until string) (*terminal, error) {
	t := &terminal{cmd: cmd, changed: make(chan struct{}, 1), done: make(chan struct{})}
	began := time.Now()
	side, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 30, Cols: 100})
	if err != nil {
		return nil, err
	}
	t.side = side
	go t.watch()
	if err := t.until(until); err != nil {
		return nil, errors.Join(err, t.end())
	}
	t.took = time.Since(began)
	return t, nil
}

// What programs ask, and what a terminal with a dark background answers.
var answers = map[string]string{
	"\x1b]11;?\x07": "\x1b]11;rgb:0000/0000/0000\x07",
	"\x1b[c":        "\x1b[?62;22c",
}

// watch keeps what the program says until it ends.
func (t *terminal) watch() {
	defer close(t.done)
	piece := make([]byte, 64<<10)
	for {
		n, err := t.side.Read(piece)
		for asked, answer := range answers {
			if bytes.Contains(piece[:n], []byte(asked)) {
				_, _ = t.side.WriteString(answer) // the program may have ended
			}
		}
		t.mu.Lock()
		t.told = append(t.told, piece[:n]...)
		t.mu.Unlock()
		select {
		case t.changed <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// until waits until the terminal has been told all of the texts, each behind the one before.
func (t *terminal) until(texts ...string) error {
	enough := time.NewTimer(patience)
	defer enough.Stop()
	for {
		if t.has(texts) {
			return nil
		}
		select {
		case <-t.changed:
		case <-t.done:
			return fmt.Errorf("%s ended before it said %q; it said %q", t.cmd.Path, texts, t.tail())
		case <-enough.C:
			return fmt.Errorf("%s has not said %q in %s; it said %q", t.cmd.Path, texts, patience, t.tail())
		}
	}
}

func (t *terminal) has(texts []string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	rest := t.told
	for _, text := range texts {
		at := bytes.Index(rest, []byte(text))
		if at < 0 {
			return false
		}
		rest = rest[at+len(text):]
	}
	return true
}

func (t *terminal) tail() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.told[max(0, len(t.told)-2000):])
}

// enter types a line, sends it and waits for the texts.
func (t *terminal) enter(line string, texts ...string) error {
	t.mu.Lock()
	t.told = nil
	t.mu.Unlock()
	if _, err := t.side.WriteString(line + "\r"); err != nil {
		return err
	}
	return t.until(texts...)
}

func (t *terminal) pid() int { return t.cmd.Process.Pid }

// leave ends the client as its user does.
func (t *terminal) leave() error {
	_, err := t.side.WriteString("\x03\x03")
	return errors.Join(err, t.end())
}

// end waits for the program's end.
func (t *terminal) end() error {
	late := time.AfterFunc(patience, func() { _ = t.cmd.Process.Kill() })
	defer late.Stop()
	<-t.done
	return errors.Join(t.cmd.Wait(), t.side.Close())
}

// busy runs do and returns how long each of the processes had a processor meanwhile.
func busy(do func() error, pids ...int) ([]time.Duration, error) {
	before := make([]time.Duration, len(pids))
	for i, pid := range pids {
		var err error
		if before[i], err = cpuTime(pid); err != nil {
			return nil, err
		}
	}
	if err := do(); err != nil {
		return nil, err
	}
	spent := make([]time.Duration, len(pids))
	for i, pid := range pids {
		now, err := cpuTime(pid)
		if err != nil {
			return nil, err
		}
		spent[i] = now - before[i]
	}
	return spent, nil
}

// tick is what /proc counts processor time in, on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// cpuTime is how long a process has had a processor, its threads that have ended included.
func cpuTime(pid int) (time.Duration, error) {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, err
	}
	_, rest, _ := bytes.Cut(data, []byte(") ")) // the name in front may hold anything
	fields := strings.Fields(string(rest))
	if len(fields) < 13 {
		return 0, fmt.Errorf("the stat of process %d has %d fields", pid, len(fields))
	}
	user, err := strconv.ParseInt(fields[11], 10, 64) // utime is field 14 of all, from 1
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick, err
}
