package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/agent/store"
)

func newSchedule(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schedule",
		Short: "Plan prompts for later, list and cancel them",
		Long: `A schedule is a prompt that comes to a session later: at a date, after a delay, by a cron line or again and again. It
comes while a host runs, whether or not anybody is connected; a host stays for it. What was due while no host ran comes
once when the next one starts.`,
		Example: "  coder schedule add nightly 'update the dependencies' --cron '0 3 * * 1-5'\n  coder schedule list",
		Args:    args(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newScheduleAdd(a), newScheduleList(a), newScheduleCancel(a))
	return cmd
}

// A scheduleCommand holds the flags of coder schedule add.
type scheduleCommand struct {
	app    *app
	config config
	folder string
	moved  bool // the folder was named
	plan   agent.Plan
	asJSON bool
}

func newScheduleAdd(a *app) *cobra.Command {
	s := &scheduleCommand{app: a}
	cmd := &cobra.Command{
		Use:   "add SESSION PROMPT|-",
		Short: "Plan a prompt for a session",
		Long: `add plans a prompt for a session, which it makes if it is new. The turn runs in the session's mode: in mode ask it
waits for you at the first change. With - the prompt is read from stdin.

Dates without an offset and cron lines are meant in the time zone of --tz, else in the host's. Of a cron line's times, one
that a change of the clocks leaves out comes right after it, and one that it repeats comes once.`,
		Example: `  coder schedule add fix 'is the CI green? if not, find out why' --in 30m
  coder schedule add fix 'summarise what changed' --at '2026-11-24 09:00'
  coder schedule add nightly 'update the dependencies' --cron '0 3 * * 1-5' --tz Europe/Berlin --mode auto
  coder schedule add watch - --every 2h < task.md`,
		Args: args(cobra.ExactArgs(2)),

		ValidArgsFunction: a.completeNames(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if s.config, err = a.config(cmd); err != nil {
				return err
			}
			s.moved = cmd.Flags().Changed("dir")
			return s.add(cmd.Context(), args[0], args[1])
		},
	}
	addFlags(cmd, "model", "mode", "dataDir")
	f := cmd.Flags()
	f.StringVar(&s.plan.At, "at", "", "once, at a date: RFC 3339, or such as '2026-11-24 09:00'")
	f.StringVar(&s.plan.In, "in", "", "once, after a delay such as 90s, 1h30m or 2d")
	f.StringVar(&s.plan.Cron, "cron", "", "by the five fields of a crontab, such as '0 9 * * 1-5'")
	f.StringVar(&s.plan.Every, "every", "", "again and again, such as 30m; at least 1m")
	f.StringVar(&s.plan.TZ, "tz", "", "time zone of --at and --cron, such as Europe/Berlin (default: the host's)")
	f.StringVarP(&s.folder, "dir", "C", ".", "folder of a new session")
	completeFlag(cmd, "dir", completeFolders)
	f.BoolVar(&s.asJSON, "json", false, "print JSON")
	return cmd
}

func (s *scheduleCommand) add(ctx context.Context, name, prompt string) error {
	if !agent.ValidAddress(name) {
		return &usageError{Err: &agent.NameError{Name: name}, Command: "coder schedule add"}
	}
	if prompt == "-" {
		data, err := (&runCommand{app: s.app}).readAll(ctx)
		if err != nil {
			return err
		}
		prompt = strings.TrimSpace(string(data))
	}
	s.plan.Prompt = prompt
	if s.times() != 1 {
		return &usageError{Err: errors.New("say when with exactly one of --at, --in, --cron and --every"), Command: "coder schedule add"}
	}
	if s.config.Mode == permission.ModeFull {
		return &usageError{Err: errors.New("a planned prompt never runs in mode full"), Command: "coder schedule add"}
	}
	if err := s.plan.Validate(time.Now()); err != nil {
		return &usageError{Err: err, Command: "coder schedule add"}
	}
	setup, err := s.setup(ctx, name)
	if err != nil {
		return err
	}
	conn := &connector{app: s.app, config: s.config}
	if s.config.origins["idle"].From != fromDefault {
		conn.idle = s.config.Idle
	}
	session, about, err := s.app.dial(ctx, conn, "schedule", name, nil, setup)
	if err != nil {
		return err
	}
	defer session.Close()
	var planned agent.Schedule
	if err := session.Call(ctx, "schedule", &planned, s.plan); err != nil {
		return err
	}
	if !about.created {
		s.config.keeps(s.app.stderr, about)
	}
	if about.created && about.Mode != string(permission.ModeAuto) {
		fmt.Fprintf(s.app.stderr, "note: the new session is in mode %s; with --mode auto it works without asking\n", about.Mode)
	}
	if s.asJSON {
		return printJSON(s.app.stdout, planned)
	}
	_, err = fmt.Fprintf(s.app.stdout, "planned %s in session %s: comes %s, next on %s (%s)\n", planned.ID, about.Session,
		planned.When(), planned.Next.Local().Format("Monday, 2 January 2006, 15:04"), planned.Next.Format(time.RFC3339))
	return err
}

