package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
)

// A doctor looks at what coder needs. It starts no host and needs no key.
type doctor struct {
	app     *app
	cmd     *cobra.Command
	config  config  // as far as it is right
	keyErr  error   // why a key that is kept cannot be read
	wrong   []error // what in the settings is not
	offline bool
	asJSON  bool
	fix     bool
}

// A verdict says how a check came out.
type verdict string

// The verdicts, from good to bad. Only a problem lets the command fail.
const (
	fine    verdict = "ok"
	note    verdict = "note"
	warning verdict = "warning"
	problem verdict = "problem"
)

var worse = []verdict{fine, note, warning, problem}

// A finding is what a check found.
type finding struct {
	Name    string   `json:"name"`
	Status  verdict  `json:"status"`
	Text    string   `json:"text"`
	Remedy  string   `json:"remedy,omitempty"`
	Details []detail `json:"details,omitempty"`
}

// A detail is one of several things that a check looked at.
type detail struct {
	Status verdict `json:"status"`
	Text   string  `json:"text"`
	Remedy string  `json:"remedy,omitempty"`
}

// add adds a detail; the finding is as bad as the worst of them.
func (f *finding) add(status verdict, text, remedy string) {
	f.Details = append(f.Details, detail{status, text, remedy})
	if slices.Index(worse, status) > slices.Index(worse, f.Status) {
		f.Status = status
	}
}

// A check looks at one thing.
type check struct {
	name string
	look func(context.Context) finding
}

// checks are all of them, in the order in which they are shown.
func (d *doctor) checks() []check {
	return []check{
		{"config", d.lookConfig},
		{"key", d.lookKey},
		{"provider", d.lookProvider},
		{"sandbox", d.lookSandbox},
		{"data dir", d.lookDataDir},
		{"store", d.lookStore},
		{"audit log", d.lookAudit},
		{"host", d.lookHost},
		{"terminal", d.lookTerminal},
		{"git", d.lookGit},
		{"shell", d.lookShell},
		{"editors", d.lookEditors},
		{"languages", d.lookLanguages},
		{"MCP", d.lookMCP},
	}
}

func newDoctor(a *app) *cobra.Command {
	d := &doctor{app: a}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check that everything coder needs is there and safe",
		Long: `doctor looks at the settings, the key and the provider, the sandbox, the data dir with its store and audit log, the
running host, and what it finds on this machine: terminal, git, shell, editors, language servers. For each problem it says what
to do. It starts no host and needs no key; it asks the provider nothing that costs money.

It exits with 1 when there is a problem; warnings and notes are none.`,
		Example: `  coder doctor
  coder doctor --offline
  coder doctor --fix                       # closes files of the data dir that others can read
  coder doctor --json | jq -r '.checks[] | select(.status == "problem").remedy'`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			d.cmd = cmd
			d.config, d.wrong = a.resolve(cmd)
			d.keyErr = a.findKey(cmd.Context(), &d.config)
			if i := slices.IndexFunc(d.wrong, isUsage); i >= 0 {
				return d.wrong[i]
			}
			return d.run(cmd.Context())
		},
	}
	addFlags(cmd, "dataDir")
	f := cmd.Flags()
	f.BoolVar(&d.offline, "offline", false, "do not ask the provider")
	f.BoolVar(&d.fix, "fix", false, "take from others what they may do with our own files")
	f.BoolVar(&d.asJSON, "json", false, "print JSON")
	return cmd
}

func (d *doctor) run(ctx context.Context) error {
	if d.fix {
		if err := d.closeFiles(); err != nil {
			return err
		}
	}
	findings := examine(ctx, d.checks())
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	show := d.print
	if d.asJSON {
		show = d.printJSON
	}
	if err := show(findings); err != nil {
		return err
	}
	if count(findings, problem) > 0 {
		return &exitError{Code: exitFailed}
	}
	return nil
}

func count(findings []finding, status verdict) (n int) {
	for _, f := range findings {
		if f.Status == status {
			n++
		}
	}
	return n
}

// Bounds of a check: what it has for its work, and when it is no longer waited for.
const (
	checkTimeout  = 5 * time.Second
	checkPatience = 6 * time.Second
)

// examine makes all checks at once. One that panics or hangs is its own problem and nobody else's: its goroutine is left to
// the end of the process.
func examine(ctx context.Context, checks []check) []finding {
	type answer struct {
		at int
		finding
	}
	answers := make(chan answer, len(checks))
	findings := make([]finding, len(checks))
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	for i, c := range checks {
		findings[i] = finding{
			Name: c.name, Status: problem, Text: fmt.Sprintf("no answer within %v", checkPatience),
			Remedy: "try again; if it stays so, look whether a disk or a network share hangs",
		}
		go func() { answers <- answer{i, c.safely(ctx)} }()
	}
	late := time.NewTimer(checkPatience)
	defer late.Stop()
	for range checks {
		select {
		case a := <-answers:
			findings[a.at] = a.finding
		case <-late.C:
			return findings
		}
	}
	return findings
}

// safely makes the check; a panic is what it found.
func (c check) safely(ctx context.Context) (f finding) {
	defer func() {
		if v := recover(); v != nil {
			f = finding{Status: problem, Text: fmt.Sprintf("the check broke down: %v", v), Remedy: "this is a bug in coder: please report it"}
		}
		f.Name = c.name
	}()
	return c.look(ctx)
}

// failing is a finding about an error, with its own hint.
func failing(status verdict, err error, otherwise string) finding {
	hint := hintOf(err)
	if hint == "" {
		hint = otherwise
	}
	return finding{Status: status, Text: err.Error(), Remedy: hint}
}

func late(ctx context.Context, err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil
}
