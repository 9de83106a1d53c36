package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/coder-agent/coder/agent/audit"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/secret"
	"github.com/coder-agent/coder/agent/snapshot"
	"github.com/coder-agent/coder/agent/trust"
)

// Errors of the commands. ErrShutdown is also the cause with which a closing host ends the work of its turns.
var (
	ErrNoAgent  = errors.New("no agent is running here")
	ErrShutdown = errors.New("shutting down")
	ErrSlow     = errors.New("the subscriber is too slow")
	ErrNoPrompt = errors.New("the request holds no new user message")

	errCancelled = errors.New("cancelled by the user")
)

// Options configure a Host. The zero value of every field but Model is usable.
type Options struct {
	Model     Model                                // required
	ModelID   string                               // for sessions that chose none; "" leaves it to Model
	Tools     []Tool                               // none: the model can only talk
	System    func(workdir string) (string, error) // the system prompt of a session; nil: none
	Mode      permission.Mode                      // for sessions that chose none; "" means ask
	Workdir   string                               // for sessions that chose none; "" refuses their prompts
	Provider  string                               // of Model, without secrets, such as its base URL; "" is none to tell apart
	Environ   []string                             // for the commands of sessions whose client sent none
	Secrets   *secret.Set                          // values that are neither recorded nor shown; nil knows none
	Rules     []permission.Rule                    // of the user, for all sessions
	Trust     trust.Store                          // what the user has said of folders; the zero value trusts none
	Private   []string                             // folders of coder's own beside the data dir, absolute: no tool has business there
	Level     int                                  // of the sandbox, 0 to 3: the policy relies on it
	Sandbox   string                               // what bounds the commands, for the state document; "" means none
	StepLimit int                                  // model responses in one turn; 0 means 100
	MaxCost   float64                              // US dollars in one turn, for sessions that chose no limit; 0: none
	DenyAfter *time.Duration                       // calls that wait so long for a decision are denied, for sessions that chose nothing; nil: never
	IdleAfter time.Duration                        // an agent without work or subscribers sleeps after this; 0 means 10 min
	Retention Retention                            // what is deleted by itself: at the start and daily
	Now       func() time.Time                     // nil means time.Now
	Logger    *slog.Logger                         // nil discards
	Audit     *audit.Log                           // of decisions and executions; nil: none is kept. The host does not close it
	Snapshots *snapshot.Store                      // of what turns may change; nil: none is kept, and nothing can be undone
	Unkept    string                               // without Snapshots: why there are none, told once in each session that changes files; "" tells nothing
	Jobs      Jobs                                 // that the tools start; nil: they start none
	Wrote     func(path, hash string)              // called when a call that was judged for it has written a protected file: its content by SHA-256; nil: nobody wants to know
	Changed   func()                               // called after Busy or Planned may have changed; must not block or call the host

	// FindFiles finds files of the agent's workdir by some letters of their names; nil: findFiles is refused. It is called on
	// the goroutines of callers.
	FindFiles func(ctx context.Context, a *CoderAgent, query string, limit int) (FilesFound, error)

	HoldSchedules bool // schedules that are due wait for another host: this one can ask no model
}

func (o Options) withDefaults() (Options, error) {
	if o.Model == nil {
		return o, errors.New("agent: Options.Model is required")
	}
	if o.Mode == "" {
		o.Mode = permission.ModeAsk
	}
	if o.Mode == permission.ModeFull {
		return o, errors.New("agent: mode full is typed for each session and no default")
	}
	if o.Sandbox == "" {
		o.Sandbox = "none"
	}
	if o.StepLimit == 0 {
		o.StepLimit = 100
	}
	if o.IdleAfter == 0 {
		o.IdleAfter = 10 * time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Jobs == nil {
		o.Jobs = noJobs{}
	}
	if o.Wrote == nil {
		o.Wrote = func(string, string) {}
	}
	if o.Changed == nil {
		o.Changed = func() {}
	}
	return o, nil
}

// A HeldError says that another process hosts the data dir.
type HeldError struct {
	Dir  string
	Addr string // of the running host, from run/host.json; "" when it has not said yet
}

func (e *HeldError) Error() string {
	if e.Addr == "" {
		return fmt.Sprintf("another host is starting in %s", e.Dir)
	}
	return fmt.Sprintf("another host serves %s at %s", e.Dir, e.Addr)
}

// Hint tells how to go on.
func (e *HeldError) Hint() string {
	return "use it (coder run finds it by itself), end it with: coder stop, or choose another --data-dir"
}

// A NotWaitingError says that no decision is wanted for a call: it is unknown, or somebody was faster.
type NotWaitingError struct {
	CallID string
	For    string // what is not wanted, with its article; "" is a decision
}

func (e *NotWaitingError) Error() string {
	return fmt.Sprintf("tool call %s does not wait for %s", e.CallID, cmp.Or(e.For, "a decision"))
}

// Hint names the way to see what waits.
func (e *NotWaitingError) Hint() string { return "coder status lists the sessions that wait" }

// A NameError says that a session name is not allowed.
type NameError struct{ Name string }

func (e *NameError) Error() string { return fmt.Sprintf("%q is not a session name", e.Name) }

// Hint says what a name looks like.
func (e *NameError) Hint() string {
	return "a name has 1 to 128 of the characters A-Z a-z 0-9 . _ % - and begins with a letter or digit"
}

// A WorkdirError says that a session cannot work in a folder.
type WorkdirError struct {
	Session, Want, Have string // Have is the session's own folder, or ""
	Err                 error  // why Want does not serve; nil when it only differs from Have
}

func (e *WorkdirError) Error() string {
	switch {
	case e.Have != "":
		return fmt.Sprintf("session %s works in %s, not in %s", e.Session, e.Have, e.Want)
	case e.Want == "":
		return fmt.Sprintf("session %s has no workdir", e.Session)
	}
	return fmt.Sprintf("working in %s: %v", e.Want, e.Err)
}

func (e *WorkdirError) Unwrap() error { return e.Err }

// Hint says how to choose a folder.
func (e *WorkdirError) Hint() string {
	if e.Have != "" {
		return "go on there with -C " + e.Have + ", or start another session with --session NAME"
	}
	return "name an existing folder with -C DIR"
}

// A StateError says that a client may not set what it sent.
type StateError struct{ Key string }

func (e *StateError) Error() string {
	return fmt.Sprintf("clients may set the title only, not %q", e.Key)
}

// A MethodError says that there is no such RPC method. Its text is the Agents SDK's.
type MethodError struct{ Method string }

func (e *MethodError) Error() string { return fmt.Sprintf("Method %s does not exist", e.Method) }
