package sandbox

import (
	"errors"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAClosedProcessGivesIdsToItsChildren: for a user who is not root the kernel refuses it, and it must be closed again
// whatever becomes of the starts, several at the same time.
func TestAClosedProcessGivesIdsToItsChildren(t *testing.T) {
	before, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Prctl(unix.PR_SET_DUMPABLE, uintptr(before), 0, 0, 0); err != nil {
			t.Error(err)
		}
	})
	apart := func(program string) *exec.Cmd {
		cmd := exec.Command(program)
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  unix.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}},
		}
		return cmd
	}
	if err := apart("/bin/true").Run(); err != nil {
		t.Skipf("there are no namespaces for users here: %v", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	var starts sync.WaitGroup
	for range 8 {
		starts.Go(func() {
			cmd := apart("/bin/true")
			if err := spawn(cmd); err != nil {
				t.Errorf("starting: %v", err)
			} else if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
			if err := spawn(apart("/nowhere")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("starting what is not there: %v", err)
			}
		})
	}
	starts.Wait()
	if open, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || open != 0 {
		t.Errorf("our memory is open afterwards: %d, %v", open, err)
	}
}
