package chat

import (
	"encoding/json"
	"reflect"
	"testing"
)

// TestEveryChunkOfTheAISDKFolds plays the chunks of two recorded turns of the Agents SDK, with the parts they left there.
func TestEveryChunkOfTheAISDKFolds(t *testing.T) {
	for _, tt := range []struct {
		name   string
		chunks []string
		want   string
	}{
		{"data and metadata", []string{
			`{"type":"start","messageId":"m1","messageMetadata":{"a":1}}`,
			`{"type":"data-progress","id":"p1","data":{"pct":10}}`,
			`{"type":"data-progress","id":"p1","data":{"pct":90}}`,
			`{"type":"data-note","data":{"t":"transient"},"transient":true}`,
			`{"type":"text-start","id":"x"}`, `{"type":"text-delta","id":"x","delta":"data!"}`, `{"type":"text-end","id":"x"}`,
			`{"type":"message-metadata","messageMetadata":{"b":2}}`,
			`{"type":"message-metadata","messageMetadata":{"c":3}}`,
		}, `{"id":"m1","role":"assistant","parts":[{"type":"data-progress","id":"p1","data":{"pct":90}},{"type":"text","text":"data!","state":"done"}],"metadata":{"a":1,"b":2,"c":3}}`},
		{"sources and files", []string{
			`{"type":"start","messageId":"m1"}`, `{"type":"start-step"}`,
			`{"type":"source-url","sourceId":"s1","url":"https://example.com/","title":"Example"}`,
			`{"type":"source-document","sourceId":"s2","mediaType":"application/pdf","title":"Paper","filename":"p.pdf"}`,
			`{"type":"file","mediaType":"text/plain","url":"data:text/plain;base64,aGVsbG8="}`,
			`{"type":"text-start","id":"t1"}`, `{"type":"text-delta","id":"t1","delta":"sourced"}`, `{"type":"text-end","id":"t1"}`,
		}, `{"id":"m1","role":"assistant","parts":[{"type":"step-start"},{"type":"source-url","sourceId":"s1","url":"https://example.com/","title":"Example"},` +
			`{"type":"source-document","sourceId":"s2","mediaType":"application/pdf","title":"Paper","filename":"p.pdf"},` +
			`{"type":"file","mediaType":"text/plain","url":"data:text/plain;base64,aGVsbG8="},{"type":"text","text":"sourced","state":"done"}]}`},
		{"output so far", []string{
			`{"type":"start","messageId":"m1"}`, `{"type":"start-step"}`,
			`{"type":"tool-input-available","toolCallId":"c1","toolName":"bash","input":{}}`,
			`{"type":"tool-output-available","toolCallId":"c1","output":{"text":"one"},"preliminary":true}`,
			`{"type":"tool-output-available","toolCallId":"c1","output":{"text":"one two"},"preliminary":true}`,
		}, `{"id":"m1","role":"assistant","parts":[{"type":"step-start"},{"type":"tool-bash","toolCallId":"c1","toolName":"bash","state":"output-available","input":{},"output":{"text":"one two"},"preliminary":true}]}`},
	} {
		script := NewTranscript(nil)
		for _, chunk := range tt.chunks {
			e, err := DecodeEvent([]byte(chunk))
			if err != nil {
				t.Fatalf("%s: %s: %v", tt.name, chunk, err)
			}
			if back, err := EncodeEvent(e); err != nil || string(back) != chunk {
				t.Errorf("%s: %s is encoded as %s, %v", tt.name, chunk, back, err)
			}
			if !IsChunk(e) {
				t.Errorf("%s: %s is no chunk", tt.name, chunk)
			}
			script.Apply(e)
		}
		m, _ := script.Last()
		got, err := m.MarshalJSON()
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: the message is\n%s, %v, want\n%s", tt.name, got, err, tt.want)
		}
		var back Message
		if err := json.Unmarshal(got, &back); err != nil {
			t.Fatal(err)
		}
		again, err := back.MarshalJSON()
		if err != nil || string(again) != tt.want {
			t.Errorf("%s: after reading the message is %s, %v", tt.name, again, err)
		}
	}
}

// TestOutputSoFarIsNoResult: a running call is still owed, and its result takes the place of what it has put out.
func TestOutputSoFarIsNoResult(t *testing.T) {
	call := ToolCalled{ToolCallID: "c1", ToolName: "bash", Input: []byte(`{}`)}
	script := NewTranscript(nil)
	for _, e := range []Event{TurnStarted{MessageID: "m1"}, StepStarted{}, call, Answered{}, ToolStarted{ToolCallID: "c1"}, ToolProgress{"c1", Output{Text: "one"}}} {
		script.Apply(e)
	}
	if owed := script.Owed(); len(owed.Calls) != 1 || !owed.Calls[0].Started || owed.Calls[0].Result() != "" {
		t.Errorf("owed is %+v", owed)
	}
	script.Apply(ToolFinished{"c1", Output{Text: "all"}})
	script.Apply(ToolProgress{"c1", Output{Text: "late"}})
	if c, _ := script.Call("c1"); c.Progress != nil || c.Result() != "all" {
		t.Errorf("the call is %+v", c)
	}
}

// TestUnknownPartsArePassedBack, and those that we know with more fields than we know of.
func TestUnknownPartsArePassedBack(t *testing.T) {
	const message = `{"id":"u1","role":"user","parts":[{"type":"hologram","depth":3},{"type":"data-x","data":{"a":[1, 2]},"providerMetadata":{"p":1}},` +
		`{"type":"source-url","sourceId":"s","url":"https://x/","providerMetadata":{}},{"type":"data-y","id":"1","data":null}],"metadata":{"k":1}}`
	var m Message
	if err := json.Unmarshal([]byte(message), &m); err != nil {
		t.Fatal(err)
	}
	got, err := m.MarshalJSON()
	var have, want any
	if json.Unmarshal(got, &have) != nil || json.Unmarshal([]byte(message), &want) != nil || !reflect.DeepEqual(have, want) {
		t.Errorf("the message became %s, %v", got, err)
	}
}
