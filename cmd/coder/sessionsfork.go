package main

import (
	"context"
	"fmt"
	"net/url"
	"slices"

	"github.com/spf13/cobra"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/server/client"
)

func newSessionsFork(a *app) *cobra.Command {
	var at, name string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "fork NAME",
		Short: "Make a session that begins with the transcript of another",
		Long: `fork makes a session that begins with the transcript of another: all its turns that are over, or those up to and
including a message (coder sessions show NAME --json has their ids). Folder, model and mode are the same. The other
session stays as it is.`,
		Example: "  coder sessions fork nightly --name experiment\n  coder sessions fork nightly --at msg_0199f2 && coder run -c 'try it the other way'",
		Args:    args(cobra.ExactArgs(1)),

		ValidArgsFunction: a.completeNames(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.config(cmd)
			if err != nil {
				return err
			}
			fork, err := a.forkSession(cmd.Context(), c, args[0], at, name)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(a.stdout, fork)
			}
			_, err = fmt.Fprintf(a.stdout, "forked %s as %s (%d messages); go on with: coder run --session %s\n",
				fork.ParentSession, fork.Name, fork.Messages, fork.Name)
			return err
		},
	}
	addFlags(cmd, "dataDir")
	cmd.Flags().StringVar(&at, "at", "", "the last message to take over (default: all turns that are over)")
	cmd.Flags().StringVar(&name, "name", "", "name of the new session (default: one is made)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// forkSession has the host make the fork, and starts one if none runs: like the one that deletes, it needs no key unless
// it finds turns to go on with.
func (a *app) forkSession(ctx context.Context, c config, session, at, name string) (fork agent.Session, err error) {
	list, err := a.sessions(ctx, c)
	if err != nil {
		return fork, err
	}
	if !known(list, session) {
		return fork, &agent.NoSessionError{Name: session}
	}
	busy := slices.ContainsFunc(list, func(s agent.Session) bool { return s.Status == agent.Running })
	conn := &connector{app: a, config: c, keyless: !busy}
	s, err := client.Dial(ctx, client.Options{Host: conn.address, Name: session, Query: url.Values{"client": {"run"}}})
	if err != nil {
		return fork, err
	}
	defer s.Close() // a host that was started for it ends with its last client
	err = s.Call(ctx, "forkSession", &fork, at, name)
	return fork, err
}
