package audit

import (
	"errors"
	"os"
)

// write appends entries and returns how many of them there is room for. The caller holds the lock.
func (l *Log) write(entries []Entry) (written int, err error) {
	e, err := findEnd(l.dir)
	if err != nil {
		return 0, err
	}
	if e.new { // so that a file without a head is never our own doing
		if err := e.head.write(l.dir); err != nil {
			return 0, err
		}
	}
	now := l.opts.Now().UTC()
	for i := range e.first {
		e.first[i].Time = now
	}
	before, own := e.File, len(e.first)
	for i, entry := range append(e.first, entries...) {
		if err := l.append(&e, entry); err != nil {
			return written, errors.Join(err, e.head.write(l.dir))
		}
		written = max(0, i+1-own)
	}
	if err := e.head.write(l.dir); err != nil {
		return written, err
	}
	l.recorded, l.file = e.N, e.File
	if e.File != before {
		return written, l.prune(e.head)
	}
	return written, nil
}

// append writes one line, into the next file when this one is full.
func (l *Log) append(e *end, entry Entry) error {
	line, hash, err := encode(e.N+1, entry, e.Hash)
	if err != nil {
		return err
	}
	if e.Size > 0 && e.Size+int64(len(line)) > l.opts.MaxSize && !e.next {
		if err := syncFile(filePath(l.dir, e.File)); err != nil {
			return err
		}
		e.next = true
	}
	to := e.head
	if e.next {
		to.File, to.Size = e.File+1, 0
	}
	if err := put(filePath(l.dir, to.File), line, to.Size); err != nil {
		return err
	}
	begun := to.Size == 0
	to.Size += int64(len(line))
	to.N, to.Hash = e.N+1, hash
	e.head, e.next = to, false
	if begun { // its name must be on the disk, too
		return syncDir(l.dir)
	}
	return nil
}

// put writes a line at the end of a file, whole or not at all.
func put(path string, line []byte, at int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(line, at); err != nil {
		err = errors.Join(err, f.Truncate(at))
	}
	return errors.Join(err, f.Close())
}

// prune deletes the oldest files beyond those that are kept. The head says so first.
func (l *Log) prune(h head) error {
	list, err := numbers(l.dir)
	if err != nil || len(list) <= l.opts.Keep {
		return err
	}
	old, kept := list[:len(list)-l.opts.Keep], list[len(list)-l.opts.Keep:]
	first, ok, err := firstLine(filePath(l.dir, kept[0]))
	if err != nil || !ok {
		return err // what cannot be read stays, and what is before it
	}
	h.FirstFile, h.FirstN, h.FirstPrev = kept[0], first.N, first.Prev
	if err := h.write(l.dir); err != nil {
		return err
	}
	for _, number := range old {
		err = errors.Join(err, os.Remove(filePath(l.dir, number)))
	}
	return err
}
