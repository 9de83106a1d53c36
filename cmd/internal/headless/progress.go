package headless

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/plain"
)

const (
	summaryWidth = 160 // characters of a tool call's one line
	errorWidth   = 300
)

// progress prints a turn for people: the text to Out, all else to Err.
type progress struct {
	Options
	session string
	cut     string // why the response broke off, until it is known whether it is asked for again
	answer  plain.Stream
	thought plain.Stream
	mid     bool  // Out stands in the middle of a line
	err     error // the first that writing the text gave
}

// event prints one event. The text goes out only with withText.
func (p *progress) event(e chat.Event, calls map[string]*call, withText bool) {
	p.brokenOff(e)
	switch e := e.(type) {
	case chat.TextStarted:
		p.answer = plain.Stream{}
	case chat.TextDelta:
		if withText {
			p.text(p.answer.Next(e.Delta))
		}
	case chat.TextEnded, chat.Answered:
		if withText {
			p.text(p.answer.End())
		}
		p.breakLine()
	case chat.ReasoningStarted:
		p.thought = plain.Stream{}
	case chat.ReasoningDelta:
		if p.Reasoning {
			fmt.Fprint(p.Err, p.thought.Next(e.Delta))
		}
	case chat.ReasoningEnded:
		if p.Reasoning {
			fmt.Fprintln(p.Err, p.thought.End())
		}
	case chat.ToolStarted:
		p.note("> %s", Title(calls[e.ToolCallID].name, e.Summary))
	case chat.TaskGiven:
		p.note("  sub-agent %s", taskOf(e))
	case chat.TaskWaits:
		p.taskWaits(e)
	case chat.ToolProgress:
		p.soFar(e.Output.Text)
	case chat.ToolFinished:
		for _, picture := range e.Output.Pictures {
			p.note("    read picture %d×%d", picture.Width, picture.Height)
		}
		p.results(e.Output.Text)
	case chat.ToolFailed:
		if calls[e.ToolCallID].denied {
			return // said with the verdict
		}
		p.note("! %s: %s", plain.Line(calls[e.ToolCallID].name, 64), plain.Line(e.ErrorText, errorWidth))
	case chat.ToolInputFailed:
		p.note("! %s: %s", plain.Line(e.ToolName, 64), plain.Line(e.ErrorText, errorWidth))
	case chat.Judged:
		if e.Verdict == "deny" {
			calls[e.ToolCallID].denied = true
			p.note("! denied: %s: %s", Title(calls[e.ToolCallID].name, e.Summary), plain.Line(e.Reason, errorWidth))
		}
	case chat.Decided:
		p.decided(e, calls)
	case chat.Retrying:
		p.note("retrying in %s (%d of %d): %s", Seconds(e.Wait), e.Attempt, e.Of, plain.Line(e.Reason, errorWidth))
	case chat.Interrupted:
		p.breakLine()
		if !e.Cancelled {
			p.cut = e.Reason
		}
	case chat.Compacted:
		p.compacted(e)
	case chat.Noted:
		switch e.Kind {
		case chat.TaskNote:
			p.note("told the agent: %s", plain.Line(e.Text, errorWidth))
		case chat.CircleNote:
			p.note("told the agent: %s", plain.Line(e.Text, errorWidth))
		case chat.SnapshotNote:
			p.note("%s", plain.Line(strings.TrimPrefix(e.Text, "(From coder, not from the user.) "), errorWidth))
		case "jobs":
			p.note("told the agent: %s", plain.Line(e.Text, errorWidth))
		case "instructions":
			p.note("told the agent what the folder's instructions say, now that they are trusted")
		}
	case chat.Steered:
		p.note("steering: %s", plain.Line(e.Text, summaryWidth))
	}
}

// brokenOff tells that a response broke off, unless the next event says it with its own words.
func (p *progress) brokenOff(next chat.Event) {
	if p.cut == "" {
		return
	}
	switch next.(type) {
	case chat.Retrying, chat.TurnFinished:
	default:
		p.note("asking again: %s", plain.Line(p.cut, errorWidth))
	}
	p.cut = ""
}

// compacted tells that a summary takes the place of what was said before.
func (p *progress) compacted(e chat.Compacted) {
	switch {
	case e.Status == chat.CompactionDone:
		p.note("compacted: %s replaced by a summary, about %s tokens are now %s", Count(e.Messages, "message"), Thousands(e.Before), Thousands(e.After))
	case e.Status == chat.CompactionFailed:
		p.note("! compacting: %s", plain.Line(e.Error, errorWidth))
	case e.Written == 0:
		p.note("compacting: the session has about %s tokens, too many for one request", Thousands(e.Before))
	}
}

func (p *progress) decided(e chat.Decided, calls map[string]*call) {
	verb := "denied"
	switch {
	case e.Approved:
		verb = "approved"
	case e.Unanswered:
		verb = "denied, " + plain.Line(e.Reason, errorWidth)
	}
	name := e.ToolCallID
	if c, ok := calls[e.ToolCallID]; ok && c.name != "" {
		name = Title(c.name, c.summary)
	}
	p.note("%s: %s", verb, name)
}

// text prints a piece of the answer that is safe to print.
func (p *progress) text(s string) {
	if s == "" || p.err != nil {
		return
	}
	p.write(s)
	p.mid = !strings.HasSuffix(s, "\n")
}

