package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/store"
)

// interrupted answers a call that had started when the host stopped: it is never repeated blindly. A command lives in
// processes of its own, which the death of the host does not end.
func (h *Host) interrupted(tool string) string {
	const lost = "interrupted: coder stopped while this ran, and its result is lost. "
	if h.tools[tool].Effect == permission.Runs {
		return lost + "The command may still be running, or have done all or a part of its work. " +
			"Look first: at its processes (ps), and at the files it changes. Only then decide whether to wait, to end it or to run it again."
	}
	return lost + "It may have done all or a part of its work. Look first at what it did; repeat only what is missing."
}

// maxReads bounds how many reading calls of a step run at the same time.
const maxReads = 8

// runTools runs the first of the calls of a step, or the reading ones with which it begins, together. The loop then
// looks again: whatever a call has changed, the next is judged by.
func (t *turn) runTools(ctx context.Context, calls []chat.ToolCall) error {
	n := 1
	for t.together(calls[0]) && n < len(calls) && t.together(calls[n]) {
		n++
	}
	return t.runGroup(ctx, calls[:n])
}

func (t *turn) reads(c chat.ToolCall) bool {
	return t.agent.host.tools[c.Name].Effect == permission.Reads
}

// together reports whether the call may run beside others.
func (t *turn) together(c chat.ToolCall) bool {
	if !t.reads(c) {
		return false
	}
	action, err := t.agent.host.tools[c.Name].Action(c.Input)
	return err != nil || !action.Alone
}

// runGroup runs calls together: their starts are one commit, before any of them acts.
func (t *turn) runGroup(ctx context.Context, calls []chat.ToolCall) error {
	var starts []chat.Event
	var run []granted
	durability := store.Fast
	bounds, asked := t.bounds(), t.asked(calls)
	for _, c := range calls {
		tool, ok := t.agent.host.tools[c.Name]
		switch {
		case !ok:
			starts = append(starts, chat.ToolFailed{ToolCallID: c.ID, ErrorText: "this version has no tool " + c.Name})
			continue
		case c.Started && !t.reads(c) && !tool.Resumes:
			starts = append(starts, chat.ToolFailed{ToolCallID: c.ID, ErrorText: t.agent.host.interrupted(c.Name)})
			t.noteInterrupted(c)
			continue
		case tool.Backend != "": // what it asks may cost money, and the calls of a step are not counted before they have run
			over, err := t.overspent(ctx, chat.Usage{})
			if err != nil {
				return err
			}
			if over != nil {
				starts = append(starts, chat.ToolFailed{ToolCallID: c.ID, ErrorText: "not run: " + over.Error()})
				continue
			}
		}
		if c.State == chat.ApprovalResponded || t.row.Continuation && !t.stepOpen {
			// A client that joined with this stream does not know the call: AI SDK 6 ends in an error without this.
			starts = append(starts, chat.ToolCalled{ToolCallID: c.ID, ToolName: c.Name, Input: c.Input})
		}
		// Judged again: the mode, or a link on the path, may have changed since the call came.
		at := spotsOf(tool, c.Input, bounds.policy.Place.Workdir)
		j := judge(tool, c, bounds).steady(at, spotsOf(tool, c.Input, bounds.policy.Place.Workdir))
		if j.verdict.Decision == permission.Deny || j.verdict.Decision == permission.Ask && c.State != chat.ApprovalResponded {
			starts = append(starts, j.events(c.ID)...)
			t.noteJudged(c, bounds, j)
			continue
		}
		if why := outdated(asked[c.ID], j); why != "" && j.verdict.Decision == permission.Ask {
			starts = append(starts, chat.ToolFailed{ToolCallID: c.ID, ErrorText: why})
			j.verdict.Decision, j.verdict.Reason = permission.Deny, why
			t.noteJudged(c, bounds, j)
			continue
		}
		if !t.reads(c) {
			durability = store.Safe
		}
		starts = append(starts, chat.ToolStarted{ToolCallID: c.ID, Summary: j.summary})
		withheld := func(path string) bool { return bounds.policy.Withheld(c.Name, path) }
		run = append(run, granted{c, j.verdict.Reach, at, withheld})
	}
	if durability == store.Safe {
		starts = append(t.keepBefore(ctx, bounds.policy, run), starts...)
	}
	if err := t.begin(durability, bounds, run, starts); err != nil {
		return err
	}
	t.agent.host.passes("calls recorded")
	var group errgroup.Group
	group.SetLimit(maxReads)
	for _, c := range run {
		group.Go(func() error { return t.runCall(ctx, c) })
	}
	return group.Wait()
}

