package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/store"
)

// A session's rules are those that a person at the machine has made with a decision: "always for this session". They hold for
// this session, and for the children to which it gives tasks: they work for it, and the user would be asked the same again by each.
// A fork begins without them, and the child that a client makes too: all they can do is loosen, and what was allowed here was
// not asked there. What is decided at a child stays there. A clear drops them, for whoever begins anew does not see what had been
// allowed before.

// A SessionRule is a rule of a session, as clients see it.
type SessionRule struct {
	ID      int64     `json:"id"`
	Rule    string    `json:"rule"` // as permission.ParseRule reads it
	Created time.Time `json:"created"`
	By      string    `json:"by,omitempty"` // the connection that made it
}

// SessionRuleOf describes a stored rule: for commands that read the store while no host runs.
func SessionRuleOf(r store.Rule) SessionRule {
	return SessionRule{ID: r.ID, Rule: r.Text, Created: r.Created, By: r.By}
}

// fromSession is where verdicts say that a rule of the session comes from.
const fromSession = "this session"

// sessionRules are the rules as the policy takes them. Each was read by ParseRule before it was stored; one that this version
// does not understand allows nothing.
func (s *state) sessionRules() (rules []permission.Rule) {
	rows, err := s.rulesAbove()
	if err != nil {
		s.agent.host.opts.Logger.Error("the rules above are left out", "session", s.agent.key, "err", err)
	}
	for _, row := range append(rows, s.rules...) {
		rule, err := permission.ParseRule(row.Text, fromSession)
		if err != nil {
			s.agent.host.opts.Logger.Error("a rule is left out", "session", s.agent.key, "rule", row.ID, "err", err)
			continue
		}
		rules = append(rules, rule)
	}
	return rules
}

// rulesAbove are the rules of the sessions for which this one works, as they are now.
func (s *state) rulesAbove() (rows []store.Rule, err error) {
	h := s.agent.host
	for parent, kind, _ := SplitAddress(s.agent.key); parent != "" && kind == KindTask; parent, kind, _ = SplitAddress(parent) {
		above, err := h.store.Rules(context.WithoutCancel(h.ctx), parent)
		if err != nil {
			return nil, err
		}
		rows = append(rows, above...)
	}
	return rows, nil
}

// always returns the rule that a decision stores: exactly the text that was shown with the question.
func (s *state) always(ctx context.Context, callID string, d Decision) (*store.Rule, error) {
	if !d.Always {
		return nil, nil
	}
	asked := s.question(callID)
	switch {
	case callerFrom(ctx).Page:
		return nil, refusal("a page may decide on this one call, and not for all that come: say always in a terminal")
	case !d.Approved:
		return nil, refusal("only a yes can be for always: deny this one call, or write a deny rule into your config")
	case asked.Always == "":
		return nil, refusal(fmt.Sprintf("no rule is offered for call %s, such a call is asked for each time: decide on it alone", callID))
	}
	if _, err := permission.ParseRule(asked.Always, fromSession); err != nil {
		return nil, fmt.Errorf("the rule for call %s: %w", callID, err)
	}
	return &store.Rule{Text: asked.Always, Created: s.agent.host.opts.Now(), By: d.By}, nil
}

// keepRule returns what stores the rule in the commit of the decision; nil stores none.
func (s *state) keepRule(r *store.Rule) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		if r == nil {
			return nil
		}
		return tx.AddRule(s.agent.key, r)
	}
}

// Rules returns the session's rules in the order in which they came.
func (a *CoderAgent) Rules(ctx context.Context) (list []SessionRule, err error) {
	err = a.do(ctx, func(s *state) error {
		list = make([]SessionRule, 0, len(s.rules))
		for _, r := range s.rules {
			list = append(list, SessionRuleOf(r))
		}
		return nil
	})
	return list, err
}

// RemoveRule removes a rule of the session; the calls that wait are not asked anew. A number that no rule has is an error.
func (a *CoderAgent) RemoveRule(ctx context.Context, id int64) error {
	return a.do(ctx, func(s *state) error {
		i := slices.IndexFunc(s.rules, func(r store.Rule) bool { return r.ID == id })
		if i < 0 {
			return refusal(fmt.Sprintf("session %s has no rule %d", s.agent.name, id))
		}
		if err := s.write(store.Safe, func(tx *store.Tx) error { return tx.DeleteRule(s.agent.key, id) }); err != nil {
			return fmt.Errorf("removing rule %d of session %s: %w", id, s.agent.name, err)
		}
		s.rules = slices.Delete(s.rules, i, i+1)
		return nil
	})
}

// A deciding is the last argument of decide.
type deciding struct {
	Always bool `json:"always"`
}

func decideMethod(a *CoderAgent, ctx context.Context, args []json.RawMessage, _ func(any)) (any, error) {
	callID, err := arg[string](args, 0)
	if err != nil {
		return nil, err
	}
	approved, err := arg[bool](args, 1)
	if err != nil {
		return nil, err
	}
	reason, err := optional[string](args, 2)
	if err != nil {
		return nil, err
	}
	how, err := optional[deciding](args, 3)
	if err != nil {
		return nil, err
	}
	return nil, a.Decide(ctx, callID, Decision{
		Approved: approved, Reason: reason, Always: how.Always, By: callerFrom(ctx).Connection,
	})
}
