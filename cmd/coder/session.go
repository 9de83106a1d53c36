package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"strings"
	"time"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/cmd/internal/headless"
	"github.com/coder-agent/coder/server/client"
	"github.com/coder-agent/coder/tools/sandbox"
)

// newSessionName makes a name that sorts by day and can be typed, such as 1123-k3fx9p.
func newSessionName() string {
	return time.Now().Format("0102-") + strings.ToLower(rand.Text()[:6])
}

// setup is what the settings want of a session: what was typed holds for every one, what the environment, the config file
// and the defaults say for a new one. mode is that of a new one when nobody chose one.
func (c config) setup(mode permission.Mode) agent.Setup {
	setup := c.settle("", origin.typed)
	setup.New = new(c.settle(mode, func(origin) bool { return true }))
	return setup
}

func (c config) settle(mode permission.Mode, counts func(origin) bool) (s agent.Setup) {
	if counts(c.origins["mode"]) {
		s.Mode = string(cmp.Or(c.Mode, mode))
	}
	if from := c.origins["model"]; counts(from) && from.From != fromDefault {
		s.Model = c.Model
	}
	if counts(c.origins["maxSteps"]) {
		s.MaxSteps = &c.MaxSteps
	}
	if from := c.origins["onAsk"]; counts(from) && from.From != fromDefault {
		s.OnAsk = c.OnAsk
	}
	if from := c.origins["maxCost"]; counts(from) && from.From != fromDefault {
		s.MaxCost = &c.MaxCost
	}
	return s
}

// forOther is the config for a session that is there and that the command line did not mean: nothing of what was typed changes it.
func (c config) forOther() config {
	c.origins = maps.Clone(c.origins)
	for name, from := range c.origins {
		if from.typed() {
			c.origins[name] = origin{from.Text, fromDefault}
		}
	}
	return c
}

// keeps tells who has set a mode, a model or a deadline for all sessions that this one was there before.
func (c config) keeps(stderr io.Writer, about opened) {
	for _, s := range []struct{ name, want, have string }{
		{"mode", string(c.Mode), about.Mode}, {"model", c.Model, about.Model}, {"onAsk", c.OnAsk, about.onAsk},
	} {
		from := c.origins[s.name]
		flag := map[string]string{"onAsk": "on-ask"}[s.name]
		if s.want != s.have && from.From != fromDefault && s.want != "" {
			fmt.Fprintf(stderr, "note: session %s keeps its %s, %s: what %s says is for new sessions (--%s changes it)\n",
				about.Session, s.name, plain.Line(s.have, 80), from.From, cmp.Or(flag, s.name))
		}
	}
}

// keepsLimit tells whoever comes back to a session that it has a step limit of its own.
func (c config) keepsLimit(stderr io.Writer, about opened) {
	if about.maxSteps > 0 && about.maxSteps != c.MaxSteps {
		fmt.Fprintf(stderr, "note: session %s keeps its step limit, %d (--max-steps changes it)\n", about.Session, about.maxSteps)
	}
}

// An opened session is what the agent says of it.
type opened struct {
	headless.Result
	client   string // the id of our connection
	created  bool
	maxSteps int    // 0: the host's limit
	onAsk    string // what becomes of calls that nobody decides on
	sandbox  string
	level    int // of the sandbox
}

// bounds says in one line what the session's commands are bounded by.
func (o opened) bounds() string {
	switch {
	case o.level == sandbox.LevelNone && o.Mode == string(permission.ModeFull):
		return "NO SANDBOX works here: a command can do all that you can, and does not ask"
	case o.level == sandbox.LevelNone && o.Mode == string(permission.ModePlan):
		return "NO SANDBOX works here: in mode plan only commands run that are known to only read"
	case o.level == sandbox.LevelNone:
		return "NO SANDBOX works here: a command can do all that you can, and asks first unless it is known to only read"
	case o.level < sandbox.LevelFull && o.Mode == string(permission.ModeAuto):
		return "the sandbox is not whole here (" + o.sandbox + "; coder doctor says why): a command asks first unless it is known to only read"
	case o.Mode == string(permission.ModeAuto):
		return "mode auto: commands run without asking, in the sandbox: " + o.sandbox
	}
	return "sandbox: " + o.sandbox
}

// unchosen is the setup without what the session may have been given another of since.
func unchosen(s agent.Setup) agent.Setup {
	s.Mode, s.Model, s.OnAsk, s.MaxSteps, s.MaxCost = "", "", "", nil, nil
	return s
}

// dial connects to a session as a client of the kind, which others see, and sets the session up.
func (a *app) dial(ctx context.Context, conn *connector, kind, name string, query url.Values, setup agent.Setup) (*client.Session, opened, error) {
	id := kind + "-" + rand.Text()
	session, err := client.Dial(ctx, client.Options{
		Host: conn.address, Name: name, ConnectionID: id, Query: query,
		Setup: &client.Call{Method: "setup", Args: []any{setup}}, SetupAgain: &client.Call{Method: "setup", Args: []any{unchosen(setup)}},
	})
	if err != nil {
		return nil, opened{}, a.explain(err, setup)
	}
	var result agent.SetupResult
	if err := json.Unmarshal(session.Setup(), &result); err != nil {
		session.Close()
		return nil, opened{}, fmt.Errorf("reading the answer to setup: %w", err)
	}
	headless.Banner(a.stderr, result.Name, string(result.Mode))
	if result.Confirm != nil {
		if result.Mode, err = loosen(ctx, session, *result.Confirm); err != nil {
			session.Close()
			return nil, opened{}, err
		}
	}
	return session, opened{
		Result: headless.Result{
			Session: result.Name, Workdir: result.Workdir, Model: result.Model, Mode: string(result.Mode),
		},
		client: id, created: result.Created, maxSteps: result.MaxSteps, onAsk: result.OnAsk, sandbox: result.Sandbox, level: result.Level,
	}, nil
}

// loosen confirms that a session with messages gets a looser mode. That its name was typed on the command line is the
// person's yes that the agent wants.
func loosen(ctx context.Context, session *client.Session, c agent.Confirmation) (permission.Mode, error) {
	var answer agent.ModeAnswer
	err := session.Call(ctx, "setMode", &answer, c.Mode, c.Nonce)
	return answer.Mode, err
}

// explain adds what to do when the agent refuses the setup: over the wire an error is only its text.
func (a *app) explain(err error, setup agent.Setup) error {
	var refused *client.RefusedError
	if errors.As(err, &refused) && setup.Workdir != "" && strings.Contains(refused.Text, " works in ") {
		return &hintedError{err, "go on there with -C DIR, or start another session with --session NAME"}
	}
	return err
}

// follow shows the turn to its end and turns its finish reason into an exit code.
func (a *app) follow(ctx context.Context, session *client.Session, about headless.Result, opts headless.Options) error {
	return turnOutcome(headless.Follow(ctx, session, about, opts))
}

// turnOutcome is outcome of a turn that was followed: one that failed says why.
func turnOutcome(result headless.Result, err error) error {
	if result.Reason == chat.FinishError && err == nil {
		return &hintedError{errors.New(result.Error), result.Hint}
	}
	return outcome(result, err)
}

// outcome is the exit code of what headless has shown.
func outcome(result headless.Result, err error) error {
	switch {
	case errors.Is(err, headless.ErrInterrupted):
		return &exitError{Code: exitCancelled}
	case err != nil:
		return err
	case result.ExitCode != exitDone:
		return &exitError{Code: result.ExitCode}
	}
	return nil
}
