package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// escapeName is the first argument that makes the test binary try to get out.
const escapeName = "__escape"

// A target is what an escape tries to get at.
type target struct {
	Work, Home, Private, Scratch, Outside string
	TCP, UDP, Unix, Abstract              string
	Victim                                int // a process of the user
	Canary                                string
}

// An attempted escape returns nil when it got out. low says that level 2 stops it, too.
type attempted struct {
	name string
	low  bool
	try  func(t target) error
}

// getOut tries all and says which were stopped.
func getOut(arg string) int {
	var t target
	if err := json.Unmarshal([]byte(arg), &t); err != nil {
		return 2
	}
	stopped := map[string]string{}
	for _, a := range attempts {
		if err := a.try(t); err != nil {
			stopped[a.name] = err.Error()
		}
	}
	if json.NewEncoder(os.Stdout).Encode(stopped) != nil {
		return 1
	}
	return 0
}

var attempts = []attempted{
	{"write in the home", true, func(t target) error { return touch(filepath.Join(t.Home, "new")) }},
	{"write in /var/tmp", true, func(t target) error { return touch("/var/tmp/" + t.Canary) }},
	{"write through a link", true, func(t target) error { return through(t, filepath.Join(t.Outside, "new")) }},
	{"change a file through a link", true, func(t target) error { return through(t, filepath.Join(t.Outside, "file")) }},
	{"write through /proc/self/root", true, func(t target) error { return touch("/proc/self/root" + filepath.Join(t.Home, "new")) }},
	{"write through /proc/1/root", true, func(t target) error { return touch("/proc/1/root" + filepath.Join(t.Home, "new")) }},
	{"link a file from outside and change it", true, func(t target) error {
		in := filepath.Join(t.Work, "hard")
		return errors.Join(os.Link(filepath.Join(t.Outside, "file"), in), touch(in))
	}},
	{"move a file in from outside", true, func(t target) error {
		return os.Rename(filepath.Join(t.Outside, "file"), filepath.Join(t.Work, "taken"))
	}},
	{"remove a file outside", true, func(t target) error { return os.Remove(filepath.Join(t.Outside, "file")) }},
	{"truncate a file outside", true, func(t target) error { return os.Truncate(filepath.Join(t.Outside, "file"), 0) }},
	{"chmod a file outside", false, func(t target) error { return os.Chmod(filepath.Join(t.Outside, "file"), 0o777) }},
	{"write in the session's folder", true, func(t target) error { return touch(filepath.Join(t.Scratch, "new")) }},

	{"read an ssh key", true, func(t target) error { return readable(filepath.Join(t.Home, ".ssh", "id_ed25519")) }},
	{"read a cloud key", true, func(t target) error { return readable(filepath.Join(t.Home, ".aws", "credentials")) }},
	{"read docker's passwords", true, func(t target) error { return readable(filepath.Join(t.Home, ".docker", "config.json")) }},
	{"read the token", true, func(t target) error { return readable(filepath.Join(t.Private, "run", "host.json")) }},
	{"read another session's output", true, func(t target) error { return readable(filepath.Join(t.Private, "scratch", "other", "out")) }},
	{"read a secret through a link", true, func(t target) error {
		link := filepath.Join(t.Work, "key")
		return errors.Join(os.Symlink(filepath.Join(t.Home, ".ssh", "id_ed25519"), link), readable(link))
	}},
	{"read a secret through /proc/1/root", true, func(t target) error {
		return readable("/proc/1/root" + filepath.Join(t.Home, ".ssh", "id_ed25519"))
	}},
	{"read /etc/shadow", true, func(target) error { return readable("/etc/shadow") }},

	{"connect to this machine", true, func(t target) error { return dial("tcp", t.TCP) }},
	{"send a datagram to this machine", true, func(t target) error { return echo(t.UDP) }},
	{"connect to a unix socket", true, func(t target) error { return dial("unix", t.Unix) }},
	{"connect to an abstract unix socket", true, func(t target) error { return dial("unix", "@"+t.Abstract) }},
	{"send from a pair of datagram sockets", true, pairedDatagram},
	{"open a socket to the machine around this one", true, func(target) error { return socket(unix.AF_VSOCK, unix.SOCK_STREAM) }},
	{"open a packet socket", true, func(target) error { return socket(unix.AF_PACKET, unix.SOCK_RAW) }},
	{"open a crypto socket", true, func(target) error { return socket(unix.AF_ALG, unix.SOCK_SEQPACKET) }},

	{"read the environment of another process", true, foreignEnviron},
	{"signal another process", true, func(t target) error { return unix.Kill(t.Victim, 0) }},
	{"end all processes", false, othersInSight},
	{"trace", true, func(target) error { return errnoOf(unix.SYS_PTRACE, unix.PTRACE_TRACEME, 0, 0) }},
	{"read the memory of another process", true, func(t target) error {
		return errnoOf(unix.SYS_PROCESS_VM_READV, uintptr(t.Victim), 0, 0)
	}},
	{"take a file of another process", true, func(t target) error { return errnoOf(unix.SYS_PIDFD_GETFD, 0, 0, 0) }},

	{"change .git/hooks", false, func(t target) error { return touch(filepath.Join(t.Work, ".git", "hooks", "pre-commit")) }},
	{"make a hook", false, func(t target) error { return touch(filepath.Join(t.Work, ".git", "hooks", "post-checkout")) }},
	{"replace .git/config", false, func(t target) error {
		made := filepath.Join(t.Work, "config")
		return errors.Join(touch(made), os.Rename(made, filepath.Join(t.Work, ".git", "config")))
	}},
	{"link to a hook and change it", false, func(t target) error {
		link := filepath.Join(t.Work, "hook")
		return errors.Join(os.Link(filepath.Join(t.Work, ".git", "hooks", "pre-commit"), link), touch(link))
	}},
	{"move .git away", false, func(t target) error { return moved(filepath.Join(t.Work, ".git")) }},
	{"move .github away", false, func(t target) error { return moved(filepath.Join(t.Work, ".github")) }},
	{"change a workflow", false, func(t target) error { return touch(filepath.Join(t.Work, ".github", "workflows", "ci.yml")) }},
	{"change AGENTS.md", false, func(t target) error { return touch(filepath.Join(t.Work, "AGENTS.md")) }},
	{"replace AGENTS.md", false, func(t target) error {
		made := filepath.Join(t.Work, "other")
		return errors.Join(touch(made), os.Rename(made, filepath.Join(t.Work, "AGENTS.md")))
	}},
	{"change a nested .vscode", false, func(t target) error { return touch(filepath.Join(t.Work, "sub", ".vscode", "tasks.json")) }},
	{"move the folder of a nested .vscode away", false, func(t target) error { return moved(filepath.Join(t.Work, "sub")) }},

	{"make a user namespace", true, func(target) error { return userNamespace() }},
	{"unshare", true, func(target) error { return errnoOf(unix.SYS_UNSHARE, unix.CLONE_NEWUSER, 0, 0) }},
	{"clone3", true, func(target) error { return errnoOf(unix.SYS_CLONE3, 0, 0, 0) }},
	{"enter another namespace", true, func(target) error { return denied(errnoOf(unix.SYS_SETNS, ^uintptr(0), 0, 0)) }},
	{"mount", true, func(t target) error { return unix.Mount("tmpfs", t.Work, "tmpfs", 0, "") }},
	{"open a new mount", true, func(target) error { _, err := unix.Fsopen("tmpfs", 0); return err }},
	{"unmount", true, func(t target) error { return denied(unix.Unmount("/proc", unix.MNT_DETACH)) }},
	{"chroot", true, func(t target) error { return unix.Chroot(t.Work) }},
	{"push a key into a terminal", true, func(target) error { return terminal(unix.TIOCSTI) }},
	{"push a key with a disguised number", true, func(target) error { return terminal(unix.TIOCSTI | 1<<32) }},
	{"use the keyrings", true, func(target) error { return denied(errnoOf(unix.SYS_KEYCTL, 0, 0, 0)) }},
	{"add a key", true, func(target) error { return denied(errnoOf(unix.SYS_ADD_KEY, 0, 0, 0)) }},
	{"load a program into the kernel", true, func(target) error { return denied(errnoOf(unix.SYS_BPF, 0, 0, 0)) }},
	{"watch the kernel", true, func(target) error { return denied(errnoOf(unix.SYS_PERF_EVENT_OPEN, 0, 0, 0)) }},
	{"userfaultfd", true, func(target) error { return denied(errnoOf(unix.SYS_USERFAULTFD, 0, 0, 0)) }},
	{"io_uring", true, func(target) error { return denied(errnoOf(unix.SYS_IO_URING_SETUP, 1, 0, 0)) }},
	{"open a file by its handle", true, func(target) error { return denied(errnoOf(unix.SYS_OPEN_BY_HANDLE_AT, 0, 0, 0)) }},
	{"call by the numbers of x32", true, x32},

	{"make a device", true, func(t target) error {
		return unix.Mknod(filepath.Join(t.Work, "dev"), unix.S_IFBLK|0o600, int(unix.Mkdev(254, 0)))
	}},
	{"open a disk", true, func(target) error {
		return anyOpens("/dev/vda", "/dev/sda", "/dev/nvme0n1", "/dev/mem", "/dev/kmsg", "/dev/fuse", "/dev/kvm")
	}},
	{"set a switch of the machine", true, func(target) error { return opensToWrite("/proc/sys/kernel/core_pattern") }},
	{"press SysRq", true, func(target) error { return opensToWrite("/proc/sysrq-trigger") }},
	{"set a switch in /sys", true, func(target) error { return opensToWrite("/sys/kernel/mm/transparent_hugepage/enabled") }},
	{"have capabilities", true, capabilities},
	{"have a terminal", true, func(target) error { _, err := os.OpenFile("/dev/tty", os.O_RDWR, 0); return err }},
}

