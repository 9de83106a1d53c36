package server

import "sync"

// Bounds of what waits to be written to one connection. A single frame may be larger: it waits alone.
const (
	maxWaiting      = 1024
	maxWaitingBytes = 2 << 20
)

// An outbox holds the frames of one connection until they are written. Only the connection's pump puts them in and
// only its writer takes them out. When it is full the pump waits, and then the agent's own bound on a subscription
// decides that the client is too slow: nobody else waits.
type outbox struct {
	mu     sync.Mutex
	frames [][]byte
	bytes  int
	ended  bool

	filled chan struct{} // holds a token when there may be something to take, or the end has come
	room   chan struct{} // holds a token when there may be room
}

func newOutbox() *outbox {
	return &outbox{filled: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// put adds the frame, waiting for room. It gives up, and returns false, when the outbox has ended or stop is closed.
func (o *outbox) put(frame []byte, stop <-chan struct{}) bool {
	for {
		o.mu.Lock()
		ended := o.ended
		fits := len(o.frames) == 0 || len(o.frames) < maxWaiting && o.bytes+len(frame) <= maxWaitingBytes
		if fits && !ended {
			o.frames = append(o.frames, frame)
			o.bytes += len(frame)
		}
		o.mu.Unlock()
		if ended {
			return false
		}
		if fits {
			signal(o.filled)
			return true
		}
		select {
		case <-o.room:
		case <-stop:
			return false
		}
	}
}

// take returns all frames that wait. It returns none once the outbox has ended and is empty.
func (o *outbox) take() [][]byte {
	for {
		o.mu.Lock()
		frames, ended := o.frames, o.ended
		o.frames, o.bytes = nil, 0
		o.mu.Unlock()
		if len(frames) > 0 {
			signal(o.room)
			return frames
		}
		if ended {
			return nil
		}
		<-o.filled
	}
}

// end lets no further frame in. What waits can still be taken, unless it is to be dropped.
func (o *outbox) end(drop bool) {
	o.mu.Lock()
	o.ended = true
	if drop {
		o.frames, o.bytes = nil, 0
	}
	o.mu.Unlock()
	signal(o.filled)
	signal(o.room)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
