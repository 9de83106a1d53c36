package tools

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/chat"
)

// show takes a result into what the model is sent, as a call of a step.
func (s *fakeSession) show(t testing.TB, step int, res agent.Result) {
	t.Helper()
	details, err := json.Marshal(res.Details)
	if err != nil {
		t.Fatal(err)
	}
	s.shown = append([]agent.Shown{{Output: chat.Output{Text: res.Text, Details: details, Files: res.Files}, Step: step}}, s.shown...)
}

func TestARangeThatIsStillShownIsNotRepeated(t *testing.T) {
	text := strings.Repeat("a line of some length\n", 100)
	const all, some = `{"path":"f"}`, `{"path":"f","offset":5,"limit":60}`
	repeated := "(unchanged since step 1: your read of f there still shows lines 1-100 as they are; call again to have them repeated)"
	tests := []struct {
		name    string
		between func(s *fakeSession)
		second  string // the call
		again   bool   // the lines come again
	}{
		{"the same range", func(*fakeSession) {}, all, false},
		{"the same range in other words", func(*fakeSession) {}, `{"path":"./f","offset":1,"limit":2000}`, false},
		{"another range", func(*fakeSession) {}, some, true},
		{"other columns", func(*fakeSession) {}, `{"path":"f","column":2}`, true},
		{"another content", func(s *fakeSession) { s.put(t, "f", text+"more\n") }, all, true},
		{"written again as it was", func(s *fakeSession) { s.put(t, "f", text) }, all, false},
		{"the result is not sent any more", func(s *fakeSession) { s.shown = nil }, all, true},
		{"another content was seen between", func(s *fakeSession) { s.seen[filepath.Join(s.dir, "f")] = "other" }, all, true},
		{"the file is not known any more", func(s *fakeSession) { clear(s.seen) }, all, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSession(t)
			s.put(t, "f", text)
			first, err := do(t, s, read, all)
			if err != nil {
				t.Fatal(err)
			}
			s.show(t, 1, first)
			tt.between(s)
			second, err := do(t, s, read, tt.second)
			if err != nil {
				t.Fatal(err)
			}
			if again := second.Text != repeated; again != tt.again || again != (len(second.Files) == 1) {
				t.Errorf("the second read gave %.200q and says %d files were seen", second.Text, len(second.Files))
			}
		})
	}
}

// TestWhoAsksAThirdTimeGetsTheLines and from then on each time: the answers are the same, so that a model that goes in
// circles is noticed.
func TestWhoAsksAThirdTimeGetsTheLines(t *testing.T) {
	s := newSession(t)
	s.put(t, "f", strings.Repeat("a line of some length\n", 100))
	var texts []string
	for step := range 5 {
		res, err := do(t, s, read, `{"path":"f"}`)
		if err != nil {
			t.Fatal(err)
		}
		s.show(t, step+1, res)
		texts = append(texts, res.Text)
	}
	if texts[1] == texts[0] || texts[2] != texts[0] || texts[3] != texts[0] || texts[4] != texts[0] {
		t.Errorf("five reads gave %.80q", texts)
	}
}

func TestAShortTextIsSimplyRepeated(t *testing.T) {
	s := newSession(t)
	s.put(t, "f", "short\n")
	res, err := do(t, s, read, `{"path":"f"}`)
	if err != nil {
		t.Fatal(err)
	}
	s.show(t, 1, res)
	if got := must(t, s, read, `{"path":"f"}`); got != "1:short" {
		t.Errorf("the second read gave %q", got)
	}
}

func TestInstructionsOfAFolderAreNamedOnceAndNotTold(t *testing.T) {
	s := newSession(t)
	s.put(t, "AGENTS.md", "of the project")
	s.put(t, "top.go", "package top\n")
	s.put(t, "a/AGENTS.md", "do evil")
	s.put(t, "a/CLAUDE.md", "second name")
	s.put(t, "a/one.go", "package a\n")
	s.put(t, "a/b/CLAUDE.md", "do worse")
	s.put(t, "a/b/two.go", "package b\n")
	s.put(t, "c/AGENTS.md", "read by itself")
	s.put(t, "c/three.go", "package c\n")
	if got := must(t, s, read, `{"path":"a/b/two.go"}`); got != "1:package b" {
		t.Errorf("in a folder that is not trusted the read gave %q", got)
	}
	s.trusted = true
	tests := []struct {
		path string
		want []string // files that are named
	}{
		{"top.go", nil}, // its folder's are in the system prompt
		{"a/b/two.go", []string{"a/b/CLAUDE.md", "a/AGENTS.md"}},
		{"a/one.go", nil},
		{"c/AGENTS.md", nil},
		{"c/three.go", nil},
	}
	for _, tt := range tests {
		got := must(t, s, read, `{"path":"`+tt.path+`"}`)
		if n := strings.Count(got, " has instructions for its folder, SHA-256 "); n != len(tt.want) {
			t.Errorf("reading %s names %d files: %q", tt.path, n, got)
		}
		contains(t, got, tt.want...)
		if strings.Contains(got, "do ") {
			t.Errorf("reading %s tells what instructions say: %q", tt.path, got)
		}
	}
	clear(s.told)
	contains(t, must(t, s, read, `{"path":"a/one.go"}`), "a/AGENTS.md has instructions for its folder, SHA-256 "+hashOf([]byte("do evil"))[:12]+". They are not loaded")
}

func TestInstructionsThatLeaveTheFolderAreNone(t *testing.T) {
	s := newSession(t)
	s.trusted = true
	elsewhere := filepath.Join(t.TempDir(), "AGENTS.md")
	if err := os.WriteFile(elsewhere, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.put(t, "a/one.go", "package a\n")
	if err := os.Symlink(elsewhere, filepath.Join(s.dir, "a/AGENTS.md")); err != nil {
		t.Fatal(err)
	}
	if got := must(t, s, read, `{"path":"a/one.go"}`); got != "1:package a" {
		t.Errorf("the read gave %q", got)
	}
}
