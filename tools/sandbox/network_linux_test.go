package sandbox

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// server answers one connection after the other, and says so when it can be reached.
const server = `exec python3 -u -c '
import socket
s = socket.socket(); s.bind(("127.0.0.1", 8123)); s.listen(); open("up", "w").write("up\n")
while True:
    c, _ = s.accept(); c.sendall(b"hello\n"); c.close()
'`

const ask = `exec 3<>/dev/tcp/127.0.0.1/8123 && head -c 5 <&3`

// TestCommandsShareALoopback: one reaches the server that another is, and still nothing of the machine; a third, which does not
// share it, reaches neither.
func TestCommandsShareALoopback(t *testing.T) {
	b := newBox(t, Report{Level: LevelFull})
	n, err := b.NewNetwork()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	up := filepath.Join(b.Work, "up")
	if err := syscall.Mkfifo(up, 0o600); err != nil {
		t.Fatal(err)
	}
	c := shell(t, server, io.Discard)
	c.Dir = b.Work
	j, err := b.Start(t.Context(), c, Bounds{Workdir: b.Work, Scratch: b.Scratch, Shared: n})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.End(); <-j.Done() })
	w := &witness{path: up}
	w.begun(t)
	w.read.Close()
	run := func(script string, shared *Network) (Outcome, string) {
		t.Helper()
		var said bytes.Buffer
		c := shell(t, script, &said)
		c.Dir = b.Work
		out, err := b.Run(t.Context(), c, Bounds{Workdir: b.Work, Scratch: b.Scratch, Shared: shared})
		if err != nil {
			t.Fatal(err)
		}
		return out, said.String()
	}
	if out, said := run(ask, n); out.Code != 0 || said != "hello" {
		t.Errorf("who shares the loopback: %+v, %q", out, said)
	}
	if out, said := run(ask, nil); out.Code == 0 {
		t.Errorf("who does not: %+v, %q", out, said)
	}
	_, port, _ := strings.Cut(b.TCP, ":")
	if out, said := run("exec 3<>/dev/tcp/127.0.0.1/"+port, n); out.Code == 0 {
		t.Errorf("the machine is reached: %+v, %q", out, said)
	}
	if out, said := run("ip link set lo down 2>&1; kill -0 2 2>&1; exit 3", n); out.Code != 3 {
		t.Errorf("an exit code: %+v, %q", out, said)
	}
	if out, said := run("ps -e -o comm= 2>/dev/null | grep -c python3; true", n); strings.TrimSpace(said) != "0" {
		t.Errorf("the processes of the other are seen: %+v, %q", out, said)
	}
	if err := j.Signal("TERM"); err != nil {
		t.Error(err)
	}
	if out, err := j.Wait(); err != nil || out.Signal != "terminated" {
		t.Errorf("the server ended so: %+v, %v", out, err)
	}
	if out, said := run("setsid sleep 300 & echo begun", n); len(out.Ended) != 1 || said != "begun\n" {
		t.Errorf("what is left behind: %+v, %q", out, said)
	}
}

func TestATreeInASharedNetworkEnds(t *testing.T) {
	b := newBox(t, Report{Level: LevelFull})
	n, err := b.NewNetwork()
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{path: filepath.Join(b.Work, "w")}
	if err := syscall.Mkfifo(w.path, 0o600); err != nil {
		t.Fatal(err)
	}
	c := shell(t, "exec 3>w; trap '' TERM; env -i setsid sleep 300 & echo go >&3; while :; do wait; done", io.Discard)
	c.Dir = b.Work
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := b.Run(ctx, c, Bounds{Workdir: b.Work, Scratch: b.Scratch, Shared: n})
		done <- err
	}()
	w.begun(t)
	begin := time.Now()
	cancel()
	if err := <-done; err == nil {
		t.Error("a cancelled command is no error")
	}
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("it took %v", d)
	}
	w.over(t)
	n.Close()
	if _, err := b.Start(t.Context(), c, Bounds{Workdir: b.Work, Scratch: b.Scratch, Shared: n}); err == nil {
		t.Error("a command started in a network that is gone")
	}
	if _, err := os.Stat(filepath.Join(b.Work, "ran")); err == nil {
		t.Error("it ran")
	}
}
