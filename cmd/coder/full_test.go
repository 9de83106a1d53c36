package main

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/store"
)

// TestAFullDiskCanBeRead: with no host and not a byte free, what is stored is still shown, whether the last host ended in
// good order or was killed. To delete sessions some room is needed, and coder says how much.
func TestAFullDiskCanBeRead(t *testing.T) {
	agenttest.OnSmallDisk(t, 8<<20, func(disk *agenttest.Disk) {
		for n, end := range []os.Signal{syscall.SIGTERM, os.Kill} {
			f := newFull(t, disk, n)
			f.gate.Release()
			f.say(0, "one two three", "run", "--session", "s", "first prompt")
			if err := f.host.Process.Signal(end); err != nil {
				t.Fatal(err)
			}
			_ = f.host.Wait() // a killed one has no good word
			disk.Fill(t, 0)
			f.say(0, "s ", "sessions", "list")
			f.say(0, "one two three", "sessions", "show", "s")
			f.say(1, "is enough to delete sessions", "sessions", "delete", "s")
			disk.Fill(t, store.Room/4096)
			f.say(0, "deleted s", "sessions", "delete", "s")
			f.say(0, "", "stop")
			disk.Free(t)
			if err := os.RemoveAll(f.data); err != nil {
				t.Error(err)
			}
			if err := f.model.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// say runs a command, which must exit with the code and say the words.
func (f *full) say(code int, words string, args ...string) {
	f.t.Helper()
	cmd := f.coder(f.t.Context(), args...)
	out, _ := cmd.CombinedOutput() // the exit code says it
	if got := cmd.ProcessState.ExitCode(); got != code || !strings.Contains(string(out), words) {
		f.t.Errorf("coder %s exits with %d and says\n%s", strings.Join(args, " "), got, out)
	}
}