func touch(path string) error { return os.WriteFile(path, []byte("escaped"), 0o755) }

func through(t target, path string) error {
	link := filepath.Join(t.Work, "link")
	_ = os.Remove(link)
	return errors.Join(os.Symlink(path, link), touch(link))
}

func readable(path string) error {
	data, err := os.ReadFile(path)
	if err == nil && len(data) == 0 {
		return errors.New("empty")
	}
	return err
}

func moved(path string) error {
	if err := os.Rename(path, path+".away"); err != nil {
		return err
	}
	return os.Rename(path+".away", path)
}

func dial(network, addr string) error {
	conn, err := net.DialTimeout(network, addr, time.Second)
	if err == nil {
		conn.Close()
	}
	return err
}

// echo waits for the answer: sending alone succeeds into the void.
func echo(addr string) error {
	conn, err := net.Dial("udp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, err = conn.Write([]byte("x"))
	_, err2 := conn.Read(make([]byte, 1))
	return errors.Join(err, err2)
}

func socket(family, kind int) error {
	fd, err := unix.Socket(family, kind, 0)
	if err == nil {
		unix.Close(fd)
	}
	return denied(err)
}

// denied tells a call that was stopped from one that the kernel has refused for another reason.
func denied(err error) error {
	if err == nil || errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EACCES) {
		return err
	}
	return nil
}

