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
		c.replayEnd(t)
	} else {
		c.send(wire.ChatResponse{ID: t.ID, Replay: true, ReplayComplete: true, Continuation: t.Continuation})
	}
	if open || !over && st.turn == nil {
		st.turn, st.next, st.seq, st.ended, st.acked = &t, len(events), seq, over, t.ID
	}
}

// replayNothing answers the ack of a turn whose events are not there: it has none yet, or they are no longer kept, or it
// never was.
func (c *connection) replayNothing(id string, t agent.Turn, open bool) {
	if open {
		c.stream.acked = id
		c.send(wire.ChatResponse{ID: id, Replay: true, ReplayComplete: true, Continuation: t.Continuation})
		return
	}
	t.ID = id
	c.replayEnd(t)
}

// replayEnd tells how a turn ended that was over before it was replayed.
func (c *connection) replayEnd(t agent.Turn) {
	last := wire.ChatResponse{ID: t.ID, Done: true, MessageIDs: t.MessageIDs, Continuation: t.Continuation}
	if t.Reason == chat.FinishError {
		last.Error, last.Body = true, t.Error
	} else {
		last.Replay, last.Outcome = true, wire.OutcomeOf(t.Reason)
	}
	c.send(last)
}
