package tools

import (
	"encoding/json"
	"testing"

	"github.com/coder-agent/coder/agent"
)

// TestTasksThatChangeThingsRunAlone: two at once would work on the same files. What an earlier sub-agent is, its name does not
// tell.
func TestTasksThatChangeThingsRunAlone(t *testing.T) {
	for _, tt := range []struct {
		input   string
		summary string
		alone   bool
	}{
		{`{"prompt":"find  it"}`, "explore: find it", false},
		{`{"task":"find it","agent":"Explore "}`, "explore: find it", false},
		{`{"prompt":"do it","agent":"general","background":true}`, "general in the background: do it", true},
		{`{"prompt":"go on","name":"1"}`, "1: go on", true},
		{`{"name":"1"}`, "1", true},
	} {
		got, err := Task().Action(json.RawMessage(tt.input))
		if want := (agent.Action{Summary: tt.summary, Alone: tt.alone}); err != nil || got.Summary != want.Summary || got.Alone != want.Alone {
			t.Errorf("Action(%s) = %+v, %v; want %+v", tt.input, got, err, want)
		}
	}
}
