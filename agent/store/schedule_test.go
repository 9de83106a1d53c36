package store

import (
	"errors"
	"testing"
	"time"
)

func TestSchedulesComeBackInTheOrderOfTheirTimes(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	at := time.Date(2026, 11, 24, 6, 0, 0, 7, time.UTC)
	whole := Schedule{
		ID: "s-1", Session: "a", Name: "A", Kind: "cron", Spec: "0 9 * * *", Zone: "Europe/Berlin", Prompt: "<é>\n'x'", Message: "m",
		Created: at.Add(-time.Hour), Due: at.Add(time.Hour), Fired: at, Runs: 2, Skipped: 3, Error: "why",
	}
	soon := Schedule{ID: "s-2", Session: "b", Name: "b", Kind: "once", Prompt: "x", Due: at}
	failed := Schedule{ID: "s-3", Session: "a", Name: "A", Kind: "once", Prompt: "y", Error: "no folder"}
	write(t, s, Safe, func(tx *Tx) error {
		return errors.Join(tx.PutSession(Session{Key: "a", Name: "A"}), tx.PutSchedule(failed), tx.PutSchedule(whole), tx.PutSchedule(soon))
	})

	s = reopen(t, s, dir)
	all, err := s.Schedules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want(t, "all", all, []Schedule{soon, whole, failed})
	want(t, "those of a session", read(t, s.SessionSchedules, "a"), []Schedule{whole, failed})
	checkPlanned(t, s, 2, at)
	for _, tt := range []struct {
		now  time.Time
		due  []string
		next time.Time
	}{
		{at.Add(-1), nil, at},
		{at, []string{"b"}, whole.Due},
		{whole.Due, []string{"b", "A"}, time.Time{}},
	} {
		due, err := s.DueSessions(t.Context(), tt.now)
		if err != nil {
			t.Fatal(err)
		}
		want(t, "due", due, tt.due)
		next, err := s.NextDue(t.Context(), tt.now)
		if err != nil || !next.Equal(tt.next) {
			t.Errorf("after %s the next is due at %s, %v; want %s", tt.now, next, err, tt.next)
		}
	}

	soon.Due, soon.Runs = at.Add(2*time.Hour), 1
	write(t, s, Safe, func(tx *Tx) error {
		return errors.Join(tx.PutSchedule(soon), tx.DeleteSchedule("s-3"), tx.DeleteSchedule("none"))
	})
	checkPlanned(t, s, 2, whole.Due)
	write(t, s, Safe, func(tx *Tx) error { return tx.DeleteSession("a") })
	all, err = s.Schedules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want(t, "after the session is deleted", all, []Schedule{soon})
	write(t, s, Safe, func(tx *Tx) error { return tx.DeleteSchedule("s-2") })
	checkPlanned(t, s, 0, time.Time{})
}

func checkPlanned(t *testing.T, s *Store, count int, first time.Time) {
	t.Helper()
	n, due, _, err := s.Planned(t.Context(), "")
	if err != nil || n != count || !due.Equal(first) {
		t.Errorf("planned are %d, the first at %s, %v; want %d at %s", n, due, err, count, first)
	}
}
