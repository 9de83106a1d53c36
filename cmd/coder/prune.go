package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/server"
)

// A pruneCommand holds the flags of coder sessions prune.
type pruneCommand struct {
	app                *app
	config             config
	older, size        string
	count              int
	dryRun, asJSON, ok bool
}

func newSessionsPrune(a *app) *cobra.Command {
	p := &pruneCommand{app: a}
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Delete sessions that nobody uses, by age, number or size",
		Long: `prune shows which sessions would go and why, asks, and deletes them; nothing of their text is left on disk. Without
--older, --keep and --max-size the settings keepDays, keepSessions and keepMB say what may go.

A session stays that is pinned, runs, waits for a decision, has schedules or was used in the last 24 hours.`,
		Example: `  coder sessions prune --older 30d --dry-run
  coder sessions prune --keep 50 --max-size 500MB
  coder sessions prune --older 90d --yes --json   # in a script`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if p.config, err = a.config(cmd); err != nil {
				return err
			}
			return p.run(cmd.Context(), cmd.Flags().Changed("keep"))
		},
	}
	addFlags(cmd, "dataDir")
	f := cmd.Flags()
	f.StringVar(&p.older, "older", "", "what nobody has used for longer, such as 30d, 2w or 36h")
	f.IntVar(&p.count, "keep", 0, "all but so many, the last used first")
	f.StringVar(&p.size, "max-size", "", "the longest unused, until all messages together take no more, such as 500MB")
	f.BoolVar(&p.dryRun, "dry-run", false, "only show what would go")
	f.BoolVarP(&p.ok, "yes", "y", false, "do not ask")
	f.BoolVar(&p.asJSON, "json", false, "print JSON")
	return cmd
}

func (p *pruneCommand) run(ctx context.Context, counted bool) error {
	retention, err := p.retention(counted)
	if err != nil {
		return &usageError{Err: err, Command: "coder sessions prune"}
	}
	asks := !p.ok && !p.dryRun
	if asks && !atTerminal(p.app.stdin) {
		return &usageError{Err: errors.New("there is nobody to ask: add --yes, or --dry-run to see what would go"), Command: "coder sessions prune"}
	}
	list, err := p.app.sessions(ctx, p.config)
	if err != nil {
		return err
	}
	shown := retention.Dispensable(list, time.Now())
	if p.dryRun || len(shown) == 0 {
		return p.report(agent.Pruned{Sessions: append([]agent.Dispensable{}, shown...)}, p.dryRun)
	}
	if asks {
		if err := printDispensable(p.app.stderr, shown, time.Now()); err != nil {
			return err
		}
		yes, err := ask(ctx, p.app, fmt.Sprintf("delete %s, %s of messages? [y/N] ", counts(len(shown), "session"), sizeText(bytesOf(shown))))
		if err != nil || !yes {
			return errors.Join(err, p.report(agent.Pruned{Sessions: []agent.Dispensable{}}, false))
		}
	}
	pruned, err := p.app.prune(ctx, p.config, list, retention, shown)
	if err != nil {
		return err
	}
	return p.report(pruned, false)
}

// retention is what the flags say or, without any, the settings.
func (p *pruneCommand) retention(counted bool) (r agent.Retention, err error) {
	if p.older != "" {
		if r.Unused, err = agent.ParseWait(p.older); err != nil {
			return r, fmt.Errorf("--older: %w", err)
		}
	}
	if p.size != "" {
		if r.Bytes, err = parseSize(p.size); err != nil {
			return r, fmt.Errorf("--max-size: %w", err)
		}
	}
	if r.Count = p.count; counted && p.count < 1 {
		return r, errors.New("--keep: it must be 1 or more; coder sessions delete takes names")
	}
	if !r.Bounded() {
		r = p.config.Keep
	}
	if !r.Bounded() {
		return r, errors.New("say what may go: --older, --keep or --max-size")
	}
	return r, nil
}

// prune has the host delete those of the sessions that may still go.
func (a *app) prune(ctx context.Context, c config, list []agent.Session, r agent.Retention, shown []agent.Dispensable) (pruned agent.Pruned, err error) {
	want := server.Pruning{UnusedSeconds: int64(math.Ceil(r.Unused.Seconds())), Count: r.Count, Bytes: r.Bytes}
	for _, d := range shown {
		want.Names = append(want.Names, d.Name)
	}
	err = a.borrowHost(ctx, c, list, func(conn *connector) error {
		return conn.ask(ctx, func(h hostFile) error { return h.post(ctx, "/host/prune", want, &pruned) })
	})
	return pruned, err
}

