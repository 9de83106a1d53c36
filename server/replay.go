package server

import (
	"slices"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/server/wire"
)

// resume answers the question whether anything is running.
func (c *connection) resume(f wire.ResumeRequest) {
	st := &c.stream
	switch {
	case st.turn != nil && !st.ended:
		c.offer(f.ProbeID)
	case len(st.queue) > 0:
		st.waiting = true
		c.send(wire.Pending{ID: st.queue[0].ID, ProbeID: f.ProbeID})
	case st.failed != nil:
		c.send(wire.Resuming{ID: st.failed.ID, ProbeID: f.ProbeID})
	default:
		c.send(wire.ResumeNone{Reason: wire.ResumeIdle, ProbeID: f.ProbeID})
	}
}

// replay answers an ack: the turn from its first event as far as it is, and from there on live.
func (c *connection) replay(f wire.ResumeAck) {
	st := &c.stream
	if slices.ContainsFunc(st.queue, func(t agent.Turn) bool { return t.ID == f.ID }) {
		return // it has no event yet
	}
	t, events, ok, err := c.agent.Replay(c.server.life, f.ID)
	if err != nil {
		c.server.opts.Logger.Error("replaying a turn", "session", c.name, "turn", f.ID, "err", err)
		c.close(statusInternal, "internal error") // the client comes back and asks again
		return
	}
	if st.offered == f.ID {
		st.offered = ""
	}
	open := st.turn != nil && st.turn.ID == f.ID
	if !ok {
		c.replayNothing(f.ID, t, open)
		return
	}
	seq := 0
	for _, e := range events {
		if end, ok := e.Event.(chat.TurnFinished); ok {
			t.Reason, t.Error = end.Reason, end.Error
			if body := wire.FinishChunk(end.Reason); body != nil {
				c.sendChunk(t, body, &seq, true)
			}
		}
		c.sendEvent(e, &seq, true)
	}
	over := t.Reason != ""
	if over {
		st.tell(t.ID)
		c.replayEnd(t)
	} else {
		c.send(wire.ChatResponse{ID: t.ID, Replay: true, ReplayComplete: true, Continuation: t.Continuation, Client: t.Client})
	}
	if open || !over && st.turn == nil {
		st.turn, st.next, st.seq, st.ended, st.acked = &t, len(events), seq, over, t.ID
	}
}

// repeated answers a request whose turn is over. A connection that has had the turn's end gets its last frame once more;
// another one has a client that was away, and gets the turn as if it had asked to resume it.
func (c *connection) repeated(t agent.Turn) {
	switch {
	case !slices.Contains(c.stream.told, t.ID) && c.stream.stalled != t.ID:
		c.replay(wire.ResumeAck{ID: t.ID})
	case t.Reason == chat.FinishError:
		c.send(failure(t))
	default:
		c.send(wire.ChatResponse{
			ID: t.ID, Done: true, MessageIDs: t.MessageIDs, Continuation: t.Continuation, Outcome: wire.OutcomeOf(t.Reason),
			Client: t.Client,
		})
	}
}

// replayNothing answers the ack of a turn whose events are not there: it has none yet, or they are no longer kept, or it
// never was.
func (c *connection) replayNothing(id string, t agent.Turn, open bool) {
	if open {
		c.stream.acked = id
		c.send(wire.ChatResponse{ID: id, Replay: true, ReplayComplete: true, Continuation: t.Continuation, Client: t.Client})
		return
	}
	t.ID = id
	c.replayEnd(t)
}

// replayEnd tells how a turn ended that was over before it was replayed.
func (c *connection) replayEnd(t agent.Turn) {
	last := wire.ChatResponse{ID: t.ID, Done: true, MessageIDs: t.MessageIDs, Continuation: t.Continuation, Client: t.Client}
	if t.Reason == chat.FinishError {
		end := failure(t)
		last.Error, last.Body, last.Hint = true, end.Body, end.Hint
	} else {
		last.Replay, last.Outcome = true, wire.OutcomeOf(t.Reason)
	}
	c.send(last)
}
