package tools

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestF1AFolderThatBecomesALinkLeadsNowhere(t *testing.T) {
	s := newSession(t)
	out := t.TempDir()
	outside := filepath.Join(out, "f.txt")
	if err := os.WriteFile(outside, []byte("outside\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.put(t, "d/f.txt", "inside\n")
	if err := os.Symlink(out, filepath.Join(s.dir, "link")); err != nil {
		t.Fatal(err)
	}
	judged := &steadySession{s}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // swaps the folder for a link, as fast as it can
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			err := unix.Renameat2(unix.AT_FDCWD, filepath.Join(s.dir, "d"), unix.AT_FDCWD, filepath.Join(s.dir, "link"), unix.RENAME_EXCHANGE)
			if err != nil {
				t.Error(err)
				return
			}
		}
	}()
	reads, refusals, writes, tried := 0, 0, 0, 0
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		res, err := read(t.Context(), judged, readArgs{Path: "d/f.txt"})
		switch {
		case err != nil:
			refusals++
		case strings.Contains(res.Text, "outside"):
			t.Fatalf("a read led out: %q", res.Text)
		default:
			reads++
		}
		if _, err := write(t.Context(), judged, writeArgs{Path: fmt.Sprintf("d/new-%d", tried), Content: "x\n"}); err == nil {
			writes++
		}
		tried++
	}
	close(stop)
	<-stopped
	left, err := os.ReadDir(out)
	if err != nil || len(left) != 1 {
		t.Errorf("outside there is now %v, %v", left, err)
	}
	if data, err := os.ReadFile(outside); err != nil || string(data) != "outside\n" {
		t.Errorf("the file outside is now %q, %v", data, err)
	}
	t.Logf("%d of %d reads and %d of %d writes inside, the others clean errors", reads, reads+refusals, writes, tried)
	if reads == 0 || refusals == 0 {
		t.Error("the folder was never there, or never a link: the test shows nothing")
	}
}
