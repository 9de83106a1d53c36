package tools

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Show returns the whole of what a call would do, for the person who decides on it: the command, the lines that an edit
// takes out (-) and puts in (+), the content of a new file. It reads the arguments as the tool itself does, so that what is
// shown is what runs. whole says that nothing of the text may be left out: each line of a command counts.
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
	case "write":
		var a writeArgs
		if json.Unmarshal(input, &a) == nil {
			return strings.Join(marked("+ ", lines(a.Content)), "\n"), false
		}
	}
	return shownInput(input), false
}

func shownCommand(a bashArgs) string {
	if a.Workdir == "" {
		return a.Command
	}
	return "(in " + a.Workdir + ")\n" + a.Command
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
