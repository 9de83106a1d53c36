//go:build !linux

package tools

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// A searchDir opens files below a folder that no link leads out of.
type searchDir struct{ root *os.Root }

func openDir(path string) (searchDir, error) {
	root, err := os.OpenRoot(path)
	return searchDir{root}, err
}

func (d searchDir) close() { d.root.Close() }

func (d searchDir) open(rel string) (searchFile, error) {
	name := filepath.FromSlash(rel)
	before, err := d.root.Lstat(name)
	if err != nil || !before.Mode().IsRegular() {
		return searchFile{}, errors.Join(err, errors.ErrUnsupported) // also a link: no search follows one
	}
	f, err := d.root.OpenFile(name, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return searchFile{}, err
	}
	info, err := f.Stat()
	if err != nil || !os.SameFile(before, info) {
		f.Close()
		return searchFile{}, errors.Join(err, errors.ErrUnsupported)
	}
	return searchFile{f}, nil
}

// modTimes looks up when files changed last, in nanoseconds; 0: it is not there.
func (d searchDir) modTimes(names []string, times []int64) {
	for i, name := range names {
		if info, err := os.Lstat(filepath.Join(d.root.Name(), filepath.FromSlash(name))); err == nil {
			times[i] = max(info.ModTime().UnixNano(), 1)
		}
	}
}

type searchFile struct{ f *os.File }

func (f *searchFile) close() { f.f.Close() }

// fill reads until the buffer is full or the file ends; then the error is io.EOF.
func (f *searchFile) fill(buf []byte) (int, error) {
	n, err := io.ReadFull(f.f, buf)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}
