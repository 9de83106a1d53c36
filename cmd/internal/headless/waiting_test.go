package headless

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent/chat"
)

func TestNothingOfACallThatWaitsIsHidden(t *testing.T) {
	show := func(_ string, input json.RawMessage) (string, bool) {
		var text string
		err := json.Unmarshal(input, &text)
		return text, err == nil && strings.HasPrefix(text, "whole")
	}
	long := strings.Repeat("\nx", 99)
	for _, c := range []struct {
		name, text, summary string
		want                []string
	}{
		{"what the title says is not said twice", "make", "make", nil},
		{"line breaks", "cd x\nmake", "cd x make", []string{"cd x", "make"}},
		{"a string sequence, which a terminal swallows", "echo \x1b]0; rm -rf x\x07", "echo", []string{`echo \x1b]0; rm -rf x\x07`}},
		{"a carriage return", "rm x\rls", "rm x ls", []string{`rm x\x0dls`}},
		{"marks that reorder or have no width", "a\u202eb\u200bc", "abc", []string{`a\u202eb\u200bc`}},
		{"a cut summary", strings.Repeat("y", 300), strings.Repeat("y", 200) + "…", []string{strings.Repeat("y", 300)}},
	} {
		input, err := json.Marshal(c.text)
		if err != nil {
			t.Fatal(err)
		}
		got := Show(show).body("s", Approval{ToolName: "bash", Summary: c.summary, Input: input})
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	for text, want := range map[string]int{"whole" + long: 100, "part" + long: callLines} {
		input, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		got := Show(show).body("s", Approval{ToolName: "bash", Input: input})
		if len(got) != want {
			t.Errorf("of 100 lines %d are shown, want %d", len(got), want)
		}
		if cut := got[min(headLines, len(got)-1)]; want == callLines && cut != "… 41 lines left out here (coder sessions show s --json shows all) …" {
			t.Errorf("line %d is %q", headLines+1, cut)
		}
		if Show(show).Cut(Approval{ToolName: "bash", Input: input}) != (want == callLines) {
			t.Errorf("of %d lines %d are shown, and Cut says the contrary", 100, len(got))
		}
	}
}

// TestReachIsSaidLoudly, and what bounds a command where it is asked for.
func TestReachIsSaidLoudly(t *testing.T) {
	for _, c := range []struct {
		name string
		q    chat.Question
		want []string
	}{
		{"a sandbox", chat.Question{Workdir: "/w", Sandbox: "namespaces"}, []string{"in /w, sandboxed (namespaces)"}},
		{"none", chat.Question{Workdir: "/w", Sandbox: "none"}, []string{"in /w, not sandboxed"}},
		{"the network", chat.Question{Workdir: "/w", Sandbox: "namespaces", Reach: chat.ReachNetwork}, []string{"in /w, sandboxed (namespaces), but WITH THE NETWORK OPEN"}},
		{"the network, unbounded", chat.Question{Workdir: "/w", Sandbox: "none", Reach: chat.ReachNetwork}, []string{"in /w, not sandboxed, WITH THE NETWORK"}},
		{"all", chat.Question{Workdir: "/w", Sandbox: "namespaces", Reach: chat.ReachAll}, []string{"in /w, OUTSIDE THE SANDBOX: it can do whatever you can"}},
		{"files", chat.Question{Paths: []string{"/w/a\u202eb"}}, []string{`file /w/a\u202eb`}},
	} {
		if got := About(Approval{Question: c.q}); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
