package agent

import (
	"context"

	"github.com/coder-agent/coder/agent/permission"
)

type (
	agentKey  struct{}
	callKey   struct{}
	reachKey  struct{}
	spotsKey  struct{}
	heldKey   struct{}
	callerKey struct{}
)

// FromContext returns the agent that runs the tool or method to which ctx was given, however deep the call. Outside
// one it returns nil, whose methods answer ErrNoAgent.
func FromContext(ctx context.Context) *CoderAgent {
	a, _ := ctx.Value(agentKey{}).(*CoderAgent)
	return a
}

// CallID returns the id of the tool call to which ctx was given, or "".
func CallID(ctx context.Context) string {
	id, _ := ctx.Value(callKey{}).(string)
	return id
}

// Granted returns what the running call may reach beyond the sandbox, as it was judged. Outside a tool it is nothing.
func Granted(ctx context.Context) permission.Reach {
	reach, _ := ctx.Value(reachKey{}).(permission.Reach)
	return reach
}

// Withheld reports whether a rule keeps a file, by its absolute path, from the running call, which names only a folder
// above it. Outside a tool nothing is.
func Withheld(ctx context.Context, path string) bool {
	withheld, ok := ctx.Value(heldKey{}).(func(path string) bool)
	return ok && withheld(path)
}

// A Caller is the connection on whose behalf a method is called.
type Caller struct {
	Connection string // the connection's id
	Page       bool   // it came with an Origin: a browser page, which may tighten but not loosen
	ReadOnly   bool   // it may not set state
}

// WithCaller returns a context for Call, Prompt and the other commands of a connection.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

func callerFrom(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}
