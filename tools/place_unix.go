//go:build unix

package tools

import (
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
