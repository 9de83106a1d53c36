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
	Reads   []string // paths as the model gave them, relative to the workdir or absolute
	Writes  []string
	Command string // with Runs: the exact command
	Typed   bool   // Command is what is typed to a program that runs already; what that does with it is not known
	Dir     string // with Runs: the folder it runs in, as the model gave it; "" is the workdir
	URL     string // with Network: what is fetched, as the model gave it
	Chosen  bool   // with URL: the user's config names it; all else in the call is what is sent there
	Reach   Reach  // with Runs: what the model asks for beyond the sandbox
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
	Place Place
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

// Judge decides on a call. Deny goes before ask and ask before allow, whatever the order of the rules. An unknown mode
// asks about everything.
func (p Policy) Judge(c Call) Verdict {
	row, ok := modes[p.Mode]
	if !ok {
		row = modes[ModeAsk]
	}
	v := p.judge(row, c)
	if !ok && v.Decision == Allow {
		return Verdict{Decision: Ask, Reason: fmt.Sprintf("the session has the unknown mode %q", p.Mode)}
	}
	return v
}

func (p Policy) judge(row row, c Call) Verdict {
	switch {
	case c.Typed:
		return p.judgeTyped(row, c)
	case c.Command != "":
		return p.judgeCommand(row, c)
	case c.Effect == Network && c.URL != "":
		return p.judgeURL(row, c)
	}
	return p.judgeFiles(row, c)
}

var (
	wants   = map[Decision]string{Ask: "asks before", Deny: "does not allow"}
	changes = map[Effect]string{
		Reads: "reads", Writes: "changes files", Runs: "runs commands", Network: "uses the network",
		Plans: "plans prompts",
	}
)

// plain is the verdict of the mode alone, for what no rule and no path changes.
func (p Policy) plain(row row, e Effect) Verdict {
	v := Verdict{Decision: row.verdict(e)}
	if e == Runs && v.Decision == Allow && p.Level < 3 && !row.full() {
		v.Decision = Ask // nothing bounds it
	}
	if v.Decision != Allow {
		deed, ok := changes[e]
		if !ok {
			deed = "has an effect that nobody declared"
		}
		v.Reason = fmt.Sprintf("mode %s %s a tool that %s", p.Mode, wants[v.Decision], deed)
	}
	return v
}
