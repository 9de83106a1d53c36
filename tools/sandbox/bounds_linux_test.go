package sandbox

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// boxed is a box at a level, with a workdir and a session's folder.
type boxedTest struct {
	*Box
	target
}

func newBox(t *testing.T, r Report) boxedTest {
	t.Helper()
	works(t, r.Level)
	x, o := newTarget(t)
	return boxedTest{New(o, r), x}
}

func (b boxedTest) script(t *testing.T, script string) (Outcome, string) {
	t.Helper()
	var said bytes.Buffer
	c := shell(t, script, &said)
	c.Dir = b.Work
	c.Env = append(slices.Clone(environ), "HOME="+b.Home)
	out, err := b.Run(t.Context(), c, Bounds{Workdir: b.Work, Scratch: b.Scratch})
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return out, said.String()
}

// TestACancelEndsABoxedTree: what leaves its session, its parent and its environment is ended as well.
func TestACancelEndsABoxedTree(t *testing.T) {
	for _, level := range []int{LevelFull, LevelLandlock} {
		scripts := []string{"exec 3>w; env -i setsid sleep 300 & echo go >&3; wait"}
		for _, tt := range trees {
			scripts = append(scripts, strings.ReplaceAll(tt.script, "$W", "w"))
		}
		for _, script := range scripts {
			t.Run(levelNames[level], func(t *testing.T) {
				b := newBox(t, Report{Level: level})
				w := &witness{path: filepath.Join(b.Work, "w")}
				if err := syscall.Mkfifo(w.path, 0o600); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancelCause(t.Context())
				c := shell(t, script, io.Discard)
				c.Dir = b.Work
				why := errors.New("enough")
				done := make(chan error, 1)
				go func() {
					_, err := b.Run(ctx, c, Bounds{Workdir: b.Work, Scratch: b.Scratch})
					done <- err
				}()
				w.begun(t)
				begin := time.Now()
				cancel(why)
				if err := <-done; !errors.Is(err, why) {
					t.Errorf("%s: the error is %v, want %v", script, err, why)
				}
				if d := time.Since(begin); d > 10*time.Second {
					t.Errorf("%s: it took %v", script, d)
				}
				w.over(t)
			})
		}
	}
}

// TestASurvivorEndsWithTheCommand: nothing outlives a command.
func TestASurvivorEndsWithTheCommand(t *testing.T) {
	for _, level := range []int{LevelFull, LevelLandlock} {
		b := newBox(t, Report{Level: level})
		w := &witness{path: filepath.Join(b.Work, "w")}
		if err := syscall.Mkfifo(w.path, 0o600); err != nil {
			t.Fatal(err)
		}
		done := make(chan Outcome, 1)
		go func() {
			out, _ := b.script(t, "exec 3>w; env -i setsid sleep 300 & echo go >&3; exit 0")
			done <- out
		}()
		w.begun(t)
		if out := <-done; len(out.Ended) != 1 || out.Code != 0 {
			t.Errorf("level %d: %+v", level, out)
		}
		w.over(t)
	}
}

// TestTheHostsEndIsTheCommands: when the host dies, even by SIGKILL, what it had started dies, also what has left its session.
func TestTheHostsEndIsTheCommands(t *testing.T) {
	for _, level := range []int{LevelFull, LevelLandlock} {
		b := newBox(t, Report{Level: level})
		w := &witness{path: filepath.Join(b.Work, "w")}
		if err := syscall.Mkfifo(w.path, 0o600); err != nil {
			t.Fatal(err)
		}
		c := shell(t, "exec 3>w; env -i setsid sleep 300 & echo go >&3; wait", io.Discard)
		c.Dir = b.Work
		p, done, err := b.policy(c, Bounds{Workdir: b.Work, Scratch: b.Scratch})
		if err != nil {
			t.Fatal(err)
		}
		defer done()
		cmd := &exec.Cmd{}
		tr, err := launch(cmd, p)
		if err != nil {
			t.Fatal(err)
		}
		w.begun(t)
		tr.(*boxed).orders.Close() // as the kernel does when the host is gone
		_ = cmd.Wait()             // the shell may see its child end first, and end well
		w.over(t)
		tr.close()
	}
}

func TestWhatCannotBeAppliedStopsTheCommand(t *testing.T) {
	b := newBox(t, Report{Level: LevelFull})
	file := filepath.Join(b.Home, "sandbox.json")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.report.file = file
	p, done, err := b.policy(Command{Argv: []string{"/bin/touch", "ran"}, Dir: b.Work}, Bounds{Workdir: b.Work, Scratch: b.Scratch})
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	p.Overlays = []overlay{{At: "/none", Upper: "/none", Work: "/none"}}
	c := Command{Argv: p.Argv, Stdout: io.Discard}
	var code int
	_, err = run(t.Context(), c, func(cmd *exec.Cmd) (tree, error) {
		t.Cleanup(func() { code = cmd.ProcessState.ExitCode() })
		return launch(cmd, p)
	})
	var layer *LayerError
	if !errors.As(err, &layer) || !strings.Contains(err.Error(), "/none") || layer.Hint() == "" {
		t.Errorf("the error is %v", err)
	}
	if _, err := os.Stat(filepath.Join(b.Work, "ran")); err == nil {
		t.Errorf("the command ran; the helper ended with %d", code)
	}
	b.report.forget()
	if _, err := os.Stat(file); err == nil {
		t.Error("the next host believes the old report")
	}
}

