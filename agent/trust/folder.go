// Package trust knows what a folder brings along for the agent, and which folders the user trusts with it. What a folder
// brings is read as data only: nothing of it is run, fetched or followed out of the folder, and but for rules that narrow,
// nothing acts before a person's yes.
package trust

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/plain"
)

// The files that a folder may bring, relative to it.
const (
	ConfigFile  = ".coder/config.json"
	ServersFile = ".mcp.json"
)

// instructionFiles are tried in this order: the first that is there counts.
var instructionFiles = []string{"AGENTS.md", "CLAUDE.md"}

// Bounds of what is read, in bytes. What goes beyond maxInstructions is cut off: they go out with each request.
const (
	maxInstructions = 16 << 10
	maxConfig       = 64 << 10
	maxServers      = 256 << 10
)

// A State says how far a folder is trusted.
type State string

// The states.
const (
	Nothing   State = "nothing"   // it brings nothing that would want trust
	Untrusted State = "untrusted" // nobody has said yes, or somebody said no
	Changed   State = "changed"   // it is not what the user said yes to any more
	Trusted   State = "trusted"
)

// A Kind says what a thing would do.
type Kind string

// The kinds. Only instructions, commands and rules act, in this version.
const (
	Instructions Kind = "instructions" // for the model, in the system prompt
	Command      Kind = "command"      // a prompt of coder chat: it is sent when somebody types its name
	Rule         Kind = "rule"         // of the policy: one that narrows holds at once
	Server       Kind = "mcp"          // an MCP server that it would start or use
	Setting      Kind = "setting"      // that it asks for and this version knows nothing of
	Refused      Kind = "refused"      // a setting that no project may choose
)

// A Want is one thing that a folder brings.
type Want struct {
	Kind   Kind   `json:"kind"`
	Path   string `json:"path"`             // the file, relative to the folder
	Line   int    `json:"line,omitempty"`   // in the file, from 1
	Text   string `json:"text,omitempty"`   // the rule, the command, the setting's name, the server's command or URL; nothing in it is hidden
	ID     string `json:"id,omitempty"`     // of a server: a hash of all that decides what it is
	Bytes  int    `json:"bytes,omitempty"`  // of the file, as far as it is read
	Hidden int    `json:"hidden,omitempty"` // characters in the file that cannot be seen; the model gets them as escapes
	Holds  bool   `json:"holds"`            // it acts now
}

// A Part is what a yes is pinned to: all that acts of a file, as the model and the policy get it.
type Part struct {
	Kind Kind   `json:"kind"`
	Path string `json:"path"`
	Hash string `json:"hash"` // of the text, SHA-256 in hex
	Text string `json:"text"` // nothing in it is hidden
}

func newPart(kind Kind, path, text string) Part {
	sum := sha256.Sum256([]byte(text))
	return Part{kind, path, hex.EncodeToString(sum[:]), text}
}

// A Folder is what a folder brings, as it was read once: what is shown, hashed and used is the same text.
type Folder struct {
	Path     string // absolute, links resolved
	State    State
	Wants    []Want
	Problems []*Problem
	Parts    []Part
	Record   Record // what the user said last; zero when they have said nothing
	Never    error  // why nobody can trust it; nil: it can be trusted

	rules []permission.Rule // of its config file
}

// Instructions returns the instructions that the model gets, if the folder is trusted and has any.
func (f Folder) Instructions() (Part, bool) {
	if i := f.instructions(); f.State == Trusted && i >= 0 {
		return f.Parts[i], true
	}
	return Part{}, false
}

func (f Folder) instructions() int {
	return slices.IndexFunc(f.Parts, func(p Part) bool { return p.Kind == Instructions })
}

// asks reports whether something of the folder acts only after a yes.
func (f Folder) asks() bool {
	return len(f.Allowing()) > 0 || slices.ContainsFunc(f.Parts, func(p Part) bool { return p.Kind == Instructions || p.Kind == Command })
}

// Rules returns the folder's rules that hold: those that narrow always, one that allows if the user has accepted that very
// rule and the folder is what it was then.
func (f Folder) Rules() (rules []permission.Rule) {
	for _, r := range f.rules {
		if f.holds(r) {
			rules = append(rules, r)
		}
	}
	return rules
}

func (f Folder) holds(r permission.Rule) bool {
	return r.Decision != permission.Allow || f.State == Trusted && slices.Contains(f.Record.Allow, r.String())
}

