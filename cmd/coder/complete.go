package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/cmd/internal/headless"
)

// completeTimeout bounds what a press of the tab key may take.
const completeTimeout = time.Second

// none completes to nothing, and not to files.
const none = cobra.ShellCompDirectiveNoFileComp

// completeModes, completeOutputs and completeFolders complete the values of --mode, of --output, and of a flag that names a
// folder.
func completeModes(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return permission.Names(), none
}

func completeOnAsk(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"park\tthey wait", "deny\tat once, and the turn goes on", "deny:30m\tafter a time"}, none
}

func completeOutputs(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{
		string(headless.Text) + "\tthe answer, as it comes",
		string(headless.JSON) + "\tone document at the end",
		string(headless.JSONL) + "\teach event on a line",
	}, none
}

func completeFolders(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// completeFlag sets how the values of a flag are completed. The flag must be there.
func completeFlag(cmd *cobra.Command, name string, complete cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(name, complete); err != nil {
		panic(err) // a flag that this program has just made
	}
}

// completeSessions completes to the names of the sessions that take accepts, with their titles. It starts no host, and
// what goes wrong, in the config too, is not for the middle of a
// command line.
func (a *app) completeSessions(take func(agent.Session) bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completeTimeout)
		defer cancel()
		c, _ := a.resolve(cmd)
		if c.DataDir == "" {
			return nil, none
		}
		list, err := a.sessions(ctx, c)
		if err != nil {
			return nil, none
		}
		var names []string
		for _, s := range list {
			if take(s) {
				names = append(names, described(s.Name, s.Title))
			}
		}
		return names, none | cobra.ShellCompDirectiveKeepOrder
	}
}

func anySession(agent.Session) bool { return true }

// completeNames completes arguments to the names of at most so many sessions, each once.
func (a *app) completeNames(most int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, part string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= most {
			return nil, none
		}
		return a.completeSessions(func(s agent.Session) bool { return !slices.Contains(args, s.Name) })(cmd, args, part)
	}
}

// completeWaiting completes the arguments of approve and deny: a session that waits for a decision, a call that waits in
// it.
func (a *app) completeWaiting(cmd *cobra.Command, args []string, part string) ([]string, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return a.completeSessions(func(s agent.Session) bool { return s.Status == agent.Waiting })(cmd, args, part)
	case 1:
		return a.completeCalls(cmd, args[0], transcript.undecided), none | cobra.ShellCompDirectiveKeepOrder
	}
	return nil, none
}

// completeAsking completes the arguments of answer likewise.
func (a *app) completeAsking(cmd *cobra.Command, args []string, part string) ([]string, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return a.completeSessions(func(s agent.Session) bool { return s.Status == agent.Asking || s.Status == agent.Waiting })(cmd, args, part)
	case 1:
		return a.completeCalls(cmd, args[0], func(t transcript) []chat.ToolCall { return t.asking }), none | cobra.ShellCompDirectiveKeepOrder
	}
	return nil, none
}

// completeJobs completes the arguments of jobs end: a session with jobs that run, and their ids.
func (a *app) completeJobs(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTimeout)
	defer cancel()
	c, _ := a.resolve(cmd)
	if c.DataDir == "" {
		return nil, none
	}
	list, err := a.jobs(ctx, c)
	if err != nil {
		return nil, none
	}
	var values []string
	for _, j := range list {
		switch {
		case len(args) == 0 && !slices.Contains(values, j.Session):
			values = append(values, j.Session)
		case len(args) == 0:
		case strings.EqualFold(j.Session, args[0]) && !slices.Contains(args[1:], j.ID):
			values = append(values, described(j.ID, j.Command))
		}
	}
	return values, none | cobra.ShellCompDirectiveKeepOrder
}

func (a *app) completeCalls(cmd *cobra.Command, session string, calls func(transcript) []chat.ToolCall) []string {
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTimeout)
	defer cancel()
	c, _ := a.resolve(cmd)
	if c.DataDir == "" {
		return nil
	}
	t, err := a.transcript(ctx, c, session)
	if err != nil {
		return nil
	}
	var ids []string
	summary := summaries()
	for _, call := range calls(t) {
		ids = append(ids, described(call.ID, call.Name+" "+summary(call)))
	}
	return ids
}

// described is a completion with words about it, which the shell shows beside it.
func described(value, about string) string {
	if about = plain.Line(about, 60); about != "" {
		return value + "\t" + about
	}
	return value
}
