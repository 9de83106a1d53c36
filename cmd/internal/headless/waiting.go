package headless

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/plain"
)

// Bounds of what is shown of a call that waits. A command has no bound of lines: who approves it has seen it.
const (
	callLines = 60
	headLines = 40   // of these, at the beginning
	callWidth = 2000 // characters of a line
)

// A Show tells the whole of what a call would do; whole says that none of its lines may be left out.
type Show func(name string, input json.RawMessage) (text string, whole bool)

// PrintWaiting prints the calls of a session that wait for a decision, each with what it would do and what decides it.
func PrintWaiting(out io.Writer, session string, list []Approval, show Show) {
	p := &progress{Options: Options{Err: out, Show: show}, session: session}
	p.waiting("waiting for approval", list)
}

// PrintDeciding prints the commands that decide on calls that were shown already.
func PrintDeciding(out io.Writer, session string, list []Approval) {
	p := &progress{Options: Options{Err: out}, session: session}
	for _, a := range list {
		p.note("waiting for approval: %s", Title(a.ToolName, a.Summary))
		p.deciding(a)
	}
}

// PrintWhole prints all that a call would do, with nothing left out: before somebody says yes to what was too long to show.
func PrintWhole(out io.Writer, session string, a Approval, show Show) {
	p := &progress{Options: Options{Err: out, Show: show}, session: session}
	p.note("all of %s:", Title(a.ToolName, a.Summary))
	for _, l := range show.Lines(a) {
		p.note("    %s", l)
	}
	if a.Left > 0 {
		p.note("    (all %d characters more: coder sessions show %s --json)", a.Left, a.shownAt(session))
	}
}

// Cut reports whether a part of what the call would do was left out where it was shown.
func (s Show) Cut(a Approval) bool {
	lines, whole := s.text(a)
	return a.Left > 0 || !whole && (len(lines) > callLines || slices.ContainsFunc(lines, func(l string) bool { return utf8.RuneCountInString(l) > callWidth }))
}

// waiting prints the calls that wait: what each would do, where and how far it may reach, why it asks and what decides it.
func (p *progress) waiting(head string, list []Approval) {
	for _, a := range list {
		p.note("%s: %s", head, Title(a.ToolName, a.Summary))
		if a.Session != "" {
			p.note("  by the sub-agent %s", plain.Line(a.Session, 400))
		}
		p.body(a)
		for _, l := range About(a) {
			p.note("  %s", l)
		}
		if !p.Asks {
			p.deciding(a)
		}
		if !a.DenyAt.IsZero() {
			p.note("  it is denied at %s if nobody decides", a.DenyAt.Local().Format(time.DateTime))
		}
	}
}

// deciding prints the commands that decide on the call.
func (p *progress) deciding(a Approval) {
	p.note("  coder approve %s %s", p.session, a.ToolCallID)
	if a.Always != "" {
		p.note("  coder approve %s %s --always   (and from now on: %s)", p.session, a.ToolCallID, plain.Visible(a.Always))
	}
	p.note("  coder deny %s %s", p.session, a.ToolCallID)
}

// About says where the call would run, what bounds it, and why it asks. Reach beyond the sandbox is said loudly.
func About(a Approval) (out []string) {
	if a.Workdir != "" {
		out = append(out, "in "+plain.Visible(a.Workdir)+", "+bounds(a.Sandbox, a.Reach))
	}
	for _, path := range a.Paths {
		out = append(out, "file "+plain.Visible(path))
	}
	if a.Reason != "" {
		out = append(out, "because "+plain.Line(a.Reason, errorWidth))
	}
	return out
}

func bounds(sandbox, reach string) string {
	switch {
	case reach == chat.ReachAll:
		return "OUTSIDE THE SANDBOX: it can do whatever you can"
	case sandbox == NoSandbox && reach == chat.ReachNetwork:
		return "not sandboxed, WITH THE NETWORK"
	case sandbox == NoSandbox:
		return "not sandboxed"
	case reach == chat.ReachNetwork:
		return "sandboxed (" + plain.Line(sandbox, 80) + "), but WITH THE NETWORK OPEN"
	}
	return "sandboxed (" + plain.Line(sandbox, 80) + ")"
}

// NoSandbox is what the host says of commands that nothing bounds.
const NoSandbox = "none"

// body prints what the call would do, if its title has not said it all.
func (p *progress) body(a Approval) {
	for _, l := range p.Show.body(a.shownAt(p.session), a) {
		p.note("    %s", l)
	}
}

// text returns the lines of what the call would do, with nothing hidden in them: as the host has shown it with the question,
// or as its arguments tell. whole says that none of them may be left out, as of a command.
func (s Show) text(a Approval) (lines []string, whole bool) {
	text := a.Text
	whole = a.Workdir != ""
	if s.leftOut(a) {
		return nil, whole
	}
	if text == "" && s != nil && len(a.Input) > 0 {
		text, whole = s(a.ToolName, a.Input)
	}
	if text = strings.TrimRight(plain.Visible(text), "\n"); text == "" {
		return nil, whole
	}
	return strings.Split(strings.ReplaceAll(text, "\t", "    "), "\n"), whole
}

// leftOut reports whether the call is too large for the state document.
func (s Show) leftOut(a Approval) bool {
	return s != nil && a.Text == "" && (len(a.Input) == 0 || a.Workdir != "" || len(a.Paths) > 0)
}

// Lines returns the lines of what the call would do, all of them.
func (s Show) Lines(a Approval) []string {
	lines, _ := s.text(a)
	return lines
}

// body returns the lines of what the call would do; none if its title has said it all. Of one that is long the beginning and
// the end are shown, with how much is missing.
func (s Show) body(session string, a Approval) []string {
	lines, whole := s.text(a)
	switch {
	case s.leftOut(a):
		return []string{fmt.Sprintf("(coder sessions show %s shows all of it)", session)}
	case len(lines) == 1 && a.ToolName+" "+lines[0] == Title(a.ToolName, a.Summary):
		return nil
	}
	var out []string
	for i, l := range lines {
		left := len(lines) - callLines + 1
		switch {
		case whole || len(lines) <= callLines || i < headLines || i >= headLines+left:
			out = append(out, wide(l, whole, session))
		case i == headLines:
			out = append(out, fmt.Sprintf("… %d lines left out here (coder sessions show %s --json shows all) …", left, session))
		}
	}
	return out
}

// wide cuts a line that is too long, unless it must stay whole, and says so.
func wide(l string, whole bool, session string) string {
	r := []rune(l)
	if whole || len(r) <= callWidth {
		return l
	}
	return fmt.Sprintf("%s… %d more characters (coder sessions show %s --json shows all)", string(r[:callWidth]), len(r)-callWidth, session)
}
