package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// A Report is what Verify found.
type Report struct {
	Files int       `json:"files"`
	Lines uint64    `json:"lines"`
	First time.Time `json:"first,omitzero"` // of the oldest line
	Last  time.Time `json:"last,omitzero"`
	Break *Break    `json:"break,omitempty"` // the first place where the chain does not hold; nil: it holds
	Notes []string  `json:"notes,omitempty"` // what is worth a word and no sign of tampering
}

// A Break is a place where the log is not what was written.
type Break struct {
	File string `json:"file"`
	Line int    `json:"line"` // counted from 1; 0 is the file itself
	Why  string `json:"why"`
	Hint string `json:"hint"` // what it may mean
}

func (b *Break) Error() string {
	if b.Line == 0 {
		return fmt.Sprintf("%s: %s", b.File, b.Why)
	}
	return fmt.Sprintf("%s:%d: %s", b.File, b.Line, b.Why)
}

// What a break may mean.
const (
	meansEdited = "somebody or something has changed the log, or the disk has a fault; lines before this place are as they were written"
	meansGone   = "lines were taken away, or the disk has lost them; what is left is as it was written"
	meansHead   = "the file head was taken away or changed: nobody can say any more whether lines are missing at the end"
)

// Verify walks the whole chain of a log, as Dir gives it, beside whoever writes it: each line must name the hash of the one
// before, over all files, up to the one that the head names. A log that is not there holds.
func Verify(ctx context.Context, dir string) (Report, error) {
	for try := 0; ; try++ {
		v := &verifier{ctx: ctx, dir: dir}
		err := v.run()
		if errors.Is(err, fs.ErrNotExist) && try < 3 {
			continue // a file was deleted to make room while we read
		}
		if err != nil {
			return Report{}, fmt.Errorf("audit: reading %s: %w", dir, err)
		}
		return v.report, nil
	}
}

type verifier struct {
	ctx    context.Context //nolint:containedctx // of one call of Verify
	dir    string
	report Report
	head   head
	n      uint64 // of the last line that holds
	hash   string
	begun  bool
	torn   *Break // the last line of the file before has no end
}

func (v *verifier) run() error {
	h, list, err := snapshot(v.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && len(list) == 0:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		v.fail(headPath(v.dir), 0, "the head is missing", meansHead)
		return nil
	case errors.Is(err, errHead):
		v.fail(headPath(v.dir), 0, "the head is not as it was written", meansHead)
		return nil
	case err != nil:
		return err
	}
	v.head = h
	for _, number := range list {
		if err := v.file(number); err != nil || v.report.Break != nil {
			return err
		}
	}
	v.finish()
	return nil
}

// snapshot reads the head and the list of files at one moment, if no other process keeps it from that.
func snapshot(dir string) (h head, list []int, err error) {
	read := func() (err error) {
		if h, err = readHead(dir); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errHead) {
			return err
		}
		var errList error
		list, errList = numbers(dir)
		return errors.Join(err, errList)
	}
	if _, err := os.Stat(filepath.Join(dir, "lock")); err != nil {
		return h, list, read()
	}
	var errRead error
	if err := locked(dir, lockPatience, func() error { errRead = read(); return nil }); err != nil {
		errRead = read() // a folder that is for reading only
	}
	return h, list, errRead
}

func (v *verifier) fail(path string, line int, why, hint string) {
	if v.report.Break == nil {
		v.report.Break = &Break{File: path, Line: line, Why: why, Hint: hint}
	}
}

// file checks the lines of one file.
func (v *verifier) file(number int) error {
	path := filePath(v.dir, number)
	v.report.Files++
	at := 0
	err := scan(path, 0, func(r raw) bool {
		at++
		if at%1024 == 0 && v.ctx.Err() != nil {
			return false
		}
		if !r.whole {
			v.torn = &Break{File: path, Line: at, Why: "the line has no end", Hint: meansEdited}
			return false
		}
		v.line(path, at, r)
		return v.report.Break == nil
	})
	return errors.Join(err, context.Cause(v.ctx))
}

