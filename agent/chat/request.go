package chat

import "encoding/json"

// A Request is what a Model is asked: the whole of the session, which each request extends.
type Request struct {
	Model    string // the model id; "" lets the Model choose its default
	Session  string // stable name of the session
	Route    string // stable name that providers route by so that their cache is hit: of a fork its original's
	System   string
	Tools    []ToolSpec
	Messages []Message // must not be changed

	Blind    bool                          // the model takes no pictures, for certain: notes stand in their places
	Pictures func(Picture) ([]byte, error) `json:"-"` // returns the bytes of a tool's picture; nil: there are none
}

// A ToolSpec tells the model about one tool.
type ToolSpec struct {
	Name        string
	Description string
	Schema      json.RawMessage // JSON Schema of the arguments, an object, draft 7
}

// ModelInfo is what is known of a model.
type ModelInfo struct {
	Window  int  // tokens that it takes in all; 0 when nobody knows
	Missing bool // there is no such model, for certain
	Blind   bool // it takes no pictures, for certain
}
