package server

import (
	"errors"
	"slices"
	"time"

	"github.com/coder/websocket"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/server/wire"
)

// A stream is how far a connection is in the agent's turns. Only the pump touches it.
type stream struct {
	turn  *agent.Turn  // the open turn, or nil
	next  int          // the N of its next event that this connection has not had
	seq   int          // how many of its events before next were chunks
	ended bool         // a replay has already brought the turn's end
	queue []agent.Turn // turns that wait

	offered  string      // the turn of an unanswered offer: until the answer no chunk of any turn goes out
	acked    string      // the turn that was replayed last: a further offer of it stops nothing
	waiting  bool        // was told Pending; an offer or ResumeNone must follow
	failed   *agent.Turn // the last turn, if it ended in an error or stands still
	stalled  string      // the turn that this connection was told stands still
	refilled bool        // it got the transcript with the end of a turn that was cancelled
	stale    bool        // the client shows messages that were not taken: it gets the transcript with the turn's end
	told     []string    // turns whose end this connection has had, the latest last
}

// maxTold bounds how many ended turns a connection remembers.
const maxTold = 32

// tell notes that the connection has had the end of the turn.
func (st *stream) tell(id string) {
	st.told = append(st.told, id)
	if len(st.told) > maxTold {
		st.told = slices.Delete(st.told, 0, 1)
	}
}

// missable is how long ago a turn may have ended for a page that comes back to have missed the end: useAgentChat asks for
// what runs, but not again for the transcript, and would show half an answer for ever.
const missable = 10 * time.Minute

// pump sends the connect frames, and then updates and the answers to the client's frames, until the connection closes.
// Then it hangs up.
func (c *connection) pump() {
	c.greet()
	for !c.closing() {
		select {
		case <-c.sub.Ready():
			c.catchUp()
		case do := <-c.commands:
			c.catchUp() // what was published before the command goes out before its answer
			do()
		case <-c.done:
		}
	}
	if c.code == statusGoingAway {
		c.catchUp() // a host that stops has had something to say
	}
	c.hangUp()
}

// catchUp sends what the agent has published so far.
func (c *connection) catchUp() {
	for {
		u, err := c.sub.Take()
		switch {
		case err != nil:
			c.close(c.farewell(err))
			return
		case u == nil:
			return
		}
		c.forward(u)
	}
}

// farewell says how to close when the subscription has ended.
func (c *connection) farewell(err error) (code websocket.StatusCode, reason string) {
	switch {
	case errors.Is(err, agent.ErrSlow):
		return statusTooSlow, "too slow"
	case errors.Is(err, agent.ErrShutdown):
		return statusGoingAway, err.Error()
	case errors.Is(err, agent.ErrDeleted):
		return statusDeleted, err.Error()
	}
	c.server.opts.Logger.Error("subscription ended", "session", c.name, "err", err)
	return statusInternal, "internal error"
}

// post has the pump run do once everything that the agent has published so far has gone out. It waits when the client
// does not read its answers.
func (c *connection) post(do func()) {
	select {
	case c.commands <- do:
	case <-c.done:
	}
}

// send writes a frame.
func (c *connection) send(f wire.Frame) {
	data, err := wire.Encode(f)
	c.sendEncoded(f, data, err)
}

// share writes the transcript of an update, which every connection gets alike: whichever is first encodes it.
func (c *connection) share(encoding *agent.Encoding, f wire.ChatMessages) {
	data, err := encoding.Of(func() ([]byte, error) { return wire.Encode(f) })
	c.sendEncoded(f, data, err)
}

func (c *connection) sendEncoded(f wire.Frame, data []byte, err error) {
	if err != nil {
		c.server.opts.Logger.Error("encoding a frame", "session", c.name, "err", err)
		c.close(statusInternal, "internal error")
		return
	}
	c.write(data)
}

