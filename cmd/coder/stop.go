package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func newStop(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "stop",
		Short: "End the host of the data dir",
		Long: `stop ends the host of the data dir and waits until it is gone. Turns that run stay open on disk: the next host, which
the next command starts, goes on with them. Schedules wait for it too.`,
		Example: "  coder stop",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.usable(cmd)
			if err != nil {
				return err
			}
			h, status, ok, err := running(cmd.Context(), c.DataDir)
			if err != nil {
				return err
			}
			if !ok {
				_, err := fmt.Fprintln(a.stdout, "no host is running")
				return err
			}
			ctx, cancel := context.WithTimeoutCause(cmd.Context(), shutdownTimeout+5*time.Second,
				errors.New("the host does not end"))
			defer cancel()
			if err := h.stop(ctx); err != nil {
				return err
			}
			if n := status.Schedules.Count; n > 0 {
				fmt.Fprintf(a.stderr, "note: %s for the next host: coder schedule list\n", waiting(n))
			}
			if n := status.Jobs; n > 0 {
				fmt.Fprintf(a.stderr, "note: jobs ended with it: %d\n", n)
			}
			_, err = fmt.Fprintln(a.stdout, "stopped")
			return err
		},
	}
	addFlags(cmd, "dataDir")
	return cmd
}

func waiting(schedules int) string {
	if schedules == 1 {
		return "1 schedule waits"
	}
	return fmt.Sprintf("%d schedules wait", schedules)
}
