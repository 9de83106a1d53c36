package store

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Path returns where the store of a data dir lies. A process that has it open as a Store must not open it in any other
// way: closing it again would drop the store's locks (POSIX record locks belong to the process).
func Path(dir string) string { return filepath.Join(dir, "coder.db") }

// dsn names the file as SQLite's URI form wants it, so that no character of the path means anything: a Windows path
// gets forward slashes and a leading one. The file must exist (mode=rw): SQLite would create it with the umask's mode.
func dsn(path string, pragmas ...string) string {
	p := filepath.ToSlash(path)
	if !strings.HasPrefix(p, "/") {
		p = "/" + p
	}
	query := url.Values{"mode": {"rw"}, "_dqs": {"0"}, "_pragma": pragmas}
	return (&url.URL{Scheme: "file", Path: p, RawQuery: query.Encode()}).String()
}

// prepareFile makes sure that the file exists and is for the user alone. SQLite gives its log and index files the mode
// of the file. For what Path says, it never opens a file that was there before.
func prepareFile(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := checkNoOrphan(path); err != nil {
			return err
		}
		return createFile(path)
	case err != nil:
		return fmt.Errorf("store: opening %s: %w", path, err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("store: opening %s: not a regular file", path)
	case info.Size() == 0:
		// A process that died between creating the file and the first commit leaves this: a new store.
		if err := checkNoOrphan(path); err != nil {
			return err
		}
	}
	if info.Mode().Perm()&0o077 != 0 {
		if err := os.Chmod(path, 0o600); err != nil {
			return fmt.Errorf("store: making %s private: %w", path, err)
		}
	}
	return nil
}

// checkNoOrphan refuses to start anew beside a log that holds commits: SQLite would delete it.
func checkNoOrphan(path string) error {
	info, err := os.Stat(path + "-wal")
	if err == nil && info.Size() > 0 {
		return &CorruptError{Path: path, Err: errors.New("the file is gone or empty, but its log " + filepath.Base(path) + "-wal holds data")}
	}
	return nil
}

func createFile(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("store: creating %s: %w", path, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("store: creating %s: %w", path, err)
	}
	return nil
}

// suffixes name the files of a store. The main file is last: a log that stayed behind alone would be taken for that of
// the next file.
var suffixes = []string{"-wal", "-shm", "-journal", ""}

// MoveAside renames the store's files so that the next Open begins with an empty store, and returns the new path of the
// main file. It deletes and overwrites nothing. The store must be closed, and the caller tells the user first.
func MoveAside(dir string, now time.Time) (moved string, err error) {
	path := Path(dir)
	moved, err = freeName(path + ".corrupt-" + now.UTC().Format("20060102-150405"))
	if err != nil {
		return "", err
	}
	for _, suffix := range suffixes {
		err := os.Rename(path+suffix, moved+suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("store: moving %s aside: %w", path+suffix, err)
		}
	}
	return moved, nil
}

// freeName returns name, or name with a number, such that no file of a store has it.
func freeName(name string) (string, error) {
	for n, try := 2, name; ; n++ {
		free := true
		for _, suffix := range suffixes {
			_, err := os.Lstat(try + suffix)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return "", fmt.Errorf("store: looking for %s: %w", try+suffix, err)
			}
			free = free && err != nil
		}
		if free {
			return try, nil
		}
		try = fmt.Sprintf("%s.%d", name, n)
	}
}
