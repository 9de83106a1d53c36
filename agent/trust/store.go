package trust

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/coder-agent/coder/agent/plain"
)

// A Store keeps what the user has said of folders, one file for each: outside of all of them, where no tool may write. The zero
// value knows of none.
type Store struct {
	Dir  string // its folder; "" keeps nothing
	Home string // the user's home, which is never trusted

	Tools []string // those that rules can be about; nil: any
}

// A Record is what the user has said of a folder, and what the folder was then.
type Record struct {
	Folder   string    `json:"folder"`
	At       time.Time `json:"at"`
	Declined bool      `json:"declined,omitempty"` // they said no: it is not asked again until the folder changes
	Parts    []Part    `json:"parts"`
	Allow    []string  `json:"allow"` // the rules that allow and were accepted, each by itself
}

// pins reports whether the folder is what it was when the user spoke.
func (r Record) pins(parts []Part) bool {
	return slices.EqualFunc(r.Parts, parts, func(a, b Part) bool { return a.Kind == b.Kind && a.Path == b.Path && a.Hash == b.Hash })
}

// A NeverError says that a folder cannot be trusted by anybody.
type NeverError struct{ Folder, Why string }

func (e *NeverError) Error() string {
	return fmt.Sprintf("%s is never trusted: it is %s", plain.Visible(e.Folder), e.Why)
}

// Hint says where to work instead.
func (e *NeverError) Hint() string { return "work in a folder of the project's own" }

// Look reads what the folder brings and how far the user trusts it. path is absolute, with its links resolved. What cannot be
// read is among the problems, and not trusted.
func (s Store) Look(path string) Folder {
	f := s.read(path)
	f.Never = s.never(path)
	record, ok, err := s.record(path)
	if err != nil {
		f.problem("", 0, false, "whether it is trusted cannot be read: %v", err)
	}
	f.Record = record
	switch {
	case !f.asks():
		f.State = Nothing
	case f.Never != nil || err != nil || !ok:
		f.State = Untrusted
	case record.pins(f.Parts) && record.Declined:
		f.State = Untrusted
	case record.pins(f.Parts):
		f.State = Trusted
	case record.Declined:
		f.State, f.Record = Untrusted, Record{} // that no was to something else
	default:
		f.State = Changed
	}
	f.settle()
	return f
}

// never says why the folder cannot be trusted.
func (s Store) never(path string) error {
	if filepath.Dir(path) == path {
		return &NeverError{path, "the root of the file system"}
	}
	if s.Home == "" {
		return nil
	}
	home, err := os.Stat(s.Home)
	if err != nil {
		return nil
	}
	if here, err := os.Stat(path); err == nil && os.SameFile(home, here) {
		return &NeverError{path, "your home folder, and all that lies in it would speak for you"}
	}
	return nil
}

// Accept records the user's yes to the folder as it was read, and to those of its rules that allow that are named.
func (s Store) Accept(f Folder, allow []string, now time.Time) error {
	if f.Never != nil {
		return f.Never
	}
	for _, rule := range allow {
		if !slices.Contains(f.Allowing(), rule) {
			return fmt.Errorf(`%s has no rule "%s"`, plain.Visible(f.Path), plain.Visible(rule))
		}
	}
	return s.write(Record{Folder: f.Path, At: now, Parts: f.Parts, Allow: append([]string{}, allow...)})
}

// Decline records the user's no to the folder as it was read.
func (s Store) Decline(f Folder, now time.Time) error {
	return s.write(Record{Folder: f.Path, At: now, Declined: true, Parts: f.Parts, Allow: []string{}})
}

// Revoke forgets what was said of the folder. It is false when nothing was.
func (s Store) Revoke(path string) (bool, error) {
	err := os.Remove(s.file(path))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// List returns what was said of all folders, by path.
func (s Store) List() ([]Record, error) {
	entries, err := os.ReadDir(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing the trusted folders: %w", err)
	}
	var list []Record
	var wrong []error
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		r, err := readRecord(filepath.Join(s.Dir, e.Name()))
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b Record) int { return strings.Compare(a.Folder, b.Folder) })
	return list, errors.Join(wrong...)
}

// file names the record of a folder by a hash: a path is no file name.
func (s Store) file(path string) string {
	sum := sha256.Sum256([]byte(path))
	return filepath.Join(s.Dir, hex.EncodeToString(sum[:])+".json")
}

func (s Store) record(path string) (Record, bool, error) {
	if s.Dir == "" {
		return Record{}, false, nil
	}
	r, err := readRecord(s.file(path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Record{}, false, nil
	case err != nil:
		return Record{}, false, err
	case r.Folder != path:
		return Record{}, false, fmt.Errorf("%s is about %s", s.file(path), r.Folder)
	}
	return r, true, nil
}

// readRecord reads a record that nobody but its owner can have written.
func readRecord(file string) (r Record, err error) {
	info, err := os.Lstat(file)
	switch {
	case err != nil:
		return r, err
	case !info.Mode().IsRegular():
		return r, fmt.Errorf("%s is not a regular file", file)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0:
		return r, fmt.Errorf("%s can be written by others", file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return Record{}, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}

// write puts a record in place, whole: a reader sees the old one or this one.
func (s Store) write(r Record) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("recording what you said of %s: %w", plain.Visible(r.Folder), err)
		}
	}()
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(s.Dir, ".new-*") // mode 0600, O_EXCL
	if err != nil {
		return err
	}
	_, err = temp.Write(append(data, '\n'))
	if err = errors.Join(err, temp.Sync(), temp.Close()); err == nil {
		err = os.Rename(temp.Name(), s.file(r.Folder))
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return nil
}