// report prints what has gone, or would.
func (p *pruneCommand) report(pruned agent.Pruned, dryRun bool) error {
	if p.asJSON {
		return printJSON(p.app.stdout, struct {
			DryRun bool `json:"dryRun"`
			agent.Pruned
			Bytes int64 `json:"bytes"`
		}{dryRun, pruned, bytesOf(pruned.Sessions)})
	}
	if len(pruned.Sessions) == 0 {
		_, err := fmt.Fprintln(p.app.stdout, "nothing is deleted")
		return err
	}
	err := printDispensable(p.app.stdout, pruned.Sessions, time.Now())
	what := fmt.Sprintf("%s, %s of messages", counts(len(pruned.Sessions), "session"), sizeText(bytesOf(pruned.Sessions)))
	if dryRun {
		_, last := fmt.Fprintf(p.app.stdout, "would delete %s\n", what)
		return errors.Join(err, last)
	}
	_, last := fmt.Fprintf(p.app.stdout, "deleted %s; the store is %s smaller\n", what, sizeText(pruned.Freed))
	return errors.Join(err, last)
}

func printDispensable(out io.Writer, list []agent.Dispensable, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, gap, ' ', 0)
	fmt.Fprintln(w, "NAME\tUSED\tSIZE\tWHY\tTITLE")
	for _, d := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", d.Name, ago(now.Sub(d.Updated), d.Updated), sizeText(d.Bytes), d.Why, plain.Line(d.Title, 60))
	}
	return w.Flush()
}

func bytesOf(list []agent.Dispensable) (sum int64) {
	for _, d := range list {
		sum += d.Bytes
	}
	return sum
}

func counts(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// sizeText gives bytes in the largest unit of which there is at least one.
func sizeText(bytes int64) string {
	switch {
	case bytes < 1000:
		return fmt.Sprintf("%d B", bytes)
	case bytes < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(bytes)/1e3)
	case bytes < 1_000_000_000:
		return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(bytes)/1e9)
}

var sizeUnits = map[string]float64{
	"": 1, "b": 1, "k": 1e3, "kb": 1e3, "m": 1e6, "mb": 1e6, "g": 1e9, "gb": 1e9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30,
}

// parseSize reads a number of bytes such as 500MB, 1.5 GB or 64MiB.
func parseSize(text string) (int64, error) {
	number, unit := splitUnit(text)
	n, err := strconv.ParseFloat(number, 64)
	factor, known := sizeUnits[strings.ToLower(unit)]
	if bytes := n * factor; err == nil && known && bytes >= 1 && bytes < 1<<62 {
		return int64(bytes), nil
	}
	return 0, fmt.Errorf("%q is not a size such as 500MB or 2GB", text)
}

// splitUnit splits a number from the unit behind it.
func splitUnit(text string) (number, unit string) {
	i := strings.IndexFunc(text, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if i < 0 {
		return text, ""
	}
	return text[:i], strings.TrimSpace(text[i:])
}

// atTerminal reports whether somebody can be asked. A device such as /dev/null is nobody.
func atTerminal(in io.Reader) bool {
	f, ok := in.(*os.File)
	if !ok {
		return false
	}
	_, ok = terminalColumns(f)
	return ok
}

// ask asks the user a question; only y and yes are a yes.
func ask(ctx context.Context, a *app, question string) (bool, error) {
	text, _, err := a.answer(ctx, question)
	return text == "y" || text == "yes", err
}

// answer asks the user a question and returns the line that they type, in lower case. It is not given when there is no line
// any more. A read that waits for a person cannot be cancelled, so it is left behind when ctx is done.
func (a *app) answer(ctx context.Context, question string) (text string, given bool, err error) {
	return a.answerUnless(ctx, question, nil)
}

// answerUnless is answer for a command that sees to signals itself: after one no answer is given.
func (a *app) answerUnless(ctx context.Context, question string, signals <-chan os.Signal) (text string, given bool, err error) {
	text, given, err = a.lineUnless(ctx, question, signals)
	return strings.ToLower(text), given, err
}

// lineUnless is answerUnless for what is more than a yes or no: the line as it was typed.
func (a *app) lineUnless(ctx context.Context, question string, signals <-chan os.Signal) (text string, given bool, err error) {
	fmt.Fprint(a.stderr, question)
	if a.lines == nil {
		a.lines = bufio.NewReader(a.stdin)
	}
	type line struct {
		text string
		err  error
	}
	answered := make(chan line, 1)
	go func() {
		text, err := a.lines.ReadString('\n')
		answered <- line{text, err}
	}()
	select {
	case got := <-answered:
		if got.err != nil && !errors.Is(got.err, io.EOF) {
			return "", false, fmt.Errorf("reading your answer: %w", got.err)
		}
		return strings.TrimSpace(got.text), got.err == nil || got.text != "", nil
	case <-signals:
		return "", false, nil
	case <-ctx.Done():
		return "", false, context.Cause(ctx)
	}
}
