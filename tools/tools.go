// Package tools holds the tools that every agent has: read, write, edit, apply_patch, bash, job, grep, glob, schedule,
// todo, fetch, ask_user, task and, where the user's config says how, web_search.
//
// Each tool is a thin function that finds its agent in the context, and a function below it that does the work with
// the little it needs of the agent: a session. Results are plain text for the model; errors name the cause, the fact
// and the next step.
package tools

import (
	"context"
	"io"
	"slices"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/secret"
	"github.com/coder-agent/coder/tools/sandbox"
)

// Options are what the tools need of the host. The zero value works.
type Options struct {
	Sandbox *sandbox.Box // bounds commands; nil bounds nothing
	Jobs    *Jobs        // the commands that go on; nil: none do
	Search  *Search      // where web_search asks; nil: there is no such tool
	Port    func() int   // the host's own, which is never fetched from; nil, or 0: none yet
}

// All returns the built-in tools, always in the same order: what is sent to the model must not change between two
// requests, or the provider's cache is lost.
func All(o Options) []agent.Tool {
	list := []agent.Tool{Read(), Write(), Edit(), ApplyPatch(), Bash(o.Sandbox, o.Jobs), Job(o.Jobs), Grep(), Glob(), Schedule(), Todo(), Fetch(o.Port), AskUser(), Task()}
	if o.Search != nil {
		list = append(list, WebSearch(o.Search))
	}
	return list
}

// A session is what tools need of the agent that runs them. *agent.CoderAgent is one, also when it is nil: then every
// method says that no agent is running.
type session interface {
	Workdir(ctx context.Context) (string, error)
	Path(ctx context.Context, path string) (string, error)
	Environ(ctx context.Context) ([]string, error)
	Seen(ctx context.Context, path string) (hash string, ok bool, err error)
	Shown(ctx context.Context, tool string) ([]agent.Shown, error)
	Untold(ctx context.Context, folder string) (bool, error)
	ScratchDir(ctx context.Context) (string, error)
	Progress(ctx context.Context, text string) error
	Redacting(to io.Writer) *secret.Writer
	Blind(ctx context.Context) (blind bool, model string, err error)
	Name() string
}

// tool is agent.NewTool for a function that is handed its session, with a schema that says no more than models need.
func tool[Args any](name string, e permission.Effect, desc string, run func(context.Context, session, Args) (agent.Result, error)) agent.Tool {
	t := agent.NewTool(name, e, desc, func(ctx context.Context, a Args) (agent.Result, error) {
		return run(ctx, agent.FromContext(ctx), a)
	})
	trim(t.Schema)
	return t
}

// looking offers a tool to children that only look.
func looking(t agent.Tool) agent.Tool {
	t.Looks = true
	return t
}

// trim takes the null from the type of arrays, which Go's slices bring along, all the way down.
func trim(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	if slices.Equal(s.Types, []string{"null", "array"}) {
		s.Type, s.Types = "array", nil
	}
	trim(s.Items)
	for _, p := range s.Properties {
		trim(p)
	}
}
