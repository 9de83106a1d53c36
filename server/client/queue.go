package client

import (
	"context"
	"sync"
)

// A queue holds the updates that nobody has taken yet. It has no bound: a reader that waits for its user must not hold
// up the answers to calls, and the host bounds what it sends to whoever does not read.
type queue struct {
	mu     sync.Mutex
	items  []Update
	err    error
	signal chan struct{} // has room for one
}

func newQueue() *queue { return &queue{signal: make(chan struct{}, 1)} }

func (q *queue) push(u Update) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.items = append(q.items, u)
	q.wake()
}

// end lets next return err once the queue is empty.
func (q *queue) end(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.err = err
	q.wake()
}

func (q *queue) wake() {
	select {
	case q.signal <- struct{}{}:
	default:
	}
}

func (q *queue) next(ctx context.Context) (Update, error) {
	for {
		if u, ok, err := q.take(); ok || err != nil {
			return u, err
		}
		select {
		case <-q.signal:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (q *queue) take() (Update, bool, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		if q.err != nil {
			q.wake() // for other readers
		}
		return nil, false, q.err
	}
	u := q.items[0]
	q.items[0] = nil
	q.items = q.items[1:]
	if len(q.items) > 0 || q.err != nil {
		q.wake()
	}
	return u, true, nil
}
