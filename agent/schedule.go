package agent

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/coder-agent/coder/agent/store"
)

const (
	maxSchedules     = 100      // of a session
	maxPlannedPrompt = 32 << 10 // bytes
)

// A Plan asks for a prompt later. Exactly one of At, In, Cron and Every says when.
type Plan struct {
	Prompt string `json:"prompt"`
	At     string `json:"at,omitempty"`    // a date: RFC 3339, or without an offset what clocks in TZ show
	In     string `json:"in,omitempty"`    // a delay, such as 90s, 1h30m or 2d
	Cron   string `json:"cron,omitempty"`  // the five fields of a crontab, in TZ
	Every  string `json:"every,omitempty"` // an interval, at least a minute
	TZ     string `json:"tz,omitempty"`    // IANA name; "" is the host's own zone
}

// Validate says what is wrong with the plan as it stands, at a time that a clock of the host would show.
func (p Plan) Validate(now time.Time) error {
	if err := p.check(); err != nil {
		return err
	}
	return p.read(new(store.Schedule), now)
}

// A Schedule is a prompt that is planned.
type Schedule struct {
	ID      string    `json:"id"`
	Session string    `json:"session"`
	Prompt  string    `json:"prompt"`
	Kind    string    `json:"kind"`            // Once, Cron or Every
	Cron    string    `json:"cron,omitempty"`  // with Cron: the line
	Every   string    `json:"every,omitempty"` // with Every: the interval, such as 1h30m0s
	TZ      string    `json:"tz,omitempty"`    // IANA name; "" is the host's own zone
	Next    time.Time `json:"next,omitzero"`   // when it is due; zero: it failed and will not come
	Last    time.Time `json:"last,omitzero"`   // when it came last
	Runs    int       `json:"runs"`            // how often it came
	Skipped int       `json:"skipped"`         // times since then that were skipped because the last was still at work
	Error   string    `json:"error,omitempty"` // why it could not come when it was due last
	Created time.Time `json:"created"`
}

// ScheduleOf describes a stored schedule; its times are in its own zone. home is the host's.
func ScheduleOf(r store.Schedule, home *time.Location) Schedule {
	in, err := location(r.Zone, home)
	if err != nil {
		in = time.UTC
	}
	s := Schedule{
		ID: r.ID, Session: r.Name, Prompt: r.Prompt, Kind: r.Kind, TZ: r.Zone,
		Runs: r.Runs, Skipped: r.Skipped, Error: r.Error, Created: r.Created.In(in),
	}
	switch r.Kind {
	case Cron:
		s.Cron = r.Spec
	case Every:
		s.Every = r.Spec
	}
	if !r.Due.IsZero() {
		s.Next = r.Due.In(in)
	}
	if !r.Fired.IsZero() {
		s.Last = r.Fired.In(in)
	}
	return s
}

// When says in words when the schedule comes.
func (s Schedule) When() string {
	in := ""
	if s.TZ != "" {
		in = " in " + s.TZ
	}
	switch s.Kind {
	case Cron:
		return fmt.Sprintf("by cron %q%s", s.Cron, in)
	case Every:
		every := s.Every
		for _, zero := range []string{"m0s", "h0m"} {
			if strings.HasSuffix(every, zero) {
				every = every[:len(every)-2]
			}
		}
		return "every " + every
	}
	return "once"
}

// A NoScheduleError says that there is no such schedule.
type NoScheduleError struct{ ID string }

func (e *NoScheduleError) Error() string { return "there is no schedule " + e.ID }

// Hint names the way to see those that there are.
func (e *NoScheduleError) Hint() string { return "coder schedule list shows them" }

// Schedule plans a prompt; nil means durable. One that is planned already, with the same words and times, is returned as
// it is: a client or a model that asks twice plans once.
func (a *CoderAgent) Schedule(ctx context.Context, p Plan) (planned Schedule, err error) {
	if err := p.check(); err != nil {
		return Schedule{}, err
	}
	err = a.do(ctx, func(s *state) error {
		if s.closing {
			return ErrShutdown
		}
		if s.session.Workdir == "" {
			return &WorkdirError{Session: a.name}
		}
		row, err := s.plan(p)
		planned = ScheduleOf(row, a.host.opts.Now().Location())
		return err
	})
	return planned, err
}

