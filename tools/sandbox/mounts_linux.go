package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// devices are the nodes of /dev that a command gets: none that stores, listens or watches.
var devices = []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"}

// A step puts something in its place in the new view of the file system. Steps are done from the root down, so that what
// is deeper wins; in one place, in the order in which they were made.
type step struct {
	path string
	do   func(path string) error
}

// A view is the file system as the command sees it, in the making.
type view struct {
	policy policy
	steps  []step
	seals  []string // folders of ours that become read-only when all is in its place
	empty  struct{ dir, file string }
}

// mount makes the new view, in the namespace of this process: the world read-only, the writable folders on top, what is
// hidden covered, /dev, /proc and /tmp new.
func (p policy) mount() error {
	v := view{policy: p}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("parting from the machine's mounts: %w", err)
	}
	for _, o := range p.Overlays {
		if err := o.mount(); err != nil {
			return fmt.Errorf("laying a folder over %s: %w", o.At, err)
		}
	}
	if err := v.gather(); err != nil {
		return err
	}
	dev, err := cloneDevices()
	if err != nil {
		return err
	}
	if err := setAttr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV); err != nil {
		return fmt.Errorf("making the world read-only: %w", err)
	}
	if err := mountProc(); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	if err := v.mountDev(dev); err != nil {
		return fmt.Errorf("mounting /dev: %w", err)
	}
	return v.build()
}

// gather takes hold of what is put back later, while it can be written and seen.
func (v *view) gather() error {
	p := v.policy
	if p.Tmp != "" && isDir("/tmp") {
		if err := v.keep(p.Tmp, "/tmp", 0); err != nil {
			return err
		}
	}
	for _, path := range p.Hidden {
		v.add(path, v.hide)
	}
	for _, path := range p.Shown {
		if err := v.keep(path, path, unix.MOUNT_ATTR_RDONLY); err != nil {
			return err
		}
	}
	for _, o := range p.Overlays {
		if err := v.keep(o.At, o.At, 0); err != nil {
			return err
		}
	}
	for _, path := range p.Writable {
		if err := v.keep(path, path, 0); err != nil {
			return err
		}
	}
	for _, path := range p.Pinned {
		v.add(path, func(path string) error { return bindSelf(path, 0) })
	}
	for _, path := range p.Protected {
		v.add(path, func(path string) error { return bindSelf(path, unix.MOUNT_ATTR_RDONLY) })
	}
	return nil
}

func (v *view) add(path string, do func(string) error) { v.steps = append(v.steps, step{path, do}) }

// keep clones the tree at from as it is now, and puts it at the path to later.
func (v *view) keep(from, to string, attr uint64) error {
	fd, err := clone(from)
	if err != nil {
		return fmt.Errorf("taking hold of %s: %w", from, err)
	}
	dir := isDir(from)
	v.add(to, func(path string) error {
		defer unix.Close(fd)
		if err := setAttr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, attr|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV); err != nil {
			return err
		}
		if err := ensure(path, dir); err != nil {
			return err
		}
		return attach(fd, path)
	})
	return nil
}

func (v *view) build() error {
	slices.SortStableFunc(v.steps, func(a, b step) int { return cmp.Compare(depth(a.path), depth(b.path)) })
	for _, s := range v.steps {
		if err := s.do(s.path); err != nil {
			return fmt.Errorf("bounding %s: %w", s.path, err)
		}
	}
	// What covers the hidden places is not there itself.
	if err := errors.Join(os.Remove(v.empty.dir), os.Remove(v.empty.file)); err != nil {
		return err
	}
	for _, path := range v.seals {
		if err := setAttr(unix.AT_FDCWD, path, 0, unix.MOUNT_ATTR_RDONLY); err != nil {
			return fmt.Errorf("sealing %s: %w", path, err)
		}
	}
	return nil
}

func depth(path string) int {
	if path == "/" {
		return 0
	}
	return strings.Count(path, "/")
}

