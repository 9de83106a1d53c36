package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/coder-agent/coder/agent/audit"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/store"
	"github.com/coder-agent/coder/agent/trust"
)

// Setup is the argument of the method "setup": what a client wants of a session before it prompts. Empty fields leave
// things as they are.
type Setup struct {
	Workdir  string   `json:"workdir,omitempty"` // absolute; fixed once the transcript is not empty; not a page's to choose
	Mode     string   `json:"mode,omitempty"`    // a page may only tighten it
	Model    string   `json:"model,omitempty"`
	MaxSteps *int     `json:"maxSteps,omitempty"` // 0: the host's limit; nil: as it is; a page may not set it
	MaxCost  *float64 `json:"maxCost,omitempty"`  // of a turn, in US dollars; 0: no limit; nil: as it is; a page may only lower it
	OnAsk    string   `json:"onAsk,omitempty"`    // what becomes of calls that nobody decides on, as ParseOnAsk reads it; a page may not set it
	Environ  []string `json:"environ,omitempty"`  // for the commands, as KEY=value; kept in memory only
	New      *Setup   `json:"new,omitempty"`      // mode, model, maxSteps, maxCost and onAsk of a session that is new, where nothing above says them

	// NoSandbox says that a person has typed, with the mode full, that they know that nothing bounds the commands.
	NoSandbox bool `json:"noSandbox,omitempty"`
}

// orNew fills in what only a new session gets.
func (want Setup) orNew() Setup {
	if want.New == nil {
		return want
	}
	want.Mode, want.Model = cmp.Or(want.Mode, want.New.Mode), cmp.Or(want.Model, want.New.Model)
	want.MaxSteps = cmp.Or(want.MaxSteps, want.New.MaxSteps)
	want.MaxCost, want.OnAsk = cmp.Or(want.MaxCost, want.New.MaxCost), cmp.Or(want.OnAsk, want.New.OnAsk)
	return want
}

// SetupResult is what "setup" answers.
type SetupResult struct {
	Name    string          `json:"name"`
	Workdir string          `json:"workdir"`
	Mode    permission.Mode `json:"mode"`
	Model   string          `json:"model"`
	Created bool            `json:"created"` // the session is new

	MaxSteps int    `json:"maxSteps"` // model responses in one turn; 0: the host's limit
	OnAsk    string `json:"onAsk"`    // what becomes of calls that nobody decides on

	Sandbox string `json:"sandbox"` // what bounds commands on the host's machine
	Level   int    `json:"level"`   // how much that is, 0 to 3

	Confirm *Confirmation `json:"confirm,omitempty"` // the mode stays until this is confirmed: see setMode
}

func (a *CoderAgent) setup(ctx context.Context, want Setup) (any, error) {
	dir, page := want.Workdir, callerFrom(ctx).Page
	if dir != "" && !page { // what there is on the disk is not a page's to find out
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
			if page {
				return refusal("a page may not choose the workdir: begin the session in a terminal")
			}
			parent, _, _ := SplitAddress(a.key)
			if row.Workdir != "" && (parent != "" || s.known && s.script.Len() > 0) {
				return &WorkdirError{Session: a.name, Want: dir, Have: row.Workdir}
			}
			row.Workdir = dir
		}
		if want.Mode != "" {
			choose := s.chooseMode
			if want.Mode == string(permission.ModeFull) {
				choose = s.chooseFull(want.NoSandbox)
			}
			mode, confirm, err := choose(ctx, want.Mode, "")
			if err != nil {
				return err
			}
			if result.Confirm = confirm; confirm == nil {
				row.Mode = string(mode)
			}
		}
		if want.Model != "" {
			row.Model = want.Model
		}
		if want.MaxSteps != nil {
			if *want.MaxSteps < 0 || page {
				return refusal("maxSteps must not be negative, and not be set by a page")
			}
			row.MaxSteps = *want.MaxSteps
		}
		if err := s.chooseOnAsk(&row, want.OnAsk, page); err != nil {
			return err
		}
		if err := limitCost(&row, want.MaxCost, page); err != nil {
			return err
		}
		result.Name, result.Workdir, result.Mode = row.Name, row.Workdir, permission.Mode(row.Mode)
		result.Model, result.MaxSteps, result.OnAsk, result.Created = row.Model, row.MaxSteps, FormatOnAsk(row.DenyAfter), !s.known
		result.Sandbox, result.Level = a.host.opts.Sandbox, a.host.opts.Level
		if err := s.settleRow(ctx, row, want.Environ); err != nil {
			return err
		}
		result.Mode = s.mode() // a child's is bounded by those above it
		return nil
	})
	if err == nil && want.Mode != "" {
		err = a.host.refreshBelow(ctx, a.key)
	}
	if err == nil {
		err = a.lookAround(ctx)
	}
	return result, err
}

// settleRow writes a changed session row; one that has not changed costs nothing.
func (s *state) settleRow(ctx context.Context, row store.Session, environ []string) error {
	if environ != nil && !callerFrom(ctx).Page {
		s.environ = slices.Clone(environ)
	}
	old := s.session
	denyAt := s.denyAt()
	same := old.Workdir == row.Workdir && old.Mode == row.Mode && old.Model == row.Model &&
		old.MaxSteps == row.MaxSteps && old.MaxCost == row.MaxCost && FormatOnAsk(old.DenyAfter) == FormatOnAsk(row.DenyAfter)
	if s.known && same {
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
	if old.Mode != row.Mode {
		s.noteMode(ctx, audit.Allow, old.Mode, row.Mode)
	}
	s.lookAfterDeadline(denyAt)
	if old.Model != row.Model {
		s.window = 0
	}
	if moved {
		s.system, s.git, s.folder = nil, Project{}, trust.Folder{State: trust.Nothing}
	}
	s.refresh("")
	return nil
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
