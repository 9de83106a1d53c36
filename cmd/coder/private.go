package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// maxPrivate bounds a file that holds a token, in bytes.
const maxPrivate = 64 << 10

// readPrivate reads a file that holds a secret. One that others can read, or somebody else has put there, is refused: what
// it says may be theirs, and who has read it may use it.
func readPrivate(path string) ([]byte, error) {
	f, err := openChecked(path, checkPrivate)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxPrivate+1))
	if err == nil && len(data) > maxPrivate {
		err = fmt.Errorf("%s has more than %d KiB", path, maxPrivate>>10)
	}
	return data, err
}

// openChecked opens a file for reading, if check takes what it turns out to be. It waits for no pipe in its place, which would
// hold up every command.
func openChecked(path string, check func(path string, info fs.FileInfo) error) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|openNonblock, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = check(path, info)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func checkPrivate(path string, info fs.FileInfo) error {
	switch {
	case !info.Mode().IsRegular():
		return &hintedError{fmt.Errorf("%s is no plain file", path), "remove it, or name another"}
	case !ownedByUs(info):
		return &hintedError{fmt.Errorf("%s belongs to somebody else", path), "what it says cannot be trusted: remove it, or name another"}
	case hasModes && info.Mode().Perm()&0o077 != 0:
		return &hintedError{
			fmt.Errorf("%s holds a secret, and others on this machine can read it (mode %04o)", path, info.Mode().Perm()),
			"if nobody has: chmod 600 " + path + "; else remove it",
		}
	}
	return nil
}

// ownDataDir refuses a data dir in which others could put files of theirs.
func ownDataDir(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it is made by us, and closed
	}
	if err != nil {
		return unusable(fmt.Errorf("checking the data dir: %w", err))
	}
	if info.IsDir() && (!ownedByUs(info) || hasModes && info.Mode().Perm()&0o022 != 0) {
		return &hintedError{
			fmt.Errorf("others on this machine can change what is in the data dir %s", dir),
			"chmod 700 " + dir + " if it is yours, or choose another with --data-dir",
		}
	}
	return nil
}
