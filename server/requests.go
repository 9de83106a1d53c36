package server

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"time"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/server/wire"
)

// textRejected is how the Agents SDK refuses a client's state.
const textRejected = "State update rejected"

// handle serves one frame of the client. Frames are served in their order; only RPC calls run beside the others.
func (c *connection) handle(f wire.Frame) {
	// What was received is done, even if the client goes away meanwhile.
	ctx := agent.WithCaller(c.server.life, agent.Caller{Connection: c.id, Page: c.page, ReadOnly: c.readOnly})
	var err error
	switch f := f.(type) {
	case wire.Call:
		c.call(ctx, f)
	case wire.State:
		c.setState(ctx, f)
	case wire.ChatRequest:
		c.prompt(ctx, f)
	case wire.ChatCancel:
		if f.ID != "" {
			err = c.agent.Cancel(ctx, f.ID)
		}
	case wire.ChatMessages:
		err = c.propose(ctx, f)
	case wire.ChatClear:
		err = c.agent.Clear(ctx)
	case wire.ResumeRequest:
		c.post(func() { c.resume(f) })
	case wire.ResumeAck:
		c.post(func() { c.replay(f) })
	case wire.Approve:
		err = c.decide(ctx, f)
	case wire.ToolResult:
		err = c.toolResult(ctx, f)
	}
	if err != nil {
		c.server.opts.Logger.Warn("serving a frame", "session", c.name, "frame", wire.TypeOf(f), "err", err)
	}
}

// prompt hands the client's prompt to the agent. A refusal is the end of the request: a client would wait for ever.
func (c *connection) prompt(ctx context.Context, f wire.ChatRequest) {
	tools, err := c.server.opts.Host.ClientTools(f.ClientTools)
	var before *agent.Turn
	switch {
	case c.server.stopping.Load():
		err = agent.ErrShutdown
	case err == nil:
		before, err = c.agent.Submit(ctx, agent.Prompt{ID: f.ID, Messages: f.Messages, Client: c.id, Tools: tools})
	}
	switch {
	case err != nil:
		refused := agent.Turn{ID: f.ID, MessageIDs: agent.PromptIDs(f.Messages), Error: c.server.told(err)}
		var hinted interface{ Hint() string }
		if errors.As(err, &hinted) {
			refused.Hint = hinted.Hint()
		}
		c.post(func() { c.send(failure(refused)) })
	case before != nil && before.Reason != "":
		c.post(func() { c.repeated(*before) })
	}
}

// warnEvery bounds how often the log hears of the frames of one connection that cannot be read.
const warnEvery = time.Minute

// ignore takes a frame that could not be read. Types of others are nothing to speak of: the protocol invites them.
func (c *connection) ignore(err error) {
	if refused, ok := errors.AsType[*wire.RefusedError](err); ok {
		c.refuse(refused)
	}
	if _, ok := errors.AsType[*wire.UnknownTypeError](err); ok {
		c.server.opts.Logger.Debug("frame ignored", "session", c.name, "err", err)
		return
	}
	if now := c.server.opts.Now(); c.warned.IsZero() || now.Sub(c.warned) >= warnEvery {
		c.server.opts.Logger.Warn("a frame that cannot be read", "session", c.name, "err", err, "unsaid", c.unsaid)
		c.warned, c.unsaid = now, 0
		return
	}
	c.unsaid++
}

// refuse ends a request that could not be read: its client would wait for ever.
func (c *connection) refuse(err *wire.RefusedError) {
	if err.Call {
		c.post(func() { c.send(wire.CallResult{ID: err.ID, Error: err.Reason() + "\n" + err.Hint()}) })
		return
	}
	c.post(func() { c.send(failure(agent.Turn{ID: err.ID, Error: err.Reason(), Hint: err.Hint()})) })
}

// propose hands the client's transcript on. When none can be taken just then, the client is shown what holds instead.
func (c *connection) propose(ctx context.Context, f wire.ChatMessages) error {
	err := c.agent.Propose(ctx, f.Messages)
	if errors.Is(err, agent.ErrBusy) {
		c.post(c.disagree)
		return nil
	}
	return err
}

