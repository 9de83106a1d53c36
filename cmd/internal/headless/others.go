package headless

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/server/client"
)

// prompts shows what others have said: prompts of the transcript that are new. One that comes while a turn runs waits.
func (a *attachment) prompts(u client.Messages) error {
	if !a.shown {
		return nil // it is in the transcript that comes
	}
	for _, m := range u.Messages {
		if m.Role != chat.User || a.known[m.ID] {
			continue
		}
		a.known[m.ID] = true
		waits := a.turn != nil
		if waits {
			a.waiting++
		} else {
			a.fresh = true
		}
		if err := a.say(prompt{Client: u.Client, Waits: waits, Text: m.Text()}, m); err != nil {
			return err
		}
	}
	return nil
}

// A prompt of somebody else. Its JSON is a line of --output jsonl.
type prompt struct {
	Client string `json:"client"`
	Waits  bool   `json:"waits"` // for its turn
	Text   string `json:"text"`
}

func (a *attachment) say(p prompt, m chat.Message) error {
	if a.options.Format == JSONL {
		f := newFollower(a.session, Result{Session: a.result.Session}, a.options.Options)
		if err := f.line("coder-prompted", p); err != nil {
			return err
		}
	}
	name, waits := Who(p.Client), ""
	if Planned(m) {
		name = "a schedule"
	}
	if p.Waits {
		waits = " (it waits for its turn)"
	}
	show := a.progress()
	show.note("%s prompts%s:", name, waits)
	for _, l := range excerpt(p.Text, resultLines, "") {
		show.note("  %s", l)
	}
	return nil
}

// Planned reports whether nobody typed the prompt: a schedule has come due.
func Planned(m chat.Message) bool {
	var metadata struct{ Schedule json.RawMessage }
	return json.Unmarshal(m.Metadata, &metadata) == nil && metadata.Schedule != nil
}

// commands are the kinds of clients of ours. The id of a connection begins with its kind.
var commands = []string{"run", "approve", "deny", "answer", "schedule", "attach", "chat"}

// Who names the client of a connection for people.
func Who(id string) string {
	kind, _, ours := strings.Cut(id, "-")
	switch {
	case id == "":
		return "the agent itself"
	case ours && slices.Contains(commands, kind):
		return "coder " + kind
	}
	return fmt.Sprintf("another client, %s", plain.Line(id, 40))
}
