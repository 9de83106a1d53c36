package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/plain"
)

func newJobs(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "jobs [SESSION]",
		Short: "List the commands that agents let run, and end them",
		Long: `jobs lists the commands that run beside the turns of their sessions: servers, watchers, and what took longer than its time. They end
with the host, and with their session when it is deleted.`,
		Example: `  coder jobs
  coder jobs end fix 2`,
		Args: args(cobra.MaximumNArgs(1)),

		ValidArgsFunction: a.completeNames(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.config(cmd)
			if err != nil {
				return err
			}
			list, err := a.jobs(cmd.Context(), c)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				list = slices.DeleteFunc(list, func(j agent.Job) bool { return !strings.EqualFold(j.Session, args[0]) })
			}
			if asJSON {
				return printJSON(a.stdout, struct {
					Jobs []agent.Job `json:"jobs"`
				}{list})
			}
			return printJobs(a.stdout, list, a.width(), time.Now())
		},
	}
	addFlags(cmd, "dataDir")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.AddCommand(newJobsEnd(a))
	return cmd
}

func newJobsEnd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "end SESSION ID...",
		Short:   "End jobs of a session, with all that they started",
		Example: "  coder jobs end fix 2",
		Args:    args(cobra.MinimumNArgs(2)),

		ValidArgsFunction: a.completeJobs,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.config(cmd)
			if err != nil {
				return err
			}
			if !agent.ValidAddress(args[0]) {
				return &usageError{Err: &agent.NameError{Name: args[0]}, Command: "coder jobs end"}
			}
			list, err := a.sessions(cmd.Context(), c)
			if err != nil {
				return err
			}
			if !known(list, args[0]) {
				return &agent.NoSessionError{Name: args[0]}
			}
			h, _, ok, err := running(cmd.Context(), c.DataDir)
			if err != nil {
				return err
			}
			for _, id := range args[1:] {
				if !ok {
					return &agent.NoJobError{ID: id}
				}
				if err := h.endJob(cmd.Context(), args[0], id); err != nil {
					return err
				}
			}
			_, err = fmt.Fprintf(a.stdout, "ending %s\n", strings.Join(args[1:], ", "))
			return err
		},
	}
	addFlags(cmd, "dataDir")
	return cmd
}

// jobs lists what runs. Without a host nothing does.
func (a *app) jobs(ctx context.Context, c config) ([]agent.Job, error) {
	h, _, ok, err := running(ctx, c.DataDir)
	if err != nil || !ok {
		return []agent.Job{}, err
	}
	list, err := h.jobs(ctx)
	if ending(err) && ctx.Err() == nil {
		return []agent.Job{}, nil
	}
	return list, err
}

// printJobs prints the table of jobs. On a terminal, of width columns, no line of it wraps.
func printJobs(out io.Writer, list []agent.Job, width int, now time.Time) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "no jobs run")
		return err
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, gap, ' ', 0)
	fmt.Fprintln(w, "SESSION\tID\tFOR\tCOMMAND\tLAST LINE")
	for _, j := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", j.Session, j.ID, now.Sub(j.Started).Truncate(time.Second), plain.Line(j.Command, 40), plain.Line(j.Last, 60))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(table.String()) {
		if _, err := fmt.Fprintln(out, clipLine(line, cmp.Or(width, math.MaxInt))); err != nil {
			return err
		}
	}
	return nil
}

// endingJobs tells who has followed a turn which jobs of the session end now with the host that they have started for it.
func (a *app) endingJobs(ctx context.Context, conn *connector, session string) {
	if !conn.started || conn.idle > 0 {
		return
	}
	list, err := a.jobs(ctx, conn.config)
	if err != nil {
		return // it ends already, and they with it
	}
	for _, j := range list {
		if strings.EqualFold(j.Session, session) {
			fmt.Fprintf(a.stderr, "note: job %s (%s) ends now with the host; with coder serve, or CODER_IDLE=1h, it goes on\n", j.ID, plain.Line(j.Command, 60))
		}
	}
}
