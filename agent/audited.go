package agent

import (
	"context"
	"time"

	"github.com/coder-agent/coder/agent/audit"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/store"
)

// note writes to the audit log. What finds no room there is counted by the log itself, and the work goes on: only the start
// of a call with effects insists on its line.
func (h *Host) note(entries ...audit.Entry) {
	if err := h.opts.Audit.Record(entries...); err != nil {
		h.opts.Logger.Error("writing the audit log", "err", err)
	}
}

// begin commits the starts of calls. Each has its line before it is committed, and calls with effects act only once that
// line is on the disk, as their start is: what nobody could find out later does not happen.
func (t *turn) begin(d store.Durability, b bounds, run []granted, starts []chat.Event) error {
	log := t.agent.host.opts.Audit
	lines := make([]audit.Entry, len(run))
	for i, c := range run {
		lines[i] = t.startLine(c, b)
	}
	insists := d == store.Safe && len(run) > 0
	if err := log.Record(lines...); err != nil {
		if insists {
			return err
		}
		t.agent.host.opts.Logger.Error("writing the audit log", "err", err)
	}
	if err := t.record(d, starts...); err != nil {
		for _, c := range run {
			t.noteEnded(c, time.Time{}, Result{}, err)
		}
		return err
	}
	if insists {
		return log.Settle()
	}
	return nil
}

// line names the call.
func (t *turn) line(what audit.What, c chat.ToolCall) audit.Entry {
	return audit.Entry{What: what, Session: t.agent.name, Turn: t.row.ID, Call: c.ID, Client: t.row.Client, Tool: c.Name}
}

// startLine says that a call may run, through whom, and in which bounds.
func (t *turn) startLine(c granted, b bounds) audit.Entry {
	e := t.line(audit.Started, c.ToolCall)
	e.InputHash = audit.Hash(c.Input)
	e.Decision, e.By = audit.Allow, "mode "+string(b.policy.Mode)
	if c.State == chat.ApprovalResponded && c.Approval != nil {
		e.Decision, e.By, e.Client = audit.Approved, "person", c.Approval.By
	}
	if t.agent.host.tools[c.Name].Effect == permission.Runs {
		opts := t.agent.host.opts
		e.Sandbox, e.Level, e.Network, e.Unsandboxed = opts.Sandbox, opts.Level, c.reach.Network, c.reach.Unsandboxed
	}
	return e
}

// noteJudged writes down the verdict on a call, with its input.
func (t *turn) noteJudged(c chat.ToolCall, b bounds, j judgement) {
	e := t.line(audit.Judged, c)
	e.Input, e.InputHash = string(c.Input), audit.Hash(c.Input)
	e.Decision, e.By, e.Why = string(j.verdict.Decision), "mode "+string(b.policy.Mode), j.verdict.Reason
	e.Network, e.Unsandboxed = j.verdict.Reach.Network, j.verdict.Reach.Unsandboxed
	t.agent.host.note(e)
}

// noteEnded writes down how a call ended. Began is zero for one whose start could not be committed.
func (t *turn) noteEnded(c granted, began time.Time, r Result, failed error) {
	e := t.line(audit.Ended, c.ToolCall)
	e.Exit = r.Exit
	if !began.IsZero() {
		e.MS = new(time.Since(began).Milliseconds())
		e.Bytes = new(len(r.Text))
	}
	if failed != nil {
		e.Failed = failed.Error()
	}
	t.agent.host.note(e)
}

// noteInterrupted writes down that nobody knows how a call ended.
func (t *turn) noteInterrupted(c chat.ToolCall) {
	e := t.line(audit.Ended, c)
	e.Failed = "interrupted: the host stopped while it ran"
	t.agent.host.note(e)
}

// noteDecided writes down a decision that is committed; other events are none.
func (s *state) noteDecided(event chat.Event) {
	d, ok := event.(chat.Decided)
	if !ok {
		return
	}
	c, _ := s.script.Call(d.ToolCallID)
	e := audit.Entry{
		What: audit.Decided, Session: s.agent.name, Call: d.ToolCallID, Client: d.By, Tool: c.Name, InputHash: audit.Hash(c.Input),
		Decision: audit.Denied, By: "person", Why: d.Reason,
	}
	switch {
	case d.Unanswered:
		e.By = "deadline"
	case d.Rule != "":
		e.Decision, e.Why = audit.Approved, "always: "+d.Rule
	case d.Approved:
		e.Decision = audit.Approved
	}
	lines := []audit.Entry{e}
	if d.Rule != "" {
		lines = append(lines, audit.Entry{What: audit.RuleAdded, Session: e.Session, Call: e.Call, Client: e.Client, Tool: e.Tool, By: e.By, Why: d.Rule})
	}
	s.agent.host.note(lines...)
}

// noteVoid writes down that the calls that wait were cancelled.
func (s *state) noteVoid(client string) {
	for _, c := range s.script.Waiting() {
		s.agent.host.note(audit.Entry{
			What: audit.Decided, Session: s.agent.name, Call: c.ID, Client: client, Tool: c.Name, InputHash: audit.Hash(c.Input),
			Decision: audit.Denied, By: "cancel", Why: "the user cancelled what waits",
		})
	}
}

// noteUnanswered writes down that a prompt has denied what waited.
func (s *state) noteUnanswered(client string) {
	for _, c := range s.script.Waiting() {
		s.agent.host.note(audit.Entry{
			What: audit.Decided, Session: s.agent.name, Call: c.ID, Client: client, Tool: c.Name, InputHash: audit.Hash(c.Input),
			Decision: audit.Denied, By: "prompt", Why: "the user sent a new prompt instead",
		})
	}
}

// noteMode writes down that the mode has changed (allow), that a loosening waits for its confirmation (ask), or that it was
// refused (deny).
func (s *state) noteMode(ctx context.Context, decision, from, to string) {
	caller := callerFrom(ctx)
	e := audit.Entry{What: audit.ModeChanged, Session: s.agent.name, Client: caller.Connection, Decision: decision, From: from, To: to}
	if caller.Page {
		e.By = "a page"
	}
	s.agent.host.note(e)
}
