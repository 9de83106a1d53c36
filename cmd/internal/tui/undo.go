package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/coder-agent/coder/agent/plain"
)

// A changedFile is a file that a turn has changed, or that undoing one changes.
type changedFile struct {
	Path string
	Why  string // of a conflict
}

// An undone is what the agent says of taking back what a turn has changed.
type undone struct {
	Turn struct {
		Number int
		Title  string
	}
	Done                              bool
	Files, Conflicts, Left, Uncovered []changedFile
}

// undoCommand takes back what a turn has changed, the last one if none is named, or makes it again.
func (m *model) undoCommand(method, turn string) tea.Cmd {
	var answer undone
	return m.call(func(m *model, err error) tea.Cmd {
		if err != nil {
			m.failed(method, err)
			return nil
		}
		m.sayUndone(method, answer)
		return nil
	}, method, &answer, struct {
		Turn string `json:"turn,omitempty"`
	}{turn})
}

func (m *model) sayUndone(method string, u undone) {
	names := func(files []changedFile) string {
		var out []string
		for _, f := range files {
			out = append(out, plain.Line(f.Path, 200))
		}
		return strings.Join(shorten(out, 10, 0), ", ")
	}
	which := fmt.Sprintf("turn %d (%s)", u.Turn.Number, plain.Line(u.Turn.Title, 60))
	switch {
	case len(u.Conflicts) > 0:
		m.fail(method+": nothing was done: "+names(u.Conflicts)+" changed since "+which, "put aside what you have changed there, or mend it by hand; /diff shows what the turn did")
	case u.Done:
		m.tell(method + ": " + which + ": " + names(u.Files))
	default:
		m.warn(method + ": " + which + " is not wholly put back")
	}
	if len(u.Left) > 0 {
		m.warn("as they were: " + names(u.Left))
	}
	if len(u.Uncovered) > 0 {
		m.warn("changed by the turn, and not kept by any snapshot: " + names(u.Uncovered))
	}
}

// diffCommand shows what a turn has changed, or all of them.
func (m *model) diffCommand(turn string) tea.Cmd {
	var answer struct {
		Diff string
		Cut  bool
	}
	return m.call(func(m *model, err error) tea.Cmd {
		switch {
		case err != nil:
			m.failed("diff", err)
		case answer.Diff == "":
			m.tell("nothing that is kept was changed")
		default:
			if answer.Cut {
				answer.Diff += "\n… the rest is left out: git diff shows it\n"
			}
			m.show("what was changed", func(width int) []string { return m.diff(answer.Diff, width, 100_000) })
		}
		return nil
	}, "diff", &answer, struct {
		Turn string `json:"turn,omitempty"`
	}{turn})
}
