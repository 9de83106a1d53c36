package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/coder-agent/coder/agent/chat"
)

// A Picture is what a tool has read for the model.
type Picture struct {
	Name          string // the file it was read from, as the model gets to see it
	MediaType     string // image/png or image/jpeg
	Width, Height int    // pixels
	Data          []byte
}

// Blind reports whether the session's model takes no pictures, for certain, and which model that is. A server that does
// not say, or cannot be asked now, may take them: if it refuses the request, the picture is left out of it.
func (a *CoderAgent) Blind(ctx context.Context) (blind bool, model string, err error) {
	err = a.do(ctx, func(s *state) error {
		model = s.session.Model
		return nil
	})
	if err != nil {
		return false, "", err
	}
	return a.host.blind(ctx, model), or(model, "the model"), nil
}

func (h *Host) blind(ctx context.Context, model string) bool {
	catalog, ok := h.opts.Model.(Catalog)
	if !ok {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, modelWait)
	defer cancel()
	info, err := catalog.Describe(ctx, model)
	return err == nil && info.Blind
}

// blind reports whether the next request must leave pictures out. Most sessions have none, and ask nobody.
func (t *turn) blind(ctx context.Context) bool {
	var pictured bool
	var model string
	// An error would say that the host has closed; then no request follows.
	_ = t.agent.do(context.WithoutCancel(ctx), func(s *state) error {
		pictured, model = chat.Pictured(s.script.Said()), s.session.Model
		return nil
	})
	return pictured && t.agent.host.blind(ctx, model)
}

// pictureRoot is where sessions keep pictures: a folder for each, in it files that are named by their hash. They are never
// changed, only made and removed.
func (h *Host) pictureRoot() string { return filepath.Join(h.private, "pictures") }

func (a *CoderAgent) pictureDir() string {
	return filepath.Join(a.host.pictureRoot(), scratchName(a.key))
}

// keepPictures writes the pictures of a result, and returns what the transcript says of them. They are on the disk before
// the result is recorded.
func (a *CoderAgent) keepPictures(pictures []Picture) (kept []chat.Picture, err error) {
	for _, p := range pictures {
		sum := sha256.Sum256(p.Data)
		ref := chat.Picture{
			Name: p.Name, Hash: hex.EncodeToString(sum[:]), MediaType: p.MediaType, Width: p.Width, Height: p.Height, Bytes: len(p.Data),
		}
		if err := writeOnce(filepath.Join(a.pictureDir(), ref.Hash), p.Data); err != nil {
			return nil, fmt.Errorf("keeping the picture %s for the model: %w; tell the user, and try again when there is room on the disk", p.Name, err)
		}
		kept = append(kept, ref)
	}
	return kept, nil
}

// picture returns the bytes of a picture. One that is not there, or is not what it was, is an error.
func (a *CoderAgent) picture(p chat.Picture) ([]byte, error) {
	if !p.ValidHash() {
		return nil, fmt.Errorf("the picture %s has no file", p.Name)
	}
	data, err := os.ReadFile(filepath.Join(a.pictureDir(), p.Hash))
	if err != nil {
		return nil, fmt.Errorf("reading the picture %s: %w", p.Name, err)
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != p.Hash {
		return nil, fmt.Errorf("the file of the picture %s is damaged", p.Name)
	}
	return data, nil
}

// copyPictures gives a fork the pictures of the messages that it takes over. What the original has lost, the fork lacks too.
func (a *CoderAgent) copyPictures(from *CoderAgent, messages []chat.Message) error {
	for _, m := range messages {
		for _, part := range m.Parts {
			call, ok := part.(chat.ToolCall)
			if !ok {
				continue
			}
			for _, p := range call.Pictures() {
				data, err := from.picture(p)
				if err != nil {
					continue
				}
				if err := writeOnce(filepath.Join(a.pictureDir(), p.Hash), data); err != nil {
					return fmt.Errorf("copying the picture %s: %w", p.Name, err)
				}
			}
		}
	}
	return nil
}

// writeOnce makes a file, whole and durably, unless it is there.
func writeOnce(path string, data []byte) error {
	if info, err := os.Stat(path); err == nil && info.Size() == int64(len(data)) {
		return nil
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, ".new-*") // mode 0600, O_EXCL
	if err != nil {
		return err
	}
	_, err = temp.Write(data)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return syncNames(dir)
}

// syncNames brings the names in a folder to the disk. Windows keeps them with the files.
func syncNames(dir string) error {
	if os.PathSeparator == '\\' {
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// sweepPictures removes the pictures of sessions that are gone.
func (h *Host) sweepPictures(ctx context.Context) error {
	folders, err := os.ReadDir(h.pictureRoot())
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(folders) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for pictures of sessions that are gone: %w", err)
	}
	// Read after the folders: a session is on disk before its pictures are.
	sessions, err := h.store.Sessions(ctx)
	if err != nil {
		return err
	}
	lives := make(map[string]bool, len(sessions))
	for _, s := range sessions {
		lives[scratchName(s.Key)] = true
	}
	var errs []error
	for _, folder := range folders {
		info, err := folder.Info()
		made := err == nil && h.opts.Now().Sub(info.ModTime()) < time.Hour // for a fork, perhaps, whose row follows
		if !lives[folder.Name()] && !made {
			errs = append(errs, os.RemoveAll(filepath.Join(h.pictureRoot(), folder.Name())))
		}
	}
	return errors.Join(errs...)
}
