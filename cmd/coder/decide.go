package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/cmd/internal/headless"
	"github.com/coder-agent/coder/server/client"
)

// A decideCommand holds the flags of coder approve and coder deny.
type decideCommand struct {
	app      *app
	config   config
	approved bool
	reason   string
	detach   bool
	output   string
}

// command builds the command that both share.
func (d *decideCommand) command(cmd *cobra.Command) *cobra.Command {
	cmd.Args = args(cobra.RangeArgs(1, 2))
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if d.config, err = d.app.config(cmd); err != nil {
			return err
		}
		call := ""
		if len(args) == 2 {
			call = args[1]
		}
		return d.run(cmd.Context(), args[0], call)
	}
	addFlags(cmd, "dataDir")
	cmd.Flags().BoolVar(&d.detach, "detach", false, "return once the decision is recorded; the turn goes on")
	cmd.Flags().StringVar(&d.output, "output", "text", "text, json (one document at the end) or jsonl (each event)")
	return cmd
}

func (d *decideCommand) run(ctx context.Context, name, call string) error {
	format, err := headless.ParseFormat(d.output)
	if err != nil {
		return &usageError{Err: err, Command: "coder approve"}
	}
	conn := &connector{app: d.app, config: d.config, anyProvider: true}
	session, err := client.Dial(ctx, client.Options{Host: conn.address, Name: name})
	if err != nil {
		return err
	}
	defer session.Close()
	waiting, err := d.decide(ctx, session, name, call)
	if err != nil {
		return err
	}
	if len(waiting) > 0 {
		for _, p := range waiting {
			fmt.Fprintf(d.app.stderr, "waiting for approval: %s %s\n  coder approve %s %s\n  coder deny %s %s\n",
				p.ToolName, headless.Printable(p.Summary), name, p.ToolCallID, name, p.ToolCallID)
		}
		return &exitError{Code: exitParked}
	}
	if d.detach {
		return nil
	}
	return d.app.follow(ctx, session, headless.Result{Session: name}, headless.Options{
		Out: d.app.stdout, Err: d.app.stderr, Format: format, Interrupt: d.app.takeSignals(),
	})
}

// decide answers the call, or all that wait when none is named, and returns what still waits.
func (d *decideCommand) decide(ctx context.Context, session *client.Session, name, call string) ([]agent.Pending, error) {
	var waiting, rest []agent.Pending
	if err := session.Call(ctx, "approvals", &waiting); err != nil {
		return nil, err
	}
	found := false
	for _, p := range waiting {
		if call != "" && p.ToolCallID != call {
			rest = append(rest, p)
			continue
		}
		found = true
		if err := session.Decide(ctx, p.ToolCallID, d.approved, d.reason); err != nil {
			return nil, err
		}
	}
	switch {
	case found:
		return rest, nil
	case call != "":
		return nil, &hintedError{
			fmt.Errorf("session %s has no call %s that waits for a decision", name, call),
			"what waits: coder sessions list",
		}
	}
	return nil, errors.New("nothing waits for a decision in session " + name)
}
