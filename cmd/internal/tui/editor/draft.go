package editor

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/gofrs/flock"
)

// A Draft is what a crash must not take: what stands in the editor, and what was sent but is not known to be durable.
type Draft struct {
	Pieces []Piece  `json:"pieces,omitempty"`
	Unsent []Unsent `json:"unsent,omitempty"`
}

// An Unsent is a prompt of which nobody has said yet that the host has it.
type Unsent struct {
	ID     string  `json:"id"` // of its Submit
	Pieces []Piece `json:"pieces"`
}

// Drafts keeps one draft.
type Drafts interface {
	Load() (Draft, error)
	Save(Draft) error // of an empty one nothing is left
	Close() error
}

// A DraftFile keeps the draft of a session in a file.
type DraftFile struct {
	path string
	lock *flock.Flock
	mu   sync.Mutex
}

// maxTerminals bounds how many terminals on one session have a draft each.
const maxTerminals = 16

// OpenDraft opens the draft of a session in a folder, which it makes if need be. Each terminal on the session has its own: the
// first that no other holds, so that one which has crashed finds its draft again.
func OpenDraft(dir, session string) (*DraftFile, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("keeping drafts: %w", err)
	}
	for n := range maxTerminals {
		name := fileName(session)
		if n > 0 {
			name += fmt.Sprintf("+%d", n+1) // in an address a number never follows a name
		}
		d := &DraftFile{path: filepath.Join(dir, name+".json")}
		d.lock = flock.New(filepath.Join(dir, name+".lock"), flock.SetPermissions(0o600))
		held, err := d.lock.TryLock()
		if err != nil {
			return nil, fmt.Errorf("keeping the draft of session %s: %w", session, err)
		}
		if held {
			return d, nil
		}
	}
	return nil, fmt.Errorf("keeping the draft of session %s: %d terminals have one already", session, maxTerminals)
}

// fileName makes the name of a file of the address of a session: that of a child has slashes, and case does not count.
func fileName(session string) string {
	name := strings.ReplaceAll(strings.ToLower(session), "/", "+")
	if len(name) > 128 {
		name = fmt.Sprintf("%x", sha256.Sum256([]byte(name)))
	}
	return "draft-" + name
}

// Load returns the draft, an empty one if there is none.
func (d *DraftFile) Load() (draft Draft, err error) {
	data, err := os.ReadFile(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return draft, nil
	}
	if err != nil {
		return draft, fmt.Errorf("reading the draft: %w", err)
	}
	if err := json.Unmarshal(data, &draft); err != nil {
		aside := d.path + ".damaged"
		return Draft{}, errors.Join(fmt.Errorf("the draft is damaged, and moved to %s: %w", aside, err), os.Rename(d.path, aside))
	}
	return draft, nil
}

// Save writes the draft: all of it, or none.
func (d *DraftFile) Save(draft Draft) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(draft.Pieces) == 0 && len(draft.Unsent) == 0 {
		if err := os.Remove(d.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the draft: %w", err)
		}
		return nil
	}
	data, err := json.Marshal(draft)
	if err == nil {
		err = writeWhole(d.path, data)
	}
	if err != nil {
		return fmt.Errorf("keeping the draft: %w", err)
	}
	return nil
}

// Close lets another terminal have the draft. What is saved stays.
func (d *DraftFile) Close() error { return d.lock.Close() }

// writeWhole replaces a file in one go. Nobody else can read it.
func writeWhole(path string, data []byte) error {
	temp := path + ".new"
	if err := os.WriteFile(temp, data, 0o600); err != nil {
		return errors.Join(err, removed(temp))
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, removed(temp))
	}
	return nil
}

func removed(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