func errnoOf(nr, a, b, c uintptr) error {
	if _, _, errno := unix.Syscall(nr, a, b, c); errno != 0 {
		return errno
	}
	return nil
}

func pairedDatagram(t target) error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	return denied(unix.Sendto(fds[0], []byte("x"), 0, &unix.SockaddrUnix{Name: t.Unix}))
}

func foreignEnviron(t target) error {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, f := range files {
		if data, err := os.ReadFile(f); err == nil && bytes.Contains(data, []byte(t.Canary)) {
			return nil
		}
	}
	return fmt.Errorf("not in %d processes", len(files))
}

// othersInSight reports what kill(-1) would reach; it is not called.
func othersInSight(target) error {
	files, _ := filepath.Glob("/proc/[0-9]*")
	if len(files) > 3 {
		return nil
	}
	return fmt.Errorf("%d processes in sight", len(files))
}

func terminal(request uintptr) error {
	f, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	c := byte('x')
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), request, uintptr(unsafe.Pointer(&c)))
	if errno != 0 {
		return errno
	}
	return nil
}

func x32(target) error {
	if runtime.GOARCH != "amd64" {
		return errors.New("another processor")
	}
	return errnoOf(0x40000000|unix.SYS_GETPID, 0, 0, 0)
}

func anyOpens(paths ...string) error {
	for _, path := range paths {
		f, err := os.Open(path)
		if err == nil {
			f.Close()
			return nil
		}
	}
	return errors.New("none opens")
}

func opensToWrite(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		f.Close()
	}
	return err
}

func capabilities(target) error {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
		bad := strings.HasPrefix(name, "Cap") && strings.Trim(value, "0") != "" && (name != "CapBnd" || os.Geteuid() == 0) ||
			name == "NoNewPrivs" && value != "1" || name == "Seccomp" && value != "2"
		if bad {
			return nil
		}
	}
	return errors.New("none, and none to come")
}
