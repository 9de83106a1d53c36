package audit

import (
	"testing"
	"time"
)

// Unsynced writes entries of which the disk is not known to have any, as in the moment before a machine loses its power.
func Unsynced(t *testing.T, dataDir string, entries ...Entry) {
	t.Helper()
	l := &Log{dir: Dir(dataDir), opts: Options{MaxSize: 10 << 20, Keep: 10, Redact: func(s string) string { return s }}}
	l.opts.Now = time.Now
	_, err := l.write(entries)
	if err != nil {
		t.Fatal(err)
	}
}
