package agent

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/coder-agent/coder/agent/store"
)

const (
	// minEvery bounds an interval from below: a turn costs money, and nobody may be watching.
	minEvery = time.Minute
	// maxAhead bounds how far away a time may be.
	maxAhead = 10 * 365 * 24 * time.Hour
	// maxMissed is as far as missed times are counted.
	maxMissed = 1000
)

// Kinds of schedules.
const (
	Once  = "once"
	Cron  = "cron"
	Every = "every"
)

// A timing is when a schedule fires: once, at the times of a cron line, or again and again after a while.
type timing struct {
	kind  string
	once  time.Time
	line  cronLine
	every time.Duration
}

// timingOf reads the row of a schedule back. home is the host's own time zone.
func timingOf(r store.Schedule, home *time.Location) (t timing, err error) {
	t.kind = r.Kind
	switch r.Kind {
	case Cron:
		var in *time.Location
		if in, err = location(r.Zone, home); err == nil {
			t.line, err = parseCron(r.Spec, in)
		}
	case Every:
		t.every, err = time.ParseDuration(r.Spec)
	}
	return t, err
}

// first is when the schedule is due for the first time.
func (t timing) first(now time.Time) time.Time {
	switch t.kind {
	case Cron:
		return t.line.next(now)
	case Every:
		return now.Add(t.every)
	}
	return t.once
}

// after returns the first time after now, given that the schedule was due at a time not after it, and how many times
// between the two have passed (maxMissed means: as many or more). Zero: it does not come again.
func (t timing) after(due, now time.Time) (next time.Time, missed int) {
	switch t.kind {
	case Every:
		n := now.Sub(due) / t.every
		return due.Add((n + 1) * t.every), int(min(n, maxMissed))
	case Cron:
		for next = t.line.next(due); !next.IsZero() && !next.After(now); next = t.line.next(next) {
			if missed++; missed == maxMissed {
				return t.line.next(now), missed
			}
		}
		return next, missed
	}
	return time.Time{}, 0
}

// location finds a time zone by its IANA name; "" is home.
func location(name string, home *time.Location) (*time.Location, error) {
	if name == "" {
		return home, nil
	}
	in, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, fmt.Errorf("there is no time zone %q here; use a name such as Europe/Berlin, or leave it out for the host's own", name)
	}
	return in, nil
}

// read fills the row of a schedule with when the plan wants it.
func (p Plan) read(r *store.Schedule, now time.Time) error {
	for _, text := range []*string{&p.At, &p.In, &p.Cron, &p.Every, &p.TZ} {
		*text = strings.TrimSpace(*text)
	}
	in, err := location(p.TZ, now.Location())
	if err != nil {
		return err
	}
	given := 0
	for _, text := range []string{p.At, p.In, p.Cron, p.Every} {
		if text != "" {
			given++
		}
	}
	if given != 1 {
		return errors.New("say when with exactly one of at, in, cron and every")
	}
	r.Zone = p.TZ
	t := timing{}
	switch {
	case p.Cron != "":
		t.kind, r.Spec = Cron, strings.Join(strings.Fields(p.Cron), " ")
		t.line, err = parseCron(p.Cron, in)
	case p.Every != "":
		t.kind = Every
		t.every, err = ParseWait(p.Every)
		r.Spec = t.every.String()
	case p.In != "":
		var wait time.Duration
		wait, err = ParseWait(p.In)
		t.kind, t.once = Once, now.Add(wait)
	default:
		t.kind = Once
		t.once, err = parseAt(p.At, in)
	}
	if err != nil {
		return err
	}
	r.Kind, r.Due = t.kind, t.first(now)
	return t.check(r.Due, now)
}

// check refuses what is too late, too often or too far away.
func (t timing) check(first, now time.Time) error {
	switch {
	case t.kind == Every && t.every < minEvery:
		return fmt.Errorf("every %s is too often: an interval has at least %s", t.every, minEvery)
	case t.kind == Cron && first.IsZero():
		return errors.New("no day matches the cron line within five years")
	case !first.After(now):
		return fmt.Errorf("%s is past: it is now %s", first.Format(time.RFC3339), now.Format(time.RFC3339))
	case first.Sub(now) > maxAhead:
		return fmt.Errorf("%s is too far away: ten years are the most", first.Format(time.RFC3339))
	}
	return nil
}

// parseAt reads a date with an offset, or without one as what clocks in a zone show.
func parseAt(text string, in *time.Location) (time.Time, error) {
	text = strings.TrimSpace(text)
	for _, layout := range []string{
		time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02 15:04:05Z07:00",
		"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04",
	} {
		if at, err := time.ParseInLocation(layout, text, in); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a date such as 2026-11-24T09:00:00+01:00, or 2026-11-24 09:00 in the time zone", text)
}

var (
	waits = regexp.MustCompile(`^\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([a-z]+)`)
	units = map[string]time.Duration{
		"s": time.Second, "sec": time.Second, "second": time.Second,
		"m": time.Minute, "min": time.Minute, "minute": time.Minute,
		"h": time.Hour, "hr": time.Hour, "hour": time.Hour,
		"d": 24 * time.Hour, "day": 24 * time.Hour,
		"w": 7 * 24 * time.Hour, "week": 7 * 24 * time.Hour,
	}
)

// ParseWait reads a length of time, such as 90s, 1h30m, 2d or 30 minutes, to the second.
func ParseWait(text string) (sum time.Duration, err error) {
	wrong := fmt.Errorf("%q is not a length of time such as 90s, 1h30m or 2d", text)
	rest := strings.ToLower(text)
	for {
		m := waits.FindStringSubmatch(rest)
		if m == nil {
			break
		}
		unit, ok := units[m[2]]
		if !ok && len(m[2]) > 2 { // a plural; "ms" is none
			unit, ok = units[strings.TrimSuffix(m[2], "s")]
		}
		n, err := strconv.ParseFloat(m[1], 64)
		wait := n * float64(unit)
		if err != nil || !ok || wait > float64(2*maxAhead) {
			return 0, wrong
		}
		sum = (sum + time.Duration(wait)).Round(time.Second)
		if sum > 2*maxAhead {
			return 0, wrong
		}
		rest = rest[len(m[0]):]
	}
	if strings.TrimSpace(rest) != "" || sum <= 0 {
		return 0, wrong
	}
	return sum, nil
}
