package agent

import (
	"context"
	"iter"
	"strings"
	"time"

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

// modelWait bounds the look into the list of models before a model is chosen: what follows on the connection waits for it.
const modelWait = 3 * time.Second

// setModel chooses the model of the next requests. One is refused only when it is certain that it does not exist: a server
// may take more than it lists, and the list may not be there.
func (a *CoderAgent) setModel(ctx context.Context, id string) error {
	id = strings.TrimSpace(id)
	if id == "" || len(id) > maxModelID || strings.ContainsFunc(id, hidden) {
		return refusal("a model id is one line of 1 to 200 bytes")
	}
	if catalog, ok := a.host.opts.Model.(Catalog); ok {
		ask, cancel := context.WithTimeout(ctx, modelWait)
		info, err := catalog.Describe(ask, id)
		cancel()
		if err == nil && info.Missing {
			return refusal("the provider has no model " + id)
		}
	}
	return a.do(ctx, func(s *state) error {
		row := s.session
		row.Model = id
		return s.settleRow(ctx, row, nil)
	})
}

const maxModelID = 200
