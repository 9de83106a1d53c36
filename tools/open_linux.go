package tools

import (
	"errors"
	"io"
	"strings"

	"golang.org/x/sys/unix"
)

// A searchDir opens files below a folder, never through a link: a search of 100,000 files feels every system call, and
// here it is open, look, read and close for each, where os.Root needs one more for each folder on the way.
type searchDir struct {
	fd  int
	how uint64 // openat2's resolve flags; 0 where the kernel has no openat2 (before 5.6)
}

func openDir(path string) (searchDir, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return searchDir{}, err
	}
	d := searchDir{fd: fd, how: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
	probe, err := unix.Openat2(fd, ".", &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: d.how})
	if err != nil {
		d.how = 0 // old, or forbidden by a container's rules
		return d, nil
	}
	unix.Close(probe)
	return d, nil
}

func (d searchDir) close() { unix.Close(d.fd) }

func (d searchDir) open(rel string) (searchFile, error) {
	const flags = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOFOLLOW | unix.O_NOCTTY
	fd, err := d.openat(rel, flags)
	if err != nil {
		return searchFile{}, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		unix.Close(fd)
		return searchFile{}, errors.Join(err, unix.ENOTSUP)
	}
	return searchFile{fd: fd, size: st.Size}, nil
}

// openat opens what is at a path below the folder.
func (d searchDir) openat(rel string, flags int) (fd int, err error) {
	for range 3 {
		if d.how != 0 {
			fd, err = unix.Openat2(d.fd, rel, &unix.OpenHow{Flags: uint64(flags), Resolve: d.how})
		} else {
			fd, err = unix.Openat(d.fd, rel, flags, 0)
		}
		if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN) { // EAGAIN: something was renamed meanwhile
			break
		}
	}
	return fd, err
}

// modTimes looks up when files changed last, in nanoseconds; 0: it is not there. A folder with several of them is opened once.
func (d searchDir) modTimes(names []string, times []int64) {
	in, fd := "", -1 // a folder that is open, with its slash
	defer func() { closeFolder(fd) }()
	for i, name := range names {
		slash := strings.LastIndexByte(name, '/') + 1
		if slash > 0 && name[:slash] != in {
			closeFolder(fd)
			in, fd = name[:slash], d.folder(name[:slash])
		}
		at := fd
		if slash == 0 {
			at = d.fd
		}
		var st unix.Stat_t
		if at >= 0 && unix.Fstatat(at, name[slash:], &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
			times[i] = max(st.Mtim.Nano(), 1)
		}
	}
}

// folder opens a folder to look into; -1: it cannot be.
func (d searchDir) folder(rel string) int {
	const flags = unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC
	fd, err := d.openat(rel, flags)
	if err != nil {
		return -1
	}
	return fd
}

func closeFolder(fd int) {
	if fd >= 0 {
		unix.Close(fd)
	}
}

type searchFile struct {
	fd   int
	size int64 // when it was opened
	read int64
}

func (f *searchFile) close() { unix.Close(f.fd) }

// fill reads until the buffer is full or the file ends; then the error is io.EOF. A file that has given as many bytes
// as it had is at its end: asking again would cost a system call each.
func (f *searchFile) fill(buf []byte) (n int, err error) {
	for n < len(buf) {
		k, err := unix.Read(f.fd, buf[n:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return n, err
		}
		if n, f.read = n+k, f.read+int64(k); k == 0 || f.size > 0 && f.read >= f.size {
			return n, io.EOF
		}
	}
	return n, nil
}