func (c *connection) greet() {
	snap, st := c.sub.Snapshot, &c.stream
	c.sub.Snapshot = agent.Snapshot{} // a transcript is not kept for each connection
	st.turn, st.queue, st.failed = snap.Turn, slices.Clone(snap.Queue), snap.Failed
	if snap.Stalled {
		st.stalled = snap.Failed.ID
	}
	switch {
	case st.turn != nil:
		c.offer("")
	case len(st.queue) > 0:
		st.waiting = true
		c.send(wire.Pending{ID: st.queue[0].ID})
	}
	if c.quiet {
		return
	}
	_, kind, name := agent.SplitAddress(c.name)
	c.send(wire.Identity{Name: name, Agent: kind, StateFollows: snap.State != nil})
	if snap.State != nil {
		c.send(wire.State{State: snap.State})
	}
	c.send(wire.MCPServers{})
	if c.page && st.turn == nil && c.server.opts.Now().Sub(snap.Updated) < missable {
		c.send(wire.ChatMessages{Messages: snap.Messages, Connect: true})
	}
}

// offer offers the open turn.
func (c *connection) offer(probe string) {
	st := &c.stream
	if st.acked != st.turn.ID {
		st.offered = st.turn.ID
	}
	st.waiting = false
	c.send(wire.Resuming{ID: st.turn.ID, ProbeID: probe})
}

// forward sends what an update says to this connection.
func (c *connection) forward(u agent.Update) {
	st := &c.stream
	switch u := u.(type) {
	case agent.TurnEvent:
		c.turnEvent(u)
	case agent.Queued:
		st.queue = append(st.queue, u.Turn)
	case agent.Dropped:
		st.dequeue(u.Turn.ID)
		c.send(wire.ChatResponse{
			ID: u.Turn.ID, Done: true, MessageIDs: u.Turn.MessageIDs,
			Continuation: u.Turn.Continuation, Outcome: wire.Aborted, Client: u.Turn.Client,
		})
		if st.waiting && st.turn == nil && len(st.queue) == 0 {
			st.waiting = false
			c.send(wire.ResumeNone{})
		}
	case agent.Stalled:
		c.stall(u.Turn)
	case agent.Prompted:
		st.failed = nil
		if u.By != c.id && st.offered == "" {
			c.share(u.Encoded, wire.ChatMessages{Messages: u.Messages, Client: u.By})
		}
	case agent.Edited:
		if u.By != c.id && st.offered == "" {
			c.share(u.Encoded, wire.ChatMessages{Messages: u.Messages, Client: u.By})
		}
	case agent.MessageUpdated:
		c.send(wire.MessageUpdated{Message: u.Message, Client: u.By})
	case agent.StateChanged:
		if u.By != c.id && !c.quiet {
			c.send(wire.State{State: u.State})
		}
	case agent.Cleared:
		st.failed = nil
		switch {
		case u.By != c.id:
			c.send(wire.ChatClear{Client: u.By})
		case st.refilled: // by the end of the turn that the clear has cancelled
			c.send(wire.ChatMessages{Messages: []chat.Message{}, Connect: true, Client: u.By})
		}
		st.refilled = false
	}
}

func (st *stream) dequeue(id string) {
	st.queue = slices.DeleteFunc(st.queue, func(t agent.Turn) bool { return t.ID == id })
}

// turnEvent sends one event of the running turn.
func (c *connection) turnEvent(e agent.TurnEvent) {
	st := &c.stream
	if st.stalled == e.Turn.ID && e.N > 0 {
		c.settled(e)
		return
	}
	if st.turn == nil || st.turn.ID != e.Turn.ID {
		c.begin(e.Turn)
	}
	if e.N >= st.next {
		st.next = e.N + 1
		if f, ok := e.Event.(chat.TurnFinished); ok {
			c.finish(e, f)
		} else if st.offered == "" {
			c.sendEvent(e, &st.seq, false)
		}
	}
	if f, ok := e.Event.(chat.TurnFinished); ok {
		if st.failed = nil; f.Reason == chat.FinishError {
			st.failed = &e.Turn
		}
		if st.offered == e.Turn.ID {
			st.offered = ""
		} else {
			st.tell(e.Turn.ID)
		}
		st.turn, st.ended = nil, false
	}
}

