//go:build unix

package snapshot

import (
	"errors"
	"os"
	"syscall"
)

// nonblock keeps the opening of a named pipe from waiting for its other end.
const nonblock = syscall.O_NONBLOCK

// syncDir makes renames in a folder survive a power cut. One that has gone needs none.
func syncDir(root *os.Root, dir string) error {
	d, err := root.Open(dir)
	if err != nil {
		return ignoreAbsent(err)
	}
	return errors.Join(d.Sync(), d.Close())
}
