package trust

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/coder-agent/coder/agent/plain"
)

// CommandsFolder holds the folder's commands for its users: a file NAME.md is a prompt that is sent when somebody types /NAME.
const CommandsFolder = ".coder/commands"

// Bounds of the commands: their number, the entries of their folder, and the bytes of each.
const (
	maxCommands = 50
	maxEntries  = 1000
	maxCommand  = 16 << 10
)

// Commands returns the commands of the folder, by name, if the folder is trusted.
func (f Folder) Commands() (commands []Part) {
	for _, p := range f.Parts {
		if p.Kind == Command && f.State == Trusted {
			commands = append(commands, p)
		}
	}
	return commands
}

// CommandName is what is typed behind the slash for the command, or false when the file cannot be one.
func CommandName(file string) (string, bool) {
	name, ok := strings.CutSuffix(path.Base(file), ".md")
	return name, ok && name != "" && !strings.ContainsAny(name, " \t\n./\\") && plain.Visible(name) == name
}

func (f *Folder) readCommands(root *os.Root) {
	names, err := commandFiles(root)
	if err != nil {
		f.problem(CommandsFolder, 0, false, "its commands are not used: %v", err)
		return
	}
	for _, name := range names {
		f.readCommand(root, path.Join(CommandsFolder, name))
	}
}

func (f *Folder) readCommand(root *os.Root, file string) {
	data, there, err := readFile(root, file, maxCommand+1)
	raw := strings.TrimSpace(string(data))
	switch {
	case !there:
		return
	case err != nil:
		f.problem(file, 0, false, "it is not used: %v", err)
		return
	case len(data) > maxCommand:
		f.problem(file, 0, false, "it is not used: it has more than %d KiB", maxCommand>>10)
		return
	case !utf8.Valid(data):
		f.problem(file, 0, false, "it is not used: it is not a text in UTF-8")
		return
	case raw == "":
		return
	}
	name, _ := CommandName(file)
	f.Parts = append(f.Parts, newPart(Command, file, plain.Visible(raw)))
	f.Wants = append(f.Wants, Want{Kind: Command, Path: file, Text: "/" + name, Bytes: len(data), Hidden: countHidden(raw)})
}

// commandFiles lists the files of the commands, by name. The error is in words for people.
func commandFiles(root *os.Root) ([]string, error) {
	info, err := root.Stat(CommandsFolder)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return nil, nil
	case err != nil:
		return nil, reason(err)
	case !info.IsDir():
		return nil, errors.New("it is not a folder")
	}
	dir, err := root.OpenFile(CommandsFolder, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it may be a pipe by now
	if err != nil {
		return nil, reason(err)
	}
	defer dir.Close()
	entries, err := dir.ReadDir(maxEntries + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, reason(err)
	}
	var names []string
	for _, e := range entries {
		if _, ok := CommandName(e.Name()); ok && !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	if len(entries) > maxEntries || len(names) > maxCommands {
		return nil, errors.New("there are too many files")
	}
	slices.Sort(names)
	return names, nil
}
