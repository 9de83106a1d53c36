package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/coder-agent/coder/agent"
)

func newCancel(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cancel SESSION",
		Short: "Stop the turn of a session, running or waiting",
		Long: `cancel stops what a session does, or waits to be allowed or told: a turn that runs with --detach, one that a schedule has begun,
a sub-agent. What was done and said stays in the session, and coder undo takes back what it has changed in the folder. The sub-agents that
work for the turn stop with it; jobs go on.`,
		Example: "  coder cancel nightly\n  coder cancel nightly/sub/task/1   # a sub-agent; who gave it the task is told",
		Args:    args(cobra.ExactArgs(1)),

		ValidArgsFunction: func(cmd *cobra.Command, args []string, part string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, none
			}
			return a.completeSessions(busy)(cmd, args, part)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.config(cmd)
			if err != nil {
				return err
			}
			t, err := a.transcript(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			name := t.session.Name
			if !busy(t.session) {
				return &hintedError{fmt.Errorf("nothing runs or waits in session %s: it is %s", name, t.session.Status), "see it with: coder sessions show " + name}
			}
			if _, err := a.askSession(cmd.Context(), c, name, "", "cancel", nil); err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.stdout, "cancelled %s\n", name)
			return err
		},
	}
	addFlags(cmd, "dataDir")
	return cmd
}

// busy reports whether there is something to cancel.
func busy(s agent.Session) bool { return s.Status != agent.Idle }
