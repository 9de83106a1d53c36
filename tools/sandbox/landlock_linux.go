package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	landlockRead = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR

	// landlockFile are the rights that a rule about a file may give.
	landlockFile = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE |
		unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV

	landlockScopes = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
)

// landlockABI is the version of Landlock that the kernel has. Without it that is an error.
func landlockABI() (int, error) {
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0, fmt.Errorf("the kernel has no Landlock: %w", errno)
	}
	return int(abi), nil
}

// handled are the rights that Landlock of a version can take away.
func handled(abi int) uint64 {
	rights := uint64(unix.LANDLOCK_ACCESS_FS_REFER) - 1
	if abi >= 2 {
		rights |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi >= 3 {
		rights |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi >= 5 {
		rights |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	return rights
}

// landlock is the second wall at level 3, and the first at level 2, where it also hides: a right that is given for a
// folder holds for all beneath it, so what is hidden has none of its ancestors in the list.
func (p policy) landlock() error {
	abi, err := landlockABI()
	if err != nil {
		return err
	}
	attr := unix.LandlockRulesetAttr{Handled_access_fs: handled(abi)}
	if abi >= 6 {
		attr.Scoped = landlockScopes
	}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return errno
	}
	l := landlock{fd: int(fd), all: attr.Handled_access_fs}
	defer unix.Close(l.fd)
	if err := l.rules(p); err != nil {
		return err
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

type landlock struct {
	fd  int
	all uint64 // the rights that are handled
}

func (l landlock) rules(p policy) error {
	if p.Level == 3 {
		if err := l.allow("/", landlockRead); err != nil {
			return err
		}
		if err := l.allow("/dev", l.all); err != nil {
			return err
		}
	} else if err := l.allowDevices(p); err != nil {
		return err
	}
	for _, path := range p.Shown {
		if err := l.allow(path, landlockRead); err != nil {
			return err
		}
	}
	writable := p.Writable
	if p.Level == 3 && p.Tmp != "" {
		writable = append([]string{"/tmp"}, writable...)
	}
	for _, o := range p.Overlays {
		writable = append(writable, o.At)
	}
	for _, path := range writable {
		if err := l.allow(path, l.all&^unix.LANDLOCK_ACCESS_FS_IOCTL_DEV); err != nil {
			return err
		}
	}
	return nil
}

// allowDevices is for level 2: names may be read everywhere, files all but the hidden ones, and of the devices the
// harmless ones may be written.
func (l landlock) allowDevices(p policy) error {
	if err := l.allow("/", unix.LANDLOCK_ACCESS_FS_READ_DIR); err != nil {
		return err
	}
	if err := l.allowAround("/", append([]string{"/dev"}, p.Hidden...)); err != nil {
		return err
	}
	for _, d := range devices {
		err := l.allow(d, unix.LANDLOCK_ACCESS_FS_READ_FILE|unix.LANDLOCK_ACCESS_FS_WRITE_FILE)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// allowAround lets dir be read, but for what is hidden.
func (l landlock) allowAround(dir string, hidden []string) error {
	deeper := false
	for _, h := range hidden {
		if within(h, dir) {
			return nil
		}
		deeper = deeper || within(dir, h)
	}
	if !deeper {
		return l.allow(dir, landlockRead)
	}
	names, err := readNames(dir)
	if err != nil {
		return nil // it cannot be read anyway
	}
	for _, n := range names {
		path := filepath.Join(dir, n)
		info, err := os.Lstat(path)
		if err != nil || info.Mode()&fs.ModeSymlink != 0 {
			continue // a link has no rights of its own
		}
		if err := l.allowAround(path, hidden); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

func (l landlock) allow(path string, rights uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		rights &= landlockFile
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: rights & l.all, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(l.fd), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 {
		return &fs.PathError{Op: "allow", Path: path, Err: errno}
	}
	return nil
}
