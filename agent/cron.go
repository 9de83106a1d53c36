package agent

import (
	"fmt"
	"sort"
	"strings"
	"time"

	cron "github.com/netresearch/go-cron"
)

// cronLines reads the five fields of a crontab, which a day matches if either its day of the month or of the week does.
var cronLines = cron.MustNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.DowOrDom)

// maxChanges bounds how many changes of the clock next looks past: zones have two a year, some had four.
const maxChanges = 100

// A cronLine is a line of a crontab in a time zone. When the clocks change it does what cron(8) does. A line for times
// of day runs once for each time that it names: one that the clocks leave out is made up for at the change, one that
// comes twice counts once. A line that runs every so many minutes or hours goes by the time that passes.
type cronLine struct {
	fields cron.Schedule // asked in wall-clock time only, written as UTC: its own idea of clock changes differs
	zone   *time.Location
	daily  bool // neither minute nor hour is a *
}

func parseCron(line string, zone *time.Location) (cronLine, error) {
	words := strings.Fields(line)
	if len(words) != 5 {
		return cronLine{}, fmt.Errorf("the cron line %q has %d fields, not 5: minute, hour, day of the month, month, day of the week, such as 0 9 * * 1-5", line, len(words))
	}
	fields, err := cronLines.Parse(strings.Join(words, " "))
	if err != nil {
		return cronLine{}, fmt.Errorf("the cron line %q: %w; its fields are minute, hour, day of the month, month, day of the week, such as 0 9 * * 1-5", line, err)
	}
	daily := !strings.HasPrefix(words[0], "*") && !strings.HasPrefix(words[1], "*")
	return cronLine{fields: fields, zone: zone, daily: daily}, nil
}

// next returns the first time after t, or zero when none comes within five years, as of 0 0 30 2 *.
func (c cronLine) next(t time.Time) time.Time {
	t = t.In(c.zone)
	from := wall(t)
	for range maxChanges {
		clock := c.fields.Next(from)
		if clock.IsZero() {
			return clock
		}
		_, offset := t.Zone()
		at := time.Unix(clock.Unix()-int64(offset), 0).In(c.zone)
		change := evenUntil(t)
		if change.IsZero() || at.Before(change) {
			return at
		}
		before, after := time.Unix(change.Unix()+int64(offset), 0).UTC(), wall(change)
		from = after
		switch {
		case c.daily && clock.Before(after): // left out
			return change
		case c.daily && before.After(after): // comes twice
			from = before
		}
		from, t = from.Add(-time.Second), change
	}
	return time.Time{}
}

// evenUntil returns a time up to which a clock in t's zone goes evenly from t on, or zero for always. The end that package
// time gives may lie before t: in a leap year that goes by a zone's rule, not its table, on the last day. Then it is the
// next change within a day, or else a day.
func evenUntil(t time.Time) time.Time {
	const day = 24 * 60 * 60 // seconds
	_, end := t.ZoneBounds()
	if end.IsZero() || end.After(t) {
		return end
	}
	_, offset := t.Zone()
	after := func(seconds int) time.Time { return t.Add(time.Duration(seconds) * time.Second) }
	return after(max(1, sort.Search(day, func(seconds int) bool {
		_, then := after(seconds).Zone()
		return then != offset
	})))
}

// wall is what a clock in t's zone shows, written as UTC.
func wall(t time.Time) time.Time {
	_, offset := t.Zone()
	return time.Unix(t.Unix()+int64(offset), 0).UTC()
}
