package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coder-agent/coder/cmd/internal/headless"
	"github.com/coder-agent/coder/server/client"
	"github.com/coder-agent/coder/tools"
)

// A decideCommand holds the flags of coder approve and coder deny.
type decideCommand struct {
	app      *app
	config   config
	name     string // coder approve or coder deny
	approved bool
	reason   string
	all      bool // all calls that wait
	always   bool // with a yes: keep the rule that was shown
	seen     bool // the user has seen all of calls that were too long to show
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
	cmd.Flags().BoolVar(&d.all, "all", false, "decide on all calls that wait")
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
	headless.Banner(d.app.stderr, t.session.Name, string(t.session.Mode))
	chosen, err := d.choose(&t, call)
	if err != nil {
		return err
	}
	// As long as another call waits, a host asks no model.
	partly := len(chosen) < len(t.approvals())+len(t.asking) && !t.resumes
	conn := &connector{app: d.app, config: d.config, anyProvider: true, keyless: partly, hold: partly}
	session, err := client.Dial(ctx, client.Options{
		Host: conn.address, Name: t.session.Name, Kind: d.kind(), Query: url.Values{"client": {"run"}},
	})
	if err != nil {
		return goingOn(t.session.Name, err)
	}
	defer session.Close()
	about := headless.Result{Session: t.session.Name}
	if err := d.decide(ctx, session, chosen, &about); err != nil {
		return err
	}
	options := headless.Options{Out: d.app.stdout, Err: d.app.stderr, Format: format, Show: tools.Show}
	switch {
	case len(about.Approvals)+len(about.Questions) > 0:
		return outcome(headless.Park(ctx, session, about, options))
	case d.detach:
		return headless.Leave(ctx, session, about, options)
	}
	options.Interrupt = d.app.takeSignals()
	return d.app.follow(ctx, session, about, options)
}

func (d *decideCommand) decision() client.Decision {
	return client.Decision{Approved: d.approved, Reason: d.reason, Always: d.always}
}

// decided is what the command tells of a decision.
func decided(a headless.Approval, d client.Decision) headless.Decision {
	told := headless.Decision{
		ToolCallID: a.ToolCallID, ToolName: a.ToolName, Input: a.Input, Summary: a.Summary, Session: a.Session, Question: a.Question,
		Approved: d.Approved, Reason: d.Reason,
	}
	if d.Always {
		told.Rule = a.Always
	}
	return told
}

// look refuses, before anything is decided, a yes for always where no rule is offered, and one to a call of which nobody here has
// seen all: it was too long to show. It shows all of it and wants to be told again.
func (d *decideCommand) look(ctx context.Context, session string, calls []string, waiting []headless.Approval) error {
	if i := slices.IndexFunc(waiting, func(a headless.Approval) bool {
		return d.always && a.Always == "" && slices.Contains(calls, a.ToolCallID)
	}); i >= 0 {
		return &hintedError{
			fmt.Errorf("no rule is offered for call %s of session %s: such a call is asked for each time", waiting[i].ToolCallID, session),
			"decide on it alone, without --always",
		}
	}
	if !d.approved || d.seen {
		return nil
	}
	show := headless.Show(tools.Show)
	for _, a := range waiting {
		if !slices.Contains(calls, a.ToolCallID) || !show.Cut(a) {
			continue
		}
		headless.PrintWhole(d.app.stderr, session, a, show)
		if terminal := d.app.questioner(); terminal != nil {
			yes, err := terminal.confirm(ctx)
			if err != nil {
				return err
			}
			if yes {
				continue
			}
		}
		return &hintedError{
			fmt.Errorf("call %s is too long to be shown before it is decided on; all of it stands above, and nothing was approved", a.ToolCallID),
			fmt.Sprintf("when you have read it: coder approve %s %s --seen", session, a.ToolCallID),
		}
	}
	return nil
}

// kind is what others see of this client.
func (d *decideCommand) kind() string {
	if d.approved {
		return "approve"
	}
	return "deny"
}

// choose returns the calls that are meant: the one that is named, the only one that waits, or, with --all, all of them. One
// word is no yes to several calls that nobody has named.
func (d *decideCommand) choose(t *transcript, call string) (ids []string, err error) {
	name := t.session.Name
	for _, a := range t.approvals() {
		ids = append(ids, a.ToolCallID)
	}
	switch {
	case call != "" && d.all:
		return nil, &usageError{Err: errors.New("a call and --all exclude each other"), Command: d.name}
	case slices.Contains(ids, call):
		return []string{call}, nil
	case len(ids) == 0 && call == "":
		return nil, &hintedError{
			fmt.Errorf("nothing waits for a decision in session %s: it is %s", name, t.session.Status),
			t.nextStep(),
		}
	case len(ids) == 0:
		return nil, &hintedError{notWaiting(name, call), "nothing waits there; see it with: coder sessions show " + name}
	case call != "":
		return nil, &hintedError{notWaiting(name, call), "what waits there: " + strings.Join(ids, ", ")}
	case len(ids) > 1 && !d.all:
		headless.PrintWaiting(d.app.stderr, name, t.approvals(), tools.Show)
		return nil, &usageError{Command: d.name, Err: &hintedError{
			fmt.Errorf("%d calls wait for a decision in session %s", len(ids), name),
			fmt.Sprintf("name one: %s %s CALL; or decide on all: %s %s --all", d.name, name, d.name, name),
		}}
	}
	return ids, nil
}

func notWaiting(name, call string) error {
	return fmt.Errorf("session %s has no call %s that waits for a decision", name, call)
}

// decide answers the calls and notes in r what was decided and what still waits, for a decision or an answer.
func (d *decideCommand) decide(ctx context.Context, session *client.Session, calls []string, r *headless.Result) error {
	var waiting []headless.Approval
	if err := session.Ask(ctx, "approvals", &waiting); err != nil {
		return err
	}
	if err := d.look(ctx, r.Session, calls, waiting); err != nil {
		return err
	}
	for _, a := range waiting {
		if !slices.Contains(calls, a.ToolCallID) {
			r.Approvals = append(r.Approvals, a)
			continue
		}
		if err := session.Decide(ctx, a.ToolCallID, d.decision()); err != nil {
			return fmt.Errorf("deciding on call %s of session %s: %w", a.ToolCallID, r.Session, err)
		}
		r.Decided = append(r.Decided, decided(a, d.decision()))
	}
	if len(r.Decided) == 0 {
		return &hintedError{
			errors.New("somebody else has just decided in session " + r.Session),
			"see it with: coder sessions show " + r.Session,
		}
	}
	return session.Ask(ctx, "questions", &r.Questions)
}
