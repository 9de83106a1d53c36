package snapshot

import (
	"crypto/sha1" // git's name for a content, not a defence
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A Kind says what is at a path.
type Kind byte

// The kinds. Other is a pipe, a socket or a device, or a file too large to be covered.
const (
	None  Kind = 0
	File  Kind = 'f'
	Link  Kind = 'l'
	Dir   Kind = 'd'
	Other Kind = 'o'
)

// An Entry says what is at a path: nothing, a file, a symbolic link or a folder.
type Entry struct {
	Kind Kind
	Perm fs.FileMode // of a file or a folder
	OID  string      // git's name of the content of a file, or of where a link leads

	exec bool   // a file that its owner may run
	data []byte // the content, when it is not in the repository yet
}

func (e Entry) gitMode() string {
	switch {
	case e.Kind == Link:
		return "120000"
	case e.Perm&0o100 != 0:
		return "100755"
	}
	return "100644"
}

func entryOf(mode fs.FileMode) Entry {
	switch {
	case mode.IsRegular():
		return Entry{Kind: File, Perm: mode.Perm(), exec: mode&0o100 != 0}
	case mode&fs.ModeSymlink != 0:
		return Entry{Kind: Link}
	case mode.IsDir():
		return Entry{Kind: Dir, Perm: mode.Perm()}
	}
	return Entry{Kind: Other}
}

// same reports whether two entries are the same in all that is kept of them.
func (e Entry) same(o Entry) bool {
	return e.Kind == o.Kind && e.OID == o.OID && (e.Kind == Link || e.Perm == o.Perm)
}

// look says what is at a path now, and reads it. A path that leads through a link leads nowhere: what lies behind it is not
// of this folder's tree.
func look(root *os.Root, path string) (Entry, []byte, error) {
	if real, err := realDir(root, parent(path)); err != nil || !real {
		return Entry{}, nil, err
	}
	name := filepath.FromSlash(path)
	info, err := root.Lstat(name)
	if err != nil {
		return Entry{}, nil, absent(err)
	}
	e := entryOf(info.Mode())
	var data []byte
	switch e.Kind {
	case Link:
		to, err := root.Readlink(name)
		if err != nil {
			return Entry{}, nil, fmt.Errorf("snapshot: reading the link %s: %w", path, err)
		}
		data = []byte(to)
	case File:
		if info.Size() > 2*MaxFile {
			return Entry{Kind: Other}, nil, nil
		}
		if data, err = readFile(root, name); err != nil {
			return Entry{}, nil, fmt.Errorf("snapshot: reading %s: %w", path, err)
		}
	default:
		return e, nil, nil
	}
	e.OID = hashOf(data)
	return e, data, nil
}

// realDir reports whether a folder is there, and no link on the way to it.
func realDir(root *os.Root, dir string) (bool, error) {
	for i := range len(dir) + 1 {
		if i < len(dir) && dir[i] != '/' {
			continue
		}
		info, err := root.Lstat(filepath.FromSlash(dir[:i]))
		if err != nil || !info.IsDir() {
			return false, absent(err)
		}
	}
	return true, nil
}

// openReal opens a folder without following any link on the way, and makes what is missing of it if that is wanted. ok is false when it
// is not there, or something else is in its place.
func openReal(root *os.Root, dir string, make bool) (in *os.Root, ok bool, err error) {
	if in, err = root.OpenRoot("."); err != nil {
		return nil, false, fmt.Errorf("snapshot: opening the folder: %w", err)
	}
	if dir == "." {
		return in, true, nil
	}
	for name := range strings.SplitSeq(dir, "/") {
		next, ok, err := enter(in, name, make)
		in.Close()
		if err != nil || !ok {
			return nil, false, err
		}
		in = next
	}
	return in, true, nil
}

// enter is openReal for one name.
func enter(in *os.Root, name string, make bool) (next *os.Root, ok bool, err error) {
	info, err := in.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) && make {
		if err := in.Mkdir(name, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, false, err
		}
		info, err = in.Lstat(name)
	}
	if err != nil || !info.IsDir() {
		return nil, false, absent(err)
	}
	if next, err = in.OpenRoot(name); err != nil {
		return nil, false, absent(err)
	}
	if is, err := next.Stat("."); err != nil || !os.SameFile(info, is) { // a link has just taken its place
		next.Close()
		return nil, false, err
	}
	return next, true, nil
}

// absent makes no error of a path at which nothing is.
func absent(err error) error {
	if err == nil || errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "not a directory") {
		return nil
	}
	return fmt.Errorf("snapshot: looking: %w", err)
}

func readFile(root *os.Root, name string) ([]byte, error) {
	file, err := root.OpenFile(name, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, 2*MaxFile+1))
	return append([]byte{}, data...), errors.Join(err, file.Close())
}

// hashOf is git's name of a content.
func hashOf(data []byte) string {
	sum := sha1.New()
	fmt.Fprintf(sum, "blob %d\x00", len(data))
	sum.Write(data)
	return hex.EncodeToString(sum.Sum(nil))
}
