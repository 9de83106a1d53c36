package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/store"
)

// methods is the RPC table: what every client can call. To add a method, add its entry.
var methods = map[string]func(*CoderAgent, context.Context, []json.RawMessage) (any, error){
	"setup":       method1((*CoderAgent).setup),
	"getMessages": method0(func(a *CoderAgent, ctx context.Context) (any, error) { return a.Messages(ctx) }),
	"approvals":   method0(func(a *CoderAgent, ctx context.Context) (any, error) { return a.approvals(ctx) }),
	"usage":       method0(func(a *CoderAgent, ctx context.Context) (any, error) { return a.usage(ctx) }),
	"decide":      decideMethod,
	"cancel":      cancelMethod,
	"steer":       method1(func(a *CoderAgent, ctx context.Context, text string) (any, error) { return nil, a.Steer(ctx, text) }),
	"setModel":    method1(func(a *CoderAgent, ctx context.Context, id string) (any, error) { return nil, a.setModel(ctx, id) }),
	"setMode":     method1(func(a *CoderAgent, ctx context.Context, m string) (any, error) { return nil, a.setMode(ctx, m) }),

	"schedule":      method1((*CoderAgent).scheduleMethod),
	"listSchedules": method0(func(a *CoderAgent, ctx context.Context) (any, error) { return a.Schedules(ctx) }),
	"cancelSchedule": method1(func(a *CoderAgent, ctx context.Context, id string) (any, error) {
		return nil, a.CancelSchedule(ctx, id)
	}),
}

// Call calls a method of the RPC table. The result is nil or marshals to JSON. An unknown method is a *MethodError.
func (a *CoderAgent) Call(ctx context.Context, method string, args []json.RawMessage) (any, error) {
	if a == nil {
		return nil, ErrNoAgent
	}
	call, ok := methods[method]
	if !ok {
		return nil, &MethodError{Method: method}
	}
	return call(a, context.WithValue(ctx, agentKey{}, a), args)
}

func method0(do func(*CoderAgent, context.Context) (any, error)) func(*CoderAgent, context.Context, []json.RawMessage) (any, error) {
	return func(a *CoderAgent, ctx context.Context, _ []json.RawMessage) (any, error) { return do(a, ctx) }
}

func method1[A any](do func(*CoderAgent, context.Context, A) (any, error)) func(*CoderAgent, context.Context, []json.RawMessage) (any, error) {
	return func(a *CoderAgent, ctx context.Context, args []json.RawMessage) (any, error) {
		v, err := arg[A](args, 0)
		if err != nil {
			return nil, err
		}
		return do(a, ctx, v)
	}
}

func arg[A any](args []json.RawMessage, i int) (v A, err error) {
	if i >= len(args) || string(args[i]) == "null" { // null would be read as false, or as an empty text
		return v, fmt.Errorf("argument %d is missing", i+1)
	}
	if err := json.Unmarshal(args[i], &v); err != nil {
		return v, fmt.Errorf("argument %d: %w", i+1, err)
	}
	return v, nil
}

func decideMethod(a *CoderAgent, ctx context.Context, args []json.RawMessage) (any, error) {
	callID, err := arg[string](args, 0)
	if err != nil {
		return nil, err
	}
	approved, err := arg[bool](args, 1)
	if err != nil {
		return nil, err
	}
	d := Decision{Approved: approved, By: callerFrom(ctx).Connection}
	if len(args) > 2 {
		if d.Reason, err = arg[string](args, 2); err != nil {
			return nil, err
		}
	}
	return nil, a.Decide(ctx, callID, d)
}

func cancelMethod(a *CoderAgent, ctx context.Context, args []json.RawMessage) (any, error) {
	var id string
	if len(args) > 0 {
		var err error
		if id, err = arg[string](args, 0); err != nil {
			return nil, err
		}
	}
	return nil, a.Cancel(ctx, id)
}

func (a *CoderAgent) approvals(ctx context.Context) (list []Pending, err error) {
	err = a.do(ctx, func(s *state) error { list = s.pending(); return nil })
	return list, err
}

func (a *CoderAgent) usage(ctx context.Context) (u chat.Usage, err error) {
	err = a.do(ctx, func(s *state) error {
		u = s.session.Usage
		if s.turn != nil {
			u = u.Add(s.script.TurnUsage())
		}
		return nil
	})
	return u, err
}

// Setup is the argument of the method "setup": what a client wants of a session before it prompts. Empty fields leave
// things as they are.
type Setup struct {
	Workdir  string   `json:"workdir,omitempty"` // absolute; fixed once the transcript is not empty; not a page's to choose
	Mode     string   `json:"mode,omitempty"`    // a page may only tighten it
	Model    string   `json:"model,omitempty"`
	MaxSteps *int     `json:"maxSteps,omitempty"` // 0: the host's limit; nil: as it is; a page may not set it
	Environ  []string `json:"environ,omitempty"`  // for the commands, as KEY=value; kept in memory only
	New      *Setup   `json:"new,omitempty"`      // mode, model and maxSteps of a session that is new, where nothing above says them
}