// Allowing returns the folder's rules that allow, each once, as they are written.
func (f Folder) Allowing() (rules []string) {
	for _, r := range f.rules {
		if text := r.String(); r.Decision == permission.Allow && !slices.Contains(rules, text) {
			rules = append(rules, text)
		}
	}
	return rules
}

// Broken is the first problem for which rules of the folder would not hold, or nil: whoever wrote them relies on them.
func (f Folder) Broken() error {
	for _, p := range f.Problems {
		if p.Rules {
			return p
		}
	}
	return nil
}

// settle notes what holds, once it is known how far the folder is trusted.
func (f *Folder) settle() {
	for i := range f.Wants {
		switch w := &f.Wants[i]; w.Kind {
		case Instructions, Command:
			w.Holds = f.State == Trusted
		case Rule:
			w.Holds = slices.ContainsFunc(f.rules, func(r permission.Rule) bool { return r.String() == w.Text && f.holds(r) })
		}
	}
}

// A Problem says what of a folder cannot be read, or not be enforced.
type Problem struct {
	Folder string
	Path   string // relative to the folder; "" for the folder itself, or what is known of it
	Line   int    // in the file, from 1; 0 for the whole
	What   string
	Rules  bool // rules that stand there do not hold
}

func (p *Problem) Error() string {
	place := filepath.Join(p.Folder, filepath.FromSlash(p.Path))
	if p.Line > 0 {
		place = fmt.Sprintf("%s:%d", place, p.Line)
	}
	return plain.Visible(place) + ": " + p.What
}

// Hint says how to go on.
func (p *Problem) Hint() string {
	if p.Rules {
		return "mend it there: as long as a rule of the project cannot be enforced, no turn begins in its folder"
	}
	return "what it brings is shown by: coder trust --show"
}

func (f *Folder) problem(path string, line int, rules bool, format string, args ...any) {
	what := clip(plain.Visible(fmt.Sprintf(format, args...)), maxProblem) // it may quote what stands there
	f.Problems = append(f.Problems, &Problem{f.Path, path, line, what, rules})
}

// read reads what a folder brings.
func (s Store) read(path string) Folder {
	f := Folder{Path: path, State: Nothing}
	root, err := os.OpenRoot(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f // a session can outlive its folder
	}
	if err != nil {
		f.problem("", 0, true, "%v", reason(err))
		return f
	}
	defer root.Close()
	f.readInstructions(root)
	f.readCommands(root)
	f.readConfig(root, s.Tools)
	f.readServers(root)
	return f
}

func (f *Folder) readInstructions(root *os.Root) {
	for _, name := range instructionFiles {
		data, there, err := readFile(root, name, maxInstructions+utf8.UTFMax)
		if !there {
			continue
		}
		cut := len(data) > maxInstructions
		if cut {
			data = trimRune(data[:maxInstructions])
		}
		switch {
		case err != nil:
			f.problem(name, 0, false, "it is not used: %v", err)
			return
		case !utf8.Valid(data):
			f.problem(name, 0, false, "it is not used: it is not a text in UTF-8")
			return
		}
		raw := strings.TrimSpace(string(data))
		if raw == "" {
			continue
		}
		text := plain.Visible(raw)
		if cut {
			text += "\n(cut here: the rest is in " + name + ")"
		}
		f.Parts = append(f.Parts, newPart(Instructions, name, text))
		f.Wants = append(f.Wants, Want{Kind: Instructions, Path: name, Bytes: len(data), Hidden: countHidden(raw)})
		return
	}
}

// trimRune takes off the beginning of a character whose end was cut off.
func trimRune(data []byte) []byte {
	for i := 1; i < utf8.UTFMax && i <= len(data); i++ {
		if b := data[len(data)-i]; utf8.RuneStart(b) {
			if !utf8.FullRune(data[len(data)-i:]) {
				return data[:len(data)-i]
			}
			break
		}
	}
	return data
}

// readFile reads at most so many bytes of a regular file of the folder. It follows no link out of it and waits for no pipe.
// The error is in words for people.
func readFile(root *os.Root, name string, most int64) (data []byte, there bool, err error) {
	f, err := root.OpenFile(filepath.FromSlash(name), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, false, nil
	}
	if err != nil {
		return nil, true, reason(err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, true, reason(err)
	case !info.Mode().IsRegular():
		return nil, true, errors.New("it is not a regular file")
	}
	if data, err = io.ReadAll(io.LimitReader(f, most)); err != nil {
		return nil, true, reason(err)
	}
	return data, true, nil
}

// reason is an error of the file system without the path: whoever shows it names that first.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
