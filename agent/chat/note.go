package chat

import "encoding/json"

// Note is a word of the host to the model, such as that the project context has changed. It stands in the assistant's
// message, where no client can lose or change it, and is sent behind the prompt that it came with. In the JSON it is a
// data part named "coder-note".
type Note struct {
	ID    string
	Kind  string          // what it is about
	Text  string          // what the model reads
	Value json.RawMessage // the fact as JSON
}

// The kinds of notes about snapshots of the folder.
const (
	SnapshotNote = "snapshot" // a turn's changes can be taken back in part only, or not at all
	UndoneNote   = "undone"   // the user has taken changes back, or made them again
)

type noteJSON struct {
	ID   string   `json:"id"`
	Data noteData `json:"data"`
}

type noteData struct {
	Kind  string          `json:"kind"`
	Text  string          `json:"text"`
	Value json.RawMessage `json:"value,omitempty"`
}

func (n Note) json() noteJSON { return noteJSON{n.ID, noteData{n.Kind, n.Text, n.Value}} }

// MarshalJSON gives the data part's chunk without its type, which EncodeEvent adds.
func (n Noted) MarshalJSON() ([]byte, error) { return marshal(Note(n).json()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (n *Noted) UnmarshalJSON(data []byte) error {
	var in noteJSON
	err := json.Unmarshal(data, &in)
	*n = Noted{ID: in.ID, Kind: in.Data.Kind, Text: in.Data.Text, Value: in.Data.Value}
	return err
}
