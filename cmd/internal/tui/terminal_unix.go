//go:build unix

package tui

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	tea "charm.land/bubbletea/v2"
)

func (t *terminal) console() error { return nil }

// watchSize tells each change of the size.
func (t *terminal) watchSize(ctx context.Context, send func(tea.Msg)) {
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGWINCH)
	defer signal.Stop(changed)
	for {
		width, height := t.size()
		send(tea.WindowSizeMsg{Width: width, Height: height})
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// stopProcess stops the whole process group, as the shell expects, and returns once it goes on.
func stopProcess() tea.Msg {
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGCONT)
	defer signal.Stop(again)
	if syscall.Kill(0, syscall.SIGTSTP) == nil {
		<-again
	}
	return nil
}
