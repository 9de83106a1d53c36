package tools

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent"
)

func TestShowTellsWhatRuns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, tool, input, want string
		whole                   bool
	}{
		{"a command with its line breaks", "bash", `{"command":"cd x\nmake\n"}`, "cd x\nmake\n", true},
		{"where it runs", "bash", `{"command":"make","workdir":"sub"}`, "(in sub)\nmake", true},
		{"what it reaches", "bash", `{"command":"make","network":true,"unsandboxed":true}`, "(with the network, outside the sandbox)\nmake", true},
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
		{
			"a patch", "apply_patch", `{"input":"*** Begin Patch\n*** Update File: a\n*** Move to: b\n@@ func f\n x\n-y\n+z\n*** Add File: c\n+one\n*** Delete File: d\n*** End Patch"}`,
			"update a, move to b:\n@@ func f\n  x\n- y\n+ z\nadd c:\n+ one\ndelete d:", false,
		},
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

// TestAQuestionShowsWhatChanges in a file that is there, and does not wait for what is no file.
func TestAQuestionShowsWhatChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	find := func(path string) string { return filepath.Join(dir, path) }
	for name, content := range map[string]string{
		"text": "one\ntwo\nthree\n", "crlf": "one\r\ntwo\r\n", "same": "a\n", "binary": "\x00\x01", "large": strings.Repeat("x\n", maxCompared),
	} {
		if err := os.WriteFile(find(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ name, path, content, want string }{
		{"a new file", "new", "a\nb\n", "+ a\n+ b"},
		{"a changed line", "text", "one\n2\nthree\n", "--- a/text\n+++ b/text\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"},
		{"line ends that stay", "crlf", "one\n2\n", "--- a/crlf\n+++ b/crlf\n@@ -1,2 +1,2 @@\n one\r\n-two\r\n+2\r\n"},
		{"nothing", "same", "a\n", "(the file has this content already)"},
		{"what is no text", "binary", "a\n", "(all of the file is replaced, 2 bytes that are no text)\n+ a"},
		{"what is too long", "large", "a\n", "(all of the file is replaced; what there is now cannot be shown: it has 2048 KB)\n+ a"},
		{"a folder", ".", "a\n", "(all of the file is replaced; what there is now cannot be shown: it is a folder)\n+ a"},
	} {
		if got := (writeArgs{Path: c.path, Content: c.content}).Show(find); got != c.want {
			t.Errorf("%s is shown as %q, want %q", c.name, got, c.want)
		}
	}
}

// TestAQuestionShowsThePatch: what is asked about a patch is what it does, not the text around it.
func TestAQuestionShowsThePatch(t *testing.T) {
	t.Parallel()
	var a patchArgs
	if err := json.Unmarshal([]byte(`{"input":"apply_patch <<EOF\n*** Begin Patch\n*** Delete File: a\n*** Update File: b\n@@\n-x\n+y\n*** End Patch\nEOF"}`), &a); err != nil {
		t.Fatal(err)
	}
	var shower agent.Shower = a
	if got, want := shower.Show(func(path string) string { return path }), "delete a:\nupdate b:\n- x\n+ y"; got != want {
		t.Errorf("shown is %q, want %q", got, want)
	}
}
