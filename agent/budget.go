package agent

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/store"
)

// A BudgetError says that a turn has ended because it has cost what it may. Both are in US dollars.
type BudgetError struct {
	Spent, Limit float64
	Session      string // the session above whose budget it is; "": the turn's own
	Tasks        bool   // children have spent a part of it
}

func (e *BudgetError) Error() string {
	who := "the turn"
	if e.Session != "" {
		who += " of session " + e.Session
	}
	verb := "has"
	if e.Tasks || e.Session != "" {
		who, verb = who+" and its sub-agents", "have"
	}
	return fmt.Sprintf("%s %s cost $%.4f, and may cost $%s", who, verb, e.Spent, strconv.FormatFloat(e.Limit, 'f', -1, 64))
}

// Hint says how to go on.
func (e *BudgetError) Hint() string {
	return "a new prompt goes on in a new turn, which may cost as much again; --max-cost USD changes the limit, 0 lifts it"
}

// A budget is what an answer may cost and what it has, in US dollars. A turn that goes on after a decision or a client's result
// goes on with the same budget. What it has cost is known by what the provider has reported of each request that is over, so that
// the last one may go over the limit; one that reports no cost spends nothing.
type budget struct {
	limit float64 // 0: none
	own   float64 // what the requests of the session itself have cost
	tasks []chat.Task
}

// budget returns that of the session's answer.
func (a *CoderAgent) budget(ctx context.Context) (b budget, err error) {
	err = a.do(ctx, func(s *state) error {
		b = budget{s.session.MaxCost, s.script.AnswerUsage().Cost, s.script.Tasks()}
		return nil
	})
	return b, err
}

// gave reports whether the answer has given a task to the child.
func (b budget) gave(child string) bool {
	for _, t := range b.tasks {
		if strings.EqualFold(t.Session, child) {
			return true
		}
	}
	return false
}

// usageOf is what the children of the tasks have cost since these were given, and those below them. A child counts from its
// first task on. All of it is read from the agents themselves and from their rows, so that a crash changes nothing.
func (h *Host) usageOf(ctx context.Context, tasks []chat.Task) (sum chat.Usage, err error) {
	counted := map[string]bool{}
	for _, t := range tasks {
		key := strings.ToLower(t.Session)
		if counted[key] {
			continue
		}
		counted[key] = true
		used, err := h.usageFrom(ctx, key)
		if err != nil {
			return sum, err
		}
		if used = used.Sub(t.Before); used.Input >= 0 && used.Cost >= 0 { // one that was deleted has none
			sum = sum.Add(used)
		}
	}
	return sum, nil
}

// usageFrom is what a session has cost so far, with all below it. Those that work are asked: their rows do not have the turn
// that is open.
func (h *Host) usageFrom(ctx context.Context, key string) (sum chat.Usage, err error) {
	rows, err := h.store.Below(ctx, key)
	if err != nil {
		return sum, err
	}
	own, ok, err := h.store.Session(ctx, key)
	if err != nil {
		return sum, err
	}
	if ok {
		rows = append(rows, store.Child{Key: own.Key, Name: own.Name, Status: own.Status, Usage: own.Usage})
	}
	for _, row := range rows {
		if row.Status == string(Running) {
			a, err := h.Agent(ctx, row.Name)
			if err == nil {
				row.Usage, err = a.ownUsage(ctx)
			}
			if err != nil {
				return sum, err
			}
		}
		sum = sum.Add(row.Usage)
	}
	return sum, nil
}

// overspent returns why the turn may ask the model no more, or nil: its own answer, or one above that it works for, has cost
// what it may. more is what the transcript does not have yet.
func (t *turn) overspent(ctx context.Context, more chat.Usage) (*BudgetError, error) {
	ctx = context.WithoutCancel(ctx)
	a, child := t.agent, ""
	for {
		b, err := a.budget(ctx)
		if err != nil || child != "" && !b.gave(child) {
			return nil, err
		}
		if child == "" {
			b.own += more.Cost
		}
		over, err := b.over(ctx, a.host)
		if err != nil {
			return nil, err
		}
		if over != nil {
			if child != "" {
				over.Session = a.name
			}
			return over, nil
		}
		parent, kind, _ := SplitAddress(a.name)
		if parent == "" || kind != KindTask {
			return nil, nil
		}
		child = a.name
		if a, err = a.host.Agent(ctx, parent); err != nil {
			return nil, err
		}
	}
}

// over says that the budget is spent, or nil.
func (b budget) over(ctx context.Context, h *Host) (*BudgetError, error) {
	if b.limit <= 0 {
		return nil, nil
	}
	below, err := h.usageOf(ctx, b.tasks)
	if spent := b.own + below.Cost; err == nil && spent >= b.limit {
		return &BudgetError{Spent: spent, Limit: b.limit, Tasks: len(b.tasks) > 0}, nil
	}
	return nil, err
}

// share is the limit of a child's turn: what is wanted, and at most what is left here; 0 is none.
func (a *CoderAgent) share(ctx context.Context, want float64) (float64, error) {
	if want < 0 || math.IsNaN(want) || math.IsInf(want, 0) {
		return 0, refusal("budget is in US dollars and must not be negative")
	}
	b, err := a.budget(ctx)
	if err != nil || b.limit <= 0 {
		return want, err
	}
	below, err := a.host.usageOf(ctx, b.tasks)
	left := b.limit - b.own - below.Cost
	switch {
	case err != nil:
		return 0, err
	case left <= 0:
		return 0, &BudgetError{Spent: b.own + below.Cost, Limit: b.limit, Tasks: len(b.tasks) > 0}
	case want == 0 || want > left:
		return left, nil
	}
	return want, nil
}

// afford is overspent for a turn that asks more than once for the same.
func (t *turn) afford(ctx context.Context, more chat.Usage) error {
	over, err := t.overspent(ctx, more)
	if err == nil && over != nil {
		return over
	}
	return err
}

// limitCost puts what a client wants a turn to cost at most into the session's row. A page may only lower it: the money is
// not the page's.
func limitCost(row *store.Session, want *float64, page bool) error {
	switch {
	case want == nil:
		return nil
	case *want < 0 || math.IsNaN(*want) || math.IsInf(*want, 0):
		return refusal("maxCost is in US dollars and must not be negative")
	case page && (*want == 0 || row.MaxCost > 0 && *want > row.MaxCost):
		return refusal("a page may only lower maxCost")
	}
	row.MaxCost = *want
	return nil
}