func TestAWorkdirAmongTheHiddenIsRefused(t *testing.T) {
	b := newBox(t, Report{Level: LevelFull})
	var place *PlaceError
	for _, dir := range []string{b.Private, b.Home + "/.ssh", b.Private + "/run"} {
		if _, err := b.Run(t.Context(), shell(t, "true", io.Discard), Bounds{Workdir: dir}); !errors.As(err, &place) {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

func TestNewProtectedFilesArePutAside(t *testing.T) {
	for _, level := range []int{LevelFull, LevelLandlock} {
		b := newBox(t, Report{Level: level})
		out, said := b.script(t, `mkdir -p .vscode sub/deep .github; echo evil > .vscode/settings.json; echo evil > sub/deep/CLAUDE.md; echo fine > sub/file
			ln -s /etc/passwd .envrc; git init -q nested && cp /bin/true nested/.git/hooks/post-commit; git -C nested config core.fsmonitor /tmp/x; git init -q clean`)
		if out.Code != 0 {
			t.Skipf("git: %s", said)
		}
		var got []string
		for _, m := range out.Moved {
			rel, err := filepath.Rel(b.Work, m.Path)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, rel)
			if _, err := os.Lstat(m.To); err != nil || !within(filepath.Join(b.Scratch, "aside"), m.To) {
				t.Errorf("%s is at %s: %v", m.Path, m.To, err)
			}
			if _, err := os.Lstat(m.Path); err == nil {
				t.Errorf("%s is still there", m.Path)
			}
		}
		want := []string{".envrc", ".vscode/settings.json", "nested/.git/config", "nested/.git/hooks/post-commit", "sub/deep/CLAUDE.md"}
		if !slices.Equal(got, want) {
			t.Errorf("level %d: put aside are %q, want %q", level, got, want)
		}
		for _, path := range []string{"clean/.git/config", "sub/file", "AGENTS.md"} {
			if _, err := os.Stat(filepath.Join(b.Work, path)); err != nil {
				t.Errorf("level %d: %v", level, err)
			}
		}
		if out, _ := b.script(t, "true"); len(out.Moved) > 0 {
			t.Errorf("level %d: and again %+v", level, out.Moved)
		}
	}
}

// TestWhatNoMountHoldsIsPutBack: at level 2 a change is undone after the command.
func TestWhatNoMountHoldsIsPutBack(t *testing.T) {
	b := newBox(t, Report{Level: LevelLandlock})
	out, _ := b.script(t, "echo evil >> AGENTS.md; rm .git/hooks/pre-commit; mv .github x; chmod +x .git/config")
	if len(out.Moved) != 2 {
		t.Errorf("put aside are %+v", out.Moved)
	}
	b.inspect(t)
}

// TestPuttingBackFollowsNoLink: the host writes nothing outside because a command has put a link in the way.
func TestPuttingBackFollowsNoLink(t *testing.T) {
	b := newBox(t, Report{Level: LevelLandlock})
	var said bytes.Buffer
	c := shell(t, "mv .github gone; ln -s "+b.Outside+" .github", &said)
	c.Dir = b.Work
	if _, err := b.Run(t.Context(), c, Bounds{Workdir: b.Work, Scratch: b.Scratch}); err == nil || !strings.Contains(err.Error(), "putting "+b.Work+"/.github/workflows/ci.yml back") {
		t.Errorf("the error is %v", err)
	}
	if _, err := os.Lstat(filepath.Join(b.Outside, "workflows")); err == nil {
		t.Error("the host wrote through the link")
	}
}

// TestAHomeAsWorkdir: secrets stay hidden, caches the user's, and files that decide what runs later are held or put aside.
func TestAHomeAsWorkdir(t *testing.T) {
	b := newBox(t, Report{Level: LevelFull, Overlay: true})
	if err := errors.Join(os.MkdirAll(filepath.Join(b.Home, ".npm"), 0o755), os.WriteFile(filepath.Join(b.Home, ".bashrc"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	b.Work = b.Home
	out, said := b.script(t, `cat ~/.ssh/* data/run/host.json && echo seen; echo evil > ~/.npm/x; echo evil >> .bashrc && echo changed; mv .ssh x && echo moved; echo evil > .profile; echo fine > fine`)
	if strings.Contains(said, "seen") || strings.Contains(said, "changed") || strings.Contains(said, "moved") || len(out.Moved) != 1 {
		t.Errorf("%+v: %s", out, said)
	}
	for name, want := range map[string]bool{".npm/x": false, ".profile": false, "fine": true} {
		if _, err := os.Stat(filepath.Join(b.Home, name)); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", name, err == nil, want)
		}
	}
}

// i386 is a program for the other processor that this one also is: exit(42) by int 0x80.
func i386() []byte {
	code := []byte{0xb8, 1, 0, 0, 0, 0xbb, 42, 0, 0, 0, 0xcd, 0x80}
	const base = 0x8048000
	var b bytes.Buffer
	b.Write([]byte{0x7f, 'E', 'L', 'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	for _, v := range []any{
		uint16(2), uint16(3), uint32(1), uint32(base + 84), uint32(52), uint32(0), uint32(0), uint16(52), uint16(32), uint16(1), uint16(0), uint16(0), uint16(0),
		uint32(1), uint32(0), uint32(base), uint32(base), uint32(84 + len(code)), uint32(84 + len(code)), uint32(5), uint32(0x1000),
	} {
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	b.Write(code)
	return b.Bytes()
}

func TestAProgramForAnotherProcessorIsKilled(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("this processor has no other one in it")
	}
	b := newBox(t, Report{Level: LevelFull})
	path := filepath.Join(b.Work, "i386")
	if err := os.WriteFile(path, i386(), 0o755); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := exec.CommandContext(t.Context(), path).Run(); !errors.As(err, &exit) || exit.ExitCode() != 42 {
		t.Skipf("the kernel runs no such programs: %v", err)
	}
	if out, said := b.script(t, "exec ./i386"); out.Signal != "bad system call" {
		t.Errorf("%+v, %s", out, said)
	}
}

func TestTheNetworkOpensWhenGranted(t *testing.T) {
	b := newBox(t, Report{Level: LevelFull})
	for _, granted := range []bool{false, true} {
		var said bytes.Buffer
		_, port, _ := strings.Cut(b.TCP, ":")
		c := shell(t, "exec 3<>/dev/tcp/127.0.0.1/"+port+" && echo in", &said)
		c.Dir = b.Work
		out, err := b.Run(t.Context(), c, Bounds{Workdir: b.Work, Scratch: b.Scratch, Network: granted})
		if err != nil || (out.Code == 0) != granted {
			t.Errorf("granted %v: %+v, %v, %s", granted, out, err, said.String())
		}
	}
}

// TestCaches: what a command writes to a cache is there for the next command in the workdir, and nowhere else.
func TestCaches(t *testing.T) {
	for _, laid := range []bool{false, true} {
		b := newBox(t, Report{Level: LevelFull, Overlay: laid})
		npm := filepath.Join(b.Home, ".npm")
		if err := errors.Join(os.Mkdir(npm, 0o755), os.WriteFile(filepath.Join(npm, "warm"), []byte("warm"), 0o644)); err != nil {
			t.Fatal(err)
		}
		if laid && overlays(t.Context(), b.options) != nil {
			t.Skip("no overlays here")
		}
		where := `D=${npm_config_cache:-$HOME/.npm}; `
		if out, said := b.script(t, where+`echo evil >> $D/warm; echo more > $D/new`); out.Code != 0 {
			t.Fatalf("%+v, %s", out, said)
		}
		want := map[bool]string{false: "evil\nmore\n", true: "warmevil\nmore\n"}[laid]
		if _, said := b.script(t, where+`cat $D/warm $D/new`); said != want {
			t.Errorf("overlay %v: the next command finds %q, want %q", laid, said, want)
		}
		if data, err := os.ReadFile(filepath.Join(npm, "warm")); err != nil || string(data) != "warm" {
			t.Errorf("the user's own cache holds %q, %v", data, err)
		}
		root := filepath.Join(b.options.Cache, cachesFolder)
		if err := b.Prune(t.Context(), time.Now()); err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(root); len(left) != 1 {
			t.Errorf("%d workdirs have caches", len(left))
		}
		if err := b.Prune(t.Context(), time.Now().Add(maxUnused+time.Hour)); err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(root); len(left) != 0 {
			t.Errorf("old caches stay: %d", len(left))
		}
	}
}

func TestTwoCommandsAtOnceHaveTheirOwnCaches(t *testing.T) {
	dir := t.TempDir()
	a, doneA, errA := takeSlot(dir, "/work", 0)
	b, doneB, errB := takeSlot(dir, "/work", 0)
	if errA != nil || errB != nil || a == b {
		t.Fatalf("%s (%v) and %s (%v)", a, errA, b, errB)
	}
	doneA()
	if c, done, err := takeSlot(dir, "/work", 0); err != nil || c != a {
		t.Errorf("the next is %s, %v, want %s", c, err, a)
	} else {
		done()
	}
	doneB()
}
