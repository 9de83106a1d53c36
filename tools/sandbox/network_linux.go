package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Network is a loopback that several commands share, so that one can ask the server that another is. It leads nowhere
// else. A process of ours, the keeper, has it, and starts the helpers of those commands: only a child of its user
// namespace gets into the network and can still have namespaces of its own for everything else.
type Network struct {
	mu     sync.Mutex // one start at a time
	conn   *net.UnixConn
	keeper *exec.Cmd
	ended  chan struct{} // closed when the keeper has
}

// keeperName is the second argument that makes the program a keeper.
const keeperName = "network"

// A started is what the keeper says of a helper that it was to start; the first one is about its own network.
type started struct {
	Failed string `json:"failed,omitempty"`
}

// NewNetwork makes a loopback to share. Below level 3 there is none: commands have no network at all, or the machine's.
func (b *Box) NewNetwork() (*Network, error) {
	if b.Level() < LevelFull {
		return nil, nil
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("sandbox: a network to share: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "keeper"), os.NewFile(uintptr(fds[1]), "keeper")
	defer theirs.Close()
	n := &Network{ended: make(chan struct{})}
	n.conn, err = packets(ours)
	if err != nil {
		return nil, err
	}
	n.keeper = &exec.Cmd{Path: ownProgram, Args: []string{"coder", helperName, keeperName}, Env: []string{"GOMAXPROCS=2"}, Dir: "/", ExtraFiles: []*os.File{theirs}}
	n.keeper.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := isolate(n.keeper.SysProcAttr, unix.CLONE_NEWUSER|unix.CLONE_NEWNET); err != nil {
		return nil, errors.Join(err, n.conn.Close())
	}
	if err := spawn(n.keeper); err != nil {
		return nil, errors.Join(fmt.Errorf("sandbox: a network to share: %w", err), n.conn.Close())
	}
	go func() {
		defer close(n.ended)
		_ = n.keeper.Wait() // it ends with its connection, and has nothing to say
	}()
	if err := n.answer(); err != nil {
		n.Close()
		return nil, fmt.Errorf("sandbox: a network to share: %w", err)
	}
	return n, nil
}

// packets makes a connection of a socket.
func packets(f *os.File) (*net.UnixConn, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	conn, ok := c.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(errors.New("sandbox: the socket of the keeper is no unix socket"), c.Close())
	}
	return conn, nil
}

// answer waits for what the keeper says.
func (n *Network) answer() error {
	if err := n.conn.SetReadDeadline(time.Now().Add(helperPatience)); err != nil {
		return err
	}
	buf := make([]byte, 4<<10)
	size, err := n.conn.Read(buf)
	if err != nil {
		return fmt.Errorf("the keeper of the network: %w", err)
	}
	var said started
	if err := json.Unmarshal(buf[:size], &said); err != nil {
		return fmt.Errorf("what the keeper says: %w", err)
	}
	if said.Failed != "" {
		return errors.New(said.Failed)
	}
	return nil
}

// Close lets go of the network. It is gone when the last command in it has ended.
func (n *Network) Close() {
	if n == nil {
		return
	}
	n.conn.Close()
	<-n.ended
}

// start has the keeper start a helper with these files: input, output, errors, its orders and its status.
func (n *Network) start(files ...*os.File) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	fds := make([]int, len(files))
	for i, f := range files {
		fds[i] = int(f.Fd())
	}
	if _, _, err := n.conn.WriteMsgUnix([]byte("{}"), unix.UnixRights(fds...), nil); err != nil {
		return fmt.Errorf("asking the keeper of the network: %w", err)
	}
	return n.answer()
}

// A guest is the tree of a command in a shared network. Its helper is not our child: what it says, and that it says no more, is
// all that we know of it, and it ends when nobody gives it orders.
type guest struct {
	boxed
	said chan []byte // all that the helper has said, once it has ended
}

// join starts the helper in a network.
func (n *Network) join(cmd *exec.Cmd, p policy) (tree, error) {
	read, orders, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	status, write, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, read.Close(), orders.Close())
	}
	g := &guest{boxed: boxed{orders: orders, status: status, level: p.Level}, said: make(chan []byte, 1)}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err == nil {
		err = n.start(fileOr(cmd.Stdin, null), fileOr(cmd.Stdout, null), fileOr(cmd.Stderr, null), read, write)
		err = errors.Join(err, null.Close())
	}
	err = errors.Join(err, read.Close(), write.Close())
	if err == nil {
		err = g.instruct(p)
	}
	if err != nil {
		g.close()
		return nil, err
	}
	return g, nil
}

// fileOr is a file of a command, or null where it has none.
func fileOr(f any, null *os.File) *os.File {
	if file, ok := f.(*os.File); ok {
		return file
	}
	return null
}

// wait returns when the helper has ended.
func (g *guest) wait() {
	said, _ := readAll(g.status) // a pipe that breaks has ended, too
	g.said <- said
}

func (g *guest) end(exited <-chan struct{}) {
	_, _ = g.orders.Write([]byte{orderEnd}) // EPIPE: it has ended
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-exited:
		return
	case <-late.C:
	}
	g.orders.Close()
	late.Reset(patience)
	select {
	case <-exited:
	case <-late.C: // something is in uninterruptible sleep
	}
}

func (g *guest) left() []Process { return nil }

func (g *guest) drain(r *os.File, copied <-chan struct{}) { drainUntil(r, copied) }

func (g *guest) report(o *Outcome, killed bool) error {
	select {
	case said := <-g.said:
		return readReport(said, o, killed)
	default:
		return errors.New("sandbox: the helper has not ended")
	}
}

// keepNetwork is the keeper: it makes the network, and starts helpers in it until the host has gone.
func keepNetwork() int {
	conn, err := packets(os.NewFile(policyFD, "host"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "coder: error: "+helperName+" "+keeperName+" is started by coder itself")
		return exitUnbounded
	}
	say := func(err error) {
		var s started
		if err != nil {
			s.Failed = err.Error()
		}
		if line, err := json.Marshal(s); err == nil {
			_, _ = conn.Write(line) // the host is gone: the next read says so
		}
	}
	if err := loopbackUp(); err != nil {
		say(fmt.Errorf("bringing up the loopback device: %w", err))
		return exitUnbounded
	}
	say(nil)
	buf, rights := make([]byte, 64), make([]byte, unix.CmsgSpace(5*4))
	for {
		n, oob, _, _, err := conn.ReadMsgUnix(buf, rights)
		if err != nil || n == 0 {
			return 0
		}
		say(startGuest(rights[:oob]))
	}
}

// startGuest starts a helper with the files that came.
func startGuest(rights []byte) error {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil || len(messages) != 1 {
		return fmt.Errorf("no files came: %w", err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 5 {
		return fmt.Errorf("%d files came: %w", len(fds), err)
	}
	files := make([]*os.File, len(fds))
	for i, fd := range fds {
		unix.CloseOnExec(fd)
		files[i] = os.NewFile(uintptr(fd), "guest")
		defer files[i].Close()
	}
	cmd := &exec.Cmd{Stdin: files[0], Stdout: files[1], Stderr: files[2]}
	beHelper(cmd, files[3], files[4])
	if err := isolate(cmd.SysProcAttr, helperNamespaces); err != nil {
		return err
	}
	if err := spawn(cmd); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // the host hears of its end by its status
	return nil
}
