package audit_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/audit"
)

// A line that finds no room is an error at once; what was written stays whole, and with room the log goes on and says how
// many lines it has missed.
func TestAFullDisk(t *testing.T) {
	agenttest.OnSmallDisk(t, 1<<20, func(disk *agenttest.Disk) {
		for leave := range 4 {
			dir := filepath.Join(disk.Dir, "data")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			l := open(t, dir, audit.Options{})
			record(t, l, audit.Entry{What: audit.HostStarted})
			disk.Fill(t, leave)
			var err error
			written := 0
			for err == nil {
				if err = l.Record(audit.Entry{What: audit.Judged, Why: strings.Repeat("why ", 100)}); err == nil {
					written++
				}
			}
			var refused *audit.WriteError
			if !errors.Is(err, syscall.ENOSPC) || !errors.As(err, &refused) || !strings.Contains(refused.Hint(), "make room") {
				t.Errorf("the error is %v", err)
			}
			_ = l.Record(audit.Entry{What: audit.Judged}, audit.Entry{What: audit.Judged}) // shorter ones may find room
			holds(t, dir)
			disk.Free(t)
			record(t, l, audit.Entry{What: audit.Ended})
			report := holds(t, dir)
			got := lines(t, dir)
			judged, missed := 0, 0
			for _, line := range got {
				switch line.What {
				case audit.Judged:
					judged++
				case audit.Missed:
					missed += line.Count
				}
			}
			if last := got[len(got)-1]; last.What != audit.Ended || missed == 0 || judged+missed != written+3 {
				t.Errorf("with %d pages: %d lines are there and %d missed, of %d; the last is %+v", leave, judged, missed, written+3, last)
			}
			t.Logf("with %d pages %d lines were written; notes %q", leave, written, report.Notes)
			if err := errors.Join(l.Close(), os.RemoveAll(dir)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A host can begin on a full disk: nothing is written, and it is said.
func TestALogOpensOnAFullDisk(t *testing.T) {
	agenttest.OnSmallDisk(t, 1<<20, func(disk *agenttest.Disk) {
		dir := filepath.Join(disk.Dir, "data")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		disk.Fill(t, 0)
		l := open(t, dir, audit.Options{})
		if err := l.Record(audit.Entry{What: audit.HostStarted}); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("the error is %v", err)
		}
		disk.Free(t)
		record(t, l, audit.Entry{What: audit.HostStarted})
		holds(t, dir)
	})
}
