package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coder-agent/coder/cmd/internal/headless"
	"github.com/coder-agent/coder/server/client"
)

// A decideCommand holds the flags of coder approve and coder deny.
type decideCommand struct {
	app      *app
	config   config
	name     string // coder approve or coder deny
	approved bool
	reason   string
	detach   bool
	output   string
}

// command builds the command that both share.
func (d *decideCommand) command(cmd *cobra.Command) *cobra.Command {
	cmd.Args = args(cobra.RangeArgs(1, 2))
	cmd.ValidArgsFunction = d.app.completeWaiting
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if d.config, err = d.app.config(cmd); err != nil {
			return err
		}
		d.name = cmd.CommandPath()
		call := ""
		if len(args) == 2 {
			call = args[1]
		}
		return d.run(cmd.Context(), args[0], call)
	}
	addFlags(cmd, "dataDir")
	cmd.Flags().BoolVar(&d.detach, "detach", false, "return once the decision is recorded; the turn goes on")
	addOutput(cmd, &d.output)
	return cmd
}

func (d *decideCommand) run(ctx context.Context, name, call string) error {
	format, err := headless.ParseFormat(d.output)
	if err != nil {
		return &usageError{Err: err, Command: d.name}
	}
	t, err := d.app.transcript(ctx, d.config, name)
	if err != nil {
		return err
	}
	chosen, err := t.choose(call)
	if err != nil {
		return err
	}
	// As long as another call waits, a host asks no model.
	conn := &connector{app: d.app, config: d.config, anyProvider: true, keyless: chosen < len(t.waiting) && !t.resumes}
	session, err := client.Dial(ctx, client.Options{
		Host: conn.address, Name: t.session.Name, Kind: d.kind(), Query: url.Values{"client": {"run"}},
	})
	if err != nil {
		return goingOn(t.session.Name, err)
	}
	defer session.Close()
	about := headless.Result{Session: t.session.Name}
	if err := d.decide(ctx, session, call, &about); err != nil {
		return err
	}
	options := headless.Options{Out: d.app.stdout, Err: d.app.stderr, Format: format}
	switch {
	case len(about.Approvals) > 0:
		return outcome(headless.Park(ctx, session, about, options))
	case d.detach:
		return headless.Leave(ctx, session, about, options)
	}
	options.Interrupt = d.app.takeSignals()
	return d.app.follow(ctx, session, about, options)
}

// kind is what others see of this client.
func (d *decideCommand) kind() string {
	if d.approved {
		return "approve"
	}
	return "deny"
}

// choose checks that the call waits, or any when none is named, and returns how many are meant.
func (t *transcript) choose(call string) (int, error) {
	name := t.session.Name
	if len(t.waiting) == 0 && call == "" {
		return 0, &hintedError{
			fmt.Errorf("nothing waits for a decision in session %s: it is %s", name, t.session.Status),
			"see it with: coder sessions show " + name,
		}
	}
	var ids []string
	for _, c := range t.waiting {
		if c.ID == call {
			return 1, nil
		}
		ids = append(ids, c.ID)
	}
	switch {
	case call == "":
		return len(t.waiting), nil
	case len(ids) == 0:
		return 0, &hintedError{notWaiting(name, call), "nothing waits there; see it with: coder sessions show " + name}
	}
	return 0, &hintedError{notWaiting(name, call), "what waits there: " + strings.Join(ids, ", ")}
}

func notWaiting(name, call string) error {
	return fmt.Errorf("session %s has no call %s that waits for a decision", name, call)
}

// decide answers the call, or all that wait when none is named, and notes in r what was decided and what still waits.
func (d *decideCommand) decide(ctx context.Context, session *client.Session, call string, r *headless.Result) error {
	var waiting []headless.Approval
	if err := session.Call(ctx, "approvals", &waiting); err != nil {
		return err
	}
	for _, a := range waiting {
		if call != "" && a.ToolCallID != call {
			r.Approvals = append(r.Approvals, a)
			continue
		}
		if err := session.Decide(ctx, a.ToolCallID, d.approved, d.reason); err != nil {
			return fmt.Errorf("deciding on call %s of session %s: %w", a.ToolCallID, r.Session, err)
		}
		r.Decided = append(r.Decided, headless.Decision{
			ToolCallID: a.ToolCallID, ToolName: a.ToolName, Summary: a.Summary, Approved: d.approved, Reason: d.reason,
		})
	}
	if len(r.Decided) == 0 {
		return &hintedError{
			errors.New("somebody else has just decided in session " + r.Session),
			"see it with: coder sessions show " + r.Session,
		}
	}
	return nil
}
