package agent

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
)

// A Document is the state that every client sees; docs/rpc.md describes it. Clients may set the title.
type Document struct {
	Title    string          `json:"title"`
	Workdir  string          `json:"workdir"`
	Model    string          `json:"model"`
	Mode     permission.Mode `json:"mode"`
	Sandbox  string          `json:"sandbox"` // what bounds the commands, or "none"
	Status   Status          `json:"status"`
	Queued   int             `json:"queued"`             // prompts that wait
	Provider string          `json:"provider,omitempty"` // when interrupted: whose host goes on with it
	Project  Project         `json:"project"`
	Trust    FolderTrust     `json:"trust"`
	Todo     []chat.Todo     `json:"todo"`
	Usage    chat.Usage      `json:"usage"`   // of the whole session
	Context  ContextUse      `json:"context"` // of the model's window
	OnAsk    string          `json:"onAsk"`   // what becomes of calls that nobody decides on
	Pending  []Pending       `json:"pending"` // calls that wait for a decision
	Clients  map[string]int  `json:"clients"` // connections by kind

	Below    chat.Usage `json:"below,omitzero"`     // usage of the sessions below this one
	Children []Child    `json:"children,omitempty"` // the sessions below this one

	ClientCalls []ClientCall `json:"clientCalls"` // calls that wait for their results from a client
	Questions   []Questions  `json:"questions"`   // calls that wait for the user's answers

	ParentSession string `json:"parentSession,omitempty"` // of a fork
	ForkedAt      string `json:"forkedAt,omitempty"`      // the last message that the fork took over
}

// ContextUse is how full the model's window is, in tokens.
type ContextUse struct {
	Tokens int `json:"tokens"`           // of the last request and its answer
	Window int `json:"window,omitempty"` // what the model takes; absent when nobody knows
}

// ClientCall is a call of a client's tool that waits for its result.
type ClientCall struct {
	ToolCallID string          `json:"toolCallId"`
	ToolName   string          `json:"toolName"`
	Input      json.RawMessage `json:"input,omitempty"` // left out when it is large: the call's part has it
}

// Pending is a tool call that waits for a decision. The id of one of a session below begins with the way there, such as
// sub/task/1/call_1: so it is told from others, and decided on from here.
type Pending struct {
	ToolCallID string          `json:"toolCallId"`
	ToolName   string          `json:"toolName"`
	Input      json.RawMessage `json:"input,omitempty"` // left out of the state document when it is large
	Summary    string          `json:"summary"`
	Reason     string          `json:"reason"`            // why it asks
	Session    string          `json:"session,omitempty"` // of a call of a session below: its address
	chat.Question
	DenyAt time.Time `json:"denyAt,omitzero"` // when it is denied unless somebody decides
}

// usage is what the session has cost so far, the running turn included.
func (s *state) usage() chat.Usage {
	if s.turn != nil || s.stalled != nil {
		return s.session.Usage.Add(s.script.TurnUsage())
	}
	return s.session.Usage
}

func (s *state) document() []byte {
	usage, status := s.usage(), Status(s.session.Status)
	provider := ""
	switch {
	case s.stalled != nil:
		status = Idle
	case s.interrupted():
		status, provider = Interrupted, s.session.Provider
	}
	data, err := json.Marshal(Document{
		Title: s.session.Title, Workdir: s.session.Workdir, Model: s.session.Model,
		Mode: s.mode(), Sandbox: s.agent.host.opts.Sandbox, Status: status,
		Queued: len(s.queue), Provider: provider, Project: s.project(), Trust: s.trust(), Todo: append([]chat.Todo{}, s.todo...), Usage: usage,
		Context: ContextUse{Tokens: s.context, Window: s.window}, OnAsk: FormatOnAsk(s.session.DenyAfter), Pending: small(s.pending()), Clients: s.clients(), ClientCalls: s.clientCalls(), Questions: s.questions(),
		Below: s.usageBelow(), Children: s.children,
		ParentSession: s.session.ForkedFrom, ForkedAt: s.session.ForkedAt,
	})
	if err != nil {
		panic(fmt.Sprintf("agent: the state document: %v", err)) // its inputs were valid JSON when they came in
	}
	return data
}

// pending lists what waits, as it was asked for.
func (s *state) pending() []Pending {
	list := []Pending{}
	for _, c := range s.script.Waiting() {
		asked := s.question(c.ID)
		list = append(list, Pending{
			ToolCallID: c.ID, ToolName: c.Name, Input: c.Input, Summary: asked.Summary, Reason: asked.Reason,
			Question: asked.Question, DenyAt: s.denyAt(),
		})
	}
	return append(list, s.pendingBelow()...)
}

// maxInput bounds the arguments of one call in the state document, in bytes: approvals gives them whole.
const maxInput = 4 << 10

func (s *state) clientCalls() []ClientCall {
	list := []ClientCall{}
	m, _ := s.script.Last()
	for _, c := range s.script.Delegated() {
		if m.Asks(c.ID) {
			continue
		}
		call := ClientCall{ToolCallID: c.ID, ToolName: c.Name, Input: c.Input}
		if len(call.Input) > maxInput {
			call.Input = nil
		}
		list = append(list, call)
	}
	return list
}

// small leaves out what would make the state document large.
func small(list []Pending) []Pending {
	for i := range list {
		if len(list[i].Input) > maxInput {
			list[i].Input = nil
		}
		if len(list[i].Text) > maxInput {
			list[i].Text = ""
		}
	}
	return list
}

// refresh publishes the state document to those who know another. by is the connection that changed it, or "".
func (s *state) refresh(by string) {
	doc := s.docs.add(s.document())
	for sub := range s.subs {
		if slices.Equal(sub.doc, doc) {
			continue
		}
		sub.doc = doc
		if !sub.push(StateChanged{By: by, State: doc}) {
			s.unsubscribe(sub)
		}
	}
}

// soon is how long a change of who is connected waits for others: sixty pages that come back at once are one frame each,
// not sixty.
const soon = 200 * time.Millisecond

func (s *state) refreshSoon() { s.soon.Reset(soon) }

// documents are the state documents of late, the last one at the end. A client sends back a whole one with its changes,
// and the agent may have changed others of its keys meanwhile.
type documents [][]byte

const maxDocuments = 8

// add returns the document, or the last one if they are the same.
func (d *documents) add(doc []byte) []byte {
	if n := len(*d); n > 0 && slices.Equal((*d)[n-1], doc) {
		return (*d)[n-1]
	}
	*d = append(*d, doc)
	if n := len(*d); n > maxDocuments {
		*d = slices.Delete(*d, 0, n-maxDocuments)
	}
	return doc
}

// had reports whether one of the documents had the value under the key.
func (d documents) had(key string, value json.RawMessage) bool {
	for _, doc := range slices.Backward(d) {
		var have map[string]json.RawMessage
		if json.Unmarshal(doc, &have) == nil && equalJSON(value, have[key]) {
			return true
		}
	}
	return false
}
