// Package audit keeps the host's log of decisions: who came, what was judged, who said yes, what ran, how it ended. It is a
// folder of JSONL files that only grow, in which each line names the hash of the line before, and a head that says which
// line is the last.
//
// So a line that was changed, moved, doubled or taken out is found, and so are lines that were cut off the end: see Verify.
// The hashes hold no secret. Whoever may write to the folder and knows how it works can write another history from any line
// on; what they guard against is a tool, a script or a person who only edits the files. The sandbox and the file tools keep
// the agent's own calls out of the folder.
package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Options configure a Log. The zero value of every field is usable.
type Options struct {
	Redact  func(string) string // takes secrets out of a text; nil: there are none
	MaxSize int64               // of a file, in bytes; 0 means 10 MiB
	Keep    int                 // files that are kept; 0 means 10
	Window  time.Duration       // in which refusals of one kind are one line; 0 means a minute
	Now     func() time.Time    // nil means time.Now
}

// Dir is where the log of a data dir lies.
func Dir(dataDir string) string { return filepath.Join(dataDir, "audit") }

// A Log is open for writing. Its methods may be called from any goroutine, and on a nil Log they do nothing. Several
// processes may have one log open: each line is written under a lock.
type Log struct {
	dir  string
	opts Options

	mu       sync.Mutex // orders the lines
	missed   int        // lines that could not be written
	closed   bool
	recorded uint64 // the last line that this Log has written
	file     int    // that holds it
	clients  clients

	settling sync.Cond // of mu: settled or failed has changed
	settled  uint64    // up to here the disk has the lines
	failed   error     // of the last sync
	wake     chan struct{}
	done     chan struct{}

	throttle throttle
}

// ErrClosed says that the log is closed.
var ErrClosed = errors.New("audit: the log is closed")

// A WriteError says that a line could not be written.
type WriteError struct {
	Dir string
	Err error
}

func (e *WriteError) Error() string { return fmt.Sprintf("audit: writing to %s: %v", e.Dir, e.Err) }
func (e *WriteError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *WriteError) Hint() string {
	if errors.Is(e.Err, syscall.ENOSPC) {
		return "make room on the disk of " + e.Dir + " and try again: what cannot be written down does not run"
	}
	return "see to it that " + e.Dir + " is a folder that you can write to: what cannot be written down does not run"
}

// Open opens the log of a data dir, which must exist. The folder is made for the user alone. On a full disk it opens all
// the same: Record then says what is wrong.
func Open(dataDir string, opts Options) (*Log, error) {
	if opts.Redact == nil {
		opts.Redact = func(s string) string { return s }
	}
	if opts.MaxSize == 0 {
		opts.MaxSize = 10 << 20
	}
	if opts.Keep == 0 {
		opts.Keep = 10
	}
	if opts.Window == 0 {
		opts.Window = time.Minute
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	l := &Log{dir: Dir(dataDir), opts: opts, wake: make(chan struct{}, 1), done: make(chan struct{})}
	l.settling.L = &l.mu
	if err := l.own(); err != nil && !errors.Is(err, syscall.ENOSPC) {
		return nil, fmt.Errorf("audit: opening %s: %w", l.dir, err)
	}
	go l.sync()
	return l, nil
}

// own makes the folder and closes it to others. A link in its place is refused.
func (l *Log) own() error {
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(l.dir)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return &fs.PathError{Op: "open", Path: l.dir, Err: errors.New("it is not a folder")}
	case info.Mode().Perm()&0o077 != 0:
		return os.Chmod(l.dir, 0o700)
	}
	return nil
}

// Record writes entries down in their order, one behind the other. nil means that they survive the end of the process;
// Settle says when they survive that of the machine. It takes some ten microseconds, and on a full disk fails at once:
// then the next line that can be written is preceded by one that counts those which were missed.
func (l *Log) Record(entries ...Entry) error {
	if l == nil || len(entries) == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	now := l.opts.Now().UTC()
	for i := range entries {
		e := &entries[i]
		if e.Time.IsZero() {
			e.Time = now
		}
		l.clients.name(e)
		e.scrub(l.opts.Redact)
	}
	if l.missed > 0 {
		entries = append([]Entry{{Time: now, What: Missed, Count: l.missed, Why: "these lines could not be written"}}, entries...)
	}
	if err := l.put(entries); err != nil {
		return &WriteError{l.dir, err}
	}
	l.nudge()
	return nil
}

// put writes the entries and counts those for which there is no room.
func (l *Log) put(entries []Entry) error {
	written, patience := 0, lockPatience
	if l.missed > 0 { // whoever held the lock holds it still, say: agents do not wait for that again and again
		patience = 0
	}
	err := l.own()
	if err == nil {
		err = locked(l.dir, patience, func() (err error) {
			written, err = l.write(entries)
			return err
		})
	}
	for _, e := range entries[:written] {
		if e.What == Missed {
			l.missed = 0
		}
	}
	for _, e := range entries[written:] {
		if e.What != Missed {
			l.missed++
		}
	}
	return err
}

func (l *Log) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Settle waits until the disk has every line that was recorded before.
func (l *Log) Settle() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil && !l.closed { // it is tried again
		l.failed = nil
		l.nudge()
	}
	for want := l.recorded; l.settled < want && l.failed == nil && !l.closed; {
		l.settling.Wait()
	}
	if l.failed != nil && l.settled < l.recorded {
		return &WriteError{l.dir, l.failed}
	}
	return nil
}

// sync brings lines to the disk, as many at once as have gathered, and notes in the head that it has them.
func (l *Log) sync() {
	defer close(l.done)
	for range l.wake {
		l.mu.Lock()
		n, file := l.recorded, l.file
		l.mu.Unlock()
		err := syncFile(filePath(l.dir, file))
		l.mu.Lock()
		l.note(n, file, err)
		l.mu.Unlock()
	}
}

// note takes what became of a sync. A file that was full meanwhile is on the disk, and may be gone.
func (l *Log) note(n uint64, file int, err error) {
	if err != nil && file != l.file && !l.closed {
		l.nudge()
		return
	}
	if err == nil {
		err = locked(l.dir, lockPatience, func() error { return noteSynced(l.dir, n) })
	}
	if l.failed = err; err == nil {
		l.settled = n
	}
	l.settling.Broadcast()
}

func noteSynced(dir string, n uint64) error {
	h, err := readHead(dir)
	if err != nil || h.Synced >= n || h.N < n {
		return nil //nolint:nilerr // what is wrong with the head the next line says
	}
	h.Synced = n
	return h.write(dir)
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Close writes down what is still counted and brings everything to the disk.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	err := errors.Join(l.throttle.close(l), l.Settle())
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	close(l.wake)
	l.mu.Unlock()
	<-l.done
	return err
}
