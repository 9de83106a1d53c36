package agent

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/store"
)

// putTold notes that the model hears of the undos with what is being committed.
func (s *state) putTold(tx *store.Tx) error {
	if len(s.undone) == 0 {
		return nil
	}
	return tx.TellSnapshots(s.agent.key)
}

// tellUndone is the note to the model that the user has taken back what it has changed, or made it again, or false. The files
// then are not as it last saw them, and the edit guard wants them read again.
func (s *state) tellUndone(*chat.Transcript) (chat.Noted, bool) {
	if len(s.undone) == 0 {
		return chat.Noted{}, false
	}
	var lines []string
	type fact struct {
		Kind  string   `json:"kind"`
		Turn  string   `json:"turn"` // the id of its answer
		Files []string `json:"files"`
	}
	var facts []fact
	for _, row := range s.undone {
		deed := "taken back what you changed"
		if row.Kind == store.KindRedo {
			deed = "restored what you changed and they had taken back"
		}
		title, err := json.Marshal(row.Title)
		if err != nil {
			title = []byte(`""`)
		}
		lines = append(lines, fmt.Sprintf("The user has %s for the prompt that begins %s. These files are now as they were then: %s.", deed, title, listed(row.Named)))
		facts = append(facts, fact{row.Kind, row.Message, row.Named})
	}
	value, err := json.Marshal(facts)
	if err != nil {
		panic(fmt.Sprintf("agent: the undos: %v", err)) // strings
	}
	return chat.Noted{
		ID: newID("note"), Kind: chat.UndoneNote, Value: value,
		Text: "(A note by coder, not by the user.) " + strings.Join(lines, "\n") + "\nRead what you need of them again before you go on, and do not make the same change again unless you are asked to.",
	}, true
}
