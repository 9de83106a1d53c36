package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// keepScratch is how long output that was too long for the model is kept in a session's scratch folder.
const keepScratch = 7 * 24 * time.Hour

// sweepScratch removes files from scratch folders that nobody has written to for keepScratch, and whole folders of
// sessions that are gone. The folder of a session with a turn that runs or waits in the queue is left alone: its tools
// may be using it. The folders of living sessions stay, also empty: a tool may be about to write there.
func (h *Host) sweepScratch(ctx context.Context) error {
	root := filepath.Join(h.private, "scratch")
	folders, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(folders) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for old scratch files: %w", err)
	}
	// Read after the folders: a session is on disk before its folder is.
	sessions, err := h.store.Sessions(ctx)
	if err != nil {
		return err
	}
	busy, err := h.store.OpenSessions(ctx)
	if err != nil {
		return err
	}
	old := make(map[string]time.Time, len(sessions)) // by folder: what is older goes
	for _, s := range sessions {
		old[scratchName(s.Key)] = h.opts.Now().Add(-keepScratch)
	}
	for _, key := range busy {
		old[scratchName(key)] = time.Time{}
	}
	var errs []error
	for _, folder := range folders {
		path := filepath.Join(root, folder.Name())
		if before, lives := old[folder.Name()]; !lives {
			errs = append(errs, os.RemoveAll(path))
		} else if !before.IsZero() {
			errs = append(errs, removeOld(path, before))
		}
	}
	return errors.Join(errs...)
}

// removeOld removes the files in the folder and below it that were last written before a time. It follows no link.
func removeOld(folder string, before time.Time) error {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return fmt.Errorf("opening a scratch folder: %w", err)
	}
	var errs []error
	walked := fs.WalkDir(root.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.ModTime().Before(before) {
			err = root.Remove(filepath.FromSlash(path))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		return nil
	})
	return errors.Join(errors.Join(errs...), walked, root.Close())
}
