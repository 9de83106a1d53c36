package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/spf13/cobra"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/server"
)

// A statusJSON is what coder status --json prints. Plugins find the host by it.
type statusJSON struct {
	Running  bool            `json:"running"`
	DataDir  string          `json:"dataDir"`
	Host     *hostFile       `json:"host,omitempty"`
	Status   *server.Status  `json:"status,omitempty"`
	Sessions []agent.Session `json:"sessions"` // those that run or wait for a decision

	Schedules agent.Planned `json:"schedules"` // also when no host runs: then they wait for one
}

func newStatus(a *app) *cobra.Command {
	var asJSON, wait bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the host of the data dir, and what runs or waits for you",
		Long: `status shows the host of the data dir, and the sessions that run or wait for a decision. With --json it also prints
the host's address and token: what a plugin needs to connect.`,
		Example: "  coder status\n  coder serve & coder status --wait --json | jq -r .host.token",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.usable(cmd)
			if err != nil {
				return err
			}
			if wait {
				if err := waitHost(cmd.Context(), c.DataDir); err != nil {
					return err
				}
			}
			h, status, ok, err := running(cmd.Context(), c.DataDir)
			if err != nil {
				return err
			}
			doc := statusJSON{Running: ok, DataDir: c.DataDir, Sessions: []agent.Session{}}
			if ok {
				doc.Host, doc.Status, doc.Schedules = &h, &status, status.Schedules
			} else if doc.Schedules, err = planned(cmd.Context(), c.DataDir); err != nil {
				return err
			}
			list, err := a.sessions(cmd.Context(), c)
			if err != nil {
				return err
			}
			for _, s := range list {
				if s.Status != agent.Idle {
					doc.Sessions = append(doc.Sessions, s)
				}
			}
			if asJSON {
				return printJSON(a.stdout, doc)
			}
			return printStatus(a.stdout, doc, a.width())
		},
	}
	addFlags(cmd, "dataDir")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, with the token")
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until a host is ready")
	return cmd
}

// waitHost waits until a host is ready. Files and ports tell nobody when they come, so it looks again and again.
func waitHost(ctx context.Context, dataDir string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, connectTimeout, errors.New("no host is ready"))
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, _, ok, err := running(ctx, dataDir); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// printStatus prints for people, who see width columns, or, with width 0, for programs.
func printStatus(out io.Writer, doc statusJSON, width int) error {
	if doc.Running {
		h := doc.Host
		fmt.Fprintf(out, "host: http://%s, process %d, up %s\n", h.Addr, h.PID, time.Since(h.Started).Round(time.Second))
		fmt.Fprintf(out, "version: %s\nmodel: %s at %s\n", h.Version, h.Model, h.BaseURL)
		fmt.Fprintf(out, "turns: %d, connections: %d\n", doc.Status.Turns, doc.Status.Connections.Sockets)
		if n := doc.Status.Jobs; n > 0 {
			fmt.Fprintf(out, "jobs: %d: coder jobs\n", n)
		}
	} else {
		fmt.Fprintln(out, "no host is running")
	}
	fmt.Fprintf(out, "data: %s\n", doc.DataDir)
	switch n := doc.Schedules.Count; {
	case n > 0 && doc.Running && !doc.Host.Hold:
		fmt.Fprintf(out, "schedules: %d, the next at %s\n", n, doc.Schedules.Next.Format(time.RFC3339))
	case n > 0:
		fmt.Fprintf(out, "schedules: %d, the next due at %s; they wait for a host\n", n, doc.Schedules.Next.Format(time.RFC3339))
	}
	if n := doc.Schedules.Elsewhere; n > 0 {
		fmt.Fprintf(out, "schedules: %d of other providers wait for their hosts: coder schedule list\n", n)
	}
	for _, s := range doc.Sessions {
		line := fmt.Sprintf("session %s: %s in %s: %s", s.Name, s.Status, underHome(s.Workdir), s.Title)
		if s.Provider != "" {
			line = fmt.Sprintf("session %s: %s, %s", s.Name, s.Status, waitsFor(s))
		}
		fmt.Fprintln(out, plain.Line(line, cmp.Or(width, math.MaxInt)))
	}
	return nil
}