// stall ends the stream of a turn that stands still: nothing of it is under way, and whether it ever goes on is open.
func (c *connection) stall(t agent.Turn) {
	st := &c.stream
	if st.offered == t.ID {
		st.offered = ""
	}
	over := st.ended && st.turn != nil && st.turn.ID == t.ID // a replay has told it
	if st.turn != nil && st.turn.ID == t.ID {
		st.turn, st.ended = nil, false
	}
	st.failed, st.stalled = &t, t.ID
	if !over {
		c.send(failure(t))
	}
}

// disagree shows a client whose messages were not taken the transcript as it is: at once, or when the stream is over
// that it would otherwise disturb.
func (c *connection) disagree() {
	if c.stream.turn != nil {
		c.stream.stale = true
		return
	}
	messages, err := c.agent.Messages(c.server.life)
	if err != nil {
		c.server.opts.Logger.Error("reading messages", "session", c.name, "err", err)
		return
	}
	c.send(wire.ChatMessages{Messages: messages})
}

// settled takes the end of a turn that stood still. The stream was ended before; the transcript says what is true now.
func (c *connection) settled(e agent.TurnEvent) {
	st := &c.stream
	end, ok := e.Event.(chat.TurnFinished)
	if !ok {
		return
	}
	if st.stalled, st.failed = "", nil; end.Reason == chat.FinishError {
		st.failed = &e.Turn
	}
	st.tell(e.Turn.ID)
	c.send(wire.ChatMessages{Messages: e.Messages})
}

// begin notes that a turn has started. The connection that decided on the last one's call is offered the continuation,
// asked or not; others see it live.
func (c *connection) begin(t agent.Turn) {
	st := &c.stream
	st.turn, st.next, st.seq, st.ended, st.failed, st.stalled, st.refilled = &t, 0, 0, false, nil, "", false
	st.dequeue(t.ID)
	if st.waiting || t.Continuation && t.Client == c.id {
		c.offer("")
	}
}

// sendEvent sends an event as a chunk, or as a frame of ours when the AI SDK has no chunk for it.
// seq is the index of the next chunk.
func (c *connection) sendEvent(e agent.TurnEvent, seq *int, replay bool) {
	if chat.IsChunk(e.Event) {
		c.sendChunk(e.Turn, e.Body, seq, replay)
		return
	}
	c.write(wire.AppendCoderEvent(make([]byte, 0, len(e.Body)+128), wire.CoderEvent{
		ID: e.Turn.ID, Event: e.Body, N: e.N, Client: e.Turn.Client, Continuation: e.Turn.Continuation, Replay: replay,
	}))
}

func (c *connection) sendChunk(t agent.Turn, body []byte, seq *int, replay bool) {
	chunk := wire.Chunk{ID: t.ID, Body: body, Seq: *seq, Client: t.Client, Replay: replay, Continuation: t.Continuation}
	*seq++
	c.write(wire.AppendChunk(make([]byte, 0, len(body)+len(body)/4+192), chunk))
}

// finish ends a turn's stream: the finish chunk, the transcript for those who did not ask, then the last frame. The
// transcript comes before it, as afterwards it would wipe what the user has just typed.
func (c *connection) finish(e agent.TurnEvent, f chat.TurnFinished) {
	st, t := &c.stream, e.Turn
	if st.ended {
		return
	}
	if st.offered == "" {
		if body := wire.FinishChunk(f.Reason); body != nil {
			c.sendChunk(t, body, &st.seq, false)
		}
		c.sendEvent(e, &st.seq, false)
	}
	if (t.Client != c.id || t.Continuation || st.stale) && (st.offered == "" || st.offered == t.ID) {
		c.share(e.Encoded, wire.ChatMessages{Messages: e.Messages, Client: t.Client})
		st.stale, st.refilled = false, f.Reason == chat.FinishCancelled
	}
	if f.Reason == chat.FinishError {
		c.send(wire.ChatResponse{ID: t.ID, Body: f.Error, Error: true, MessageIDs: t.MessageIDs, Continuation: t.Continuation, Client: t.Client})
	}
	c.send(wire.ChatResponse{
		ID: t.ID, Done: true, MessageIDs: t.MessageIDs, Continuation: t.Continuation,
		Outcome: wire.OutcomeOf(f.Reason), Client: t.Client, Unstreamed: st.offered != "",
	})
}
