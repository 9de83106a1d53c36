//go:build unix

package sandbox

import (
	"bytes"
	"testing"
	"time"
)

// A slowWriter takes its time for the first piece.
type slowWriter struct {
	got  bytes.Buffer
	late <-chan time.Time
}

func (w *slowWriter) Write(p []byte) (int, error) {
	<-w.late
	return w.got.Write(p)
}

// TestASlowReaderLosesNothing: what the command wrote before its end is all there, though a child holds the pipe and the time to
// read is over before the first piece is.
func TestASlowReaderLosesNothing(t *testing.T) {
	late := make(chan time.Time)
	w := &slowWriter{late: late}
	c := shell(t, "head -c 60000 /dev/zero | tr '\\0' x; sleep 300 & echo $!", w)
	time.AfterFunc(4*drain, func() { close(late) })
	out, err := Run(t.Context(), c)
	if err != nil || len(out.Running) != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	if n := bytes.Count(w.got.Bytes(), []byte{'x'}); n != 60000 || !bytes.HasSuffix(w.got.Bytes(), []byte{'\n'}) {
		t.Errorf("%d bytes of 60000 were read", n)
	}
	endProcesses(t, out.Running)
}
