//go:build unix

package trust

import (
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

func TestAPipeIsNotWaitedFor(t *testing.T) {
	dir := folder(t, nil)
	if err := syscall.Mkfifo(filepath.Join(dir, "AGENTS.md"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := shown(Store{}.Look(dir)); !slices.Equal(got, []string{"/AGENTS.md: it is not used: it is not a regular file"}) {
		t.Errorf("of a pipe it says %q", got)
	}
}
