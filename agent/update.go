package agent

import (
	"encoding/json"
	"time"

	"github.com/coder-agent/coder/agent/chat"
)

// A Turn names one turn of an agent.
type Turn struct {
	ID           string            `json:"id"` // the request id, or for a continuation one that the agent made
	Continuation bool              `json:"continuation,omitempty"`
	Client       string            `json:"client,omitempty"`     // the connection that asked for it, or decided
	MessageIDs   []string          `json:"messageIds,omitempty"` // the trailing run of user messages of the request; of a client's only
	Reason       chat.FinishReason `json:"reason,omitempty"`     // once it has finished
	Error        string            `json:"error,omitempty"`
	Hint         string            `json:"hint,omitempty"` // what the user can do about it; of a turn that stands still
}

// An Update is what a Subscription yields, in the order in which it happened. Each but Stalled was committed before.
type Update interface{ update() }

type (
	// TurnEvent is one event of a turn. N counts the turn's events from 0 without a gap.
	TurnEvent struct {
		Turn  Turn
		N     int
		Event chat.Event
		Body  []byte // chat.EncodeEvent(Event): made once, for the store and every subscriber; not to be changed

		// Messages is the whole transcript as it is after the event; set with chat.TurnFinished only.
		Messages []chat.Message
		Encoded  *Encoding // of Messages; set with them
	}
	// Queued says that a prompt is durable and its turn waits for the running one.
	Queued struct{ Turn Turn }
	// Prompted says that a client's prompt changed the transcript: Messages is all of it, with the prompts that
	// still wait at its end.
	Prompted struct {
		By       string // the connection
		Turn     Turn
		Messages []chat.Message
		Encoded  *Encoding // of Messages
	}
	// Edited says that a client changed user messages and asked for no turn. Messages is the whole transcript.
	Edited struct {
		By       string // the connection
		Messages []chat.Message
		Encoded  *Encoding // of Messages
	}
	// Dropped says that a queued turn was cancelled before it began.
	Dropped struct{ Turn Turn }
	// Stalled says that the turn stands still, with the reason: its end, or its beginning, could not be committed. It is
	// true now and is no fact of the session: the next host may find the turn open and go on with it.
	Stalled struct{ Turn Turn }
	// MessageUpdated says that a message changed outside a stream, by a decision or by a client's result.
	MessageUpdated struct {
		By      string // the connection; "" when none is known
		Message chat.Message
	}
	// StateChanged is the new state document. By is the connection that set it; "" is the agent.
	StateChanged struct {
		By    string
		State json.RawMessage
	}
	// Cleared says that the transcript was emptied.
	Cleared struct{ By string }
)

func (TurnEvent) update()      {}
func (Queued) update()         {}
func (Prompted) update()       {}
func (Edited) update()         {}
func (Dropped) update()        {}
func (Stalled) update()        {}
func (MessageUpdated) update() {}
func (StateChanged) update()   {}
func (Cleared) update()        {}

// A Snapshot is what a new subscriber must know before its first Update.
type Snapshot struct {
	State    json.RawMessage
	Messages []chat.Message // the transcript, the open turn's message as far as it is, then prompts that wait
	Updated  time.Time      // when the session was last written; zero: it is not on disk
	Turn     *Turn          // the open turn, if there is one
	Queue    []Turn         // turns that wait
	Failed   *Turn          // the last turn, if it ended in an error or stands still
	Stalled  bool           // Failed stands still: on disk it has no end yet
}
