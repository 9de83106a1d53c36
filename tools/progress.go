package tools

import (
	"context"
	"sync"
	"time"

	"github.com/coder-agent/coder/tools/sandbox"
)

const (
	progressEvery = 500 * time.Millisecond // at first; a command that runs long says less often how far it is
	progressBytes = 4 << 10                // of the end of the output
)

// A live shows the end of a command's output while it runs: half a second after it began to write, and then as often as
// every half second, or every fiftieth of the time it has run. Ten minutes of output are so shown some two hundred times.
type live struct {
	ctx   context.Context
	s     session
	begun time.Time

	mu     sync.Mutex
	out    *sandbox.Output
	timer  *time.Timer // runs when something was written that is not shown yet
	closed bool
}

func newLive(ctx context.Context, s session, out *sandbox.Output) *live {
	return &live{ctx: ctx, s: s, out: out, begun: time.Now()}
}

// Write passes the output on.
func (l *live) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer == nil && !l.closed {
		l.timer = time.AfterFunc(max(progressEvery, time.Since(l.begun)/50), l.show)
	}
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
