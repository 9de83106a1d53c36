package tools

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/permission"
)

type scheduleArgs struct {
	Deed   string `json:"action,omitempty" jsonschema:"create unless given"`
	Prompt string `json:"prompt,omitempty" jsonschema:"what you will be told then; it must make sense on its own"`
	In     string `json:"in,omitempty" jsonschema:"once, after a delay such as 90s, 30m, 2h or 3d"`
	At     string `json:"at,omitempty" jsonschema:"once, at a date such as 2026-11-24T09:00"`
	Every  string `json:"every,omitempty" jsonschema:"again and again, such as 30m; at least 1m"`
	Cron   string `json:"cron,omitempty" jsonschema:"again and again, by the 5 fields of a crontab, such as 0 9 * * 1-5"`
	TZ     string `json:"tz,omitempty" jsonschema:"time zone of at and cron, such as Europe/Berlin; the user's unless given"`
	ID     string `json:"id,omitempty" jsonschema:"with cancel"`
}

const (
	createSchedule = "create"
	listSchedules  = "list"
	cancelSchedule = "cancel"
)

// UnmarshalJSON takes the action for granted where the other arguments show it.
func (a *scheduleArgs) UnmarshalJSON(data []byte) error {
	if err := fit(data, a); err != nil {
		return err
	}
	a.Deed = strings.ToLower(strings.TrimSpace(a.Deed))
	switch {
	case a.Deed != "":
	case a.Prompt == "" && a.ID != "":
		a.Deed = cancelSchedule
	default:
		a.Deed = createSchedule
	}
	return nil
}

// Action says what is planned, and that looking at the plans changes nothing.
func (a scheduleArgs) Action() agent.Action {
	switch a.Deed {
	case listSchedules:
		return agent.Action{Summary: listSchedules, Effect: permission.Reads}
	case cancelSchedule:
		return agent.Action{Summary: oneLine("cancel " + a.ID)}
	}
	var when []string
	for _, part := range []struct{ word, text string }{{"in", a.In}, {"at", a.At}, {"every", a.Every}, {"cron", a.Cron}, {"tz", a.TZ}} {
		if part.text != "" {
			when = append(when, part.word+" "+part.text)
		}
	}
	return agent.Action{Summary: oneLine(strings.Join(when, ", ") + ": " + a.Prompt)}
}

// Schedule returns the schedule tool: plans prompts to the agent's own session.
func Schedule() agent.Tool {
	t := agent.NewTool("schedule", permission.Plans,
		"Plan a prompt to yourself in this session: once (in, at) or again and again (every, cron). It comes also when nobody is here. Also lists and cancels what is planned.", schedule)
	t.Schema.Properties["action"].Enum = []any{createSchedule, listSchedules, cancelSchedule}
	return t
}

// scheduleDetails are for front-ends.
type scheduleDetails struct {
	Schedules []agent.Schedule `json:"schedules"` // the one that was planned, or all of the session
}

func schedule(ctx context.Context, a scheduleArgs) (agent.Result, error) {
	session := agent.FromContext(ctx)
	switch a.Deed {
	case createSchedule:
		s, err := session.Schedule(ctx, agent.Plan{Prompt: a.Prompt, In: a.In, At: a.At, Every: a.Every, Cron: a.Cron, TZ: a.TZ})
		if err != nil {
			return agent.Result{}, err
		}
		return agent.Result{Text: fmt.Sprintf("planned %s: comes %s, %s", s.ID, s.When(), nextTime(s)), Details: scheduleDetails{[]agent.Schedule{s}}}, nil
	case listSchedules:
		list, err := session.Schedules(ctx)
		if err != nil {
			return agent.Result{}, err
		}
		return agent.Result{Text: scheduleList(list), Details: scheduleDetails{list}}, nil
	case cancelSchedule:
		if err := session.CancelSchedule(ctx, a.ID); err != nil {
			return agent.Result{}, fmt.Errorf("%w in this session; list shows what is planned", err)
		}
		return agent.Result{Text: "cancelled " + a.ID}, nil
	}
	return agent.Result{}, fmt.Errorf("there is no action %q; use create, list or cancel", a.Deed)
}

func scheduleList(list []agent.Schedule) string {
	if len(list) == 0 {
		return "nothing is planned"
	}
	var b strings.Builder
	for _, s := range list {
		fmt.Fprintf(&b, "%s: %s, %s: %s\n", s.ID, s.When(), nextTime(s), oneLine(s.Prompt))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// nextTime says when a schedule comes next: the weekday shows a model whether it got the date right.
func nextTime(s agent.Schedule) string {
	if s.Next.IsZero() {
		return "not any more (" + s.Error + ")"
	}
	return "next on " + s.Next.Format("Monday, "+time.RFC3339)
}
