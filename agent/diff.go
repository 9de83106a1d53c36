package agent

import (
	"context"
	"encoding/json"

	"github.com/coder-agent/coder/agent/snapshot"
)

// A DiffRequest asks what a session has changed.
type DiffRequest struct {
	Turn TurnName `json:"turn,omitempty"` // "": all its turns together, those left out that are undone
	Stat bool     `json:"stat,omitempty"` // without the text
}

// A DiffAnswer says what was changed.
type DiffAnswer struct {
	Turns     []ChangedTurn        `json:"turns"` // all of the session, whatever was asked for
	Files     []snapshot.FileStat  `json:"files"`
	Diff      string               `json:"diff,omitempty"` // unified, as git shows it; at most 1 MiB
	Cut       bool                 `json:"cut,omitempty"`
	Uncovered []snapshot.Uncovered `json:"uncovered,omitempty"` // files that were changed and that no snapshot holds
	Below     []string             `json:"below,omitempty"`     // sub-agents and other children that have changed files in turns of their own
}

// Diff returns what a turn, or the session, has changed.
func (a *CoderAgent) Diff(ctx context.Context, want DiffRequest) (DiffAnswer, error) {
	answer := DiffAnswer{Turns: []ChangedTurn{}, Files: []snapshot.FileStat{}}
	if a == nil {
		return answer, ErrNoAgent
	}
	if a.host.opts.Snapshots == nil {
		return answer, a.host.noSnapshots()
	}
	turns, err := a.changedTurns(ctx)
	if err == nil {
		answer.Below, err = a.changedBelow(ctx)
	}
	if err != nil || len(turns) == 0 {
		return answer, err
	}
	answer.Turns = turns
	var chosen []ChangedTurn
	if want.Turn != "" {
		i, err := find(turns, want.Turn)
		if err != nil {
			return answer, err
		}
		chosen = turns[i : i+1]
	} else {
		for _, t := range turns {
			if !t.Undone {
				chosen = append(chosen, t)
			}
		}
	}
	if len(chosen) == 0 {
		return answer, nil
	}
	f := a.host.opts.Snapshots.Folder(chosen[0].rows[0].Workdir)
	changes, also, err := a.changesOf(ctx, f, chosen...)
	if err != nil {
		return answer, err
	}
	answer.Uncovered = also.uncovered
	before, after, err := f.Build(ctx, changes)
	if err != nil {
		return answer, err
	}
	if answer.Files, err = f.Stat(ctx, before, after, changes); err != nil || want.Stat {
		return answer, err
	}
	text, cut, err := f.Diff(ctx, before, after)
	answer.Diff, answer.Cut = a.host.Redact(text), cut
	return answer, err
}

func diffMethod(a *CoderAgent, ctx context.Context, args []json.RawMessage, _ func(any)) (any, error) {
	want, err := optional[DiffRequest](args, 0)
	if err != nil {
		return nil, err
	}
	return a.Diff(ctx, want)
}

func undoMethod(do func(*CoderAgent, context.Context, UndoRequest) (UndoAnswer, error)) method {
	return func(a *CoderAgent, ctx context.Context, args []json.RawMessage, _ func(any)) (any, error) {
		want, err := optional[UndoRequest](args, 0)
		if err != nil {
			return nil, err
		}
		return do(a, ctx, want)
	}
}
