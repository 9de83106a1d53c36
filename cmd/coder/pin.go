package main

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/server"
)

func newSessionsPin(a *app) *cobra.Command {
	return a.pinCommand(&cobra.Command{
		Use:     "pin NAME...",
		Short:   "Keep sessions from being deleted to make room",
		Example: "  coder sessions pin nightly",
	}, true)
}

func newSessionsUnpin(a *app) *cobra.Command {
	return a.pinCommand(&cobra.Command{
		Use:     "unpin NAME...",
		Short:   "Let pinned sessions go again when room is made",
		Example: "  coder sessions unpin nightly",
	}, false)
}

// pinCommand completes one of the two commands.
func (a *app) pinCommand(cmd *cobra.Command, pinned bool) *cobra.Command {
	var asJSON bool
	done := cmd.Name() + "ned" // pinned, unpinned
	cmd.Args = args(cobra.MinimumNArgs(1))
	cmd.ValidArgsFunction = a.completeNames(math.MaxInt)
	cmd.RunE = func(cmd *cobra.Command, names []string) error {
		c, err := a.config(cmd)
		if err != nil {
			return err
		}
		if err := a.pin(cmd.Context(), c, names, pinned); err != nil {
			return err
		}
		if asJSON {
			return printJSON(a.stdout, map[string][]string{done: names})
		}
		_, err = fmt.Fprintf(a.stdout, "%s %s\n", done, strings.Join(names, ", "))
		return err
	}
	addFlags(cmd, "dataDir")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// pin has the host pin or unpin the sessions.
func (a *app) pin(ctx context.Context, c config, names []string, pinned bool) error {
	list, err := a.sessions(ctx, c)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !known(list, name) {
			return &agent.NoSessionError{Name: name}
		}
	}
	return a.borrowHost(ctx, c, list, func(conn *connector) error {
		for _, name := range names {
			path := "/host/sessions/" + url.PathEscape(name) + "/pin"
			err := conn.ask(ctx, func(h hostFile) error { return h.post(ctx, path, server.Pin{Pinned: pinned}, nil) })
			if err != nil {
				return err
			}
		}
		return nil
	})
}
