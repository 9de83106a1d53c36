package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/agent/store"
	"github.com/coder-agent/coder/cmd/internal/headless"
	"github.com/coder-agent/coder/server/client"
)

func newRules(a *app) *cobra.Command {
	var remove []int64
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "rules SESSION",
		Short: "List or remove the rules that a session keeps",
		Long: `rules lists what was decided for always in a session: with coder approve --always, or "always" when a run asked. They hold for
that session alone: a fork and a child begin without them, and clearing the session drops them.`,
		Example: `  coder rules nightly
  coder rules nightly --remove 3`,
		Args: args(cobra.ExactArgs(1)),

		ValidArgsFunction: a.completeNames(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.config(cmd)
			if err != nil {
				return err
			}
			return a.rules(cmd.Context(), c, args[0], remove, asJSON)
		},
	}
	addFlags(cmd, "dataDir")
	cmd.Flags().Int64SliceVar(&remove, "remove", nil, "remove the rule with this number")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// rules prints the session's rules, without those that are to go.
func (a *app) rules(ctx context.Context, c config, name string, remove []int64, asJSON bool) error {
	t, err := a.transcript(ctx, c, name)
	if err != nil {
		return err
	}
	headless.Banner(a.stderr, t.session.Name, string(t.session.Mode))
	for _, id := range remove {
		if !slices.ContainsFunc(t.rules, func(r store.Rule) bool { return r.ID == id }) {
			return &hintedError{fmt.Errorf("session %s has no rule %d", t.session.Name, id), "see them with: coder rules " + t.session.Name}
		}
	}
	if len(remove) > 0 {
		if err := a.removeRules(ctx, c, t.session.Name, remove); err != nil {
			return err
		}
	}
	list := []agent.SessionRule{}
	for _, r := range t.rules {
		if !slices.Contains(remove, r.ID) {
			list = append(list, agent.SessionRuleOf(r))
		}
	}
	if asJSON {
		return printJSON(a.stdout, struct {
			Rules []agent.SessionRule `json:"rules"`
		}{list})
	}
	if len(list) == 0 {
		_, err := fmt.Fprintf(a.stdout, "session %s keeps no rules\n", t.session.Name)
		return err
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, gap, ' ', 0)
	for _, r := range list {
		fmt.Fprintf(w, "%d\t%s\t%s\n", r.ID, plain.Visible(r.Rule), r.Created.Local().Format(time.DateTime))
	}
	return w.Flush()
}

// removeRules has the host remove them, for nobody else may write. One that is started for that fires no schedules.
func (a *app) removeRules(ctx context.Context, c config, name string, ids []int64) error {
	list, err := a.sessions(ctx, c)
	if err != nil {
		return err
	}
	return a.borrowHost(ctx, c, list, func(conn *connector) error {
		session, err := client.Dial(ctx, client.Options{
			Host: conn.address, Name: name, Kind: "rules", Query: url.Values{"client": {"run"}},
		})
		if err != nil {
			return err
		}
		defer session.Close()
		for _, id := range ids {
			err := session.Call(ctx, "removeRule", nil, id)
			for errors.Is(err, client.ErrLost) && ctx.Err() == nil {
				err = session.Call(ctx, "removeRule", nil, id)
			}
			if err != nil {
				return fmt.Errorf("removing rule %d of session %s: %w", id, name, err)
			}
		}
		return nil
	})
}
