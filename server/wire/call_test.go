package wire

import (
	"encoding/json"
	"testing"
)

// TestEverySuccessSaysWhetherItIsTheLast: the Agents SDK's client takes an answer without "done" for the last.
func TestEverySuccessSaysWhetherItIsTheLast(t *testing.T) {
	for want, f := range map[string]CallResult{
		`{"type":"rpc","id":"1","success":true,"result":5,"done":false}`: {ID: "1", Success: true, Result: json.RawMessage("5")},
		`{"type":"rpc","id":"1","success":true,"result":5,"done":true}`:  {ID: "1", Success: true, Result: json.RawMessage("5"), Done: true},
		`{"type":"rpc","id":"1","success":true,"done":true}`:             {ID: "1", Success: true, Done: true},
		`{"type":"rpc","id":"1","success":false,"error":"no"}`:           {ID: "1", Error: "no"},
	} {
		got, err := Encode(f)
		if err != nil || string(got) != want {
			t.Errorf("Encode(%+v) = %s, %v; want %s", f, got, err, want)
		}
	}
}
