package sandbox

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestProto(t *testing.T) {
	for _, level := range []int{3, 2} {
		base := t.TempDir()
		work, scratch := filepath.Join(base, "work"), filepath.Join(base, "data", "scratch")
		os.MkdirAll(work, 0o755)
		os.MkdirAll(scratch, 0o755)
		b := New(Options{Home: os.Getenv("HOME"), Private: []string{filepath.Join(base, "data")}, Cache: filepath.Join(base, "cache")}, Report{Level: level, Overlay: level == 3})
		var out bytes.Buffer
		c := shell(t, os.Getenv("SCRIPT"), &out)
		c.Dir = work
		c.Env = os.Environ()
		o, err := b.Run(t.Context(), c, Bounds{Workdir: work, Scratch: scratch})
		t.Logf("%+v %v\n%s", o, err, out.String())
	}
}
