// Package tui is the terminal client: a session as text that scrolls in the normal screen, and below it what is still open.
//
// A model, in Bubble Tea's sense, folds what the session tells and what the user types into lines: those that are finished, which
// are printed once, and the frame below them. It knows no terminal, so that tests feed it messages and read lines. A screen
// draws them.
package tui

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	uv "github.com/charmbracelet/ultraviolet"
)

// frameTime is the least time between two drawings, so that a stream of deltas costs no more than people see.
const frameTime = 33 * time.Millisecond

// colourWait is how long the first drawing waits for the terminal to tell its colours.
const colourWait = 100 * time.Millisecond

// Run shows the session until the user leaves or it ends. The terminal is given back as it was; what was printed stays on it.
func Run(ctx context.Context, in, out *os.File, opts Options) error {
	t, err := openTerminal(in, out, opts.Environ)
	if err != nil {
		return err
	}
	defer t.pause()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	width, height := t.size()
	profile := colorprofile.Detect(out, opts.Environ)
	m := newModel(ctx, opts, newPalette(true, profile), width, height)
	defer m.close()
	s := &shell{model: m, screen: newScreen(out, width, height, t.reflows()), terminal: t, profile: profile, ctx: ctx}
	p := tea.NewProgram(s, tea.WithContext(ctx), tea.WithInput(nil), tea.WithOutput(out), tea.WithoutRenderer(),
		tea.WithoutSignalHandler(), tea.WithEnvironment(opts.Environ), tea.WithWindowSize(width, height))
	s.program = p
	defer s.giveBack()
	_, err = p.Run()
	switch {
	case m.ended != nil:
		return m.ended
	case errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return err
}

// A shell joins the model to a terminal: it draws what the model has to show, no more often than frameTime.
type shell struct {
	ctx      context.Context
	program  *tea.Program
	model    *model
	screen   *screen
	terminal *terminal
	profile  colorprofile.Profile

	ready   bool      // the colours are known, or will not be
	titled  string    // the terminal's title
	drawn   time.Time // when it was drawn last
	waiting bool      // a redraw is on its way
	lent    bool      // another program has the terminal
	left    bool      // the terminal is given back
}

// deviceAttributes is what every terminal answers, after what it may say of its colours.
type deviceAttributes = uv.PrimaryDeviceAttributesEvent

type (
	redraw  struct{}
	patient struct{} // the colours have taken long enough
)

func (s *shell) Init() tea.Cmd {
	return tea.Batch(
		func() tea.Msg {
			// Bubble Tea wakes for its renderer as often as it can draw, also for none. This ends that; it has nothing else to release.
			_ = s.program.ReleaseTerminal()
			return nil
		},
		func() tea.Msg {
			if err := s.terminal.listen(s.ctx, s.program.Send); err != nil {
				return lostTerminal{err}
			}
			return nil
		},
		tea.Tick(colourWait, func(time.Time) tea.Msg { return patient{} }),
	)
}

// begin begins with the session, once the colours are known: what is printed keeps those that it has.
func (s *shell) begin() tea.Cmd {
	if s.ready {
		return nil
	}
	s.ready = true
	return s.model.start()
}

// View is empty: the screen draws.
func (s *shell) View() tea.View { return tea.View{} }

func (s *shell) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case redraw:
		s.waiting = false
		return s, s.draw()
	case patient, deviceAttributes:
		begun := s.begin()
		return s, tea.Batch(begun, s.draw())
	case tea.BackgroundColorMsg:
		s.model.recolour(newPalette(msg.IsDark(), s.profile))
		begun := s.begin()
		return s, tea.Batch(begun, s.draw())
	case tea.WindowSizeMsg:
		s.screen.resize(msg.Width, msg.Height)
	case external:
		return s, s.run(msg)
	case suspend:
		return s, s.lend(stopProcess)
	case returned:
		s.lent, s.screen.stale = false, true
		if msg.err != nil {
			return s, s.check(msg.err)
		}
		if msg.msg != nil {
			return s.Update(msg.msg)
		}
	}
	cmd := s.model.update(msg)
	if s.model.quits {
		return s, tea.Quit
	}
	return s, tea.Batch(cmd, s.draw())
}

// draw draws, now or as soon as it may again.
func (s *shell) draw() tea.Cmd {
	if !s.ready || s.left || s.lent {
		return nil
	}
	if since := time.Since(s.drawn); since < frameTime {
		if s.waiting {
			return nil
		}
		s.waiting = true
		return tea.Tick(frameTime-since, func(time.Time) tea.Msg { return redraw{} })
	}
	s.drawn = time.Now()
	if page := s.model.page(); page != nil {
		return s.check(s.screen.page(page))
	}
	frame, cursor := s.model.frame()
	cmd := s.check(s.screen.show(s.model.take(), frame, cursor))
	out := s.model.takeRaw()
	if title := s.model.title(); title != s.titled {
		s.titled = title
		out += setTitle(title)
	}
	if out != "" {
		_, err := io.WriteString(s.terminal.out, out)
		cmd = tea.Batch(cmd, s.check(err))
	}
	return cmd
}

// check ends the program when the terminal takes nothing more.
func (s *shell) check(err error) tea.Cmd {
	if err == nil {
		return nil
	}
	s.left = true
	return func() tea.Msg { return lostTerminal{err} }
}

// giveBack leaves the terminal with what the user must know.
func (s *shell) giveBack() {
	if s.left {
		return
	}
	s.left = true
	_ = s.screen.leave(append(s.model.take(), s.model.farewell()...)) // nobody is left to tell
	_ = s.screen.write(setTitle(""))
}

// An external is a program, such as an editor, that gets the terminal until it ends.
type external struct {
	cmd  *exec.Cmd
	done func(error) tea.Msg
}

// A suspend stops the process, as Ctrl+Z does to any other.
type suspend struct{}

// A returned says that the terminal is ours again.
type returned struct {
	err error
	msg tea.Msg
}

// lend gives the terminal away while use runs. Meanwhile nothing is drawn; the model goes on.
func (s *shell) lend(use func() tea.Msg) tea.Cmd {
	cmd := s.check(s.screen.leave(s.model.take()))
	s.lent = true
	return tea.Batch(cmd, func() tea.Msg {
		s.terminal.pause()
		msg := use()
		return returned{s.terminal.resume(s.ctx, s.program.Send), msg}
	})
}

func (s *shell) run(e external) tea.Cmd {
	e.cmd.Stdin, e.cmd.Stdout, e.cmd.Stderr = s.terminal.in, s.terminal.out, s.terminal.out
	return s.lend(func() tea.Msg { return e.done(e.cmd.Run()) })
}
