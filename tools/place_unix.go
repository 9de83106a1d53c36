//go:build unix

package tools

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// nonblock keeps the opening of a named pipe from waiting for its other end.
const nonblock = syscall.O_NONBLOCK

// keepOwner gives a new file the owner of the old one, where we may: root at work in a user's folder.
func keepOwner(f *os.File, info fs.FileInfo) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok && (int(st.Uid) != os.Geteuid() || int(st.Gid) != os.Getegid()) {
		_ = f.Chown(int(st.Uid), int(st.Gid)) // EPERM for everybody but root: then it is ours, as with any editor
	}
}

// otherNames tells that a file that was replaced has other names (hard links), which keep the old content: they may lead
// out of the workdir, where no call may write.
func (p *place) otherNames(info fs.FileInfo) string {
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink > 1 {
		return fmt.Sprintf("\n(the file had %s: hard links, which keep the old content)", many(int64(st.Nlink)-1, "other name"))
	}
	return ""
}

// syncDir makes a rename survive a power cut.
func (p *place) syncDir(dir string) error {
	d, err := p.root.Open(filepath.FromSlash(dir))
	if err != nil {
		return p.explain("syncing the folder of", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return p.explain("syncing the folder of", err)
	}
	return nil
}
