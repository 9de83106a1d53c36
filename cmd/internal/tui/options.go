package tui

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/cmd/internal/headless"
	"github.com/coder-agent/coder/cmd/internal/tui/editor"
	"github.com/coder-agent/coder/server/client"
)

// Options configure Run. First, Open, Show, Summary and Now are required.
type Options struct {
	Version string   // of this program
	Environ []string // of the process: TERM, NO_COLOR and the like
	First   Opened   // the session to begin with

	// Open connects to another session: one that exists, or, with "", a new one.
	Open func(ctx context.Context, name string) (Opened, error)

	Show    headless.Show              // what a call that waits would do
	Summary func(chat.ToolCall) string // puts a call into one line
	Now     func() time.Time

	Notes   <-chan string    // what is said below us while we have the terminal; nil: nothing is
	Signals <-chan os.Signal // the first ends the program; nil: none comes

	Models func(context.Context) ([]string, error) // that the provider has; nil: it cannot be asked
	Doctor func(context.Context) (string, error)   // what coder doctor says; nil: it cannot be asked
	// Shell runs a command of the user's own in a folder. An error says that it could not be run; nil: there is no shell.
	Shell func(ctx context.Context, workdir, command string) (output string, code int, err error)

	Editor editor.Options                              // its history, home, external editor; the rest is set here
	Drafts func(session string) (editor.Drafts, error) // nil: no draft outlives the program

	Custom []Custom // the user's own commands
}

// A Session is what is needed of a client.Session.
type Session interface {
	Next(context.Context) (client.Update, error)
	Prompt(...chat.Message) string
	Flush(context.Context) error
	Cancel(turnID string)
	Call(ctx context.Context, method string, result any, args ...any) error
	Decide(ctx context.Context, toolCallID string, d client.Decision) error
	Close()
}

// An Opened session, and what it said when it was set up.
type Opened struct {
	Session Session
	Client  string // our connection's id, by which others know us
	Name    string
	Workdir string
	Model   string
	Mode    string
	Sandbox string
	Created bool
	Custom  []Custom // commands of its folder, which the user trusts
	Notes   []string // for the user, such as what bounds the commands
}

// A document is what of the session's state document is shown.
type document struct {
	Title   string
	Workdir string
	Model   string
	Mode    string
	Sandbox string
	Status  string
	Queued  int
	Todo    []chat.Todo
	Usage   chat.Usage
	Context struct{ Tokens, Window int }
	Pending []headless.Approval
	Clients map[string]int

	Questions []headless.Questions // of the agent
	Children  []child              // sub-agents

	ParentSession string
}

// A child is a sub-agent, by its address.
type child struct {
	Session string
	Agent   string // what it is for
	Title   string
	Status  string
	Usage   chat.Usage
}

// decode reads a state document. Of one that cannot be read nothing is known.
func (d *document) decode(raw json.RawMessage) bool {
	var next document
	if json.Unmarshal(raw, &next) != nil {
		return false
	}
	*d = next
	return true
}
