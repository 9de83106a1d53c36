package wire

import (
	"encoding/json"

	"github.com/coder-agent/coder/agent/chat"
)

// Frames of both directions.
type (
	// State is the whole state document: from the server what it is, from a client what it wants it to be.
	State struct {
		State json.RawMessage `json:"state"`
	}
	// ChatMessages is a transcript. From the server it is authoritative; from a client it is a proposal of which only
	// user messages are taken, new or edited, and none while a turn is under way.
	ChatMessages struct {
		Messages []chat.Message `json:"messages"`
		Connect  bool           `json:"connect,omitempty"` // sent on connect: unsent messages of the client stay
		Client   string         `json:"client,omitempty"`  // from the server: as in ChatResponse
	}
	// ChatClear empties the transcript, or says that it was emptied.
	ChatClear struct {
		Client string `json:"client,omitempty"` // from the server: the connection that did it
	}
)

// Frames from the client.
type (
	// Call calls an RPC method.
	Call struct {
		ID     string            `json:"id"`
		Method string            `json:"method"`
		Args   []json.RawMessage `json:"args"`
	}
	// ChatRequest asks for a turn. On the wire all but ID is a JSON text inside init.body.
	ChatRequest struct {
		ID string

		// Messages is the client's whole transcript. Decode reads of messages that are not the user's only ID and
		// Role: nothing else of them is ever believed.
		Messages    []chat.Message
		Trigger     Trigger
		ClientTools json.RawMessage // tools that run at the client; nil when it has none
	}
	// ChatCancel stops the turn of the request, whoever asked for it.
	ChatCancel struct {
		ID string `json:"id"`
	}
	// ResumeRequest asks whether anything is running. The answer (Resuming, Pending or ResumeNone) carries ProbeID.
	ResumeRequest struct {
		ProbeID string `json:"probeId,omitempty"`
	}
	// ResumeAck answers an offer (Resuming): send the turn from its beginning.
	ResumeAck struct {
		ID string `json:"id"`
	}
	// Approve answers a tool call that waits for approval.
	Approve struct {
		ToolCallID   string `json:"toolCallId"`
		Approved     bool   `json:"approved"`
		AutoContinue bool   `json:"autoContinue,omitempty"`
		Reason       string `json:"reason,omitempty"` // ours: with a denial, the user's words for the model
	}
	// ToolResult is the result of a tool that ran at the client.
	ToolResult struct {
		ToolCallID   string          `json:"toolCallId"`
		ToolName     string          `json:"toolName"`
		Output       json.RawMessage `json:"output,omitempty"`
		State        chat.ToolState  `json:"state,omitempty"`
		ErrorText    string          `json:"errorText,omitempty"`
		AutoContinue bool            `json:"autoContinue,omitempty"`
		ClientTools  json.RawMessage `json:"clientTools,omitempty"`
	}
)

// A Trigger says why a client asks for a turn.
type Trigger string

// The triggers of the AI SDK.
const (
	Submit     Trigger = "submit-message"
	Regenerate Trigger = "regenerate-message"
)

// Frames from the server.
type (
	// Identity names the agent. It is the first frame after the offers. StateFollows promises that the next frame is
	// State: a client waits for it.
	Identity struct {
		Name         string `json:"name"`
		Agent        string `json:"agent"`
		StateFollows bool   `json:"stateFollows,omitempty"`
	}
	// StateError refuses a client's State.
	StateError struct {
		Error string `json:"error"`
	}
	// MCPServers lists the agent's MCP servers and what they offer.
	MCPServers struct {
		MCP MCP `json:"mcp"`
	}
	// CallResult answers a Call. A success that is not Done is a piece of the answer of a method that streams: more
	// follows. Done is absent from a failure.
	CallResult struct {
		ID      string          `json:"id"`
		Success bool            `json:"success"`
		Result  json.RawMessage `json:"result,omitempty"`
		Done    bool            `json:"done"`
		Error   string          `json:"error,omitempty"`
	}
	// ChatResponse is a piece of a turn: a chunk (Body is its JSON, Seq is set), an error (Body is its text), the end of
	// a replay, or the end of the turn (Done).
	ChatResponse struct {
		ID             string   `json:"id"`
		Body           string   `json:"body"`
		Done           bool     `json:"done"`
		Seq            *int     `json:"seq,omitempty"` // of a chunk: its index among the turn's chunks
		Error          bool     `json:"error,omitempty"`
		Continuation   bool     `json:"continuation,omitempty"`
		Replay         bool     `json:"replay,omitempty"`
		ReplayComplete bool     `json:"replayComplete,omitempty"`
		MessageIDs     []string `json:"messageIds,omitempty"` // the trailing run of user messages of the request
		Outcome        Outcome  `json:"outcome,omitempty"`
		Hint           string   `json:"hint,omitempty"` // ours: the last line of an error's Body, what the user can do

		// Unstreamed says, with Done, that the turn ended behind an offer that was not answered: its chunks did not go out,
		// and an ack still brings them. The field is ours.
		Unstreamed bool `json:"unstreamed,omitempty"`

		// Client is the connection (its _pk) that asked for the turn, or whose answer goes on with it. The field is ours:
		// clients of the Agents SDK ignore it.
		Client string `json:"client,omitempty"`
	}
	// MessageUpdated is a message that changed outside a stream.
	MessageUpdated struct {
		Message chat.Message `json:"message"`
		Client  string       `json:"client,omitempty"` // the connection that decided, or answered for its tool
	}
	// Resuming offers the turn ID. The client gets no chunk of any turn until its ResumeAck.
	Resuming struct {
		ID      string `json:"id"`
		ProbeID string `json:"probeId,omitempty"`
	}
	// Pending says that the turn ID is accepted but does not stream yet; Resuming or ResumeNone follows.
	Pending struct {
		ID      string `json:"id,omitempty"`
		ProbeID string `json:"probeId,omitempty"`
	}
	// ResumeNone says that there is nothing to resume.
	ResumeNone struct {
		Reason  string `json:"reason,omitempty"`
		ProbeID string `json:"probeId,omitempty"`
	}
	// CoderEvent is an event of a turn that is no chunk of the AI SDK. It is a frame of ours: other clients ignore it.
	CoderEvent struct {
		ID           string          `json:"id"`    // the turn
		Event        json.RawMessage `json:"event"` // as chat.EncodeEvent writes it
		N            int             `json:"n"`     // index among all events of the turn, chunks too
		Replay       bool            `json:"replay,omitempty"`
		Continuation bool            `json:"continuation,omitempty"`
		Client       string          `json:"client,omitempty"` // the connection that asked for the turn
	}
)

