package agenttest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

const errFull = syscall.ENOSPC

// OnSmallDisk runs a top-level test with a disk of so many bytes: a real one in memory, mounted where nobody else sees
// it. To be alone there the test runs in a process of its own. It is skipped where the system does not let us mount,
// but not in CI as root.
func OnSmallDisk(t *testing.T, size int, test func(d *Disk)) {
	t.Helper()
	if os.Getenv(smallDisk) == "" {
		runApart(t)
		return
	}
	dir := t.TempDir()
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Fatalf("keeping mounts to ourselves: %v", err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", size)); err != nil {
		t.Fatalf("mounting a small disk: %v", err)
	}
	d := &Disk{Dir: dir}
	t.Cleanup(func() {
		d.Free(t)
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmounting the small disk: %v", err)
		}
	})
	test(d)
}

// runApart runs the test in a process with its own mounts.
func runApart(t *testing.T) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), smallDisk+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	_, ran := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		t.Logf("in a process of its own:\n%s", out)
	case ran:
		t.Errorf("in a process of its own: %v\n%s", err, out)
	case os.Getuid() == 0 && os.Getenv("CI") == "true":
		t.Fatalf("no mount namespace: %v", err)
	default:
		t.Skipf("the system gives us no mount namespace: %v", err)
	}
}
