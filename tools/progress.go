package tools

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/coder-agent/coder/tools/sandbox"
)

const (
	progressEvery = 500 * time.Millisecond // at first; a command that runs long says less often how far it is
	progressBytes = 4 << 10                // of the end of the output
)

// A live is the output of a command while it runs, for whoever looks at it. In the foreground it shows the end of itself:
// half a second after the command began to write, and then as often as every half second, or every fiftieth of the time it
// has run. Ten minutes of output are so shown some two hundred times.
type live struct {
	ctx   context.Context
	s     session
	begun time.Time

	mu     sync.Mutex
	out    *sandbox.Output
	timer  *time.Timer // runs when something was written that is not shown yet
	closed bool
	more   chan struct{} // closed when something is written
}

func newLive(ctx context.Context, s session, out *sandbox.Output) *live {
	return &live{ctx: ctx, s: s, out: out, begun: time.Now(), more: make(chan struct{})}
}

// Write passes the output on.
func (l *live) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer == nil && !l.closed {
		l.timer = time.AfterFunc(max(progressEvery, time.Since(l.begun)/50), l.show)
	}
	close(l.more)
	l.more = make(chan struct{})
	return l.out.Write(p)
}

// show tells how far the output is. That it cannot be told is no failure of the command.
func (l *live) show() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = nil
	if !l.closed {
		_ = l.s.Progress(l.ctx, l.out.End(progressBytes))
	}
}

// close ends the showing: nothing is told after it.
func (l *live) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.timer != nil {
		l.timer.Stop()
	}
}

// written is closed when something more is written.
func (l *live) written() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.more
}

// since returns what came behind a place, and the place that it goes on from.
func (l *live) since(from sandbox.Cursor) (sandbox.Excerpt, sandbox.Cursor) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.out.At()
	if from.Bytes > at.Bytes { // of another output
		from = sandbox.Cursor{}
	}
	return l.out.Since(from), at
}

// last is the last line that has something in it, cut where it is long.
func (l *live) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out.At()
	text := strings.TrimRight(l.out.End(progressBytes), "\n\t ")
	return oneLine(text[strings.LastIndexByte(text, '\n')+1:])
}

// spill makes sure that there is a file, and names it.
func (l *live) spill() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out.Spill()
	return l.out.Log()
}

// end ends the output; what it holds can be looked at as before.
func (l *live) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out.Close()
}