// ResumeIdle is the reason of a ResumeNone when nothing runs, waits or is to be replayed.
const ResumeIdle = "idle"

// MCP is what the agent's MCP servers offer. The items keep their JSON; each tool, prompt and resource has a serverId.
type MCP struct {
	Servers   map[string]MCPServer `json:"servers"`
	Tools     []json.RawMessage    `json:"tools"`
	Prompts   []json.RawMessage    `json:"prompts"`
	Resources []json.RawMessage    `json:"resources"`
}

// An MCPServer is one MCP server. Absent values are null, as clients expect.
type MCPServer struct {
	Name         string          `json:"name"`
	ServerURL    string          `json:"server_url"`
	AuthURL      *string         `json:"auth_url"`
	State        string          `json:"state"` // authenticating, connecting, connected, discovering, ready, failed
	Error        *string         `json:"error"`
	Instructions *string         `json:"instructions"`
	Capabilities json.RawMessage `json:"capabilities"`
}

// MarshalJSON writes empty lists where there is nothing: clients iterate over them.
func (m MCP) MarshalJSON() ([]byte, error) {
	type plain MCP
	p := plain(m)
	if p.Servers == nil {
		p.Servers = map[string]MCPServer{}
	}
	for _, list := range []*[]json.RawMessage{&p.Tools, &p.Prompts, &p.Resources} {
		if *list == nil {
			*list = []json.RawMessage{}
		}
	}
	return marshal(p)
}

// MarshalJSON writes "done" with every success: a client takes one without it for the last.
func (r CallResult) MarshalJSON() ([]byte, error) {
	if !r.Success {
		return marshal(struct {
			ID      string `json:"id"`
			Success bool   `json:"success"`
			Error   string `json:"error,omitempty"`
		}{r.ID, false, r.Error})
	}
	type plain CallResult
	return marshal(plain(r))
}

// MarshalJSON writes an empty transcript as an empty list.
func (m ChatMessages) MarshalJSON() ([]byte, error) {
	type plain ChatMessages
	p := plain(m)
	if p.Messages == nil {
		p.Messages = []chat.Message{}
	}
	return marshal(p)
}

// An Outcome says how a turn ended. Absent means completed, or error when an error frame came before.
type Outcome string

// The outcomes of the protocol.
const (
	Completed Outcome = "completed"
	Aborted   Outcome = "aborted"
	Failed    Outcome = "error"
	Skipped   Outcome = "skipped"
)

func (State) frameType() string          { return "cf_agent_state" }
func (ChatMessages) frameType() string   { return "cf_agent_chat_messages" }
func (ChatClear) frameType() string      { return "cf_agent_chat_clear" }
func (Call) frameType() string           { return "rpc" }
func (ChatRequest) frameType() string    { return "cf_agent_use_chat_request" }
func (ChatCancel) frameType() string     { return "cf_agent_chat_request_cancel" }
func (ResumeRequest) frameType() string  { return "cf_agent_stream_resume_request" }
func (ResumeAck) frameType() string      { return "cf_agent_stream_resume_ack" }
func (Approve) frameType() string        { return "cf_agent_tool_approval" }
func (ToolResult) frameType() string     { return "cf_agent_tool_result" }
func (Identity) frameType() string       { return "cf_agent_identity" }
func (StateError) frameType() string     { return "cf_agent_state_error" }
func (MCPServers) frameType() string     { return "cf_agent_mcp_servers" }
func (CallResult) frameType() string     { return "rpc" }
func (ChatResponse) frameType() string   { return responseType }
func (MessageUpdated) frameType() string { return "cf_agent_message_updated" }
func (Resuming) frameType() string       { return "cf_agent_stream_resuming" }
func (Pending) frameType() string        { return "cf_agent_stream_pending" }
func (ResumeNone) frameType() string     { return "cf_agent_stream_resume_none" }
func (CoderEvent) frameType() string     { return coderEventType }

const (
	responseType   = "cf_agent_use_chat_response"
	coderEventType = "coder_event"
)