// line checks one line.
func (v *verifier) line(path string, at int, r raw) {
	line, ok := r.parse()
	if !ok {
		v.fail(path, at, "this is no line of the log", meansEdited)
		return
	}
	if !v.begun && !v.begin(path, line) {
		return
	}
	lost := line.What == Broken && line.Lost == LostUnsynced && line.N == v.n+1+uint64(max(line.Count, 0))
	switch {
	case v.torn != nil && !lost:
		v.report.Break = v.torn
	case line.follows(v.n, v.hash):
	case lost && line.N > v.n+1:
		// The head had counted lines that the disk did not have yet. This line says so.
	case line.N == v.n+1:
		v.fail(path, at, fmt.Sprintf("line %d of the log does not follow the one before: one of the two was changed", line.N), meansEdited)
	case line.N > v.n+1:
		v.fail(path, at, missing(v.n+1, line.N-1), meansGone)
	default:
		v.fail(path, at, fmt.Sprintf("line %d of the log stands where %d must be", line.N, v.n+1), meansEdited)
	}
	if v.report.Break != nil {
		return
	}
	v.torn = nil
	v.take(path, at, line, hashOf(r.text))
}

// begin checks that the oldest line is the one that the head names.
func (v *verifier) begin(path string, line Line) bool {
	v.begun = true
	v.n, v.hash = v.head.FirstN-1, v.head.FirstPrev
	if line.N < v.head.FirstN { // left over by a process that ended while it made room
		v.n, v.hash = line.N-1, line.Prev
	}
	if line.N > v.head.FirstN {
		v.fail(path, 0, missing(v.head.FirstN, line.N-1), meansGone)
		return false
	}
	return true
}

func missing(from, to uint64) string {
	if from == to {
		return fmt.Sprintf("line %d of the log is missing here", from)
	}
	return fmt.Sprintf("lines %d to %d of the log are missing here", from, to)
}

// take counts a line that holds, and says what it tells of the log itself.
func (v *verifier) take(path string, at int, line Line, hash string) {
	v.n, v.hash = line.N, hash
	v.report.Lines++
	if v.report.Lines == 1 {
		v.report.First = line.Time
	}
	v.report.Last = line.Time
	switch line.What {
	case Broken:
		if line.Lost == LostUnsynced {
			v.note(path, at, line.Why+"; the disk did not have them yet, so the machine may have lost its power")
			break
		}
		v.fail(path, at, "a host found here that "+line.Why, meansEdited)
	case Mended:
		v.note(path, at, line.Why)
	case Missed:
		v.note(path, at, fmt.Sprintf("%d lines could not be written before this one: the disk was full, say", line.Count))
	}
	if line.N == v.head.N && hash != v.head.Hash {
		v.fail(path, at, fmt.Sprintf("line %d of the log, the last, was changed", line.N), meansEdited)
	}
}

func (v *verifier) note(path string, at int, text string) {
	v.report.Notes = append(v.report.Notes, fmt.Sprintf("%s:%d: %s", path, at, text))
}

// finish compares the end with the head.
func (v *verifier) finish() {
	if !v.begun {
		v.n = v.head.FirstN - 1
	}
	switch {
	case v.n < v.head.N && v.torn != nil:
		v.fail(v.torn.File, v.torn.Line, missing(v.n+1, v.head.N), meansGone)
	case v.n < v.head.N:
		v.fail(filePath(v.dir, v.head.File), 0, missing(v.n+1, v.head.N), meansGone)
	case v.torn == nil && v.n == v.head.N || v.moves():
	case v.torn != nil:
		v.note(v.torn.File, v.torn.Line, "the line has no end: a host was killed while it wrote it; the next line mends that")
	default:
		v.report.Notes = append(v.report.Notes, fmt.Sprintf("%d lines are newer than the head: a host was killed between the two", v.n-v.head.N))
	}
}

// moves reports whether somebody has written while we read.
func (v *verifier) moves() bool {
	h, _, err := snapshot(v.dir)
	return err == nil && h.N > v.head.N
}
