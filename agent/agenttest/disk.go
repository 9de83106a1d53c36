package agenttest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A Disk is a file system of its own, so small that a test can fill it.
type Disk struct {
	Dir     string
	ballast *os.File
}

// smallDisk in the environment says that this process has a mount namespace of its own.
const smallDisk = "CODER_TEST_SMALL_DISK"

// page is what a small disk gives its space out in, in bytes.
const page = 4096

// Fill leaves so many free pages of 4 KiB on the disk.
func (d *Disk) Fill(t testing.TB, leave int) {
	t.Helper()
	if d.ballast == nil {
		f, err := os.Create(filepath.Join(d.Dir, "ballast"))
		if err != nil {
			t.Fatal(err)
		}
		d.ballast = f
	}
	size, err := d.ballast.Seek(0, 2)
	block := make([]byte, page)
	for err == nil {
		if _, err = d.ballast.Write(block); err == nil {
			size += page
		}
	}
	if !errors.Is(err, errFull) {
		t.Fatalf("filling the disk: %v", err)
	}
	if err := d.ballast.Truncate(max(0, size-int64(leave)*page)); err != nil {
		t.Fatal(err)
	}
}

// Free makes room again.
func (d *Disk) Free(t testing.TB) {
	t.Helper()
	if d.ballast == nil {
		return
	}
	err := errors.Join(d.ballast.Close(), os.Remove(d.ballast.Name()))
	if d.ballast = nil; err != nil {
		t.Fatal(err)
	}
}