// failure is the last frame of a request that was refused, or whose turn stands still.
func failure(t agent.Turn) wire.ChatResponse {
	body := t.Error
	if t.Hint != "" {
		body += "\n" + t.Hint
	}
	return wire.ChatResponse{
		ID: t.ID, Body: body, Hint: t.Hint, Done: true, Error: true, MessageIDs: t.MessageIDs,
		Continuation: t.Continuation, Outcome: wire.Failed, Client: t.Client,
	}
}

// decide hands the user's decision on. One that comes too late, or for a call that never was, is ignored.
func (c *connection) decide(ctx context.Context, f wire.Approve) error {
	err := c.agent.Decide(ctx, f.ToolCallID, agent.Decision{Approved: f.Approved, Reason: f.Reason, By: c.id})
	if _, ok := errors.AsType[*agent.NotWaitingError](err); ok {
		return nil
	}
	return err
}

// toolResult hands the result of a client's tool on. One that no call of such a tool waits for is ignored: who asked for it
// is what the agent has recorded, not what the frame says. Tools that cannot be taken leave those of the last request.
func (c *connection) toolResult(ctx context.Context, f wire.ToolResult) error {
	if f.State != "" && f.State != chat.OutputAvailable && f.State != chat.OutputError {
		return nil
	}
	tools, toolsErr := c.server.opts.Host.ClientTools(f.ClientTools)
	err := c.agent.Answer(ctx, f.ToolCallID, agent.ClientResult{
		Output: f.Output, Failed: f.State == chat.OutputError, Error: f.ErrorText, Continue: f.AutoContinue, By: c.id, Tools: tools,
	})
	if _, ok := errors.AsType[*agent.NotWaitingError](err); ok {
		err = nil
	}
	return errors.Join(toolsErr, err)
}

func (c *connection) setState(ctx context.Context, f wire.State) {
	if c.readOnly {
		c.post(func() { c.send(wire.StateError{Error: agent.ErrReadOnly.Error()}) })
		return
	}
	if err := c.agent.SetState(ctx, f.State); err != nil {
		c.server.opts.Logger.Debug("state refused", "session", c.name, "err", err)
		c.post(func() { c.send(wire.StateError{Error: textRejected}) })
	}
}

// call runs an RPC method beside the frames that follow, unless the table wants it in their order. Its answer comes after
// the updates it has caused.
func (c *connection) call(ctx context.Context, f wire.Call) {
	if m, _ := agent.MethodNamed(f.Method); m.Ordered {
		c.serveCall(ctx, f)
		return
	}
	select {
	case c.calls <- struct{}{}:
	case <-c.done:
		return
	}
	c.start("call of "+plain.VisibleLine(f.Method, maxMethod), func() {
		defer func() { <-c.calls }()
		c.serveCall(ctx, f)
	})
}

// maxMethod is how much of a method's name goes to the log, in characters.
const maxMethod = 64

// serveCall runs the method. What it answers with is encoded by the pump when its turn has come: of a client that reads
// nothing no more than one answer waits as JSON.
func (c *connection) serveCall(ctx context.Context, f wire.Call) {
	v, err := c.agent.CallStreaming(ctx, f.Method, f.Args, func(piece any) {
		c.post(func() {
			if raw, err := c.encode(f.Method, piece); err == nil {
				c.send(wire.CallResult{ID: f.ID, Success: true, Result: raw})
			}
		})
	})
	c.post(func() { c.send(c.result(f, v, err)) })
}

func (c *connection) result(f wire.Call, v any, err error) wire.CallResult {
	if err != nil {
		return wire.CallResult{ID: f.ID, Error: c.server.told(err)}
	}
	if v == nil {
		return wire.CallResult{ID: f.ID, Success: true, Done: true}
	}
	raw, err := c.encode(f.Method, v)
	if err != nil {
		return wire.CallResult{ID: f.ID, Error: "the result of " + f.Method + " cannot be sent"}
	}
	return wire.CallResult{ID: f.ID, Success: true, Result: raw, Done: true}
}

// encode gives the JSON of a result. An empty list is one: a client iterates over it without looking.
func (c *connection) encode(method string, v any) (json.RawMessage, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		c.server.opts.Logger.Error("encoding a result", "session", c.name, "method", method, "err", err)
		return nil, err
	}
	if string(raw) == "null" && reflect.TypeOf(v).Kind() == reflect.Slice {
		raw = json.RawMessage("[]")
	}
	return raw, nil
}
