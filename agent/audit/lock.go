package audit

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// lockPatience is how long a line waits for another process that writes one, such as coder login beside a host. Each takes
// well under a millisecond.
const (
	lockPatience = 2 * time.Second
	lockAgain    = time.Millisecond
)

// locked runs do while no other process writes to the log, and waits so long for that at most.
func locked(dir string, patience time.Duration, do func() error) (err error) {
	lock := flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))
	deadline := time.Now().Add(patience)
	for {
		held, err := lock.TryLock()
		if err != nil {
			return err
		}
		if held {
			break
		}
		if !time.Now().Before(deadline) {
			return fmt.Errorf("another process holds %s", lock.Path())
		}
		<-time.After(lockAgain)
	}
	defer func() {
		if errUnlock := lock.Unlock(); err == nil {
			err = errUnlock
		}
	}()
	return do()
}