// orNew fills in what only a new session gets.
func (want Setup) orNew() Setup {
	if want.New == nil {
		return want
	}
	want.Mode, want.Model = cmp.Or(want.Mode, want.New.Mode), cmp.Or(want.Model, want.New.Model)
	want.MaxSteps = cmp.Or(want.MaxSteps, want.New.MaxSteps)
	return want
}

// SetupResult is what "setup" answers.
type SetupResult struct {
	Name    string          `json:"name"`
	Workdir string          `json:"workdir"`
	Mode    permission.Mode `json:"mode"`
	Model   string          `json:"model"`
	Created bool            `json:"created"` // the session is new
}

func (a *CoderAgent) setup(ctx context.Context, want Setup) (any, error) {
	dir := want.Workdir
	if dir != "" {
		var err error
		if dir, err = folder(dir); err != nil {
			return nil, &WorkdirError{Session: a.name, Want: want.Workdir, Err: err}
		}
	}
	var result SetupResult
	err := a.do(ctx, func(s *state) error {
		row, want := s.session, want
		if !s.known {
			want = want.orNew()
		}
		if dir != "" && dir != row.Workdir {
			if callerFrom(ctx).Page {
				return errors.New("a page may not choose the workdir: begin the session in a terminal")
			}
			parent, _, _ := SplitAddress(a.key)
			if row.Workdir != "" && (parent != "" || s.known && s.script.Len() > 0) {
				return &WorkdirError{Session: a.name, Want: dir, Have: row.Workdir}
			}
			row.Workdir = dir
		}
		if want.Mode != "" {
			mode, err := s.allowedMode(ctx, want.Mode)
			if err != nil {
				return err
			}
			row.Mode = string(mode)
		}
		if want.Model != "" {
			row.Model = want.Model
		}
		if want.MaxSteps != nil {
			if *want.MaxSteps < 0 || callerFrom(ctx).Page {
				return errors.New("maxSteps must not be negative, and not be set by a page")
			}
			row.MaxSteps = *want.MaxSteps
		}
		result = SetupResult{
			Name: row.Name, Workdir: row.Workdir, Mode: permission.Mode(row.Mode), Model: row.Model, Created: !s.known,
		}
		return s.settleRow(ctx, row, want.Environ)
	})
	if err == nil && want.Mode != "" {
		err = a.host.refreshBelow(ctx, a.key)
	}
	return result, err
}

// settleRow writes a changed session row; one that has not changed costs nothing.
func (s *state) settleRow(ctx context.Context, row store.Session, environ []string) error {
	if environ != nil && !callerFrom(ctx).Page {
		s.environ = slices.Clone(environ)
	}
	old := s.session
	if s.known && old.Workdir == row.Workdir && old.Mode == row.Mode && old.Model == row.Model && old.MaxSteps == row.MaxSteps {
		return nil
	}
	s.session = row
	moved := old.Workdir != row.Workdir
	err := s.write(store.Fast, func(tx *store.Tx) error {
		if !moved {
			return nil
		}
		return tx.DropSystem(s.agent.key)
	})
	if err != nil {
		s.session = old
		return fmt.Errorf("recording session %s: %w", s.agent.name, err)
	}
	if moved {
		s.system = nil
	}
	s.refresh("")
	return nil
}

// allowedMode checks a mode that a caller wants: loosening is for people at the machine.
func (s *state) allowedMode(ctx context.Context, name string) (permission.Mode, error) {
	mode, err := permission.ParseMode(name)
	if err != nil {
		return "", err
	}
	have := s.mode()
	if callerFrom(ctx).Page && !mode.Tighter(have) {
		return "", fmt.Errorf("a page may not loosen the mode from %s to %s", have, mode)
	}
	rows, err := s.agent.ancestors(ctx)
	if err != nil {
		return "", err
	}
	for _, row := range rows {
		if above := permission.Mode(row.Mode); !mode.Tighter(above) {
			return "", fmt.Errorf("session %s is in mode %s, and a session below it may not be looser, as %s is", row.Name, above, mode)
		}
	}
	return mode, nil
}

func (a *CoderAgent) setMode(ctx context.Context, name string) error {
	err := a.do(ctx, func(s *state) error {
		mode, err := s.allowedMode(ctx, name)
		if err != nil {
			return err
		}
		row := s.session
		row.Mode = string(mode)
		return s.settleRow(ctx, row, nil)
	})
	if err != nil {
		return err
	}
	return a.host.refreshBelow(ctx, a.key)
}

func (a *CoderAgent) setModel(ctx context.Context, id string) error {
	if id == "" {
		return errors.New("the model id is empty")
	}
	return a.do(ctx, func(s *state) error {
		row := s.session
		row.Model = id
		return s.settleRow(ctx, row, nil)
	})
}

// folder checks that a path is an absolute, readable folder and resolves its links.
func folder(path string) (string, error) {
	if !filepath.IsAbs(path) {
		return "", errors.New("the path is not absolute")
	}
	dir, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	f, err := os.Open(dir)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", err
	case !info.IsDir():
		return "", fmt.Errorf("%s is not a folder", dir)
	}
	if _, err := f.Readdirnames(1); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return dir, nil
}
