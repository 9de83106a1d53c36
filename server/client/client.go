// Package client is the Go side of the Agents protocol: a Session that survives broken sockets and dead hosts, and
// delivers each event of each turn exactly once.
package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/url"
	"sync"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/server/wire"
)

// ErrClosed says that the session was closed.
var ErrClosed = errors.New("the session is closed")

// ErrLost says that the connection broke before the answer to a call came. Whether the call had an effect is unknown.
var ErrLost = errors.New("the connection broke before the answer came")

// Options configure a Session. Host and Name are required.
type Options struct {
	// Host finds the host to talk to. It is called at each connect and reconnect, and may start a host; an error ends
	// the session.
	Host func(context.Context) (Address, error)

	Name         string     // of the session; of a child, its address
	ConnectionID string     // names this client over reconnects; "" makes one up
	Kind         string     // what this client is, such as run: an id that is made up begins with it
	Query        url.Values // further parameters of the connection, such as tether

	// Setup is called on every new connection before anything else is sent; nil calls nothing. When the agent refuses
	// it, the session ends with a *RefusedError.
	Setup *Call
	// SetupAgain, if it is not nil, is called in place of Setup once that was carried out: a connection that is made again must not take back
	// what has been chosen since. It calls the same method.
	SetupAgain *Call
}

// An Address is where a host listens and what opens its door.
type Address struct {
	Addr  string // host:port
	Token string
}

// A Call is a call of one of the agent's RPC methods.
type Call struct {
	Method string
	Args   []any
}

// A RefusedError is the agent's answer to a call that it did not carry out. The text is the agent's.
type RefusedError struct{ Method, Text string }

func (e *RefusedError) Error() string { return e.Text }

// A Session talks to one agent. Its methods may be called from any goroutine. What is sent while the connection is
// down goes out when it is up again.
type Session struct {
	opts   Options
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when the loop has ended
	err    error         // why; read after done

	updates *queue

	mu     sync.Mutex
	out    []outgoing // frames to send, in order
	outNow chan struct{}
	calls  map[string]*pendingCall
	turns  *ledger
	setup  json.RawMessage // the answer to the last Setup
}

// Dial connects to the agent and carries out Setup. The session lives until ctx is done or Close; then its loop, which
// reconnects as long as Host finds a host, ends.
func Dial(ctx context.Context, opts Options) (*Session, error) {
	if opts.ConnectionID == "" {
		opts.ConnectionID = rand.Text()
		if opts.Kind != "" {
			opts.ConnectionID = opts.Kind + "-" + opts.ConnectionID
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	s := &Session{
		opts: opts, cancel: cancel, done: make(chan struct{}), updates: newQueue(),
		outNow: make(chan struct{}, 1), calls: make(map[string]*pendingCall), turns: newLedger(),
	}
	first := make(chan error, 1)
	go s.run(ctx, first)
	if err := <-first; err != nil {
		cancel(err)
		<-s.done
		return nil, err
	}
	return s, nil
}

// Close ends the session and waits for what it owns. A turn that runs goes on at the host.
func (s *Session) Close() {
	s.cancel(ErrClosed)
	<-s.done
}

// Setup returns the agent's answer to Options.Setup, the latest one.
func (s *Session) Setup() json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.setup
}

// Next waits for the next update. The error is why the session has ended, or the cause of ctx.
func (s *Session) Next(ctx context.Context) (Update, error) { return s.updates.next(ctx) }

// Prompt asks for a turn with the new messages and returns its id. It returns at once: that the prompt is durable is
// told by the first update of the turn. It is sent again after a reconnect, which has no second effect.
func (s *Session) Prompt(messages ...chat.Message) string {
	id := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	request := wire.ChatRequest{ID: id, Messages: messages, Trigger: wire.Submit}
	s.turns.turn(id).request = &request
	s.send(request)
	return id
}

// Cancel stops the turn. It is over when its TurnEnded comes.
func (s *Session) Cancel(turnID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turns.turn(turnID).cancelled = true
	s.send(wire.ChatCancel{ID: turnID})
}

// Clear empties the transcript.
func (s *Session) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.send(wire.ChatClear{})
}

// Decide answers a tool call that waits. The turn that follows is the agent's own: it comes with a new id.
func (s *Session) Decide(ctx context.Context, toolCallID string, d Decision) error {
	args := []any{toolCallID, d.Approved, d.Reason}
	if d.Always {
		args = append(args, struct {
			Always bool `json:"always"`
		}{true})
	}
	return s.Call(ctx, "decide", nil, args...)
}

// A Decision answers a tool call that waits.
type Decision struct {
	Approved bool
	Reason   string // with a denial: for the model
	Always   bool   // with a yes: the session keeps the rule that was shown with the question
}

// UserMessage returns a prompt with the text.
func UserMessage(text string) chat.Message {
	return chat.Message{ID: rand.Text(), Role: chat.User, Parts: []chat.Part{chat.Text{Text: text}}}
}
