package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/audit"
)

// An auditCommand holds the flags of coder audit.
type auditCommand struct {
	app    *app
	config config
	verify bool
	since  string
	asJSON bool
	follow bool
}

func newAudit(a *app) *cobra.Command {
	c := &auditCommand{app: a}
	cmd := &cobra.Command{
		Use:   "audit [SESSION]",
		Short: "Show what was allowed, by whom, and what ran",
		Long: `audit shows the log of decisions of the data dir: which clients came and which were refused, the verdict on each tool
call, who approved it, what ran in which bounds and how it ended. It reads the files and needs no host.

Each line of the log names the hash of the line before. --verify checks the whole chain and exits with 1 at the first place
where the log is not what was written.`,
		Example: `  coder audit --since 1h
  coder audit fix --json | jq -r 'select(.what == "started").tool'
  coder audit --follow
  coder audit --verify`,
		Args: args(cobra.MaximumNArgs(1)),

		ValidArgsFunction: a.completeNames(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if c.config, err = a.usable(cmd); err != nil {
				return err
			}
			session := ""
			if len(args) > 0 {
				session = args[0]
			}
			return c.run(cmd.Context(), session)
		},
	}
	addFlags(cmd, "dataDir")
	f := cmd.Flags()
	f.BoolVar(&c.verify, "verify", false, "check that the log is what was written")
	f.StringVar(&c.since, "since", "", "what is not older than this, such as 1h or 2d")
	f.BoolVar(&c.follow, "follow", false, "go on with what comes, until Ctrl-C")
	f.BoolVar(&c.asJSON, "json", false, "print the lines as they are, JSONL; with --verify one document")
	return cmd
}

func (c *auditCommand) run(ctx context.Context, session string) error {
	if c.verify {
		if session != "" || c.since != "" || c.follow {
			return c.usage(errors.New("--verify checks the whole log: leave out SESSION, --since and --follow"))
		}
		return c.check(ctx)
	}
	var from time.Time
	if c.since != "" {
		ago, err := agent.ParseWait(c.since)
		if err != nil {
			return c.usage(fmt.Errorf("--since: %w", err))
		}
		from = time.Now().Add(-ago)
	}
	return c.show(ctx, session, func(l audit.Line) bool {
		return !l.Time.Before(from) && (session == "" || strings.EqualFold(l.Session, session))
	})
}

func (c *auditCommand) usage(err error) error { return &usageError{Err: err, Command: "coder audit"} }

// show prints the lines that are wanted, as they come, and says so when none does.
func (c *auditCommand) show(ctx context.Context, session string, wanted func(audit.Line) bool) error {
	reader := audit.Reader{Dir: audit.Dir(c.config.DataDir)}
	width := c.app.width()
	var failed error
	shown := 0
	print := func(l audit.Line) {
		if failed != nil || !wanted(l) {
			return
		}
		shown++
		text := string(l.Text)
		if !c.asJSON {
			text = auditLine(l, width)
		}
		_, failed = fmt.Fprintln(c.app.stdout, text)
	}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		err := errors.Join(reader.Next(print), failed)
		if err == nil && !c.follow && shown == 0 {
			fmt.Fprintln(c.app.stderr, c.nothing(session))
		}
		if err != nil || !c.follow {
			return unusable(err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// nothing says that no line was shown, and of what. The log may hold a session that is deleted, so its name is no mistake.
func (c *auditCommand) nothing(session string) string {
	text := "note: the log has no line"
	if session != "" {
		text += " of a session " + session
	}
	if c.since != "" {
		text += " in the last " + c.since
	}
	return text
}

// followEvery is how often the log is looked at for new lines: no host need run to tell of them.
const followEvery = 200 * time.Millisecond

// check verifies the chain and says what it found.
func (c *auditCommand) check(ctx context.Context) error {
	report, err := audit.Verify(ctx, audit.Dir(c.config.DataDir))
	if err != nil {
		return unusable(err)
	}
	if c.asJSON {
		err = printJSON(c.app.stdout, struct {
			OK bool `json:"ok"`
			audit.Report
		}{report.Break == nil, report})
	} else {
		err = c.printReport(report)
	}
	if err != nil || report.Break == nil {
		return err
	}
	return &hintedError{fmt.Errorf("the audit log is not what was written: %w", report.Break), report.Break.Hint}
}

func (c *auditCommand) printReport(r audit.Report) (err error) {
	for _, note := range r.Notes {
		fmt.Fprintf(c.app.stdout, "note: %s\n", note)
	}
	switch {
	case r.Break != nil:
	case r.Lines == 0:
		_, err = fmt.Fprintln(c.app.stdout, "the log is empty")
	default:
		_, err = fmt.Fprintf(c.app.stdout, "the chain holds: %s, %s to %s\n", auditSize(r),
			r.First.Local().Format(time.DateTime), r.Last.Local().Format(time.DateTime))
	}
	return err
}

func auditSize(r audit.Report) string {
	return fmt.Sprintf("%s in %s", counted(int(r.Lines), "line"), counted(r.Files, "file"))
}

// counted is a number of things in words.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
