package chat

import "slices"

// Todo returns the todo list: what the last call that changed it has left. It is durable as the transcript is, and goes
// with the messages that hold it.
func (t *Transcript) Todo() []Todo {
	for _, m := range slices.Backward(t.Snapshot()) {
		for _, p := range slices.Backward(m.Parts) {
			if c, ok := p.(ToolCall); ok && m.Role == Assistant && c.Output != nil && c.Output.Todo != nil {
				return c.Output.Todo
			}
		}
	}
	return nil
}
