//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// A reply is one answer of the model: text (in so many chunks, 0 meaning one), or a tool call. Delay is before each chunk, in ms.
type reply struct {
	Text   string `json:"text,omitempty"`
	Chunks int    `json:"chunks,omitempty"`
	Delay  int    `json:"delay,omitempty"`
	Tool   string `json:"tool,omitempty"`
	Args   any    `json:"args,omitempty"`
}

func say(text string) reply                      { return reply{Text: text} }
func use(tool string, args map[string]any) reply { return reply{Tool: tool, Args: args} }
func read(path string) reply                     { return use("read", map[string]any{"path": path}) }

func bash(command string) reply { return use("bash", map[string]any{"command": command}) }

func edit(path, from, to string) reply {
	return use("edit", map[string]any{"path": path, "old": from, "new": to})
}

// A story is a prompt, what the model answers to it, and the folder it is about.
type story struct {
	name, prompt string
	replies      []reply
	files        map[string]string
}

// hello is the least that can be asked.
var hello = story{name: "hello", prompt: "hello", replies: []reply{say("Hello! What shall we build?")}}

// stream is one long answer.
var stream = story{name: "stream", prompt: "tell me everything", replies: []reply{{Text: "word ", Chunks: 20_000}}}

// bugFix finds and mends a fault in a small Go module in 13 requests.
func bugFix() story {
	s := story{name: "fix", prompt: "the tests fail; find out why and mend it", files: map[string]string{
		"go.mod":   "module mean\n\ngo 1.26\n",
		"mean.go":  "package mean\n\n// Of returns the mean of values.\nfunc Of(values []int) int {\n\tsum := 0\n\tfor _, v := range values {\n\t\tsum += v\n\t}\n\treturn sum / (len(values) + 1)\n}\n",
		"doc.go":   "// Package mean computes things.\npackage mean\n",
		"notes.md": "# Notes\n\nThe mean is wrong.\n",
		"mean_test.go": "package mean\n\nimport \"testing\"\n\nfunc TestOf(t *testing.T) {\n" +
			"\tif got := Of([]int{2, 4, 6}); got != 4 {\n\t\tt.Errorf(\"got %d, want 4\", got)\n\t}\n}\n",
	}}
	for i := range 45 { // a repository is never empty
		s.files[fmt.Sprintf("data/%02d.txt", i)] = fmt.Sprintf("record %d\n", i)
	}
	s.replies = []reply{
		use("glob", map[string]any{"pattern": "*.go"}),
		use("grep", map[string]any{"pattern": "func Of"}),
		read("mean.go"),
		read("mean_test.go"),
		bash("go test ./..."),
		edit("mean.go", "(len(values) + 1)", "len(values)"),
		bash("go test ./..."),
		read("doc.go"),
		edit("doc.go", "computes things", "computes means"),
		read("notes.md"),
		edit("notes.md", "is wrong", "is right"),
		bash("grep -c means doc.go"),
		say("The divisor was off by one. The tests pass now."),
	}
	return s
}

// longRun reads and edits one file over and over: 200 turns of the loop in one prompt.
func longRun() story {
	const turns, lines = 200, 100
	s := story{name: "long", prompt: "raise every value", files: map[string]string{"work.txt": ""}}
	for i := range lines {
		s.files["work.txt"] += fmt.Sprintf("line %03d has the value 0\n", i)
	}
	for i := range turns / 2 {
		s.replies = append(s.replies, read("work.txt"),
			edit("work.txt", fmt.Sprintf("line %03d has the value 0", i), fmt.Sprintf("line %03d has the value 1", i)))
	}
	s.replies = append(s.replies, say("All values are raised."))
	return s
}

// make writes the story's files to a new folder under work.
func (s story) make(work string) (string, error) {
	dir, err := os.MkdirTemp(work, s.name+"-")
	if err != nil {
		return "", err
	}
	for name, text := range s.files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	return dir, nil
}
