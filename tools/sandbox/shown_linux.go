package sandbox

import (
	"errors"
	"fmt"
	"os/exec"
	"sync"

	"golang.org/x/sys/unix"
)

// shown counts the starts for which this process is not closed to others.
var shown struct {
	sync.Mutex
	starts int
}

// spawn starts the command. To give it ids in a namespace of its own, this process writes to a file of the child in /proc,
// which belongs to root while we have closed our memory to other programs (PR_SET_DUMPABLE): the child is our copy until
// its exec. So we open it for that long, a millisecond or two. What runs at the same time in a namespace of its own does
// not see us at all, and other programs of the user are as they were before they knew of us.
func spawn(cmd *exec.Cmd) (err error) {
	heed()
	if cmd.SysProcAttr == nil || len(cmd.SysProcAttr.UidMappings) == 0 {
		return cmd.Start()
	}
	if err := open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shut()) }()
	return cmd.Start()
}

// open opens the process if it is closed.
func open() error {
	shown.Lock()
	defer shown.Unlock()
	if shown.starts == 0 {
		closed, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
		if err != nil {
			return fmt.Errorf("sandbox: asking whether our memory is closed: %w", err)
		}
		if closed != 0 {
			return nil // nobody has closed it, so shut has nothing to do
		}
		if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("sandbox: opening our memory for a start: %w", err)
		}
	}
	shown.starts++
	return nil
}

// shut closes the process again behind the last start that had opened it.
func shut() error {
	shown.Lock()
	defer shown.Unlock()
	if shown.starts == 0 {
		return nil
	}
	if shown.starts--; shown.starts > 0 {
		return nil
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("sandbox: closing our memory again: %w", err)
	}
	return nil
}