func (p Plan) check() error {
	switch {
	case strings.TrimSpace(p.Prompt) == "":
		return errors.New("the prompt is empty")
	case len(p.Prompt) > maxPlannedPrompt:
		return fmt.Errorf("the prompt is longer than %d KiB: put the task into a file and plan a prompt that names it", maxPlannedPrompt>>10)
	case !utf8.ValidString(p.Prompt):
		return errors.New("the prompt is not UTF-8")
	}
	return nil
}

func (s *state) plan(p Plan) (store.Schedule, error) {
	h := s.agent.host
	now := h.opts.Now()
	row := store.Schedule{
		ID: "s-" + strings.ToLower(rand.Text()[:8]), Session: s.agent.key, Name: s.session.Name, Prompt: p.Prompt, Created: now,
	}
	if err := p.read(&row, now); err != nil {
		return store.Schedule{}, err
	}
	have, err := h.store.SessionSchedules(context.WithoutCancel(h.ctx), s.agent.key)
	if err != nil {
		return store.Schedule{}, err
	}
	for _, old := range have {
		same := old.Kind == row.Kind && old.Spec == row.Spec && old.Zone == row.Zone && old.Prompt == row.Prompt
		if same && !old.Due.IsZero() && (row.Kind != Once || old.Due.Equal(row.Due)) {
			return old, nil
		}
	}
	if s.foreign() && (s.interrupted() || slices.ContainsFunc(have, func(o store.Schedule) bool { return !o.Due.IsZero() })) {
		return store.Schedule{}, s.elsewhere() // what is planned here would take it all along
	}
	if len(have) >= maxSchedules {
		return store.Schedule{}, fmt.Errorf("the session has %d schedules, and that is the most: cancel one", len(have))
	}
	old := s.session
	if old.Title == "" {
		s.session.Title = titleOf(p.Prompt)
	}
	s.claim()
	if err := s.write(store.Safe, func(tx *store.Tx) error { return tx.PutSchedule(row) }); err != nil {
		s.session = old
		return store.Schedule{}, fmt.Errorf("planning the prompt: %w", err)
	}
	h.replan()
	s.refresh("")
	return row, nil
}

// Schedules lists the session's schedules, the next due first.
func (a *CoderAgent) Schedules(ctx context.Context) ([]Schedule, error) {
	if a == nil {
		return nil, ErrNoAgent
	}
	rows, err := a.host.store.SessionSchedules(ctx, a.key)
	return a.host.schedulesOf(rows), err
}

// CancelSchedule removes a schedule of the session. A turn that it has begun goes on. One that is not there is a
// *NoScheduleError.
func (a *CoderAgent) CancelSchedule(ctx context.Context, id string) error {
	return a.do(ctx, func(s *state) error {
		rows, err := a.host.store.SessionSchedules(context.WithoutCancel(a.host.ctx), a.key)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if row.ID != id {
				continue
			}
			if err := s.write(store.Safe, func(tx *store.Tx) error { return tx.DeleteSchedule(id) }); err != nil {
				return fmt.Errorf("cancelling schedule %s: %w", id, err)
			}
			a.host.replan()
			return nil
		}
		return &NoScheduleError{ID: id}
	})
}

// Schedules lists the schedules of all sessions, the next due first.
func (h *Host) Schedules(ctx context.Context) ([]Schedule, error) {
	rows, err := h.store.Schedules(ctx)
	return h.schedulesOf(rows), err
}

func (h *Host) schedulesOf(rows []store.Schedule) []Schedule {
	list := make([]Schedule, 0, len(rows))
	for _, r := range rows {
		list = append(list, ScheduleOf(r, h.opts.Now().Location()))
	}
	return list
}

// CancelSchedule removes a schedule, of whatever session. One that is not there is a *NoScheduleError.
func (h *Host) CancelSchedule(ctx context.Context, id string) error {
	rows, err := h.store.Schedules(ctx)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.ID == id {
			a, err := h.Agent(ctx, r.Name)
			if err != nil {
				return err
			}
			return a.CancelSchedule(ctx, id)
		}
	}
	return &NoScheduleError{ID: id}
}

// scheduleMethod is the RPC method. The table keeps pages from it: a page may send a prompt, which people see, but not leave
// one behind that comes when it is gone, in whatever mode the session has by then.
func (a *CoderAgent) scheduleMethod(ctx context.Context, p Plan) (any, error) {
	return a.Schedule(ctx, p)
}
