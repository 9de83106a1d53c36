package agent

import (
	"io"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/secret"
)

// redacted returns the events without the secret values that the host knows. It stands before every commit of what
// tools, clients' tools and providers say, so that such a value is neither on disk nor with a client nor with the model.
// What people and the model say stays as it is: the model knows a value only if somebody has told it.
func (h *Host) redacted(events []chat.Event) []chat.Event {
	secrets := h.opts.Secrets
	if secrets == nil {
		return events
	}
	out := make([]chat.Event, len(events))
	for i, e := range events {
		switch e := e.(type) {
		case chat.ToolFinished:
			e.Output.Text, e.Output.Details = secrets.Redact(e.Output.Text), secrets.JSON(e.Output.Details)
			out[i] = e
		case chat.ToolProgress:
			e.Output.Text = secrets.Redact(e.Output.Text)
			out[i] = e
		case chat.ToolFailed:
			e.ErrorText = secrets.Redact(e.ErrorText)
			out[i] = e
		case chat.ClientAnswered:
			e.ErrorText, e.Output = secrets.Redact(e.ErrorText), secrets.JSON(e.Output)
			out[i] = e
		case chat.Interrupted:
			e.Reason = secrets.Redact(e.Reason)
			out[i] = e
		case chat.Retrying:
			e.Reason = secrets.Redact(e.Reason)
			out[i] = e
		case chat.Compacted:
			e.Error = secrets.Redact(e.Error)
			out[i] = e
		case chat.TurnFinished:
			e.Error, e.Hint = secrets.Redact(e.Error), secrets.Redact(e.Hint)
			out[i] = e
		default:
			out[i] = e
		}
	}
	return out
}

// Redact takes the secret values that the host knows out of a text, such as that of an error for a client.
func (h *Host) Redact(text string) string { return h.opts.Secrets.Redact(text) }

// Redacting returns a writer in front of to that lets no secret value pass which the host knows. Flush it at the end.
func (a *CoderAgent) Redacting(to io.Writer) *secret.Writer { return a.host.opts.Secrets.Writer(to) }
