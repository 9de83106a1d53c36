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
	count  int // of frames, with those that the writer has taken and not yet written
	bytes  int // of the same
	taken  int // bytes of what the writer has taken last
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
		fits := o.count == 0 || o.count < maxWaiting && o.bytes+len(frame) <= maxWaitingBytes
		if fits && !ended {
			o.frames = append(o.frames, frame)
			o.count++
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

// take returns all frames that wait; those it returned before count as written. It returns none once the outbox has
// ended and is empty.
func (o *outbox) take() [][]byte {
	for {
		o.mu.Lock()
		frames, ended := o.frames, o.ended
		o.bytes -= o.taken
		o.frames, o.count, o.taken = nil, len(frames), o.bytes
		o.mu.Unlock()
		signal(o.room)
		if len(frames) > 0 {
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
		o.frames = nil
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