// asked are the questions about the calls that were approved.
func (t *turn) asked(calls []chat.ToolCall) map[string]chat.Judged {
	questions := map[string]chat.Judged{}
	// An error would say that the host has closed; then nothing of what follows is recorded.
	_ = t.agent.do(context.WithoutCancel(t.ctx), func(s *state) error {
		for _, c := range calls {
			if asked, ok := s.script.Asked(c.ID); ok {
				questions[c.ID] = asked
			}
		}
		return nil
	})
	return questions
}

// granted is a call with what it may reach, the files that its paths meant when it was judged, and what rules keep from it.
type granted struct {
	chat.ToolCall
	reach    permission.Reach
	spots    spots
	withheld func(path string) bool
}

// runCall runs one call and records its result, also when the turn was cancelled meanwhile.
func (t *turn) runCall(ctx context.Context, c granted) error {
	ctx = context.WithValue(context.WithValue(ctx, callKey{}, c.ID), reachKey{}, c.reach)
	ctx = context.WithValue(context.WithValue(ctx, spotsKey{}, c.spots), heldKey{}, c.withheld)
	began := time.Now()
	result, err := t.call(ctx, c.ToolCall)
	if waits, ok := errors.AsType[*waitsError](err); ok {
		return t.waitForTask(ctx, c.ID, waits.For)
	}
	t.noteEnded(c, began, result, err)
	if err != nil && errors.Is(context.Cause(ctx), ErrShutdown) {
		return nil // ended by us: the next host finds the call started
	}
	if err != nil {
		return t.record(store.Safe, chat.ToolFailed{ToolCallID: c.ID, ErrorText: failure(ctx, err)})
	}
	t.tellWritten(c.ToolCall, result)
	output := chat.Output{Text: result.Text, Files: result.Files, Told: result.Told, Todo: result.Todo, Usage: result.Usage}
	if output.Pictures, err = t.agent.keepPictures(result.Pictures); err != nil {
		return t.record(store.Safe, chat.ToolFailed{ToolCallID: c.ID, ErrorText: err.Error()})
	}
	if result.Details != nil {
		details, err := json.Marshal(result.Details)
		if err != nil {
			return fmt.Errorf("agent: details of tool %s: %w", c.Name, err)
		}
		output.Details = details
	}
	return t.record(store.Safe, chat.ToolFinished{ToolCallID: c.ID, Output: output})
}

// tellWritten tells the sandbox which protected files a call has written: those are no command's doing.
func (t *turn) tellWritten(c chat.ToolCall, result Result) {
	if action, err := t.agent.host.tools[c.Name].Action(c.Input); err != nil || len(action.Writes) == 0 {
		return
	}
	for _, f := range result.Files {
		if permission.Protected(f.Path) {
			t.agent.host.opts.Wrote(f.Path, f.Hash)
		}
	}
}

// failure is the text for the model.
func failure(ctx context.Context, err error) string {
	if errors.Is(context.Cause(ctx), errCancelled) && !errors.Is(err, errCancelled) {
		return errCancelled.Error() + ": " + err.Error()
	}
	if text := err.Error(); text != "" {
		return text
	}
	return "the tool failed without saying why"
}

// call runs the tool. A tool that panics has failed; the agent goes on.
func (t *turn) call(ctx context.Context, c chat.ToolCall) (result Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			t.agent.host.opts.Logger.Error("a tool panicked", "tool", c.Name, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("the tool %s broke down (%v): this is a bug in coder; try another way", c.Name, p)
		}
	}()
	return t.agent.host.tools[c.Name].Run(ctx, c.Input)
}
