package tools

import (
	"io/fs"
	"os"
)

// nonblock is of no use here: named pipes are not in folders.
const nonblock = 0

func keepOwner(*os.File, fs.FileInfo) {}

// otherNames has nothing to tell: what we know of a file here does not say how many names it has.
func (p *place) otherNames(fs.FileInfo) string { return "" }

// syncDir has nothing to do: the journal of NTFS orders renames.
func (p *place) syncDir(string) error { return nil }
