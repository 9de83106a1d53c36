//go:build linux && (amd64 || arm64)

package sandbox

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data. Both processors that we know are little-endian: of an argument the low half comes first,
// and it is all that the kernel looks at where it takes an int.
const (
	dataNr   = 0
	dataArch = 4
	dataArgs = 16
)

const (
	retAllow = unix.SECCOMP_RET_ALLOW
	retKill  = unix.SECCOMP_RET_KILL_PROCESS
	retEPERM = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)

	// For calls whose callers know what to do on a kernel without them.
	retENOSYS = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
)

// namespaceFlags are the flags of clone and unshare that make namespaces. In one of its own a process would have
// capabilities again.
const namespaceFlags = unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP

// forbidden are calls that reach around the other layers, or into the kernel where it is seldom walked.
var forbidden = append([]uint32{
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PROCESS_MADVISE, unix.SYS_PIDFD_GETFD, unix.SYS_KCMP,
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD, unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY,
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_MOUNT_SETATTR, unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE,
	unix.SYS_OPEN_TREE_ATTR, unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_CHROOT, unix.SYS_SETNS,
	unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_FANOTIFY_INIT, unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD, unix.SYS_ACCT, unix.SYS_SWAPON, unix.SYS_SWAPOFF,
	unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_KEXEC_LOAD, unix.SYS_REBOOT, unix.SYS_SYSLOG, unix.SYS_VHANGUP,
	unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME, unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_ADJTIMEX, unix.SYS_CLOCK_ADJTIME,
	unix.SYS_NFSSERVCTL,
}, forbiddenHere...)

// unknown are calls that are answered as by a kernel that does not have them: clone3 hides its flags behind a pointer,
// io_uring does what the filter forbids without a call.
var unknown = []uint32{unix.SYS_CLONE3, unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER}

// A filter is a seccomp program in the making.
type filter []unix.SockFilter

func (f *filter) load(offset uint32) {
	*f = append(*f, unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset})
}

func (f *filter) ret(verdict uint32) {
	*f = append(*f, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: verdict})
}

// when runs the next skip instructions if what was loaded compares so with k, and jumps over them if not.
func (f *filter) when(compare uint16, k uint32, skip int) {
	*f = append(*f, unix.SockFilter{Code: unix.BPF_JMP | compare | unix.BPF_K, Jf: uint8(skip), K: k})
}

// unless is the opposite of when.
func (f *filter) unless(compare uint16, k uint32, skip int) {
	*f = append(*f, unix.SockFilter{Code: unix.BPF_JMP | compare | unix.BPF_K, Jt: uint8(skip), K: k})
}

// onArg decides about one call by an argument: values are let go on to good, all others get bad.
func (f *filter) onArg(nr uint32, arg int, compare uint16, values []uint32, hit, miss uint32) {
	f.when(unix.BPF_JEQ, nr, 2+2*len(values))
	f.load(uint32(dataArgs + 8*arg))
	for _, v := range values {
		f.when(compare, v, 1)
		f.ret(hit)
	}
	f.ret(miss)
}

// program is the filter. Sockets are of the families that are listed; the network they reach is the namespace's own at
// level 3, at level 2 there are none unless the network is granted.
func (p policy) program() filter {
	var f filter
	f.load(dataArch)
	f.unless(unix.BPF_JEQ, auditArch, 1)
	f.ret(retKill)
	f.load(dataNr)
	if runtime.GOARCH == "amd64" {
		f.when(unix.BPF_JGE, 0x40000000, 1) // x32: the same calls under other numbers
		f.ret(retENOSYS)
	}
	for _, nr := range forbidden {
		f.when(unix.BPF_JEQ, nr, 1)
		f.ret(retEPERM)
	}
	for _, nr := range unknown {
		f.when(unix.BPF_JEQ, nr, 1)
		f.ret(retENOSYS)
	}
	f.onArg(unix.SYS_CLONE, 0, unix.BPF_JSET, []uint32{namespaceFlags}, retEPERM, retAllow)
	f.onArg(unix.SYS_UNSHARE, 0, unix.BPF_JSET, []uint32{namespaceFlags | unix.CLONE_NEWTIME}, retEPERM, retAllow)
	f.onArg(unix.SYS_IOCTL, 1, unix.BPF_JEQ, []uint32{unix.TIOCSTI, unix.TIOCLINUX}, retEPERM, retAllow)
	f.onArg(unix.SYS_SOCKET, 0, unix.BPF_JEQ, p.families(), retAllow, retEPERM)
	f.socketpairs()
	f.ret(retAllow)
	return f
}

// families are the kinds of sockets that there may be. AF_UNIX would reach every daemon of the user, and AF_VSOCK the
// machine around this one: no namespace holds them.
func (p policy) families() []uint32 {
	if p.Level < 3 && !p.Network {
		return nil
	}
	return []uint32{unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK}
}

// socketpairs lets pairs be made whose ends stay with each other: one of datagrams can be sent to any name.
func (f *filter) socketpairs() {
	f.when(unix.BPF_JEQ, unix.SYS_SOCKETPAIR, 7)
	f.load(dataArgs + 8)
	*f = append(*f, unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: 0xf}) // SOCK_TYPE_MASK
	f.when(unix.BPF_JEQ, unix.SOCK_STREAM, 1)
	f.ret(retAllow)
	f.when(unix.BPF_JEQ, unix.SOCK_SEQPACKET, 1)
	f.ret(retAllow)
	f.ret(retEPERM)
}

func (p policy) seccomp() error {
	f := p.program()
	prog := unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(f)
	if errno != 0 {
		return errno
	}
	return nil
}
