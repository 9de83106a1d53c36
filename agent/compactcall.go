package agent

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/store"
)

// compactMethod compacts the session now and tells how far it is.
func compactMethod(a *CoderAgent, ctx context.Context, _ []json.RawMessage, tell func(any)) (any, error) {
	sub, err := a.Subscribe(ctx)
	if err != nil {
		return nil, err
	}
	defer sub.Close()
	var id string
	err = a.do(ctx, func(s *state) (err error) {
		id, err = s.startCompaction(callerFrom(ctx).Connection)
		return err
	})
	if err != nil {
		return nil, err
	}
	var mark chat.Compaction
	for {
		u, err := sub.Next(ctx)
		if err != nil {
			return nil, err
		}
		switch u := u.(type) {
		case Stalled:
			if u.Turn.ID == id {
				return nil, refusal("the compaction cannot be recorded: " + u.Turn.Hint)
			}
		case TurnEvent:
			if u.Turn.ID != id {
				continue
			}
			switch e := u.Event.(type) {
			case chat.Compacted:
				if mark = chat.Compaction(e); mark.Status == chat.CompactionRunning {
					tell(mark)
				}
			case chat.TurnFinished:
				return compacted(mark, e)
			}
		}
	}
}

func compacted(mark chat.Compaction, end chat.TurnFinished) (any, error) {
	switch {
	case end.Reason == chat.FinishCancelled:
		return nil, refusal("the compaction was cancelled")
	case mark.Status == chat.CompactionFailed:
		return nil, refusal(mark.Error)
	case end.Error != "":
		return nil, refusal(end.Error)
	}
	return mark, nil
}

// startCompaction opens a turn that owes a compaction and nothing else, in one commit. It goes on in the last answer, as a
// continuation does: a transcript has no message that nobody has said.
func (s *state) startCompaction(by string) (id string, err error) {
	switch {
	case s.closing:
		return "", ErrShutdown
	case s.turn != nil, s.stalled != nil, len(s.queue) > 0:
		return "", refusal("a turn of the session runs or waits: it compacts by itself when it must; ask again when it is over")
	case s.parked():
		return "", refusal("a call of the session waits for a decision, or for its result: that comes first")
	}
	if _, possible := s.planCompaction(); !possible {
		return "", errNothing
	}
	row := store.Turn{ID: newID("turn"), Status: store.TurnOpen, Continuation: true, Client: by}
	start := chat.TurnStarted{}
	if last, ok := s.script.Last(); !ok || last.Role != chat.Assistant {
		start.MessageID, row.Continuation = newID("msg"), false
	}
	events := []chat.Event{start, chat.Compacted{ID: newID("compaction"), Status: chat.CompactionRunning, Before: s.load()}}
	bodies, err := encode(events)
	if err != nil {
		return "", err
	}
	old := s.session
	s.session.Status = string(Running)
	s.claim()
	err = s.write(store.Safe, func(tx *store.Tx) error {
		if err := s.addTurn(tx, &row); err != nil {
			return err
		}
		return tx.AppendEvents(s.agent.key, row.ID, 0, bodies)
	})
	if err != nil {
		s.session = old
		return "", fmt.Errorf("recording that session %s is compacted: %w", s.agent.name, err)
	}
	s.start(row, events, bodies)
	s.takeUp(old.Provider)
	return row.ID, nil
}
