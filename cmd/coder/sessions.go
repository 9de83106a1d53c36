package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/store"
)

func newSessions(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "sessions",
		Short:   "List, show, fork, delete, pin and prune sessions",
		Example: "  coder sessions list\n  coder sessions show nightly",
		Args:    args(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSessionsList(a), newSessionsShow(a), newSessionsDelete(a), newSessionsFork(a), newSessionsPrune(a),
		newSessionsPin(a), newSessionsUnpin(a))
	return cmd
}

func newSessionsList(a *app) *cobra.Command {
	var asJSON, here, all bool
	var limit int
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the sessions, the last used first",
		Example: "  coder sessions list\n  coder sessions list --here --limit 5\n  coder sessions list --json | jq -r '.sessions[].name'",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.config(cmd)
			if err != nil {
				return err
			}
			if limit < 0 {
				return &usageError{Err: errors.New("--limit: it must not be negative"), Command: cmd.CommandPath()}
			}
			list, err := a.sessions(cmd.Context(), c)
			if err != nil {
				return err
			}
			if _, err := os.Stat(c.DataDir); errors.Is(err, fs.ErrNotExist) && c.origins["dataDir"].From != fromDefault {
				fmt.Fprintf(a.stderr, "note: there is no folder %s\n", c.DataDir)
			}
			if here {
				dir, err := workdir(".")
				if err != nil {
					return err
				}
				list = slices.DeleteFunc(list, func(s agent.Session) bool { return s.Workdir != dir })
				if len(list) == 0 && !asJSON {
					_, err := fmt.Fprintln(a.stdout, "no sessions in this folder")
					return err
				}
			}
			if !asJSON {
				list = families(list, all)
			}
			if limit > 0 {
				list = list[:min(limit, len(list))]
			}
			if asJSON {
				return printJSON(a.stdout, struct {
					Sessions []agent.Session `json:"sessions"`
				}{list})
			}
			return printSessions(a.stdout, list, a.width(), time.Now())
		},
	}
	addFlags(cmd, "dataDir")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&here, "here", false, "only those that work in this folder")
	cmd.Flags().BoolVar(&all, "all", false, "sub-agents and other children, too, each below its parent and with its own cost")
	cmd.Flags().IntVar(&limit, "limit", 0, "at most so many (default: all)")
	return cmd
}

func newSessionsShow(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "show NAME",
		Short:   "Print the transcript of a session",
		Example: "  coder sessions show nightly\n  coder sessions show nightly --json",
		Args:    args(cobra.ExactArgs(1)),

		ValidArgsFunction: a.completeNames(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.config(cmd)
			if err != nil {
				return err
			}
			t, err := a.transcript(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(a.stdout, struct {
					Name     string         `json:"name"`
					Messages []chat.Message `json:"messages"`
				}{t.session.Name, append(t.messages, t.queued...)})
			}
			return t.print(a.stdout)
		},
	}
	addFlags(cmd, "dataDir")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newSessionsDelete(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "delete NAME...",
		Short:   "Cancel the turns of sessions and delete them from disk",
		Example: "  coder sessions delete nightly",
		Args:    args(cobra.MinimumNArgs(1)),

		ValidArgsFunction: a.completeNames(math.MaxInt),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.config(cmd)
			if err != nil {
				return err
			}
			if err := a.deleteSessions(cmd.Context(), c, args); err != nil {
				return err
			}
			if asJSON {
				return printJSON(a.stdout, struct {
					Deleted []string `json:"deleted"`
				}{args})
			}
			_, err = fmt.Fprintf(a.stdout, "deleted %s\n", strings.Join(args, ", "))
			return err
		},
	}
	addFlags(cmd, "dataDir")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// sessions lists the sessions, the last used first: from the host or, without one, from disk.
func (a *app) sessions(ctx context.Context, c config) (list []agent.Session, err error) {
	err = lookUp(ctx, c.DataDir, func(h hostFile) (err error) {
		list, err = h.sessions(ctx)
		return err
	}, func(s *store.Store) error {
		rows, err := s.Sessions(ctx)
		if err != nil {
			return err
		}
		open, err := s.OpenSessions(ctx)
		for _, row := range rows {
			session := agent.SessionOf(row)
			if slices.Contains(open, row.Key) {
				session.Status = agent.Interrupted
			}
			list = append(list, session)
		}
		return err
	})
	if list == nil {
		list = []agent.Session{}
	}
	return list, err
}

// deleteSessions has the host delete them, for nobody else may write.
func (a *app) deleteSessions(ctx context.Context, c config, names []string) error {
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
			err := conn.ask(ctx, func(h hostFile) error { return h.deleteSession(ctx, name) })
			if err != nil {
				return fmt.Errorf("deleting session %s: %w", name, err)
			}
		}
		return nil
	})
}

// borrowHost lets the host do something to what is on disk. If none runs it starts one for it, which fires no schedules,
// and ends it again. That host needs no key, unless it finds turns to go on with.
func (a *app) borrowHost(ctx context.Context, c config, list []agent.Session, do func(*connector) error) error {
	open := nameOf(list, agent.Interrupted)
	conn := &connector{app: a, config: c, keyless: open == "", hold: true, anyProvider: true}
	if err := do(conn); err != nil || !conn.started {
		return goingOn(open, err)
	}
	h, _, ok, err := running(ctx, c.DataDir)
	if ok {
		_, err = h.stopIdle(ctx) // unless others have come meanwhile
	}
	return err
}

// ask puts one request to the host. When that ends at this moment, the next one gets it.
func (c *connector) ask(ctx context.Context, do func(hostFile) error) error {
	for {
		h, err := c.host(ctx)
		if err != nil {
			return err
		}
		if err := do(h); !ending(err) || ctx.Err() != nil {
			return err
		}
	}
}

func known(list []agent.Session, name string) bool {
	return slices.ContainsFunc(list, func(s agent.Session) bool { return strings.EqualFold(s.Name, name) })
}

// lookUp asks the host or, without one, the store. One that ends between two questions is none.
func lookUp(ctx context.Context, dataDir string, ask func(hostFile) error, look func(*store.Store) error) error {
	h, _, ok, err := running(ctx, dataDir)
	if err != nil {
		return err
	}
	if ok {
		if err := ask(h); !ending(err) || ctx.Err() != nil {
			return err
		}
	}
	return read(ctx, dataDir, look)
}

// read opens the store of a data dir that no host serves, for reading. No store is an empty one.
func read(ctx context.Context, dataDir string, do func(*store.Store) error) error {
	s, err := store.OpenReadOnly(ctx, dataDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.Close())
}
