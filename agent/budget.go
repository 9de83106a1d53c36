package agent

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/store"
)

// A BudgetError says that a turn has ended because it has cost what it may. Both are in US dollars.
type BudgetError struct{ Spent, Limit float64 }

func (e *BudgetError) Error() string {
	return fmt.Sprintf("the turn has cost $%.4f, and may cost $%s", e.Spent, strconv.FormatFloat(e.Limit, 'f', -1, 64))
}

// Hint says how to go on.
func (e *BudgetError) Hint() string {
	return "a new prompt goes on in a new turn, which may cost as much again; --max-cost USD changes the limit, 0 lifts it"
}

// A turn that goes on after a decision or a client's result goes on with the same budget. overspent returns why the turn may ask the model no more, or nil. What it has cost is known by what the provider has
// reported of each request that is over, so that the last one may go over the limit; one that reports no cost spends
// nothing. more is what the transcript does not have yet.
func (s *state) overspent(more chat.Usage) *BudgetError {
	limit, spent := s.session.MaxCost, s.script.AnswerUsage().Add(more).Cost
	if limit <= 0 || spent < limit {
		return nil
	}
	return &BudgetError{Spent: spent, Limit: limit}
}

// afford is overspent for a turn that asks more than once for the same.
func (t *turn) afford(ctx context.Context, more chat.Usage) error {
	return t.agent.do(context.WithoutCancel(ctx), func(s *state) error {
		if err := s.overspent(more); err != nil {
			return err
		}
		return nil
	})
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
