package client

import (
	"slices"

	"github.com/coder-agent/coder/server/wire"
)

// A ledger notes how far each turn has been told, so that a replay is told only from there on, and which of our
// prompts the agent has acknowledged.
type ledger struct {
	turns map[string]*turn
	order []string // of the turns, the oldest first
}

// A turn is what the ledger knows of one.
type turn struct {
	request   *wire.ChatRequest // ours; nil when another client asked, or the agent itself
	cancelled bool              // we asked to stop it
	known     bool              // the agent has said something about it
	chunks    int               // chunks told
	events    int               // the next index of a CoderEvent
	closing   bool              // its TurnFinished was told
	failure   string            // text of its error frame
	hint      string            // of its error frame
	ended     bool              // its TurnEnded was told
}

// keepTurns bounds the turns that the ledger remembers: a replay of an older one cannot come any more.
const keepTurns = 64

func newLedger() *ledger { return &ledger{turns: make(map[string]*turn)} }

// turn returns what is known of the turn, from now on.
func (l *ledger) turn(id string) *turn {
	t, ok := l.turns[id]
	if ok {
		return t
	}
	t = &turn{}
	l.turns[id] = t
	l.order = append(l.order, id)
	if len(l.order) > keepTurns {
		if i := slices.IndexFunc(l.order, func(id string) bool { return l.turns[id].ended }); i >= 0 {
			delete(l.turns, l.order[i])
			l.order = slices.Delete(l.order, i, i+1)
		}
	}
	return t
}

// chunk reports whether the chunk with the index is new. A gap is not: the connection must be made anew.
func (t *turn) chunk(seq int) (fresh, gap bool) {
	if seq == t.chunks {
		t.chunks++
		return true, false
	}
	return false, seq > t.chunks
}

// event reports whether the CoderEvent with the index is new.
func (t *turn) event(n int) bool {
	if n < t.events {
		return false
	}
	t.events = n + 1
	return true
}

// open lists the turns that have not ended, the oldest first.
func (l *ledger) open() []string {
	return slices.DeleteFunc(slices.Clone(l.order), func(id string) bool { return l.turns[id].ended })
}
