package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/agent/snapshot"
)

// A diffCommand is one invocation of coder diff.
type diffCommand struct {
	session, folder    string
	stat, list, asJSON bool
	want               agent.DiffRequest
}

func newDiff(a *app) *cobra.Command {
	var d diffCommand
	cmd := &cobra.Command{
		Use:   "diff [SESSION|TURN]",
		Short: "Show what a session, or a turn of it, has changed in the folder",
		Long: `diff shows what the folder's last session has changed, as a unified diff: all its turns together but those that are undone.
A number shows one turn; --list lists them. It shows what was changed then, whatever has become of the files.`,
		Example: "  coder diff\n  coder diff 2 --stat\n  coder diff nightly\n  coder diff --list",
		Args:    args(cobra.MaximumNArgs(1)),

		ValidArgsFunction: a.completeNames(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.config(cmd)
			if err != nil {
				return err
			}
			if len(args) > 0 {
				if _, err := strconv.Atoi(args[0]); err == nil || d.session != "" {
					d.want.Turn = agent.TurnName(args[0])
				} else {
					d.session = args[0]
				}
			}
			d.want.Stat = d.stat || d.list
			var answer agent.DiffAnswer
			name, err := a.askSession(cmd.Context(), c, d.session, d.folder, "diff", &answer, d.want)
			if err != nil {
				return err
			}
			return errors.Join(d.print(a, name, answer), a.tellBelow(answer.Below, d.asJSON))
		},
	}
	addFlags(cmd, "dataDir")
	f := cmd.Flags()
	f.StringVar(&d.session, "session", "", "the session (default: the last one of the folder)")
	f.StringVarP(&d.folder, "dir", "C", ".", "the folder")
	f.BoolVar(&d.stat, "stat", false, "only the files, and how many lines of each")
	f.BoolVar(&d.list, "list", false, "list the turns that have changed files")
	f.BoolVar(&d.asJSON, "json", false, "print JSON")
	completeFlag(cmd, "session", a.completeSessions(anySession))
	completeFlag(cmd, "dir", completeFolders)
	return cmd
}

func (d *diffCommand) print(a *app, session string, answer agent.DiffAnswer) error {
	switch {
	case d.asJSON:
		return printJSON(a.stdout, struct {
			Session string `json:"session"`
			agent.DiffAnswer
		}{session, answer})
	case d.list:
		return printTurns(a.stdout, session, answer.Turns)
	case len(answer.Files) == 0 && len(answer.Uncovered) == 0:
		_, err := fmt.Fprintln(a.stderr, noChanges(session, answer.Turns))
		return err
	case d.stat:
		if err := printStat(a.stdout, answer.Files); err != nil {
			return err
		}
		return printUncovered(a.stdout, answer.Uncovered)
	}
	text := answer.Diff
	if a.width() > 0 {
		text = coloured(plain.Visible(text), a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb")
	}
	if _, err := io.WriteString(a.stdout, text); err != nil {
		return err
	}
	if answer.Cut {
		fmt.Fprintf(a.stderr, "note: the diff is longer than %d MiB and ends here; coder diff --stat lists all files\n", snapshot.MaxDiff>>20)
	}
	return printUncovered(a.stderr, answer.Uncovered)
}

func noChanges(session string, turns []agent.ChangedTurn) string {
	if len(turns) > 0 {
		return fmt.Sprintf("all that session %s has changed is undone: coder diff --list --session %s", session, session)
	}
	return fmt.Sprintf("session %s has changed no files", session)
}

func printTurns(out io.Writer, session string, turns []agent.ChangedTurn) error {
	if len(turns) == 0 {
		_, err := fmt.Fprintln(out, noChanges(session, nil))
		return err
	}
	for _, t := range turns {
		var also []string
		for _, m := range []struct {
			is   bool
			what string
		}{{t.Undone, "undone"}, {t.Partial, "in part"}, {t.Open, "not finished"}} {
			if m.is {
				also = append(also, m.what)
			}
		}
		mark := ""
		if len(also) > 0 {
			mark = " (" + strings.Join(also, ", ") + ")"
		}
		_, err := fmt.Fprintf(out, "%3d  %s  %s%s\n", t.Number, t.Began.Local().Format(time.DateTime), plain.VisibleLine(t.Title, 60), mark)
		if err != nil {
			return err
		}
	}
	return nil
}

func printStat(out io.Writer, files []snapshot.FileStat) error {
	added, removed := 0, 0
	for _, f := range files {
		lines := fmt.Sprintf("+%d -%d", f.Added, f.Removed)
		switch {
		case f.Binary:
			lines = "binary"
		case f.Change == "mode":
			lines = "permissions"
		}
		if _, err := fmt.Fprintf(out, "%-8s %-12s %s\n", f.Change, lines, plain.VisibleLine(f.Path, 300)); err != nil {
			return err
		}
		added, removed = added+f.Added, removed+f.Removed
	}
	noun := "files"
	if len(files) == 1 {
		noun = "file"
	}
	_, err := fmt.Fprintf(out, "%d %s, +%d -%d lines\n", len(files), noun, added, removed)
	return err
}

// coloured gives the lines of a diff the colours that git gives them.
func coloured(text string, colours bool) string {
	if !colours {
		return text
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		colour := ""
		switch {
		case strings.HasPrefix(line, "+++"), strings.HasPrefix(line, "---"), strings.HasPrefix(line, "diff "), strings.HasPrefix(line, "index "):
			colour = "\x1b[1m"
		case strings.HasPrefix(line, "@@"):
			colour = "\x1b[36m"
		case strings.HasPrefix(line, "+"):
			colour = "\x1b[32m"
		case strings.HasPrefix(line, "-"):
			colour = "\x1b[31m"
		}
		if colour == "" {
			b.WriteString(line)
			continue
		}
		b.WriteString(colour + strings.TrimSuffix(line, "\n") + "\x1b[m\n")
	}
	return b.String()
}
