package tools

import (
	"encoding/json"
	"testing"
)

func TestShowTellsWhatRuns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, tool, input, want string
		whole                   bool
	}{
		{"a command with its line breaks", "bash", `{"command":"cd x\nmake\n"}`, "cd x\nmake\n", true},
		{"where it runs", "bash", `{"command":"make","workdir":"sub"}`, "(in sub)\nmake", true},
		{"under another name", "bash", `{"cmd":"make"}`, "make", true},
		{"of two commands the one that runs", "bash", `{"Command":"true","command":"make"}`, "make", true},
		{
			"an edit", "edit", `{"path":"a","edits":[{"old":"a\nb\nc\n","new":"a\nx\ny\nc\n"}]}`,
			"  a\n- b\n+ x\n+ y\n  c", false,
		},
		{
			"two edits", "edit", `{"path":"a","edits":[{"old":"a","new":"b"},{"old":"c","new":"","all":true}]}`,
			"edit 1 of 2:\n- a\n+ b\nedit 2 of 2, every occurrence:\n- c", false,
		},
		{"an edit beside the path", "edit", `{"path":"a","old":"a","new":"b"}`, "- a\n+ b", false},
		{"a repeated line", "edit", `{"path":"a","old":"a","new":"a\na"}`, "  a\n+ a", false},
		{"a file", "write", `{"path":"a","content":"one\ntwo\n"}`, "+ one\n+ two", false},
		{"one argument", "read", `{"path":"/etc/passwd"}`, "/etc/passwd", false},
		{"several", "grep", `{"pattern":"x","path":"/etc"}`, "{\n  \"pattern\": \"x\",\n  \"path\": \"/etc\"\n}", false},
		{"arguments that do not fit", "edit", `{"path":"a"}`, "a", false},
	} {
		got, whole := Show(c.tool, json.RawMessage(c.input))
		if got != c.want || whole != c.whole {
			t.Errorf("%s: shown as %q, whole %t; want %q, %t", c.name, got, whole, c.want, c.whole)
		}
	}
}
