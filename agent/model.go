package agent

import (
	"context"
	"iter"

	"github.com/coder-agent/coder/agent/chat"
)

// A Model answers requests. Stream yields, for one response: Retrying any number of times before the first output,
// then TextDelta and ReasoningDelta (without IDs), ToolInputStarted and ToolInputDelta, and when the response is
// complete each of its calls as ToolCalled or ToolInputFailed, and last Answered. The error, if any, is the last
// element: no Answered comes with it. An error whose chain has Retryable() true says that the same request may succeed
// when it is sent again; one with Spent() chat.Usage says what the failed response cost. Call ids are not those of any call in req.Messages, and each is used once.
type Model interface {
	Stream(ctx context.Context, req chat.Request) iter.Seq2[chat.Event, error]
}
