package tui

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A Custom command is a prompt that a file holds: NAME.md, in a folder for commands. $ARGUMENTS in it stands for all that is typed behind
// the command, $1 to $9 for its words; where neither is in the text, what is typed is added at its end.
type Custom struct {
	Name  string
	About string // its first line, without what marks a heading
	From  string // the file
	text  string
}

// mostCommand bounds the file of a command, in bytes.
const mostCommand = 256 << 10

// ReadCustom reads the commands of a folder. A folder that is not there has none.
func ReadCustom(dir string) ([]Custom, error) {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the commands in %s: %w", dir, err)
	}
	var out []Custom
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".md")
		if !ok || e.IsDir() || name == "" || strings.ContainsAny(name, " \t\n./") {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if info, err := e.Info(); err != nil || !info.Mode().IsRegular() || info.Size() > mostCommand {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return out, fmt.Errorf("reading a command: %w", err)
		}
		out = append(out, NewCustom(name, path, string(data)))
	}
	slices.SortFunc(out, func(a, b Custom) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// NewCustom is the command with the name whose text stands in the file from.
func NewCustom(name, from, text string) Custom {
	text = strings.TrimSpace(text)
	first, _, _ := strings.Cut(text, "\n")
	return Custom{Name: name, About: strings.TrimSpace(strings.TrimLeft(first, "# ")), From: from, text: text}
}

// Prompt is the text of the command with the arguments in it.
func (c Custom) Prompt(arguments string) string {
	words := strings.Fields(arguments)
	pairs := []string{"$ARGUMENTS", arguments}
	used := strings.Contains(c.text, "$ARGUMENTS")
	for i := 1; i <= 9; i++ {
		place, word := fmt.Sprintf("$%d", i), ""
		if i <= len(words) {
			word = words[i-1]
		}
		used = used || strings.Contains(c.text, place)
		pairs = append(pairs, place, word)
	}
	text := strings.NewReplacer(pairs...).Replace(c.text)
	if !used && arguments != "" {
		text += "\n\n" + arguments
	}
	return text
}

// custom are the commands of files: the user's own, and those of the session's folder that have no name of theirs.
func (m *model) custom() []Custom {
	all := slices.Clone(m.opts.Custom)
	for _, c := range m.about.Custom {
		if !slices.ContainsFunc(all, func(own Custom) bool { return own.Name == c.Name }) {
			all = append(all, c)
		}
	}
	return all
}
