package agent

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
)

// Errors of the commands.
var (
	ErrNoAgent  = errors.New("no agent is running here")
	ErrShutdown = errors.New("shutting down")
	ErrSlow     = errors.New("the subscriber is too slow")
)

// Options configure a Host. The zero value of every field but Model is usable.
type Options struct {
	Model     Model                                // required
	ModelID   string                               // for sessions that chose none; "" leaves it to Model
	Tools     []Tool                               // none: the model can only talk
	System    func(workdir string) (string, error) // the system prompt of a session; nil: none
	Mode      permission.Mode                      // for sessions that chose none; "" means ask
	Workdir   string                               // for sessions that chose none; "" refuses their prompts
	Environ   []string                             // for the commands of sessions whose client sent none
	StepLimit int                                  // model responses in one turn; 0 means 100
	IdleAfter time.Duration                        // an agent without work or subscribers sleeps after this; 0 means 10 min
	Now       func() time.Time                     // nil means time.Now
	Logger    *slog.Logger                         // nil discards
}

// A Host keeps the agents of one data dir alive.
type Host struct{}

// Open takes the lock of dir, or returns a *HeldError, opens its store and resumes the turns that are open there.
func Open(ctx context.Context, dir string, opts Options) (*Host, error) { panic("soon") }

// Close cancels turns (they stay open on disk), waits for everything the host owns and releases the lock.
func (h *Host) Close() error { panic("soon") }

// Agent returns the agent with the name and wakes it if it sleeps; names ignore case.
func (h *Host) Agent(ctx context.Context, name string) (*CoderAgent, error) { panic("soon") }

// A Session describes an agent for lists.
type Session struct {
	Name     string          `json:"name"`
	Title    string          `json:"title"` // the beginning of the first prompt
	Workdir  string          `json:"workdir"`
	Model    string          `json:"model"`
	Mode     permission.Mode `json:"mode"`
	Status   string          `json:"status"` // idle, running, waiting (for a decision)
	Messages int             `json:"messages"`
	Usage    chat.Usage      `json:"usage"`
	Created  time.Time       `json:"created"`
	Updated  time.Time       `json:"updated"`
}

// Sessions lists the sessions on disk, the last used first.
func (h *Host) Sessions(ctx context.Context) ([]Session, error) { panic("soon") }

// Delete cancels the session's turn and removes it from disk.
func (h *Host) Delete(ctx context.Context, name string) error { panic("soon") }

// Busy reports how many turns run and how many subscribers there are: zero and zero, and the host may end.
func (h *Host) Busy() (turns, subscribers int) { panic("soon") }

// A HeldError says that another process hosts the data dir.
type HeldError struct {
	Dir  string
	Addr string // of the running host, from run/host.json; "" when it has not said yet
}

func (e *HeldError) Error() string { panic("soon") }

// A CoderAgent serves one session. Its methods may be called from any goroutine; on a nil agent they return
// ErrNoAgent.
type CoderAgent struct{}

// A Prompt asks for a turn.
type Prompt struct {
	ID       string         // the request id; a second prompt with the same id has no effect and no error
	Messages []chat.Message // the client's transcript, or only what is new: merged by id, user messages alone
	Client   string         // the connection that asks
}

// Prompt records the prompt; nil means durable, not answered. The turn starts at once or when those before it are
// over. A turn that waits for a decision is over: what waits is denied.
func (a *CoderAgent) Prompt(ctx context.Context, p Prompt) error { panic("soon") }

// A Decision answers an approval.
type Decision struct {
	Approved bool
	Reason   string // with a denial: the user's words for the model
	By       string // the connection
}

// Decide records the user's decision on a waiting tool call and lets the turn go on. The first answer wins; a call
// that does not wait is a *NotWaitingError.
func (a *CoderAgent) Decide(ctx context.Context, callID string, d Decision) error { panic("soon") }

// Cancel stops the turn of the request, running or waiting in the queue. "" means whatever runs. An unknown id is no
// error.
func (a *CoderAgent) Cancel(ctx context.Context, requestID string) error { panic("soon") }

// Clear cancels all turns and empties the transcript.
func (a *CoderAgent) Clear(ctx context.Context) error { panic("soon") }

// SetState changes the part of the state document that clients own. It is a *StateError when they do not own it.
func (a *CoderAgent) SetState(ctx context.Context, state json.RawMessage) error { panic("soon") }

// Call calls a method of the agent's RPC table. The result is nil or marshals to JSON. An unknown method is a
// *MethodError.
func (a *CoderAgent) Call(ctx context.Context, method string, args []json.RawMessage) (any, error) {
	panic("soon")
}

// Messages returns the transcript as get-messages shows it: the open turn's message as far as it is, then prompts
// that wait.
func (a *CoderAgent) Messages(ctx context.Context) ([]chat.Message, error) { panic("soon") }

// Replay returns the events of a turn so far, from the first; ok is false when they are not kept (any more). The turn
// it returns has a Reason when it has finished.
func (a *CoderAgent) Replay(ctx context.Context, turnID string) (turn Turn, events []TurnEvent, ok bool, err error) {
	panic("soon")
}

// Subscribe begins a subscription: first its Snapshot, then every Update after it, without a gap. It must be closed.
func (a *CoderAgent) Subscribe(ctx context.Context) (*Subscription, error) { panic("soon") }

// A Subscription is a bounded queue of updates. A subscriber that falls behind loses the subscription, not the agent
// its time.
type Subscription struct{ Snapshot Snapshot }

// Next returns the next update. ErrSlow says that the subscriber fell behind and must begin anew; ErrShutdown that the
// agent has ended.
func (s *Subscription) Next(ctx context.Context) (Update, error) { panic("soon") }

// Close ends the subscription.
func (s *Subscription) Close() { panic("soon") }

// For tools.

// Workdir returns the session's folder, absolute and with links resolved.
func (a *CoderAgent) Workdir(ctx context.Context) (string, error) { panic("soon") }

// Path resolves a path that the model gave: relative to the workdir, links followed as far as it exists. Whether it may
// be used was judged before the tool ran.
func (a *CoderAgent) Path(ctx context.Context, path string) (string, error) { panic("soon") }

// Environ returns the environment for the session's commands, as KEY=value.
func (a *CoderAgent) Environ(ctx context.Context) ([]string, error) { panic("soon") }

// Seen returns the hash of the content of a file (absolute path) that the model has last seen, or false.
func (a *CoderAgent) Seen(ctx context.Context, path string) (hash string, ok bool, err error) {
	panic("soon")
}

// ScratchDir returns a private folder of the session under the data dir, made if need be: for output too long for the
// model.
func (a *CoderAgent) ScratchDir(ctx context.Context) (string, error) { panic("soon") }
