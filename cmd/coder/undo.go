package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/agent/snapshot"
	"github.com/coder-agent/coder/server/client"
)

func newUndo(a *app) *cobra.Command {
	return a.undoCommand(&cobra.Command{
		Use:   "undo [TURN]",
		Short: "Take back what a turn has changed in the folder",
		Long: `undo puts the files back that a turn has changed, made or deleted, by its tools or by its commands: as they were before it, bit
for bit. Without TURN it takes back the last turn of the folder's last session that is not undone; called again, the one before. TURN is a
number, as coder diff --list shows it.

A file that was changed since is named, and then nothing is touched. Files that git ignores are left as they are, unless a
file tool has changed them. Nor are files written that decide what runs later (hooks, settings of editors, CI) and that only commands have
changed, unless you add --protected. coder redo makes the changes again.`,
		Example: "  coder undo\n  coder undo --dry-run\n  coder undo 3 --session nightly",
	}, "undo")
}

func newRedo(a *app) *cobra.Command {
	return a.undoCommand(&cobra.Command{
		Use:   "redo [TURN]",
		Short: "Make the changes again that undo took back",
		Long: `redo makes the changes again that undo took back last, or those of TURN, a number as coder diff --list shows it. A file that was
changed since is named, and then nothing is touched.`,
		Example: "  coder redo\n  coder redo 3 --session nightly",
	}, "redo")
}

// undoCommand completes one of the two commands.
func (a *app) undoCommand(cmd *cobra.Command, method string) *cobra.Command {
	var session, folder string
	var dryRun, protected, asJSON bool
	cmd.Args = args(cobra.MaximumNArgs(1))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.config(cmd)
		if err != nil {
			return err
		}
		want := agent.UndoRequest{DryRun: dryRun, Protected: protected}
		if len(args) > 0 {
			want.Turn = agent.TurnName(args[0])
		}
		var answer agent.UndoAnswer
		if session, err = a.askSession(cmd.Context(), c, session, folder, method, &answer, want); err != nil {
			return err
		}
		if asJSON {
			err = printJSON(a.stdout, struct {
				Session string `json:"session"`
				agent.UndoAnswer
			}{session, answer})
		} else {
			err = printUndo(a.stdout, session, answer)
		}
		return errors.Join(err, a.tellBelow(answer.Below, asJSON), refusedUndo(answer, session, dryRun))
	}
	addFlags(cmd, "dataDir")
	f := cmd.Flags()
	f.StringVar(&session, "session", "", "the session (default: the last one of the folder)")
	f.StringVarP(&folder, "dir", "C", ".", "the folder")
	f.BoolVar(&dryRun, "dry-run", false, "only say what would be done")
	f.BoolVar(&protected, "protected", false, "also write files that decide what runs later")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	completeFlag(cmd, "session", a.completeSessions(anySession))
	completeFlag(cmd, "dir", completeFolders)
	return cmd
}

// tellBelow says which sessions below one have changes of their own, which are neither shown nor undone with its.
func (a *app) tellBelow(names []string, asJSON bool) error {
	if len(names) == 0 || asJSON {
		return nil
	}
	const most = 5
	list := strings.Join(names[:min(most, len(names))], ", ")
	if more := len(names) - most; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	_, err := fmt.Fprintf(a.stderr, "note: sub-agents have changed files in turns of their own: %s; see and undo them there: coder diff %s, coder undo --session %s\n",
		list, names[0], names[0])
	return err
}

// refusedUndo is the error of an undo that was not done, or not wholly.
func refusedUndo(answer agent.UndoAnswer, session string, dryRun bool) error {
	deed := "undone"
	if answer.Redo {
		deed = "redone"
	}
	switch {
	case len(answer.Conflicts) > 0:
		return &hintedError{
			fmt.Errorf("turn %d is not %s, for it would overwrite what was changed since: %s", answer.Turn.Number, deed, conflictList(answer.Conflicts)),
			fmt.Sprintf("see its changes: coder diff %d --session %s; move these files away, or put them back yourself, and try again", answer.Turn.Number, session),
		}
	case len(answer.Protected) > 0:
		return &hintedError{
			fmt.Errorf("turn %d is not %s, for it would write what decides what runs later, and only commands have changed: %s", answer.Turn.Number, deed, pathList(answer.Protected)),
			fmt.Sprintf("see its changes: coder diff %d --session %s; if all of it may stand there, add --protected", answer.Turn.Number, session),
		}
	case !dryRun && !answer.Done:
		return &hintedError{
			fmt.Errorf("turn %d is %s but for: %s", answer.Turn.Number, deed, conflictList(answer.Left)),
			"these files were left as they are",
		}
	}
	return nil
}

func conflictList(list []snapshot.Conflict) string {
	parts := make([]string, 0, len(list))
	for _, c := range list {
		parts = append(parts, fmt.Sprintf("%s (%s)", c.Path, c.Why))
	}
	return strings.Join(parts, ", ")
}

func pathList(paths []string) string {
	parts := make([]string, 0, len(paths))
	for _, p := range paths {
		parts = append(parts, plain.VisibleLine(p, 300))
	}
	return strings.Join(parts, ", ")
}

func printUndo(out io.Writer, session string, answer agent.UndoAnswer) error {
	if len(answer.Conflicts)+len(answer.Protected) > 0 {
		return nil // the error says it
	}
	verb := "is " + map[bool]string{false: "undone", true: "redone"}[answer.Redo]
	if !answer.Done && len(answer.Left) == 0 {
		verb = "would be" + strings.TrimPrefix(verb, "is")
	}
	if _, err := fmt.Fprintf(out, "turn %d of %s %s: %s\n", answer.Turn.Number, session, verb, plain.VisibleLine(answer.Turn.Title, 60)); err != nil {
		return err
	}
	for _, f := range answer.Files {
		if _, err := fmt.Fprintf(out, "  %s %s\n", f.Change, plain.VisibleLine(f.Path, 300)); err != nil {
			return err
		}
	}
	return printUncovered(out, answer.Uncovered)
}

func printUncovered(out io.Writer, list []snapshot.Uncovered) error {
	for _, u := range list {
		if _, err := fmt.Fprintf(out, "  not covered: %s (%s)\n", plain.VisibleLine(u.Path, 300), u.Why); err != nil {
			return err
		}
	}
	return nil
}

// askSession has the host call a method of a session, which is the folder's last one when none is named, and starts a host for
// it if none runs.
func (a *app) askSession(ctx context.Context, c config, name, folder, method string, answer any, args ...any) (session string, err error) {
	list, err := a.sessions(ctx, c)
	if err != nil {
		return "", err
	}
	if name == "" {
		if name, err = lastOf(list, folder); err != nil {
			return "", err
		}
	}
	if !known(list, name) {
		return "", &agent.NoSessionError{Name: name}
	}
	return name, a.borrowHost(ctx, c, list, func(conn *connector) error {
		s, err := client.Dial(ctx, client.Options{Host: conn.address, Name: name, Query: url.Values{"client": {"run"}}})
		if err != nil {
			return err
		}
		defer s.Close()
		return s.Call(ctx, method, answer, args...)
	})
}

// lastOf is the session that was used last in a folder.
func lastOf(list []agent.Session, folder string) (string, error) {
	dir, err := workdir(folder)
	if err != nil {
		return "", err
	}
	for _, s := range list { // the last used first
		if s.Workdir == dir && s.Parent == "" {
			return s.Name, nil
		}
	}
	return "", &hintedError{fmt.Errorf("no session has worked in %s", dir), "name one with --session; coder sessions list shows what there is"}
}
