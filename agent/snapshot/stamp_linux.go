package snapshot

import (
	"io/fs"
	"syscall"
)

// identity is what changes with a file whoever sets its times back: when it was last changed in any way, and its number.
func identity(info fs.FileInfo) (ctime int64, ino uint64) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0
	}
	return st.Ctim.Nano(), st.Ino
}
