// Package permission decides what a tool call may do: at once, after the user's yes, or not at all.
package permission

import (
	"fmt"
	"slices"
	"strings"
)

// An Effect says what a tool may change. It also decides what a resumed turn does with a call that had started: one
// that only Reads runs again, any other is answered as interrupted.
type Effect string

// The effects, from harmless to far-reaching.
const (
	Reads   Effect = "reads"
	Writes  Effect = "writes"
	Runs    Effect = "runs"
	Network Effect = "network"
	Plans   Effect = "plans" // prompts for later, when perhaps nobody watches
)

// A Mode is a named set of permissions. Its rows are in modes.go.
type Mode string

// A Call is a tool call as the policy sees it.
type Call struct {
	Tool    string
	Effect  Effect
	Outside []string // paths the call names that are outside the workdir, resolved
	Guarded []string // paths the call would write that decide what runs later, such as .git/hooks; resolved
	Private []string // paths the call names that belong to coder itself, such as its token; resolved
	Command string   // with Runs: the exact command
	Reach   Reach    // with Runs: what the model asks for beyond the sandbox
}

// A Reach is what a command may reach beyond the sandbox. The zero value is nothing.
type Reach struct {
	Network     bool // the network of the machine
	Unsandboxed bool // everything that the user can
}

// A Policy is what a session's calls are judged by.
type Policy struct {
	Mode  Mode
	Rules []Rule
	Level int // of the sandbox that bounds commands: 0 is none, 3 the whole
}

// A Decision is what the policy wants done with a call.
type Decision string

// The decisions.
const (
	Allow Decision = "allow"
	Ask   Decision = "ask"
	Deny  Decision = "deny"
)

// A Verdict is a decision and, unless it is Allow, why, in words for the user and the model.
type Verdict struct {
	Decision Decision
	Reason   string
	Always   string // the rule that "always" would remember, as ParseRule reads it; "" when there is none to offer
	Reach    Reach  // what the call may reach if it runs
}

// ParseMode checks the name of a mode.
func ParseMode(s string) (Mode, error) {
	m := Mode(s)
	if _, ok := modes[m]; !ok {
		return "", &ModeError{Name: s}
	}
	return m, nil
}

// A ModeError says that there is no such mode.
type ModeError struct{ Name string }

func (e *ModeError) Error() string { return fmt.Sprintf("there is no mode %q", e.Name) }

// Hint names the modes there are.
func (e *ModeError) Hint() string {
	return "modes: " + strings.Join(Names(), ", ")
}

// Names lists the modes from the tightest to the loosest.
func Names() []string {
	names := make([]string, 0, len(modes))
	for m := range modes {
		names = append(names, string(m))
	}
	slices.SortFunc(names, func(a, b string) int { return modes[Mode(a)].rank - modes[Mode(b)].rank })
	return names
}

// Tighter reports whether m permits no more than n.
func (m Mode) Tighter(n Mode) bool { return modes[m].rank <= modes[n].rank }

// Judge decides on a call. An unknown mode asks about everything.
func (p Policy) Judge(c Call) Verdict {
	m := p.Mode
	if len(c.Private) > 0 {
		return Verdict{Decision: Deny, Reason: fmt.Sprintf("%s belongs to coder itself", c.Private[0])}
	}
	row, ok := modes[m]
	if !ok {
		return Verdict{Decision: Ask, Reason: fmt.Sprintf("the session has the unknown mode %q", m)}
	}
	v := Verdict{Decision: row.verdict(c.Effect)}
	if v.Decision != Allow {
		v.Reason = fmt.Sprintf("mode %s %s a tool that %s", m, wants[v.Decision], changes[c.Effect])
	}
	if v.Decision == Deny {
		return v
	}
	switch {
	case len(c.Guarded) > 0:
		return Verdict{Decision: Ask, Reason: fmt.Sprintf("%s decides what runs later", c.Guarded[0])}
	case len(c.Outside) > 0:
		return Verdict{Decision: Ask, Reason: fmt.Sprintf("%s is outside the workdir", c.Outside[0])}
	}
	return v
}

var (
	wants   = map[Decision]string{Ask: "asks before", Deny: "does not allow"}
	changes = map[Effect]string{
		Reads: "reads", Writes: "changes files", Runs: "runs commands", Network: "uses the network",
		Plans: "plans prompts",
	}
)
