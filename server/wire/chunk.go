package wire

import (
	"strconv"

	"github.com/coder-agent/coder/agent/chat"
)

// A Chunk is a ChatResponse that carries one chunk, in the form that a server has it in: the event is encoded already.
type Chunk struct {
	ID           string // the turn
	Body         []byte // as chat.EncodeEvent or FinishChunk writes it
	Seq          int
	Client       string // the connection that asked for the turn; "" for a turn of the agent's own
	Replay       bool
	Continuation bool
}

// AppendChunk appends the frame to dst. It is the path of every delta: no reflection, and no allocation when dst has
// room.
func AppendChunk(dst []byte, c Chunk) []byte {
	dst = append(dst, `{"type":"`+responseType+`","id":`...)
	dst = appendString(dst, c.ID)
	dst = append(dst, `,"body":`...)
	dst = appendString(dst, c.Body)
	dst = append(dst, `,"done":false,"seq":`...)
	dst = strconv.AppendInt(dst, int64(c.Seq), 10)
	dst = appendClient(dst, c.Client)
	return appendFlags(dst, c.Replay, c.Continuation)
}

// AppendCoderEvent appends the frame to dst; Event must be compact JSON.
func AppendCoderEvent(dst []byte, e CoderEvent) []byte {
	dst = append(dst, `{"type":"`+coderEventType+`","id":`...)
	dst = appendString(dst, e.ID)
	dst = append(dst, `,"event":`...)
	dst = append(dst, e.Event...)
	dst = append(dst, `,"n":`...)
	dst = strconv.AppendInt(dst, int64(e.N), 10)
	dst = appendClient(dst, e.Client)
	return appendFlags(dst, e.Replay, e.Continuation)
}

func appendClient(dst []byte, client string) []byte {
	if client == "" {
		return dst
	}
	dst = append(dst, `,"client":`...)
	return appendString(dst, client)
}

func appendFlags(dst []byte, replay, continuation bool) []byte {
	if replay {
		dst = append(dst, `,"replay":true`...)
	}
	if continuation {
		dst = append(dst, `,"continuation":true`...)
	}
	return append(dst, '}')
}

const hex = "0123456789abcdef"

// appendString appends s as a JSON string. Bytes from 0x80 on are copied: s must be UTF-8.
func appendString[S string | []byte](dst []byte, s S) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

// finishReasons is what the AI SDK calls our reasons. A cancelled or failed turn has no finish chunk.
var finishReasons = map[chat.FinishReason]string{
	chat.FinishStop:      "stop",
	chat.FinishApproval:  "tool-calls",
	chat.FinishClient:    "tool-calls",
	chat.FinishQuestion:  "tool-calls",
	chat.FinishStepLimit: "tool-calls",
	chat.FinishLength:    "length",
	chat.FinishFiltered:  "content-filter",
	chat.FinishBudget:    "other",
	chat.FinishLoop:      "other",
	chat.FinishDenied:    "other",
}

// FinishChunk returns the chunk that ends the stream of a turn, or nil when it ends without one. It is no chat.Event:
// the event it stands for is chat.TurnFinished, which goes out whole in a CoderEvent.
func FinishChunk(r chat.FinishReason) []byte {
	reason, ok := finishReasons[r]
	if !ok {
		return nil
	}
	return []byte(`{"type":"finish","messageMetadata":{"finishReason":"` + reason + `"}}`)
}

// OutcomeOf returns the outcome in the last frame of a turn; "" stands for completed.
func OutcomeOf(r chat.FinishReason) Outcome {
	switch r {
	case chat.FinishCancelled:
		return Aborted
	case chat.FinishError:
		return Failed
	}
	return ""
}

// Event returns the event that the frame's chunk is. It is a *chat.UnknownEventError for a chunk that is none of our
// events, such as "finish".
func (r ChatResponse) Event() (chat.Event, error) {
	if e, ok := scanDelta(r.Body); ok {
		return e, nil
	}
	return chat.DecodeEvent([]byte(r.Body))
}
