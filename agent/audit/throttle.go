package audit

import (
	"errors"
	"sync"
	"time"
)

// A throttle lets each kind of refusal have one line per window: whoever knocks at the door must not fill the log.
type throttle struct {
	mu     sync.Mutex
	open   map[string]*burst // by kind
	closed bool
}

// A burst is what came of a kind since its last line.
type burst struct {
	timer *time.Timer
	last  Entry
}

// Refuse writes down that a request was turned away. The first of a kind has its line at once; those that come within the
// window after it are one line at its end, with their count and what the last of them was. There must be few kinds.
func (l *Log) Refuse(kind string, e Entry) error {
	if l == nil {
		return nil
	}
	t := &l.throttle
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return ErrClosed
	}
	e.What = Refused
	if b, ok := t.open[kind]; ok {
		e.Count = b.last.Count + 1
		b.last = e
		return nil
	}
	if t.open == nil {
		t.open = make(map[string]*burst)
	}
	t.open[kind] = &burst{timer: time.AfterFunc(l.opts.Window, func() { l.endWindow(kind) })}
	e.Count = 1
	return l.Record(e)
}

// endWindow writes down what came within the window. Nothing came: the next has its line at once again.
func (l *Log) endWindow(kind string) {
	t := &l.throttle
	t.mu.Lock()
	defer t.mu.Unlock()
	b, ok := t.open[kind]
	switch {
	case !ok || t.closed:
	case b.last.Count == 0:
		delete(t.open, kind)
	default:
		_ = l.Record(b.last) // on a full disk it is counted as missed
		b.last = Entry{}
		b.timer.Reset(l.opts.Window)
	}
}

func (t *throttle) close(l *Log) (err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for kind, b := range t.open {
		b.timer.Stop()
		if b.last.Count > 0 {
			err = errors.Join(err, l.Record(b.last))
		}
		delete(t.open, kind)
	}
	return err
}
