package store

import (
	"time"

	"github.com/coder-agent/coder/agent/chat"
)

// A Session is the row of one session.
type Session struct {
	Name     string // as it was first spelled; of a child, its address
	Key      string // strings.ToLower(Name): names ignore case
	Workdir  string
	Model    string
	Mode     string
	Title    string
	Titled   bool // a client has set the title
	Status   string
	MaxSteps int
	MaxCost  float64 // of a turn, in US dollars; 0: no limit
	Usage    chat.Usage
	Messages int // how many messages it has, for lists
	Created  time.Time
	Updated  time.Time

	Project    string // JSON of what clients have said it works on; "" when nothing
	ForkedFrom string // the name of the session it is a fork of, or ""
	ForkedAt   string // the id of the last message it took over
	Provider   string // for which its open turn, the prompts that wait and its schedules were accepted; "": nobody said
	Route      string // the key by which providers know it; "" is its own

	DenyAfter *time.Duration // calls that have waited so long for a decision are denied; nil: they wait for ever
	Waiting   time.Time      // since when calls of the parked turn wait for a decision; zero: none does

	Agent string // of a child that a call has given a task: what it is for; else ""

	Pinned    bool  // never deleted to make room
	Bytes     int64 // of its messages; read only
	Schedules int   // how many it has; read only
}

// A System is a session's system prompt.
type System struct {
	Text    string
	Project string // the project context that it shows, as JSON
}

// A TurnStatus says how far a turn has come.
type TurnStatus string

// The statuses of a turn.
const (
	TurnQueued TurnStatus = "queued" // waits for the turns before it
	TurnOpen   TurnStatus = "open"   // runs, or ran when its host died
	TurnDone   TurnStatus = "done"
)

// A Turn is the row of one turn.
type Turn struct {
	ID           string // the request id
	Seq          int64  // order of arrival over all sessions; AddTurn assigns it
	Status       TurnStatus
	Continuation bool
	Client       string
	MessageIDs   []string
	Prompt       []chat.Message // what the client sent, kept while the turn is queued
	Tools        string         // likewise, the tools that the client runs, as JSON; "" leaves things as they are
	Reason       chat.FinishReason
	Error        string
	Finished     time.Time
}

// nanos is how a time is stored: Unix nanoseconds, 0 for the zero time.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