// hide covers a path: a file by an empty file, a folder by an empty one. One with something in it that is shown is
// replaced by a folder that has the way to that, and nothing else.
func (v *view) hide(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a private /tmp has covered it already
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return bind(v.empty.file, path)
	}
	if !v.opened(path) {
		return bind(v.empty.dir, path)
	}
	v.seals = append(v.seals, path)
	return unix.Mount("tmpfs", path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=64k")
}

// opened reports whether something beneath the path is put back.
func (v *view) opened(path string) bool {
	beneath := func(p string) bool { return p != path && within(path, p) }
	return slices.ContainsFunc(v.policy.Shown, beneath) || slices.ContainsFunc(v.policy.Writable, beneath) ||
		slices.ContainsFunc(v.policy.Overlays, func(o overlay) bool { return beneath(o.At) })
}

// mount lays the overlay over its folder.
func (o overlay) mount() error {
	escape := strings.NewReplacer(`\`, `\\`, `:`, `\:`, `,`, `\,`)
	data := "userxattr,lowerdir=" + escape.Replace(o.At) + ",upperdir=" + escape.Replace(o.Upper) + ",workdir=" + escape.Replace(o.Work)
	return unix.Mount("overlay", o.At, "overlay", unix.MS_NOSUID|unix.MS_NODEV, data)
}

// mountProc shows the processes of this world only. It is read-only: as root some of its files are switches of the
// machine.
func mountProc() error {
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return err
	}
	boundPids()
	return setAttr(unix.AT_FDCWD, "/proc", 0, unix.MOUNT_ATTR_RDONLY)
}

func cloneDevices() (map[string]int, error) {
	fds := map[string]int{}
	for _, path := range devices {
		fd, err := clone(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a container may lack some
		}
		if err != nil {
			return nil, fmt.Errorf("taking hold of %s: %w", path, err)
		}
		fds[path] = fd
	}
	return fds, nil
}

// mountDev makes a /dev with the harmless devices, terminals of its own and shared memory.
func (v *view) mountDev(dev map[string]int) error {
	if err := unix.Mount("tmpfs", "/dev", "tmpfs", unix.MS_NOSUID, "mode=0755,size=64k"); err != nil {
		return err
	}
	v.seals = append(v.seals, "/dev")
	for path, fd := range dev {
		if err := ensure(path, false); err != nil {
			return err
		}
		if err := attach(fd, path); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		unix.Close(fd)
	}
	v.empty.dir, v.empty.file = "/dev/.dir", "/dev/.file"
	for _, dir := range []string{"/dev/pts", "/dev/shm", v.empty.dir} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(v.empty.file, nil, 0o644); err != nil {
		return err
	}
	if err := unix.Mount("devpts", "/dev/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620"); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", "/dev/shm", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777,size=25%"); err != nil {
		return err
	}
	for name, target := range map[string]string{
		"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	} {
		if err := os.Symlink(target, "/dev/"+name); err != nil {
			return err
		}
	}
	return nil
}

// clone returns the tree at path, with what is mounted in it, as a tree without a place.
func clone(path string) (int, error) {
	return unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE|unix.AT_SYMLINK_NOFOLLOW)
}

func attach(fd int, path string) error {
	return unix.MoveMount(fd, "", unix.AT_FDCWD, path, unix.MOVE_MOUNT_F_EMPTY_PATH)
}

func setAttr(fd int, path string, flags uint, attr uint64) error {
	return unix.MountSetattr(fd, path, flags, &unix.MountAttr{Attr_set: attr})
}

// bindSelf mounts a path on itself: what is a mount cannot be renamed or removed.
func bindSelf(path string, attr uint64) error {
	fd, err := clone(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it has gone since the policy was made: nothing of it is there to protect
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if attr != 0 {
		if err := setAttr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, attr); err != nil {
			return err
		}
	}
	return attach(fd, path)
}

// bind mounts the file or folder from, read-only, at the path.
func bind(from, path string) error {
	fd, err := clone(from)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := setAttr(fd, "", unix.AT_EMPTY_PATH, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NODEV); err != nil {
		return err
	}
	return attach(fd, path)
}

// ensure makes the place to mount on, if it lacks. It can only lack where the view is our own.
func ensure(path string, dir bool) error {
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	if dir {
		return os.MkdirAll(path, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

func isDir(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}
