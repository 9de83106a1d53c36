package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/store"
)

// lateAfter is how late a prompt may come without a word about it.
const lateAfter = time.Minute

// A Mark in the metadata of a user message says that nobody typed it: a schedule has come due.
type Mark struct {
	ID  string    `json:"id"`  // of the schedule
	Due time.Time `json:"due"` // when it should have come
}

type markedMetadata struct {
	Schedule *Mark `json:"schedule"`
}

// keepMarks lets a client's messages keep the marks of those that are stored, and no others: a client makes none and
// loses none. Pages send the whole transcript back with each prompt.
func (s *state) keepMarks(messages []chat.Message) []chat.Message {
	kept := slices.Clone(messages)
	for i, m := range kept {
		old, _ := s.script.Find(m.ID)
		switch {
		case m.Role != chat.User:
		case old.Role == chat.User && markOf(old.Metadata) != nil:
			kept[i].Metadata = old.Metadata
		case markOf(m.Metadata) != nil:
			kept[i].Metadata = nil
		}
	}
	return kept
}

// markOf reads the mark of a schedule, or returns nil.
func markOf(metadata json.RawMessage) *Mark {
	var have markedMetadata
	if json.Unmarshal(metadata, &have) != nil {
		return nil
	}
	return have.Schedule
}

// fireDue looks after the session's schedules that are due. A session that is at work, has prompts waiting, waits for a
// decision or stands still is left alone: nobody typed the prompt, so it takes nobody's place and denies nothing. It stays due, and
// next comes back to it.
func (s *state) fireDue() error {
	h := s.agent.host
	if s.closing || h.opts.HoldSchedules {
		return nil
	}
	rows, err := s.due()
	if err != nil || len(rows) == 0 {
		return err
	}
	if s.foreign() {
		return s.postpone(rows)
	}
	now := h.opts.Now()
	var errs []error
	for _, row := range rows {
		switch {
		case s.working(row):
			errs = append(errs, s.skip(row, now))
		case s.free() && !s.mayFire(now):
			errs = append(errs, s.delay(row))
		case s.free():
			errs = append(errs, s.fire(row, now))
		}
	}
	return errors.Join(errs...)
}

// due returns the session's schedules that are due, the longest due first.
func (s *state) due() ([]store.Schedule, error) {
	h := s.agent.host
	rows, err := h.store.SessionSchedules(context.WithoutCancel(h.ctx), s.agent.key)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	now := h.opts.Now()
	var due []store.Schedule
	for _, row := range rows {
		if !row.Due.IsZero() && !row.Due.After(now) {
			due = append(due, row)
		}
	}
	return due, nil
}

// Bounds of what a session's schedules spend: so many come in any such time, a few more than the shortest interval lets one come.
// A model in mode auto could else plan a hundred turns for one moment.
const (
	maxFirings  = 12
	firingsTime = 10 * time.Minute
)

// mayFire reports whether one more schedule may come now. The times are in memory only: a session sleeps no sooner than they
// are past.
func (s *state) mayFire(now time.Time) bool {
	s.firings = slices.DeleteFunc(s.firings, func(t time.Time) bool { return now.Sub(t) >= firingsTime || t.After(now) })
	return len(s.firings) < maxFirings
}

// delay says of a schedule that is due why it waits. It comes when there is room, and times that pass meanwhile are one.
func (s *state) delay(row store.Schedule) error {
	why := fmt.Errorf("it waits: %d planned prompts came to the session in %d minutes, and that is the most", maxFirings, int(firingsTime.Minutes()))
	if row.Error == why.Error() {
		return nil
	}
	return s.failSchedule(row, why, row.Due)
}

// free reports whether no turn runs, waits or stands still, and every call has its result.
func (s *state) free() bool {
	return s.turn == nil && !s.undoing && s.stalled == nil && len(s.queue) == 0 && !s.parked() && len(s.script.Owed().Calls) == 0
}

// parked reports whether a call waits.
func (s *state) parked() bool { return anyWaits(s.script) }

// anyWaits reports whether a call of the last message waits for a decision, for a client's result, or with its child.
func anyWaits(t *chat.Transcript) bool {
	return len(t.Waiting())+len(t.Delegated())+len(t.WaitingTasks()) > 0
}

// working reports whether the schedule's last firing still runs or waits for a decision: its message is the last that
// was said to the model.
func (s *state) working(row store.Schedule) bool {
	if row.Message == "" || s.turn == nil && !s.parked() {
		return false
	}
	for _, m := range slices.Backward(s.script.Snapshot()) {
		if m.Role == chat.User {
			return m.ID == row.Message
		}
	}
	return false
}

