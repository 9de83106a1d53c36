package agent

import (
	"context"
	"errors"
	"time"

	"github.com/coder-agent/coder/agent/store"
)

const (
	keepEvents = 10 * time.Minute // of a finished turn, for late resumers
	sweepEvery = 10 * time.Minute
	firstSweep = time.Second // after the start, which it must not slow down

	// lookEvery bounds the clock's sleep while anything is planned: a timer counts the time that the machine is awake, so
	// after a sleep, or when somebody sets the clock, it would ring late.
	lookEvery = time.Minute
)

// Planned says what the clock waits for.
type Planned struct {
	Count int       `json:"count"`         // schedules that will fire
	Next  time.Time `json:"next,omitzero"` // when the first of them is due; past: it waits for its session

	Elsewhere int `json:"elsewhere,omitempty"` // schedules that wait for hosts of other providers
	Deadlines int `json:"deadlines,omitempty"` // sessions in which calls are denied if nobody decides on them in time
}

// any reports whether there is anything to look after: also to say of what is due elsewhere that it waits.
func (p Planned) any() bool { return p.Count+p.Elsewhere+p.Deadlines > 0 }

// Planned says how many schedules will fire, and when the first is due.
func (h *Host) Planned() Planned {
	if p := h.planned.Load(); p != nil {
		return *p
	}
	return Planned{}
}

// replan looks what is planned, and wakes the clock for it. Whoever changes a schedule or a deadline calls it before he says so: else
// the host could end as idle between the two.
func (h *Host) replan() {
	if err := h.lookAhead(h.ctx); err != nil && h.ctx.Err() == nil {
		h.opts.Logger.Error("looking what is planned", "err", err)
	}
	select {
	case h.replanned <- struct{}{}:
	default:
	}
}

func (h *Host) lookAhead(ctx context.Context) error {
	n, next, elsewhere, err := h.store.Planned(ctx, h.opts.Provider)
	if err != nil {
		return err
	}
	late, err := h.store.Deadlines(ctx, h.opts.Provider)
	if err != nil {
		return err
	}
	p := &Planned{Count: n, Elsewhere: elsewhere, Deadlines: len(late)}
	if n > 0 {
		p.Next = next.In(h.opts.Now().Location())
	}
	h.planned.Store(p)
	h.opts.Changed()
	return nil
}

// clock wakes agents whose schedules are due or whose calls have waited too long, and sweeps what is kept for a while only.
func (h *Host) clock() {
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	soon := time.NewTimer(firstSweep) // many hosts live for one turn only
	defer soon.Stop()
	alarm := time.NewTimer(0) // for what was missed while no host ran
	defer alarm.Stop()
	for {
		select {
		case <-soon.C:
			h.sweep()
			continue
		case <-sweep.C:
			h.sweep()
			continue
		case <-alarm.C:
		case <-h.replanned:
		case <-h.ctx.Done():
			return
		}
		wait, err := h.wakeDue()
		if err != nil && h.ctx.Err() == nil {
			h.opts.Logger.Error("waking sessions that are due", "err", err)
		}
		if h.Planned().any() && !h.opts.HoldSchedules {
			alarm.Reset(wait)
		}
	}
}

// sweep drops what was kept for long enough, and gives its room back.
func (h *Host) sweep() {
	err := h.store.Write(h.ctx, store.Fast, func(tx *store.Tx) error {
		return tx.Sweep(h.opts.Now().Add(-keepEvents))
	})
	err = errors.Join(err, h.sweepScratch(h.ctx), h.sweepPictures(h.ctx))
	if err != nil && h.ctx.Err() == nil {
		h.opts.Logger.Error("sweeping the data dir", "err", err)
	}
	h.tidy()
}

// wakeDue tells the agents of schedules that are due and of calls that have waited too long, and returns how long the clock may sleep. A schedule that its
// session cannot take yet is met again: by the agent as soon as it can, and here.
func (h *Host) wakeDue() (sleep time.Duration, err error) {
	if h.opts.HoldSchedules || !h.Planned().any() {
		return lookEvery, nil
	}
	now := h.opts.Now()
	sessions, err := h.store.DueSessions(h.ctx, now)
	errs := []error{err}
	for _, name := range sessions {
		a, err := h.Agent(h.ctx, name)
		if err == nil {
			err = a.lookAround(h.ctx)
		}
		if err == nil {
			err = a.do(h.ctx, (*state).fireDue)
		}
		errs = append(errs, err)
	}
	next, err := h.store.NextDue(h.ctx, now)
	late, errLate := h.overdue(now)
	sleep = lookEvery
	for _, at := range []time.Time{next, late} {
		if !at.IsZero() {
			sleep = min(sleep, max(at.Sub(h.opts.Now()), 0))
		}
	}
	return sleep, errors.Join(append(errs, err, errLate)...)
}
