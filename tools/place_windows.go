package tools

import (
	"io/fs"
	"os"
)

// nonblock is of no use here: named pipes are not in folders.
const nonblock = 0

func keepOwner(*os.File, fs.FileInfo) {}

// syncDir has nothing to do: the journal of NTFS orders renames.
func (p *place) syncDir(string) error { return nil }
