package tui

import (
	"context"
	"fmt"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/term"
	"golang.org/x/sys/windows"
)

// console has the console send and understand the sequences of a terminal.
func (t *terminal) console() error {
	state, err := term.GetState(t.out.Fd())
	if err != nil {
		return fmt.Errorf("taking the console: %w", err)
	}
	t.restore = append(t.restore, func() error { return term.Restore(t.out.Fd(), state) })
	for _, handle := range []struct {
		of   uintptr
		more uint32
	}{
		{t.in.Fd(), windows.ENABLE_VIRTUAL_TERMINAL_INPUT},
		{t.out.Fd(), windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING | windows.DISABLE_NEWLINE_AUTO_RETURN},
	} {
		var mode uint32
		if err := windows.GetConsoleMode(windows.Handle(handle.of), &mode); err != nil {
			return fmt.Errorf("taking the console: %w", err)
		}
		if err := windows.SetConsoleMode(windows.Handle(handle.of), mode|handle.more); err != nil {
			return fmt.Errorf("taking the console: %w", err)
		}
	}
	return nil
}

// watchSize tells the size as it is at first; later changes come with what is typed.
func (t *terminal) watchSize(_ context.Context, send func(tea.Msg)) {
	width, height := t.size()
	send(tea.WindowSizeMsg{Width: width, Height: height})
}

// stopProcess does nothing: there is no shell that could go on with us.
func stopProcess() tea.Msg { return nil }
