package chat_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/coder-agent/coder/agent/chat"
)

// TestPartsAreReadWhereverTheirTypeStands: a part that begins with its type is read in one go; the same part with the type behind
// it must become the same.
func TestPartsAreReadWhereverTheirTypeStands(t *testing.T) {
	for name, rest := range map[string]string{
		"text":      `"text":"a \"word\"","state":"done"`,
		"reasoning": `"text":"hm"`,
		"tool-read": `"toolCallId":"c","toolName":"read","state":"output-available","input":{"path":"a"},"output":{"text":"out","told":["/x"],"details":{"n":1}}`,
		"tool-page": `"toolCallId":"c","state":"output-available","preliminary":false,"output":{"text":5}`,
		"tool-null": `"toolCallId":"c","state":"output-available","output":null`,
		"tool-list": `"toolCallId":"c","state":"output-available","output":[1,2]`,
		"tool-bash": `"toolCallId":"c","state":"output-available","preliminary":true,"output":{"text":"so far"}`,
		"tool-odd":  `"toolCallId":"c","state":"output-available","output":{"text":"out","files":7}`,
	} {
		kind := `"type":"` + name + `"`
		first, errFirst := read(`{` + kind + `,` + rest + `}`)
		last, errLast := read(`{` + rest + `,` + kind + `}`)
		if !reflect.DeepEqual(first, last) || (errFirst == nil) != (errLast == nil) {
			t.Errorf("%s: with the type in front %+v, %v; behind %+v, %v", name, first, errFirst, last, errLast)
		}
		if failed := errFirst != nil; failed != (name == "tool-odd") {
			t.Errorf("%s: %v", name, errFirst)
		}
	}
}

// TestOutputOfAnyShape: what is no output of a tool of ours is kept as it came.
func TestOutputOfAnyShape(t *testing.T) {
	for in, want := range map[string]chat.Output{
		`{"text":"out","told":["/x"]}`: {Text: "out", Told: []string{"/x"}},
		`{"text":""}`:                  {},
		`{"text":null}`:                {Text: `{"text":null}`, Raw: json.RawMessage(`{"text":null}`)},
		`{"text":5,"files":6}`:         {Text: `{"text":5,"files":6}`, Raw: json.RawMessage(`{"text":5,"files":6}`)},
		`{"rows":[]}`:                  {Text: `{"rows":[]}`, Raw: json.RawMessage(`{"rows":[]}`)},
		`"plain"`:                      {Text: "plain", Raw: json.RawMessage(`"plain"`)},
	} {
		var got chat.Output
		if err := json.Unmarshal([]byte(in), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s became %+v, %v", in, got, err)
		}
	}
}

func read(part string) ([]chat.Part, error) {
	var m chat.Message
	err := json.Unmarshal([]byte(`{"id":"m","role":"assistant","parts":[`+part+`]}`), &m)
	return m.Parts, err
}
