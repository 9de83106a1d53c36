//go:build !linux

package agenttest

import (
	"syscall"
	"testing"
)

const errFull = syscall.ENOSPC

// OnSmallDisk skips the test: only Linux lets a test have a file system of its own.
func OnSmallDisk(t *testing.T, _ int, _ func(*Disk)) {
	t.Helper()
	t.Skip("only Linux lets a test have a file system of its own")
}
