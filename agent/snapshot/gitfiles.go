package snapshot

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// maxSmall bounds what is read of a file of the user's repository, in bytes.
const maxSmall = 1 << 20

// gitDir is where the user's git keeps its files of a work tree, if it is one.
func gitDir(dir string) (string, bool) {
	path := filepath.Join(dir, ".git")
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return "", false
	case info.IsDir():
		return path, true
	case !info.Mode().IsRegular():
		return "", false
	}
	link, ok := strings.CutPrefix(strings.TrimSpace(string(readSmall(path))), "gitdir: ") // of a worktree or a submodule
	if ok && !filepath.IsAbs(link) {
		link = filepath.Join(dir, link)
	}
	return link, ok
}

// commonDir is where a worktree's repository has what all its worktrees share.
func commonDir(private string) string {
	common := strings.TrimSpace(string(readSmall(filepath.Join(private, "commondir"))))
	switch {
	case common == "":
		return private
	case filepath.IsAbs(common):
		return common
	}
	return filepath.Join(private, common)
}

// readSmall reads a regular file, or nothing of what is none or cannot be read.
func readSmall(path string) []byte {
	f, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil
	}
	info, err := f.Stat()
	var data []byte
	if err == nil && info.Mode().IsRegular() {
		data, err = io.ReadAll(io.LimitReader(f, maxSmall))
	}
	if errors.Join(err, f.Close()) != nil {
		return nil
	}
	return data
}
