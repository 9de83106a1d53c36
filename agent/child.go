package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/store"
)

// A child is an agent like any other. Its address is its parent's, and below that its kind and its own name:
// NAME/sub/KIND/CHILD, as in URLs. The slash, which no name has, keeps addresses and names apart.
const maxDepth = 8 // children below each other

// The kinds of children. They differ in who makes them, not in what they are.
const (
	KindAgent = "coder-agent" // of a client
	KindTask  = "task"        // of an agent, for a part of its work
)

// ChildKind reports whether there are children of the kind.
func ChildKind(kind string) bool { return kind == KindAgent || kind == KindTask }

// ValidAddress reports whether an address is a valid name, or that of a child at most eight levels deep.
func ValidAddress(address string) bool {
	parts := strings.Split(address, "/")
	if !ValidName(parts[0]) || len(parts)%3 != 1 || len(parts) > 1+3*maxDepth {
		return false
	}
	for level := range slices.Chunk(parts[1:], 3) {
		if level[0] != "sub" || !ChildKind(level[1]) || !ValidName(level[2]) {
			return false
		}
	}
	return true
}

// SplitAddress returns the kind and the own name of the agent with the valid address, and its parent's address, which is
// empty for a session that is nobody's child.
func SplitAddress(address string) (parent, kind, name string) {
	parts := strings.Split(address, "/")
	n := len(parts)
	if n < 4 {
		return "", KindAgent, address
	}
	return strings.Join(parts[:n-3], "/"), parts[n-2], parts[n-1]
}

// Child returns the child of the agent with the kind and the name, and makes it if need be: with the workdir, mode,
// model, cost and step limits that its parent has now, and the environment of the client that spoke to it last. A kind that is none, a bad name
// or one too deep is a *NameError.
func (h *Host) Child(ctx context.Context, parent *CoderAgent, kind, name string) (*CoderAgent, error) {
	return h.childAs(ctx, parent, kind, name, "")
}

// childAs is Child for one that is made for a task.
func (h *Host) childAs(ctx context.Context, parent *CoderAgent, kind, name, agent string) (*CoderAgent, error) {
	if parent == nil {
		return nil, ErrNoAgent
	}
	if !ValidName(name) { // it could smuggle in a level of its own
		return nil, &NameError{Name: name}
	}
	child, err := h.Agent(ctx, parent.name+"/sub/"+kind+"/"+name)
	if err != nil {
		return nil, err
	}
	environ, err := parent.Environ(ctx)
	if err != nil {
		return nil, err
	}
	return child, child.do(ctx, func(s *state) error {
		if s.environ == nil {
			s.environ = environ
		}
		if s.known {
			return nil
		}
		s.session.Agent = agent
		if err := s.write(store.Fast, func(*store.Tx) error { return nil }); err != nil {
			s.session.Agent = ""
			return err
		}
		s.refresh("")
		return nil
	})
}

// ancestors returns the stored rows of the session's parent, its parent's parent and so on. One that was never used has
// none.
func (a *CoderAgent) ancestors(ctx context.Context) (rows []store.Session, err error) {
	for parent, _, _ := SplitAddress(a.key); parent != ""; parent, _, _ = SplitAddress(parent) {
		row, ok, err := a.host.store.Session(ctx, parent)
		if err != nil {
			return nil, fmt.Errorf("reading the parent of session %s: %w", a.name, err)
		}
		if ok {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// inherit gives a new session what its parent has.
func (a *CoderAgent) inherit(ctx context.Context, row store.Session) (store.Session, error) {
	rows, err := a.ancestors(ctx)
	if err != nil || len(rows) == 0 {
		return row, err
	}
	row.Workdir, row.Model, row.Mode, row.MaxCost = rows[0].Workdir, rows[0].Model, rows[0].Mode, rows[0].MaxCost
	row.DenyAfter, row.MaxSteps = rows[0].DenyAfter, rows[0].MaxSteps
	return row, nil
}

// mode is the session's mode as it holds now: never looser than that of any session above it, which may have been
// tightened meanwhile. If theirs cannot be read, nothing may change.
func (s *state) mode() permission.Mode {
	mode := s.modeOf(s.unplanned(permission.Mode(s.session.Mode)))
	rows, err := s.agent.ancestors(context.WithoutCancel(s.agent.host.ctx))
	if err != nil {
		s.agent.host.opts.Logger.Error("judging a child by its parent's mode", "session", s.agent.key, "err", err)
		return permission.ModePlan
	}
	for _, row := range rows {
		if above := permission.Mode(row.Mode); above.Tighter(mode) {
			mode = above
		}
	}
	return mode
}

// below returns the keys of the sessions below one, the deepest first: those on disk and those in memory only.
func (h *Host) below(ctx context.Context, key string) ([]string, error) {
	rows, err := h.store.Sessions(ctx)
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, row := range rows {
		keys = append(keys, row.Key)
	}
	h.mu.Lock()
	for k := range h.agents {
		keys = append(keys, k)
	}
	h.mu.Unlock()
	keys = slices.DeleteFunc(keys, func(k string) bool { return !strings.HasPrefix(k, key+"/") })
	slices.SortFunc(keys, func(a, b string) int { return strings.Compare(b, a) }) // what lies below a key sorts behind it
	return slices.Compact(keys), nil
}

// refreshBelow tells the subscribers of the sessions below one that their mode has changed with it.
func (h *Host) refreshBelow(ctx context.Context, key string) error {
	h.mu.Lock()
	var awake []*CoderAgent
	for k, a := range h.agents {
		if strings.HasPrefix(k, key+"/") {
			awake = append(awake, a)
		}
	}
	h.mu.Unlock()
	for _, a := range awake {
		err := a.do(ctx, func(s *state) error {
			s.refresh("")
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// deleteBelow deletes the sessions below one.
func (h *Host) deleteBelow(ctx context.Context, key string) error {
	keys, err := h.below(ctx, key)
	if err != nil {
		return err
	}
	for _, k := range keys {
		child, err := h.Agent(ctx, k)
		if err != nil {
			return err
		}
		h.opts.Jobs.Drop(child.key)
		if err := child.delete(ctx); err != nil {
			return err
		}
		h.opts.Jobs.Drop(child.key)
	}
	return nil
}
