package agent

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/store"
)

// Bounds of what is remembered of cleared transcripts.
const (
	maxCleared   = 1000 // messages, the latest
	maxClearedID = 128  // bytes of an id: those of pages have some twenty
)

// Clear cancels all turns and empties the transcript. What it has cost stays, and so does a title that a client has set.
func (a *CoderAgent) Clear(ctx context.Context) error {
	var orphans []chat.Task
	err := a.still(ctx, func(s *state) error {
		orphans = s.script.WaitingTasks()
		old, gone, denyAt := s.session, s.withCleared(), s.denyAt()
		s.session.Status, s.session.Messages, s.session.Waiting = string(Idle), 0, time.Time{}
		if !s.session.Titled {
			s.session.Title = "" // the next prompt gives it
		}
		err := s.write(store.Safe, func(tx *store.Tx) error {
			for _, err := range []error{
				tx.ClearMessages(a.key), tx.PutCleared(a.key, gone), tx.PutClientTools(a.key, ""), tx.DropSystem(a.key),
				tx.DropRules(a.key), // whoever begins anew does not see what had been allowed
			} {
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			s.session = old
			return fmt.Errorf("clearing session %s: %w", a.name, err)
		}
		if err := os.RemoveAll(a.pictureDir()); err != nil {
			a.host.opts.Logger.Error("removing the pictures of a cleared session", "session", a.key, "err", err)
		}
		s.script, s.failed, s.system, s.tools, s.cleared, s.rules = chat.NewTranscript(nil), nil, nil, nil, gone, nil
		s.lookAfterDeadline(denyAt)
		s.relearn()
		s.publish(Cleared{By: callerFrom(ctx).Connection})
		s.refresh("")
		s.next()
		return nil
	})
	if err == nil {
		err = a.host.stopTasks(ctx, orphans)
	}
	return err
}

// withCleared are the ids that clears have removed once the transcript goes, too.
func (s *state) withCleared() []string {
	ids := slices.Clone(s.cleared)
	for _, m := range s.script.Snapshot() {
		if m.Role == chat.User && len(m.ID) <= maxClearedID {
			ids = append(ids, m.ID)
		}
	}
	return ids[max(0, len(ids)-maxCleared):]
}

// uncleared leaves out of a client's messages those of the user that a clear has removed: a page that has not heard of the clear
// sends its whole transcript with the next prompt. The prompt itself, the last message, is what the user says now.
func (s *state) uncleared(messages []chat.Message, prompt bool) []chat.Message {
	if len(s.cleared) == 0 {
		return messages
	}
	last := len(messages)
	if prompt {
		last--
	}
	kept := make([]chat.Message, 0, len(messages))
	for i, m := range messages {
		_, known := s.script.Find(m.ID)
		if m.Role == chat.User && i != last && !known && slices.Contains(s.cleared, m.ID) {
			continue
		}
		kept = append(kept, m)
	}
	return kept
}
