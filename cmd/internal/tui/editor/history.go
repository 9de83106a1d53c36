package editor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/gofrs/flock"
)

// An Entry is a prompt of the past.
type Entry struct {
	Workdir string  `json:"workdir,omitempty"`
	Pieces  []Piece `json:"pieces"`
}

// A History keeps prompts over sessions.
type History interface {
	Entries() ([]Entry, error) // the oldest first
	Add(Entry) error
}

// Bounds of the file of the history.
const (
	maxEntries = 2000     // that are kept when the file is made smaller
	maxEntry   = 64 << 10 // bytes; a longer one is not written
	maxHistory = 4 << 20  // bytes, from which on the file is made smaller, to half of it
)

// A HistoryFile is the history of all sessions of a data dir, one JSON object a line. It is one for all folders: each entry names
// its own, so that the arrow keys walk those of the folder at hand, and a search finds them all.
//
// Several terminals add to it side by side, each line under a lock. It holds what was typed, as the store does: nobody else
// can read it.
type HistoryFile struct {
	path string
	lock *flock.Flock

	read []Entry // what the file said
	size int64   // of the file then
}

// NewHistoryFile returns the history in a file. Nothing is read before it is wanted.
func NewHistoryFile(path string) *HistoryFile {
	return &HistoryFile{path: path, lock: flock.New(path+".lock", flock.SetPermissions(0o600))}
}

// Entries returns what is in the file, the oldest first. Lines that are damaged are passed over.
func (h *HistoryFile) Entries() ([]Entry, error) {
	info, err := os.Stat(h.path)
	if errors.Is(err, fs.ErrNotExist) {
		h.read, h.size = nil, 0
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the history: %w", err)
	}
	if h.read != nil && info.Size() == h.size {
		return h.read, nil
	}
	data, err := os.ReadFile(h.path)
	if err != nil {
		return nil, fmt.Errorf("reading the history: %w", err)
	}
	h.read, h.size = parseHistory(data), int64(len(data))
	return h.read, nil
}

func parseHistory(data []byte) (list []Entry) {
	for line := range bytes.Lines(data) {
		var e Entry
		if json.Unmarshal(line, &e) == nil && len(e.Pieces) > 0 {
			list = append(list, e)
		}
	}
	return list
}

// Add appends an entry. One that is too long for the file is left out.
func (h *HistoryFile) Add(e Entry) (err error) {
	line, err := json.Marshal(e)
	if err != nil || len(line) > maxEntry {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("adding to the history: %w", err)
		}
	}()
	if err := os.MkdirAll(filepath.Dir(h.path), 0o700); err != nil {
		return err
	}
	if err := h.lock.Lock(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.lock.Unlock()) }()
	size, err := h.append(append(line, '\n'))
	if err != nil || size <= maxHistory {
		return err
	}
	return h.shrink()
}

// append writes a line behind the last whole one: a crash may have cut that.
func (h *HistoryFile) append(line []byte) (size int64, err error) {
	f, err := os.OpenFile(h.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	size = info.Size()
	var last [1]byte
	if size > 0 {
		if _, err := f.ReadAt(last[:], size-1); err != nil {
			return 0, err
		}
		if last[0] != '\n' {
			line = append([]byte{'\n'}, line...)
		}
	}
	_, err = f.Write(line)
	return size + int64(len(line)), err
}

// shrink keeps the latest entries, at most half of what the file may have.
func (h *HistoryFile) shrink() error {
	data, err := os.ReadFile(h.path)
	if err != nil {
		return err
	}
	lines := slices.Collect(bytes.Lines(data))
	kept := len(lines)
	for size := 0; kept > 0 && len(lines)-kept < maxEntries; kept-- {
		if size += len(lines[kept-1]); size > maxHistory/2 {
			break
		}
	}
	h.read = nil
	return writeWhole(h.path, bytes.Join(lines[kept:], nil))
}