// times is how many flags say when the prompt comes.
func (s *scheduleCommand) times() (n int) {
	for _, text := range []string{s.plan.At, s.plan.In, s.plan.Cron, s.plan.Every} {
		if strings.TrimSpace(text) != "" {
			n++
		}
	}
	return n
}

// setup is what the session gets: a new one its folder, and what was named on the command line.
func (s *scheduleCommand) setup(ctx context.Context, name string) (agent.Setup, error) {
	setup := s.config.setup("")
	setup.Environ = commandEnviron(s.app.environ(), s.config.PassEnv)
	list, err := s.app.sessions(ctx, s.config)
	if err != nil {
		return setup, err
	}
	if s.moved || !known(list, name) {
		setup.Workdir, err = workdir(s.folder)
	}
	return setup, err
}

func newScheduleList(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the schedules of all sessions, the next due first",
		Example: "  coder schedule list\n  coder schedule list --json | jq -r '.schedules[] | select(.error) | .id'",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.config(cmd)
			if err != nil {
				return err
			}
			list, hosted, err := a.schedules(cmd.Context(), c)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(a.stdout, struct {
					Schedules []agent.Schedule `json:"schedules"`
				}{list})
			}
			if len(list) > 0 && !hosted {
				fmt.Fprintln(a.stderr, "note: no host is running; nothing comes until one does")
			}
			return printSchedules(a.stdout, list)
		},
	}
	addFlags(cmd, "dataDir")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newScheduleCancel(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "cancel ID...",
		Short:   "Cancel schedules; a turn that one has begun goes on",
		Example: "  coder schedule cancel s-k3fx9p2a",
		Args:    args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.config(cmd)
			if err != nil {
				return err
			}
			if err := a.cancelSchedules(cmd.Context(), c, args); err != nil {
				return err
			}
			if asJSON {
				return printJSON(a.stdout, struct {
					Cancelled []string `json:"cancelled"`
				}{args})
			}
			_, err = fmt.Fprintf(a.stdout, "cancelled %s\n", strings.Join(args, ", "))
			return err
		},
	}
	addFlags(cmd, "dataDir")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// schedules lists the schedules, the next due first: from the host or, without one, from disk. hosted says that a host
// looks after them.
func (a *app) schedules(ctx context.Context, c config) (list []agent.Schedule, hosted bool, err error) {
	err = lookUp(ctx, c.DataDir, func(h hostFile) (err error) {
		hosted = !h.Hold
		list, err = h.schedules(ctx)
		return err
	}, func(s *store.Store) error {
		hosted = false
		rows, err := s.Schedules(ctx)
		for _, row := range rows {
			list = append(list, agent.ScheduleOf(row, time.Local))
		}
		return err
	})
	if list == nil {
		list = []agent.Schedule{}
	}
	return list, hosted, err
}

// planned says what is planned on disk, where no host looks after it.
func planned(ctx context.Context, dataDir string) (p agent.Planned, err error) {
	err = read(ctx, dataDir, func(s *store.Store) (err error) {
		p.Count, p.Next, _, err = s.Planned(ctx, "")
		if p.Count > 0 {
			p.Next = p.Next.Local()
		}
		return err
	})
	return p, err
}

func (a *app) cancelSchedules(ctx context.Context, c config, ids []string) error {
	list, _, err := a.schedules(ctx, c)
	if err != nil {
		return err
	}
	have := make(map[string]bool, len(list))
	for _, s := range list {
		have[s.ID] = true
	}
	for _, id := range ids {
		if !have[id] {
			return &agent.NoScheduleError{ID: id}
		}
	}
	sessions, err := a.sessions(ctx, c)
	if err != nil {
		return err
	}
	return a.borrowHost(ctx, c, sessions, func(conn *connector) error {
		for _, id := range ids {
			err := conn.ask(ctx, func(h hostFile) error { return h.cancelSchedule(ctx, id) })
			if err != nil {
				return fmt.Errorf("cancelling schedule %s: %w", id, err)
			}
		}
		return nil
	})
}

func printSchedules(out io.Writer, list []agent.Schedule) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "nothing is planned")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tSESSION\tNEXT\tWHEN\tCAME\tSKIPPED\tPROMPT")
	for _, s := range list {
		next := "failed"
		if !s.Next.IsZero() {
			next = s.Next.Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%s\n", s.ID, s.Session, next, s.When(), s.Runs, s.Skipped, plain.Line(s.Prompt, 60))
	}
	for _, s := range list {
		if s.Error != "" {
			fmt.Fprintf(w, "%s could not come: %s\n", s.ID, plain.Line(s.Error, 200))
		}
	}
	return w.Flush()
}
