package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/cmd/internal/headless"
	"github.com/coder-agent/coder/server/client"
	"github.com/coder-agent/coder/tools"
)

// An attachCommand holds the flags of coder attach.
type attachCommand struct {
	app     *app
	config  config
	tail    int
	once    bool
	output  string
	verbose bool
}

func newAttach(a *app) *cobra.Command {
	c := &attachCommand{app: a}
	cmd := &cobra.Command{
		Use:   "attach SESSION",
		Short: "Follow a session: what runs in it, and what comes",
		Long: `attach follows a session. It shows the end of the transcript, the turn that runs from its beginning on, and then
every turn that comes, with who caused it: another terminal, a page, a schedule. It looks and takes no part: unlike run it
cancels nothing when you press Ctrl-C or close the terminal, and it reads no stdin.

With --once it ends with the turn that runs, or else with the next, with the exit codes of run:
0 done, 1 error, 3 step limit, 4 waits for you, 5 stopped, 130 cancelled, or left with Ctrl-C.`,
		Example: `  coder attach nightly
  coder attach nightly --once && notify-send 'nightly is done'
  coder attach nightly --output jsonl | jq -r 'select(.type == "coder-tool-started").summary'`,
		Args: args(cobra.ExactArgs(1)),

		ValidArgsFunction: a.completeNames(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if c.config, err = a.config(cmd); err != nil {
				return err
			}
			return c.run(cmd.Context(), args[0])
		},
	}
	addFlags(cmd, "dataDir")
	f := cmd.Flags()
	f.IntVar(&c.tail, "tail", 2, "messages of the transcript to begin with")
	f.BoolVar(&c.once, "once", false, "end with the turn that runs, or the next")
	addOutput(cmd, &c.output)
	f.BoolVar(&c.verbose, "verbose", false, "show what the model thinks aloud and the beginning of tool results")
	return cmd
}

func (c *attachCommand) run(ctx context.Context, name string) error {
	format, err := headless.ParseFormat(c.output)
	switch {
	case err != nil:
		return &usageError{Err: err, Command: "coder attach"}
	case format == headless.JSON && !c.once:
		return &usageError{Err: errors.New("--output json is one document about one turn: add --once, or take jsonl"), Command: "coder attach"}
	case c.tail < 0:
		return &usageError{Err: errors.New("--tail: it must not be negative"), Command: "coder attach"}
	}
	t, err := c.app.transcript(ctx, c.config, name)
	if err != nil {
		return err
	}
	name = t.session.Name
	headless.Banner(c.app.stderr, name, string(t.session.Mode))
	conn := &connector{app: c.app, config: c.config, anyProvider: true}
	session, err := client.Dial(ctx, client.Options{
		Host: conn.address, Name: name, Kind: "attach", Query: url.Values{"client": {"attach"}},
	})
	if err != nil {
		return err
	}
	defer session.Close()
	options := headless.Options{Out: c.app.stdout, Err: c.app.stderr, Format: format, Show: tools.Show, Reasoning: c.verbose}
	if c.verbose {
		options.ResultLines = verboseLines
	}
	result, err := headless.Attach(ctx, session, headless.Result{Session: name}, headless.AttachOptions{
		Options: options, Tail: c.tail, Once: c.once, Summary: summaries(),
	})
	switch {
	case errors.Is(err, errInterrupted):
		fmt.Fprintf(c.app.stderr, "left; session %s goes on\n", name)
		return err
	case err == nil && result.Reason == chat.FinishError:
		return &hintedError{errors.New(result.Error), result.Hint}
	}
	return outcome(result, err)
}
