package client

import (
	"encoding/json"
	"time"

	"github.com/coder-agent/coder/agent/chat"
)

// An Update is what a Session tells, in the order in which the agent told it.
type Update interface{ update() }

type (
	// Event is one event of a turn. Each comes once, also when the connection broke meanwhile.
	Event struct {
		Turn         string
		Continuation bool
		Event        chat.Event
		Body         []byte // as chat.EncodeEvent writes it
		Client       string // whose prompt, decision or result the turn comes of; "" when it is the agent's own
	}
	// TurnEnded comes after the last event of a turn. Error is the text of a failed turn, Hint what the user can do about
	// it, if the host said so outside of an event: the prompt was refused, or the turn stands still. Lost says that the turn ended
	// out of this client's sight and that its last events do not come: the transcript has what came of it.
	TurnEnded struct {
		Turn      string
		Cancelled bool
		Error     string
		Hint      string
		Lost      bool
	}
	// Messages is the whole transcript.
	Messages struct {
		Messages []chat.Message
		Client   string // as in Event
	}
	// MessageUpdated is a message that changed outside a turn, by a decision or a client's result.
	MessageUpdated struct {
		Message chat.Message
		Client  string // who gave it
	}
	// Cleared says that somebody emptied the transcript.
	Cleared struct{ Client string }
	// State is the agent's state document.
	State struct{ State json.RawMessage }
	// Connected says that there is a connection again.
	Connected struct{}
	// Disconnected says that the connection broke and that a new one is tried after Wait.
	Disconnected struct {
		Err  error
		Wait time.Duration
	}
)

func (Event) update()          {}
func (TurnEnded) update()      {}
func (Messages) update()       {}
func (MessageUpdated) update() {}
func (Cleared) update()        {}
func (State) update()          {}
func (Connected) update()      {}
func (Disconnected) update()   {}