// skip moves a schedule whose last firing is still at work to its next time.
func (s *state) skip(row store.Schedule, now time.Time) error {
	t, err := timingOf(row, now.Location())
	if err != nil {
		return s.failSchedule(row, err, time.Time{})
	}
	next, missed := t.after(row.Due, now)
	row.Due, row.Skipped = next, row.Skipped+missed+1
	s.agent.host.opts.Logger.Info("a schedule is skipped: its last prompt is still at work",
		"session", s.agent.key, "schedule", row.ID, "next", row.Due)
	return s.keep(row)
}

// fire begins the turn of a schedule: one commit moves the schedule to its next time, or deletes it, and appends the
// prompt. So it comes once, whenever the host dies.
func (s *state) fire(row store.Schedule, now time.Time) error {
	t, err := timingOf(row, now.Location())
	if err != nil {
		return s.failSchedule(row, err, time.Time{})
	}
	next, missed := t.after(row.Due, now)
	if _, err := folder(s.session.Workdir); err != nil {
		return s.failSchedule(row, &WorkdirError{Session: s.session.Name, Want: s.session.Workdir, Err: err}, next)
	}
	message, err := s.planned(row, now, missed)
	if err != nil {
		return err
	}
	moved := row
	moved.Due, moved.Fired, moved.Message, moved.Runs, moved.Skipped, moved.Error = next, now, message.ID, row.Runs+1, 0, ""
	err = s.begin(store.Turn{ID: newID("turn")}, []chat.Message{message}, false, func(tx *store.Tx) error {
		if next.IsZero() {
			return tx.DeleteSchedule(row.ID)
		}
		return tx.PutSchedule(moved)
	})
	if err != nil {
		return fmt.Errorf("firing schedule %s: %w", row.ID, err)
	}
	s.firings = append(s.firings, now)
	s.agent.host.replan()
	return nil
}

// failSchedule notes why a schedule could not fire. One without a next time stays for people to see.
func (s *state) failSchedule(row store.Schedule, cause error, next time.Time) error {
	s.agent.host.opts.Logger.Error("a schedule cannot fire", "session", s.agent.key, "schedule", row.ID, "err", cause)
	row.Error, row.Due = cause.Error(), next
	return s.keep(row)
}

func (s *state) keep(row store.Schedule) error {
	err := s.write(store.Safe, func(tx *store.Tx) error { return tx.PutSchedule(row) })
	if err != nil {
		return fmt.Errorf("moving schedule %s: %w", row.ID, err)
	}
	s.agent.host.replan()
	return nil
}

// planned is the user message of a firing: the prompt, and in brackets where it comes from and whether it is late.
func (s *state) planned(row store.Schedule, now time.Time, missed int) (chat.Message, error) {
	about := ScheduleOf(row, now.Location())
	var note strings.Builder
	fmt.Fprintf(&note, "[Schedule %s, %s: due %s", row.ID, about.When(), about.Next.Format(time.RFC3339))
	if now.Sub(row.Due) >= lateAfter {
		why := "the session was at work, waited for a decision or had as many planned prompts as may come, or the machine slept"
		if row.Due.Before(s.agent.host.opened) {
			why = "no host ran then"
		}
		fmt.Fprintf(&note, "; it comes late, at %s: %s", now.In(about.Next.Location()).Format(time.RFC3339), why)
	}
	if missed > 0 {
		fmt.Fprintf(&note, "; this prompt stands for %s that passed since, too", times(missed))
	}
	if row.Skipped > 0 {
		fmt.Fprintf(&note, "; before, %s came while the last prompt was at work and was skipped", times(row.Skipped))
	}
	note.WriteString("]")
	metadata, err := json.Marshal(markedMetadata{&Mark{ID: row.ID, Due: about.Next}})
	if err != nil {
		return chat.Message{}, fmt.Errorf("marking the prompt of schedule %s: %w", row.ID, err)
	}
	return chat.Message{
		ID: newID("user"), Role: chat.User, Metadata: metadata,
		Parts: []chat.Part{chat.Text{Text: row.Prompt + "\n\n" + note.String()}},
	}, nil
}

func times(n int) string {
	switch {
	case n == 1:
		return "1 time"
	case n >= maxMissed:
		return fmt.Sprintf("%d or more times", maxMissed)
	}
	return fmt.Sprintf("%d times", n)
}
