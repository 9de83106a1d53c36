package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/cmd/internal/headless"
	"github.com/coder-agent/coder/server/client"
	"github.com/coder-agent/coder/tools"
)

// A questioner asks the person at the terminal about calls that wait. The questions are those that any other client shows; so
// who closes the terminal loses nothing.
type questioner struct{ app *app }

// questioner returns nil when nobody can be asked: stdin or stderr is no terminal.
func (a *app) questioner() *questioner {
	stderr, ok := a.stderr.(io.Reader)
	if !ok || !atTerminal(a.stdin) || !atTerminal(stderr) {
		return nil
	}
	return &questioner{app: a}
}

// errLeft says that the user leaves a question for later.
var errLeft = errors.New("left waiting")

// follow is app.follow for a run that asks: whenever the turn parks, what waits is asked for right there, and the answers go on
// with it.
func (q *questioner) follow(ctx context.Context, session *client.Session, about headless.Result, options headless.Options) error {
	for {
		result, err := headless.Follow(ctx, session, about, options)
		if err != nil || result.Reason != chat.FinishApproval && result.Reason != chat.FinishQuestion {
			return turnOutcome(result, err)
		}
		left, err := q.settle(ctx, session, result)
		switch {
		case err != nil && !errors.Is(err, errLeft):
			return err
		case err != nil || left > 0:
			return outcome(result, nil)
		}
		about = headless.Result{Session: result.Session, Workdir: result.Workdir, Model: result.Model, Mode: result.Mode}
	}
}

// settle asks about all that waits and returns how much still does.
func (q *questioner) settle(ctx context.Context, session *client.Session, r headless.Result) (left int, err error) {
	if len(r.Approvals) > 0 {
		left, err = q.decide(ctx, session, r)
	}
	if err != nil {
		return left, err
	}
	for i, asked := range r.Questions {
		answers, err := q.answers(ctx, asked)
		if err == nil {
			err = answer(ctx, session, asked, answers, &headless.Result{Session: r.Session})
		}
		if errors.Is(err, errLeft) {
			headless.PrintQuestions(q.app.stderr, r.Session, r.Questions[i:])
		}
		if refused, ok := errors.AsType[*client.RefusedError](err); ok { // somebody else was faster, or the deadline was
			fmt.Fprintf(q.app.stderr, "not taken: %s\n", plain.Line(refused.Text, 300))
			continue
		}
		if err != nil {
			return left, err
		}
	}
	return left, nil
}

// decide asks about the calls that wait, one after the other, and returns how many still do.
func (q *questioner) decide(ctx context.Context, session *client.Session, r headless.Result) (left int, err error) {
	for i, a := range r.Approvals {
		d, err := q.ask(ctx, r.Session, a)
		if errors.Is(err, errLeft) {
			headless.PrintDeciding(q.app.stderr, r.Session, r.Approvals[i:])
		}
		if err != nil {
			return len(r.Approvals), err
		}
		err = session.Decide(ctx, a.ToolCallID, d)
		if refused, ok := errors.AsType[*client.RefusedError](err); ok { // somebody else was faster, or the deadline was
			fmt.Fprintf(q.app.stderr, "not taken: %s\n", plain.Line(refused.Text, 300))
			continue
		}
		if err != nil {
			return len(r.Approvals), err
		}
	}
	var waiting []headless.Approval
	err = session.Ask(ctx, "approvals", &waiting)
	if n := len(waiting); err == nil && n > 0 {
		headless.PrintWaiting(q.app.stderr, r.Session, waiting, tools.Show)
	}
	return len(waiting), err
}

// ask asks about one call. A yes to one that was too long to show counts after all of it was shown.
func (q *questioner) ask(ctx context.Context, session string, a headless.Approval) (client.Decision, error) {
	show := headless.Show(tools.Show)
	seen := !show.Cut(a)
	choices := "y (yes), n (no), q (leave it waiting)"
	if a.Always != "" {
		choices = "y (yes), a (always: " + plain.Visible(a.Always) + "), n (no), q (leave it waiting)"
	}
	for {
		answer, err := q.answer(ctx, fmt.Sprintf("run %s? %s: ", plain.Line(a.ToolName+" "+a.Summary, 160), choices))
		if err != nil {
			return client.Decision{}, err
		}
		always := a.Always != "" && slices.Contains([]string{"a", "always"}, answer)
		switch {
		case answer == "n" || answer == "no":
			return client.Decision{}, nil
		case answer == "q" || answer == "quit":
			return client.Decision{}, errLeft
		case !always && answer != "y" && answer != "yes":
		case !seen:
			headless.PrintWhole(q.app.stderr, session, a, show)
			seen = true
		default:
			return client.Decision{Approved: true, Always: always}, nil
		}
	}
}

// confirm asks for a yes to what was just shown.
func (q *questioner) confirm(ctx context.Context) (bool, error) {
	answer, err := q.answer(ctx, "run it? y (yes), n (not now): ")
	if errors.Is(err, errLeft) {
		return false, nil
	}
	return answer == "y" || answer == "yes", err
}

// answer returns the line that the user types. The end of stdin and an interrupt leave the question for later.
func (q *questioner) answer(ctx context.Context, question string) (string, error) {
	text, given, err := q.app.answerUnless(ctx, question, q.app.takeSignals())
	if err == nil && !given {
		fmt.Fprintln(q.app.stderr)
		err = errLeft
	}
	return text, err
}
