package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/store"
)

// Nobody to answer never means yes. What becomes of calls that nobody decides on is a setting of the session: they wait for
// ever, or are denied after a time, and the turn goes on with that. A question that nobody answers is the model's to decide. The time runs from the moment the turn parks; both are
// in the session's row, so that neither a crash nor a restart starts it anew. While no host runs nothing is denied: what is
// late by then is denied when the next one starts.

// ParseOnAsk reads what becomes of calls that nobody decides on: "park" (nil: they wait), "deny" (0: at once) or
// "deny:DURATION", such as deny:30m.
func ParseOnAsk(s string) (*time.Duration, error) {
	after, timed := strings.CutPrefix(s, "deny:")
	switch {
	case s == "park":
		return nil, nil
	case s == "deny":
		return new(time.Duration(0)), nil
	case timed:
		if d, err := time.ParseDuration(after); err == nil && d >= 0 && d <= maxDenyAfter {
			return &d, nil
		}
	}
	return nil, fmt.Errorf("%q is neither park, deny, nor deny: and a time such as deny:30m", s)
}

// maxDenyAfter bounds the time: a sum with it stays a date.
const maxDenyAfter = 10 * 365 * 24 * time.Hour

// FormatOnAsk writes what ParseOnAsk reads.
func FormatOnAsk(d *time.Duration) string {
	switch {
	case d == nil:
		return "park"
	case *d == 0:
		return "deny"
	}
	return "deny:" + shortTime(*d)
}

// shortTime is a duration without zeros at its end.
func shortTime(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// denyAt is when the calls that wait are denied, or zero.
func (s *state) denyAt() time.Time {
	if s.session.Waiting.IsZero() || s.session.DenyAfter == nil {
		return time.Time{}
	}
	return s.session.Waiting.Add(*s.session.DenyAfter)
}

// waitsFrom notes in the row that is written next since when calls wait, or, with the zero time, that none does.
func (s *state) waitsFrom(script *chat.Transcript, now time.Time) {
	switch {
	case len(script.Waiting())+len(script.Questions()) == 0:
		s.session.Waiting = time.Time{}
	case s.session.Waiting.IsZero():
		s.session.Waiting = now
	}
}

// alone is the result of a question that nobody has answered in time.
func (s *state) alone(c chat.ToolCall) (chat.ClientAnswered, error) {
	text := chat.Unanswered(s.agent.host.tools[c.Name].Asks(c.Input), "nobody answered within "+shortTime(*s.session.DenyAfter))
	output, err := json.Marshal(text)
	return chat.ClientAnswered{ToolCallID: c.ID, Output: output, Continue: true}, err
}

// unanswered is the denial of a call on which nobody has decided in time.
func (s *state) unanswered(callID string) chat.Decided {
	why := "nobody is there to decide (--on-ask deny)"
	if after := *s.session.DenyAfter; after > 0 {
		why = "nobody decided within " + shortTime(after)
	}
	return chat.Decided{ToolCallID: callID, Reason: why, Unanswered: true}
}

// denyAtOnce denies what waits in the running turn of a session where nothing waits. It reports whether there was anything.
func (t *turn) denyAtOnce(ctx context.Context) (denied bool, err error) {
	err = t.agent.do(context.WithoutCancel(ctx), func(s *state) error {
		if s.session.DenyAfter == nil || *s.session.DenyAfter > 0 {
			return nil
		}
		var events []chat.Event
		for _, c := range s.script.Waiting() {
			events = append(events, s.unanswered(c.ID))
		}
		if denied = len(events) > 0; !denied {
			return nil
		}
		if err := s.record(t, store.Safe, events...); err != nil {
			return err
		}
		s.publishLast("")
		s.refresh("")
		return nil
	})
	return denied, err
}

// denyLate denies the calls whose time is up, answers the questions for whoever has not, and lets the turn go on. A session that waits for another provider is its
// host's to look after.
func (s *state) denyLate() error {
	at := s.denyAt()
	if s.closing || at.IsZero() || at.After(s.agent.host.opts.Now()) || s.foreign() {
		return nil
	}
	if err := s.unstall(); err != nil || s.turn != nil {
		return err
	}
	for _, c := range s.script.Waiting() {
		s.agent.host.opts.Logger.Info("a call is denied: nobody decided", "session", s.agent.key, "call", c.ID)
		if err := s.settleCall(s.unanswered(c.ID), c.ID, ""); err != nil {
			return err
		}
	}
	for _, c := range s.script.Questions() {
		s.agent.host.opts.Logger.Info("a question is over: nobody answered", "session", s.agent.key, "call", c.ID)
		answer, err := s.alone(c)
		if err == nil {
			err = s.settleCall(answer, c.ID, "")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// overdue has the agents deny what has waited too long, and returns when the next is due, or zero.
func (h *Host) overdue(now time.Time) (next time.Time, err error) {
	list, err := h.store.Deadlines(h.ctx, h.opts.Provider)
	errs := []error{err}
	for _, d := range list {
		if d.At.After(now) {
			next = d.At
			break
		}
		a, err := h.Agent(h.ctx, d.Session)
		if err == nil {
			err = a.do(h.ctx, (*state).denyLate)
		}
		errs = append(errs, err)
	}
	return next, errors.Join(errs...)
}

// lookAfterDeadline wakes the clock when a write has changed what it waits for.
func (s *state) lookAfterDeadline(before time.Time) {
	if !s.denyAt().Equal(before) {
		s.agent.host.replan()
	}
}
