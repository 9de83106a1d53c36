package tui

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	tea "charm.land/bubbletea/v2"
	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/term"
	"github.com/muesli/cancelreader"
)

// A terminal is the one that the user sits at: what is typed comes as Bubble Tea's messages.
type terminal struct {
	in, out *os.File
	environ uv.Environ

	restore []func() error // what puts it back, the last first
	reader  cancelreader.CancelReader
	owned   sync.WaitGroup
	end     context.CancelFunc
}

// What we switch on, with what switches it off again: pasted text is marked as such; the terminal tells when it gets and loses the focus;
// keys that are sent alike are told apart, by both ways that terminals know.
const (
	modesOn  = "\x1b[?2004h\x1b[?1004h\x1b[>4;2m\x1b[>1u"
	modesOff = "\x1b[<u\x1b[>4m\x1b[?1004l\x1b[?2004l"
	ask      = "\x1b]11;?\x07\x1b[c" // for the colour of the background; every terminal answers the second
)

// openTerminal makes the terminal raw and switches on what we need.
func openTerminal(in, out *os.File, environ []string) (*terminal, error) {
	t := &terminal{in: in, out: out, environ: uv.Environ(environ)}
	if err := t.raw(); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(out, modesOn); err != nil {
		return nil, fmt.Errorf("writing to the terminal: %w", err)
	}
	return t, nil
}

// raw takes keys as they are typed.
func (t *terminal) raw() error {
	state, err := term.MakeRaw(t.in.Fd())
	if err != nil {
		return fmt.Errorf("taking the terminal: %w", err)
	}
	t.restore = append(t.restore, func() error { return term.Restore(t.in.Fd(), state) })
	return t.console()
}

// size returns columns and rows.
func (t *terminal) size() (width, height int) {
	width, height, err := term.GetSize(t.out.Fd())
	if err != nil || width <= 0 || height <= 0 {
		return 80, 24
	}
	return width, height
}

// listen sends what is typed, and each change of the size, until close.
func (t *terminal) listen(ctx context.Context, send func(tea.Msg)) error {
	reader, err := uv.NewCancelReader(t.in)
	if err != nil {
		return fmt.Errorf("reading from the terminal: %w", err)
	}
	t.reader = reader
	ctx, t.end = context.WithCancel(ctx)
	events := make(chan uv.Event)
	t.owned.Go(func() {
		defer close(events)
		err := uv.NewTerminalReader(reader, t.environ.Getenv("TERM")).StreamEvents(ctx, events)
		if err != nil && ctx.Err() == nil {
			send(lostTerminal{err})
		}
	})
	t.owned.Go(func() {
		for e := range events {
			send(e)
		}
	})
	t.owned.Go(func() { t.watchSize(ctx, send) })
	_, err = io.WriteString(t.out, ask)
	return err
}

// lostTerminal says that nothing can be read from the terminal any more.
type lostTerminal struct{ err error }

// pause gives the terminal to another program, or back to the shell.
func (t *terminal) pause() {
	if t.reader != nil {
		t.end()
		t.reader.Cancel()
		t.owned.Wait()
		_ = t.reader.Close() // it only watches
		t.reader = nil
	}
	_, _ = io.WriteString(t.out, modesOff) // a terminal that has gone needs none of this
	for _, restore := range slices.Backward(t.restore) {
		_ = restore()
	}
	t.restore = nil
}

// resume takes the terminal again after pause.
func (t *terminal) resume(ctx context.Context, send func(tea.Msg)) error {
	if err := t.raw(); err != nil {
		return err
	}
	if _, err := io.WriteString(t.out, modesOn); err != nil {
		return err
	}
	return t.listen(ctx, send)
}

// reflows reports whether the terminal breaks lines anew when its width changes. Few do not, and they say who they are.
func (t *terminal) reflows() bool {
	name := t.environ.Getenv("TERM")
	return t.environ.Getenv("XTERM_VERSION") == "" && name != "linux" && !strings.HasPrefix(name, "screen.") || t.environ.Getenv("TMUX") != ""
}
