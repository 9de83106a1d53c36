package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// unprivileged is the variable that tells the test binary that it runs as the user nobody.
const unprivileged = "CODER_TEST_UNPRIVILEGED"

// TestAsAUser runs the tests that matter to a user once more without root.
func TestAsAUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("this run is one of a user")
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Skip("there is no user nobody")
	}
	uid, _ := strconv.Atoi(nobody.Uid)
	gid, _ := strconv.Atoi(nobody.Gid)
	dir, err := os.MkdirTemp("", "coder-nobody-") //nolint:usetesting // another user must get there
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	exe, err := os.ReadFile(ownProgram)
	if err != nil {
		t.Fatal(err)
	}
	program, home := filepath.Join(dir, "sandbox.test"), filepath.Join(dir, "home")
	for _, err := range []error{os.Chmod(dir, 0o755), os.WriteFile(program, exe, 0o755), os.Mkdir(home, 0o700), os.Chown(home, uid, gid)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), program, "-test.run", "^(TestEscapes|TestTheBoxKeepsTheContract|TestOrdinaryWork|TestTheSelfTest.*)$", "-test.v")
	cmd.Dir = home
	cmd.Env = []string{"PATH=/usr/local/go/bin:/usr/local/bin:/usr/bin:/bin", "HOME=" + home, "TMPDIR=" + home, unprivileged + "=1"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	out, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "SKIP") || strings.Contains(line, "FAIL") || err != nil {
			t.Log(strings.TrimSuffix(line, "\n"))
		}
	}
	if err != nil || !strings.Contains(string(out), "PASS: TestEscapes") {
		t.Errorf("as nobody: %v", err)
	}
}

// missing skips the test for what this machine does not have. In CI all of it is there.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// works skips the test where the level does not.
func works(t *testing.T, level int) {
	t.Helper()
	if _, err := landlockABI(); err != nil {
		missing(t, "level %d wants Landlock: %v", level, err)
	}
	_, err := attemptLevel(t, level)
	if err != nil {
		missing(t, "level %d does not work here: %v", level, err)
	}
}

func attemptLevel(t *testing.T, level int) ([]Check, error) {
	t.Helper()
	return attempt(t.Context(), Options{Home: t.TempDir()}, t.TempDir(), level)
}

// newTarget makes a world with something to get at, outside of /tmp where that can be had: a command has one of its own.
func newTarget(t *testing.T) (target, Options) {
	t.Helper()
	base, err := os.MkdirTemp("/var/tmp", "coder-escape-") //nolint:usetesting // the sandbox has a /tmp of its own
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	x := target{
		Work: filepath.Join(base, "work"), Home: filepath.Join(base, "home"), Private: filepath.Join(base, "home", "data"), Outside: filepath.Join(base, "outside"),
		Canary: "canary-" + filepath.Base(base), Abstract: filepath.Base(base), Unix: filepath.Join(base, "outside", "socket"),
	}
	x.Scratch = filepath.Join(x.Private, "scratch", "own")
	for path, text := range map[string]string{
		x.Home + "/.ssh/id_ed25519": "key", x.Home + "/.aws/credentials": "key", x.Home + "/.docker/config.json": "{}", x.Private + "/run/host.json": "token",
		x.Private + "/scratch/other/out": "output", x.Scratch + "/out": "output", x.Outside + "/file": "file",
		x.Work + "/.git/hooks/pre-commit": "#!/bin/sh\n", x.Work + "/.git/config": "[core]\n", x.Work + "/.github/workflows/ci.yml": "on: push\n",
		x.Work + "/AGENTS.md": "Be kind.\n", x.Work + "/sub/.vscode/tasks.json": "{}",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	x.listen(t)
	victim := exec.CommandContext(t.Context(), "/bin/sleep", "300")
	victim.Env = []string{"SECRET=" + x.Canary}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = victim.Process.Kill(); _ = victim.Wait() })
	x.Victim = victim.Process.Pid
	return x, Options{Home: x.Home, Private: []string{x.Private}, Cache: filepath.Join(x.Home, ".cache", "coder")}
}

// listen opens what a command should not reach.
func (x *target) listen(t *testing.T) {
	t.Helper()
	for network, addr := range map[string]*string{"tcp": &x.TCP, "unix": nil, "abstract": nil} {
		at := map[string]string{"tcp": "127.0.0.1:0", "unix": x.Unix, "abstract": "@" + x.Abstract}[network]
		l, err := net.Listen(map[string]string{"tcp": "tcp", "unix": "unix", "abstract": "unix"}[network], at)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		if addr != nil {
			*addr = l.Addr().String()
		}
	}
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	x.UDP = udp.LocalAddr().String()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for b := make([]byte, 16); ; {
			n, from, err := udp.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = udp.WriteTo(b[:n], from)
		}
	}()
	t.Cleanup(func() { udp.Close(); <-done })
}

