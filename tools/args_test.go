package tools

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestArgumentsAreTakenAsOtherAgentsWriteThem(t *testing.T) {
	tests := []struct {
		name, input string
		into, want  any
	}{
		{"as the schema says", `{"path":"a","offset":3}`, &readArgs{}, &readArgs{Path: "a", Offset: 3}},
		{"file_path", `{"file_path":"a"}`, &readArgs{}, &readArgs{Path: "a"}},
		{"filePath", `{"filePath":"a"}`, &readArgs{}, &readArgs{Path: "a"}},
		{"the right name beats an alias", `{"file_path":"b","path":"a","filename":"c"}`, &readArgs{}, &readArgs{Path: "a"}},
		{"a number as a string", `{"path":"a","offset":"5"}`, &readArgs{}, &readArgs{Path: "a", Offset: 5}},
		{"a whole number with a point", `{"path":"a","offset":5.0}`, &readArgs{}, &readArgs{Path: "a", Offset: 5}},
		{"null is absent", `{"path":"a","offset":null}`, &readArgs{}, &readArgs{Path: "a"}},
		{"all of it as a JSON string", `"{\"path\":\"a\"}"`, &readArgs{}, &readArgs{Path: "a"}},
		{"a boolean as a string", `{"pattern":"a","ignoreCase":"true"}`, &grepArgs{}, &grepArgs{Pattern: "a", IgnoreCase: true}},
		{"unknown names are ignored", `{"command":"ls","description":"list"}`, &bashArgs{}, &bashArgs{Command: "ls"}},
		{"a number for text", `{"path":"a","content":42}`, &writeArgs{}, &writeArgs{Path: "a", Content: "42"}},
		{"old_string and new_string", `{"path":"a","old_string":"x","new_string":""}`, &editArgs{}, &editArgs{Path: "a", Edits: []replacement{{Old: "x"}}}},
		{"oldText, newText and replace_all", `{"path":"a","edits":[{"oldText":"x","newText":"y","replace_all":true}]}`, &editArgs{}, &editArgs{Path: "a", Edits: []replacement{{"x", "y", true}}}},
		{"one edit without a list", `{"path":"a","edits":{"old":"x","new":"y"}}`, &editArgs{}, &editArgs{Path: "a", Edits: []replacement{{"x", "y", false}}}},
		{"misspelt", `{"ptah":"a","ofset":3}`, &readArgs{}, &readArgs{Path: "a", Offset: 3}},
		{"with blanks and capitals", `{"File Path":"a","OFFSET":3}`, &readArgs{}, &readArgs{Path: "a", Offset: 3}},
		{"the right name beats a misspelling", `{"path":"a","paths":"b"}`, &readArgs{}, &readArgs{Path: "a"}},
		{"edits as a JSON string", `{"path":"a","edits":"[{\"old\":\"x\",\"new\":\"y\"}]"}`, &editArgs{}, &editArgs{Path: "a", Edits: []replacement{{"x", "y", false}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := json.Unmarshal([]byte(tt.input), tt.into); err != nil {
				t.Fatalf("%s: %v", tt.input, err)
			}
			if !reflect.DeepEqual(tt.into, tt.want) {
				t.Errorf("%s = %+v, want %+v", tt.input, tt.into, tt.want)
			}
		})
	}
}

func TestArgumentsThatDoNotFitAreNamed(t *testing.T) {
	tests := []struct {
		name, tool, input, want string
	}{
		{"a missing one", "read", `{"offset":1}`, `the argument "path" is missing`},
		{"a list for a string", "read", `{"path":["a"]}`, `argument "path" must be a string, not an array`},
		{"a word for a number", "read", `{"path":"a","offset":"first"}`, `argument "offset" must be a number, not a string`},
		{"a missing one beside others", "read", `{"pfad":"a"}`, `the argument "path" is missing; given were pfad`},
		{"JSON that is broken", "read", `"{\"path\": \"a\", oops}"`, "they are not valid JSON: invalid character 'o' looking for beginning of object key string behind \"{\\\"path\\\": \\\"a\\\", o\""},
		{"an element of a list", "todo", `{"items":[{"text":"a","status":"done"},7]}`, `items[1]: `},
		{"a patch that cannot be read", "apply_patch", `{"input":"*** Begin Patch\n*** End Patch"}`, "the patch cannot be read: it names no file"},
		{"no object at all", "read", `[1]`, "not a JSON object"},
		{"an edit without new text", "edit", `{"path":"a","old":"x"}`, `the argument "new" is missing`},
		{"an edit in a list without new text", "edit", `{"path":"a","edits":[{"old":"x"}]}`, `the argument "new" is missing`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, tool := range All(Options{}) {
				if tool.Name == tt.tool {
					_, err := tool.Action(json.RawMessage(tt.input))
					if err == nil {
						t.Fatalf("%s %s: no error", tt.tool, tt.input)
					}
					contains(t, err.Error(), tt.want)
				}
			}
		})
	}
}

func FuzzArguments(f *testing.F) {
	for _, seed := range []string{
		`{"path":"a","edits":[{"old":"x","new":"y","all":"yes"}]}`, `{"path":"a","edits":"[[]]"}`, `"\"{}\""`, `{"edits":{"old":1,"new":true},"path":null}`,
		`{"pattern":"x","context":1e300,"limit":"-0"}`, `{"patch":"*** Update File: f\n@@\n-a\n+b\n*** End Patch"}`, `{"command":""}`, `null`, `{}`, `{"path":{"path":[]}}`, "{\"\u0130\":1}", `{"edits":"\"[]\"","path":""}`,
	} {
		f.Add(seed)
	}
	all := All(Options{})
	f.Fuzz(func(t *testing.T, input string) {
		for _, tool := range all {
			if _, err := tool.Action(json.RawMessage(input)); err != nil && err.Error() == "" {
				t.Errorf("%s %q: an error without words", tool.Name, input)
			}
		}
	})
}
