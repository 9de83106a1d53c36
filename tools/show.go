package tools

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// Show returns the whole of what a call would do, for the person who looks at it: the command, the lines that an edit takes
// out (-) and puts in (+), the content of a new file. It reads the arguments as the tool itself does, so that what is
// shown is what runs. whole says that nothing of the text may be left out: each line of a command counts. It knows the
// arguments only: the question about a call says more, see agent.Shower.
func Show(name string, input json.RawMessage) (text string, whole bool) {
	switch name {
	case "bash":
		var a bashArgs
		if json.Unmarshal(input, &a) == nil {
			return shownCommand(a), true
		}
	case "edit":
		var a editArgs
		if json.Unmarshal(input, &a) == nil {
			return shownEdits(a), false
		}
	case "apply_patch":
		var a patchArgs
		if json.Unmarshal(input, &a) == nil {
			return shownPatch(a), false
		}
	case "write":
		var a writeArgs
		if json.Unmarshal(input, &a) == nil {
			return shownFile(a), false
		}
	}
	return shownInput(input), false
}

func shownCommand(a bashArgs) string {
	var about []string
	if a.Workdir != "" {
		about = append(about, "in "+a.Workdir)
	}
	if a.Network {
		about = append(about, "with the network")
	}
	if a.Unsandboxed {
		about = append(about, "outside the sandbox")
	}
	if len(about) == 0 {
		return a.Command
	}
	return "(" + strings.Join(about, ", ") + ")\n" + a.Command
}

// Show is the command.
func (a bashArgs) Show(func(string) string) string { return a.Command }

// Show is what the edits take out and put in.
func (a editArgs) Show(func(string) string) string { return shownEdits(a) }

// Show is the content of a new file, or what changes in one that is there.
func (a writeArgs) Show(find func(string) string) string {
	old, err := small(find(a.Path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return shownFile(a)
	case err != nil:
		return fmt.Sprintf("(all of the file is replaced; what there is now cannot be shown: %v)\n", err) + shownFile(a)
	}
	data := dress([]byte(a.Content), old)
	if isBinary(old) || isBinary(data) {
		return fmt.Sprintf("(all of the file is replaced, %s that are no text)\n", byteCount(int64(len(old)))) + shownFile(a)
	}
	name := filepath.ToSlash(a.Path)
	_, text, _ := bytes.Cut(diff.Diff("a/"+name, old, "b/"+name, data), []byte{'\n'}) // the first line is "diff a b"
	if len(text) == 0 {
		return "(the file has this content already)"
	}
	return string(text)
}

func shownFile(a writeArgs) string { return strings.Join(marked("+ ", lines(a.Content)), "\n") }

// maxCompared bounds the file that a question compares with, in bytes: the turn waits for it.
const maxCompared = 1 << 20

// small reads a regular file that is not too long.
func small(path string) ([]byte, error) {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	p := &place{root: root, name: filepath.Base(path), abs: path, shown: path}
	f, info, err := p.open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	switch {
	case info.IsDir():
		return nil, errors.New("it is a folder")
	case info.Size() > maxCompared:
		return nil, fmt.Errorf("it has %s", byteCount(info.Size()))
	}
	return io.ReadAll(io.LimitReader(f, maxCompared))
}

func shownEdits(a editArgs) string {
	var out []string
	for i, r := range a.Edits {
		every := ""
		if r.All {
			every = ", every occurrence"
		}
		if len(a.Edits) > 1 || r.All {
			out = append(out, fmt.Sprintf("edit %d of %d%s:", i+1, len(a.Edits), every))
		}
		out = append(out, swapped(lines(r.Old), lines(r.New))...)
	}
	return strings.Join(out, "\n")
}

// swapped marks what is taken out and put in. Lines that both begin or end with are left unmarked.
func swapped(before, after []string) []string {
	head := 0
	for head < min(len(before), len(after)) && before[head] == after[head] {
		head++
	}
	tail := 0
	for tail < min(len(before), len(after))-head && before[len(before)-1-tail] == after[len(after)-1-tail] {
		tail++
	}
	out := marked("  ", before[:head])
	out = append(out, marked("- ", before[head:len(before)-tail])...)
	out = append(out, marked("+ ", after[head:len(after)-tail])...)
	return append(out, marked("  ", before[len(before)-tail:])...)
}

func marked(mark string, list []string) []string {
	out := make([]string, 0, len(list))
	for _, l := range list {
		out = append(out, mark+l)
	}
	return out
}

// lines splits a text; one without text has no lines.
func lines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}

// shownInput is for any other tool: its one argument, or all as JSON.
func shownInput(input json.RawMessage) string {
	var one map[string]string
	if json.Unmarshal(input, &one) == nil && len(one) == 1 {
		for _, value := range one {
			return value
		}
	}
	var out bytes.Buffer
	if json.Indent(&out, input, "", "  ") != nil {
		return string(input)
	}
	return out.String()
}
