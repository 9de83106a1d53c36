package sandbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// machine names all that the result of the self-test depends on: this boot of this kernel, this program, the namespaces we
// are in, the user and their folders.
func machine(o Options) string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "" // nothing is kept
	}
	var uts unix.Utsname
	exe, errStat := os.Stat(ownProgram)
	if err := errors.Join(unix.Uname(&uts), errStat); err != nil {
		return ""
	}
	h := sha256.New()
	fmt.Fprintln(h, string(boot), unix.ByteSliceToString(uts.Release[:]), unix.ByteSliceToString(uts.Version[:]),
		exe.ModTime().UnixNano(), exe.Size(), os.Geteuid(), o.Home, o.Cache, os.TempDir())
	for _, ns := range []string{"user", "mnt", "pid", "net"} {
		link, err := os.Readlink("/proc/self/ns/" + ns)
		fmt.Fprintln(h, link, err)
	}
	for _, sysctl := range []string{"kernel/apparmor_restrict_unprivileged_userns", "kernel/unprivileged_userns_clone", "user/max_user_namespaces"} {
		value, _ := os.ReadFile("/proc/sys/" + sysctl) // most systems lack some
		fmt.Fprintf(h, "%q\n", value)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// testPatience bounds one run of the self-test.
const testPatience = 10 * time.Second

// try looks for the highest level that holds.
func try(ctx context.Context, o Options, dir string) Report {
	var why []string
	for _, level := range []int{LevelFull, LevelLandlock} {
		r := Report{Level: level}
		var err error
		if r.Checks, err = attempt(ctx, o, dir, level); err == nil && r.stands() {
			r.Why = strings.Join(why, "; ")
			r.Overlay = level == LevelFull && o.Cache != "" && overlays(ctx, o) == nil
			return r
		}
		if err == nil {
			err = errors.New("a command could " + strings.Join(r.Misses(), ", "))
		}
		why = append(why, fmt.Sprintf("%s: %v", levelNames[level], err))
	}
	return failedReport(strings.Join(why, "; "))
}

// probe runs the probe of our own program in the box.
func (b *Box) probe(ctx context.Context, f fixture, addr string) ([]Check, error) {
	task, err := json.Marshal(task{
		Outside: f.outside, Secret: f.secret, Addr: addr, Host: os.Getpid(), Hook: f.hook, Git: filepath.Join(f.work, ".git"),
	})
	if err != nil {
		return nil, err
	}
	var said bytes.Buffer
	out, err := b.Run(ctx, Command{
		Argv: []string{ownProgram, helperName, "probe", string(task)}, Dir: f.work, Env: []string{"HOME=" + b.options.Home}, Stdout: &said, Timeout: testPatience,
	}, Bounds{Workdir: f.work, Scratch: f.scratch})
	if err != nil {
		return nil, err
	}
	var checks []Check
	if err := json.Unmarshal(said.Bytes(), &checks); err != nil || out.Code != 0 {
		return nil, fmt.Errorf("the probe ended with %d, and said %q", out.Code, said.String())
	}
	f.inspect(checks)
	return checks, nil
}

// overlays tries to lay a folder over another.
func overlays(ctx context.Context, o Options) error {
	if err := os.MkdirAll(o.Cache, 0o700); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(o.Cache, "overlay-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return err
	}
	lay := overlay{At: filepath.Join(dir, "lower"), Upper: filepath.Join(dir, "upper"), Work: filepath.Join(dir, "work")}
	for _, d := range []string{lay.At, lay.Upper, lay.Work} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return err
		}
	}
	file := filepath.Join(lay.At, "file")
	if err := os.WriteFile(file, []byte("lower"), 0o600); err != nil {
		return err
	}
	p := policy{Level: LevelFull, Argv: []string{ownProgram, helperName, "append", file}, Dir: "/", Umask: -1, Overlays: []overlay{lay}}
	out, err := run(ctx, Command{Argv: p.Argv, Stdout: new(bytes.Buffer), Timeout: testPatience}, func(cmd *exec.Cmd) (tree, error) { return launch(cmd, p) })
	if err != nil || out.Code != 0 {
		return fmt.Errorf("ended with %d: %w", out.Code, err)
	}
	below, err1 := os.ReadFile(file)
	above, err2 := os.ReadFile(filepath.Join(lay.Upper, "file"))
	if string(below) != "lower" || string(above) != "lower+upper" {
		return errors.Join(errors.New("the overlay does not hold"), err1, err2)
	}
	return nil
}