func (p *progress) write(s string) {
	if _, err := io.WriteString(p.Out, s); err != nil {
		p.err = &OutputError{err}
	}
}

// breakLine ends the line of the answer, so that what follows stands on its own.
func (p *progress) breakLine() {
	if p.mid && p.err == nil {
		p.write("\n")
	}
	p.mid = false
}

func (p *progress) note(format string, args ...any) {
	p.breakLine()
	fmt.Fprintf(p.Err, format+"\n", args...)
}

// soFar shows the last line of a running command, if results are to be shown at all.
func (p *progress) soFar(text string) {
	lines := strings.Split(strings.TrimRight(plain.Output(text), "\n"), "\n")
	if last := plain.Line(lines[len(lines)-1], summaryWidth); p.ResultLines > 0 && last != "" {
		p.note("    … %s", last)
	}
}

// results shows the beginning of a tool's result.
func (p *progress) results(text string) {
	if p.ResultLines == 0 {
		return
	}
	for _, l := range excerpt(text, p.ResultLines, "") {
		p.note("    %s", l)
	}
}

// end prints how the turn ended and what it took.
func (p *progress) end(r Result) {
	if r.Reason == chat.FinishApproval {
		p.waiting("waiting for approval", r.Approvals)
		p.unbounded(r)
	}
	p.questions(r.Questions)
	if r.Reason == chat.FinishClient || r.Reason == chat.FinishApproval {
		p.clientCalls(r.ClientCalls)
	}
	switch r.Reason {
	case chat.FinishBudget, chat.FinishLoop, chat.FinishDenied:
		p.note("! %s", plain.Line(r.Error, errorWidth))
		p.note("  %s", plain.Line(r.Hint, errorWidth))
	}
	p.note("%s: %s", ending[r.Reason], cost(r))
	if r.Reason == chat.FinishStepLimit {
		p.note("  go on with: coder run --session %s 'go on'; --max-steps N allows a turn more", r.Session)
	}
}

// unbounded names the flags that help where mode auto asks for what a sandbox would bound, and none works.
func (p *progress) unbounded(r Result) {
	open := slices.ContainsFunc(r.Approvals, func(a Approval) bool { return a.Sandbox == NoSandbox })
	if open && r.Mode == "auto" {
		p.note("no sandbox works here, so mode auto asks for commands (coder doctor says why); a session that runs them all the same: coder run --mode full --no-sandbox")
	}
}

// Banner is what every client says first of a session that asks for nothing.
func Banner(out io.Writer, session, mode string) {
	if mode == "full" {
		fmt.Fprintf(out, "MODE FULL: session %s runs commands and changes files without asking\n", session)
	}
}

// decision prints what the command itself has decided.
func (p *progress) decision(d Decision) {
	verb := "denied"
	switch {
	case d.Approved:
		verb = "approved"
	case d.Reason == superseded:
		verb = "denied by this prompt"
	}
	p.note("%s: %s", verb, Title(d.ToolName, d.Summary))
	if d.Approved {
		p.body(Approval{ToolCallID: d.ToolCallID, ToolName: d.ToolName, Summary: d.Summary, Input: d.Input, Question: d.Question})
	}
	if d.Rule != "" {
		p.note("  and from now on: %s (coder rules %s lists and removes)", plain.Visible(d.Rule), Approval{Session: d.Session}.shownAt(p.session))
	}
}

// ending is how each finish reason reads.
var ending = map[chat.FinishReason]string{
	chat.FinishStop:      "done",
	chat.FinishApproval:  "parked until you decide",
	chat.FinishClient:    "parked until a client answers",
	chat.FinishQuestion:  "parked until you answer",
	chat.FinishStepLimit: "stopped at the step limit",
	chat.FinishLength:    "cut off: the answer was too long",
	chat.FinishFiltered:  "stopped by the provider's content filter",
	chat.FinishBudget:    "stopped: the budget is spent",
	chat.FinishLoop:      "stopped: the agent went in circles",
	chat.FinishDenied:    "stopped: too much was denied",
	chat.FinishCancelled: "cancelled",
	chat.FinishError:     "failed",
}

// Ending says how a turn ended.
func Ending(r chat.FinishReason) string { return ending[r] }

func cost(r Result) string {
	parts := []string{
		Count(r.Steps, "step"),
		fmt.Sprintf("%s tokens in (%s cached), %s out", Thousands(r.Usage.Input), Thousands(r.Usage.Cached), Thousands(r.Usage.Output)),
	}
	if r.Usage.Cost > 0 {
		parts = append(parts, fmt.Sprintf("$%.4f", r.Usage.Cost))
	}
	if t := r.Tasks; t != nil && t.Usage.Cost > 0 {
		parts[len(parts)-1] += fmt.Sprintf(" (+ $%.4f by sub-agents)", t.Usage.Cost)
	}
	return strings.Join(parts, ", ")
}

// Count says how many of something there are.
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Thousands shortens a number of tokens.
func Thousands(n int) string {
	switch {
	case n < 10_000:
		return fmt.Sprint(n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1fk", float64(n)/1_000)
	}
	return fmt.Sprintf("%.2fM", float64(n)/1_000_000)
}

// Seconds shortens a duration.
func Seconds(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}

// Title puts a call into one line.
func Title(name, summary string) string { return plain.VisibleLine(name+" "+summary, summaryWidth) }
