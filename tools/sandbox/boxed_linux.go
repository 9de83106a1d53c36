package sandbox

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A boxed command is the tree of one with bounds: the helper and all below it.
type boxed struct {
	tree   // of the helper
	cmd    *exec.Cmd
	orders *os.File
	status *os.File
	level  int
}

// ownProgram is the program that runs, also when its file has been replaced meanwhile.
const ownProgram = "/proc/self/exe"

// launch starts the helper with the policy.
func launch(cmd *exec.Cmd, p policy) (tree, error) {
	if p.shared != nil {
		return p.shared.join(cmd, p)
	}
	read, orders, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	status, write, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, read.Close(), orders.Close())
	}
	b := &boxed{cmd: cmd, orders: orders, status: status, level: p.Level}
	beHelper(cmd, read, write)
	if p.Level == 3 {
		spaces := uintptr(helperNamespaces)
		if !p.Network {
			spaces |= unix.CLONE_NEWNET
		}
		err = isolate(cmd.SysProcAttr, spaces)
	}
	if err == nil {
		b.tree, err = startAs(cmd, p.marker)
	}
	err = errors.Join(err, read.Close(), write.Close())
	if err == nil {
		err = b.instruct(p)
	}
	if err != nil {
		b.close()
		if b.tree != nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
		return nil, err
	}
	return b, nil
}

// beHelper makes the command our own program as helper, with the pipe of its orders and that of its status.
func beHelper(cmd *exec.Cmd, orders, status *os.File) {
	// With a processor to spare, a thread that comes back from a system call finds its own: that is 1 to 2 ms for each command.
	cmd.Path, cmd.Args, cmd.Env, cmd.Dir = ownProgram, []string{"coder", helperName}, []string{"GOMAXPROCS=3", "GOGC=off"}, "/"
	cmd.ExtraFiles = []*os.File{orders, status}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
}

// helperNamespaces are those of each helper at level 3, beside that of the network.
const helperNamespaces = unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP

// instruct hands the policy over. A helper that dies meanwhile says why at its end.
func (b *boxed) instruct(p policy) error {
	err := errors.Join(b.orders.SetWriteDeadline(time.Now().Add(helperPatience)), p.write(b.orders), b.orders.SetWriteDeadline(time.Time{}))
	if errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}

// helperPatience is how long a helper may take to read its policy.
const helperPatience = 10 * time.Second

// isolate gives a process namespaces of its own. It keeps the user's ids: files keep their owners, and git its trust.
func isolate(a *syscall.SysProcAttr, spaces uintptr) error {
	a.Cloneflags = spaces
	// Capabilities within the namespaces go at the exec of the helper, unless they are ambient.
	a.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_SETPCAP}
	if os.Geteuid() != 0 {
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}}
		return nil
	}
	a.AmbientCaps = append(a.AmbientCaps, unix.CAP_SETUID, unix.CAP_SETGID) // a keeper gives its helpers all of the ids
	var err error
	if a.UidMappings, err = identity("/proc/self/uid_map"); err != nil {
		return err
	}
	a.GidMappings, err = identity("/proc/self/gid_map")
	return err
}

// identity maps all ids that we have to themselves: root sees who owns a file.
func identity(path string) (maps []syscall.SysProcIDMap, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) != 3 {
			return nil, fmt.Errorf("%s has the line %q", path, line)
		}
		first, err1 := strconv.Atoi(f[0])
		size, err2 := strconv.Atoi(f[2])
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		maps = append(maps, syscall.SysProcIDMap{ContainerID: first, HostID: first, Size: size})
	}
	return maps, nil
}

// end ends the command. At level 3 the helper asks all of it, and takes it along when it is killed.
func (b *boxed) end(exited <-chan struct{}) {
	if b.level < 3 {
		b.tree.end(exited)
		return
	}
	_, _ = b.orders.Write([]byte{orderEnd}) // EPIPE: it has ended
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-exited:
		return
	case <-late.C:
	}
	_ = b.cmd.Process.Kill()
	late.Reset(patience)
	select {
	case <-exited:
	case <-late.C: // something is in uninterruptible sleep
	}
}

// send has the helper signal the command: at level 3 the host cannot see it, and the group that it sees is the helper's.
func (b *boxed) send(name string) error {
	_, err := b.orders.Write([]byte{orderSignal, byte(signalNumbers[name])})
	if err != nil && !errors.Is(err, syscall.EPIPE) { // EPIPE: it has ended
		return fmt.Errorf("sandbox: sending %s: %w", name, err)
	}
	return nil
}

func (b *boxed) left() []Process {
	if b.level < 3 {
		return b.tree.left()
	}
	return nil
}

func (b *boxed) close() {
	b.orders.Close()
	b.status.Close()
	if b.tree != nil {
		b.tree.close()
	}
}

// report reads what the helper said.
func (b *boxed) report(o *Outcome, killed bool) error {
	if err := b.status.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	said, _ := readAll(b.status) // who holds the pipe for longer has nothing to say
	return readReport(said, o, killed)
}

// maxStatus bounds what a helper says, in bytes: a list of what was left, with its names.
const maxStatus = 64 << 10

func readAll(r io.Reader) ([]byte, error) { return io.ReadAll(io.LimitReader(r, maxStatus)) }

// readReport reads what a helper has said.
func readReport(said []byte, o *Outcome, killed bool) error {
	var st status
	for lines := bufio.NewScanner(bytes.NewReader(said)); lines.Scan(); {
		if err := json.Unmarshal(lines.Bytes(), &st); err != nil {
			return fmt.Errorf("sandbox: what the helper says: %w", err)
		}
	}
	o.Ended, o.Crowd = st.Left, st.Crowd
	switch {
	case st.Failed != "" && st.Applied:
		return fmt.Errorf("sandbox: %s%w", strings.TrimSuffix(st.Failed, syscall.Errno(st.Errno).Error()), syscall.Errno(st.Errno))
	case st.Failed != "":
		return &LayerError{Why: st.Failed}
	case st.Ended && st.Signal != 0:
		o.Code, o.Signal = -1, syscall.Signal(st.Signal).String()
	case st.Ended:
		o.Code, o.Signal = st.Code, ""
	case killed || st.Applied:
		o.Code, o.Signal = -1, syscall.SIGKILL.String()
	default:
		return &LayerError{Why: "the helper ended before it had applied all layers"}
	}
	return nil
}
