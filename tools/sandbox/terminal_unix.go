//go:build unix

package sandbox

import (
	"fmt"
	"os"

	"github.com/creack/pty"
)

// openTerminal makes a terminal for a command: master is the side of who types and looks.
func openTerminal() (master, tty *os.File, err error) {
	if master, tty, err = pty.Open(); err != nil {
		return nil, nil, fmt.Errorf("sandbox: making a terminal: %w", err)
	}
	if err := pty.Setsize(master, &pty.Winsize{Cols: 120, Rows: 40}); err != nil {
		master.Close()
		tty.Close()
		return nil, nil, fmt.Errorf("sandbox: making a terminal: %w", err)
	}
	return master, tty, nil
}