// TestEscapes tries everything at each level. What a level does not stop is known, and no surprise either way.
func TestEscapes(t *testing.T) {
	for _, level := range []int{LevelFull, LevelLandlock} {
		t.Run(levelNames[level], func(t *testing.T) {
			works(t, level)
			x, o := newTarget(t)
			arg, _ := json.Marshal(x)
			var said bytes.Buffer
			out, err := New(o, Report{Level: level}).Run(t.Context(), Command{
				Argv: []string{ownProgram, escapeName, string(arg)}, Dir: x.Work, Env: []string{"HOME=" + x.Home}, Stdout: &said,
			}, Bounds{Workdir: x.Work, Scratch: x.Scratch})
			var stopped map[string]string
			if err != nil || out.Code != 0 || json.Unmarshal(said.Bytes(), &stopped) != nil {
				t.Fatalf("%+v, %v: %s", out, err, said.String())
			}
			for _, a := range attempts {
				why, held := stopped[a.name]
				if want := level == LevelFull || a.low; held != want {
					t.Errorf("%s: stopped is %v (%s), want %v", a.name, held, why, want)
				}
			}
			x.inspect(t)
		})
	}
}

// inspect looks from outside whether all is as it was.
func (x target) inspect(t *testing.T) {
	t.Helper()
	for path, want := range map[string]string{
		x.Outside + "/file": "file", x.Work + "/.git/hooks/pre-commit": "#!/bin/sh\n", x.Work + "/.git/config": "[core]\n", x.Work + "/AGENTS.md": "Be kind.\n",
		x.Work + "/.github/workflows/ci.yml": "on: push\n", x.Work + "/sub/.vscode/tasks.json": "{}",
	} {
		if data, err := os.ReadFile(path); err != nil || string(data) != want {
			t.Errorf("%s holds %q (%v), want %q", path, data, err, want)
		}
	}
	for _, path := range []string{x.Home + "/new", x.Outside + "/new", "/var/tmp/" + x.Canary, x.Scratch + "/new", x.Work + "/.git/hooks/post-checkout"} {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s was made", path)
		}
	}
	if err := syscall.Kill(x.Victim, 0); err != nil {
		t.Errorf("the other process: %v", err)
	}
}

// TestAttemptsSucceedWithoutABox makes sure that the attempts are no strawmen: most work outside.
func TestAttemptsSucceedWithoutABox(t *testing.T) {
	x, _ := newTarget(t)
	// As root these would succeed, and do harm or end this test.
	harmful := []string{"trace", "mount", "unmount", "chroot", "unshare", "press SysRq"}
	for _, a := range attempts {
		if slices.Contains(harmful, a.name) {
			continue
		}
		if slices.Contains([]string{
			"write in the home", "read an ssh key", "read the token", "connect to this machine", "send a datagram to this machine",
			"connect to a unix socket", "connect to an abstract unix socket", "send from a pair of datagram sockets", "read the environment of another process",
			"signal another process", "end all processes", "change .git/hooks", "replace .git/config", "move .git away", "write through a link",
			"link a file from outside and change it", "write in the session's folder", "change AGENTS.md",
		}, a.name) {
			if err := a.try(x); err != nil {
				t.Errorf("%s: %v", a.name, err)
			}
		}
	}
}

// TestTheBoxKeepsTheContract: a boxed command is told of and ended as any other.
func TestTheBoxKeepsTheContract(t *testing.T) {
	for _, level := range []int{LevelFull, LevelLandlock} {
		t.Run(levelNames[level], func(t *testing.T) {
			works(t, level)
			x, o := newTarget(t)
			box := New(o, Report{Level: level})
			run := func(script string) (Outcome, string) {
				var b bytes.Buffer
				c := shell(t, script, &b)
				c.Dir = x.Work
				out, err := box.Run(t.Context(), c, Bounds{Workdir: x.Work, Scratch: x.Scratch})
				if err != nil {
					t.Fatalf("%s: %v", script, err)
				}
				return out, b.String()
			}
			if out, said := run("echo a; echo b >&2; pwd; exit 7"); out.Code != 7 || said != "a\nb\n"+x.Work+"\n" {
				t.Errorf("%+v, %q", out, said)
			}
			if out, _ := run("exit 126"); out.Code != 126 {
				t.Errorf("a command's own 126: %+v", out)
			}
			if out, _ := run("kill -SEGV $$"); out.Code != -1 || out.Signal != "segmentation fault" {
				t.Errorf("%+v", out)
			}
			if out, _ := run("setsid sleep 300 & disown; echo begun"); len(out.Ended) != 1 || !slices.Contains([]string{"sleep", "setsid", "bash"}, out.Ended[0].Name) || len(out.Running) != 0 {
				t.Errorf("what it left: %+v", out)
			}
			if _, said := run(`echo t > $TMPDIR/x; cat "` + x.Scratch + `/tmp/x" "` + x.Scratch + `/out"; umask`); said != "t\noutput"+"0022\n" {
				t.Errorf("the session's folder: %q", said)
			}
			if _, said := run("echo /proc/self/fd/*"); said != "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3\n" { // 3 is the listing's own
				t.Errorf("open files: %q", said)
			}
			if _, err := box.Run(t.Context(), Command{Argv: []string{"/none"}, Dir: x.Work, Stdout: io.Discard}, Bounds{Workdir: x.Work}); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a program that is not there: %v", err)
			}
		})
	}
}
