package agent

import (
	"context"
	"errors"
	"time"

	"github.com/coder-agent/coder/agent/snapshot"
	"github.com/coder-agent/coder/agent/store"
)

const (
	sweepSnapshotsEvery = 24 * time.Hour
	sweepPatience       = 5 * time.Minute // for one folder
	dropPatience        = 2 * time.Second // of whoever deletes a session
)

// sweepSnapshots forgets, once a day, the snapshots of sessions that are gone, and of folders that take up more than they may
// the oldest.
func (h *Host) sweepSnapshots(ctx context.Context) error {
	now := h.opts.Now()
	if h.opts.Snapshots == nil || !h.owesSweep.Swap(false) && now.Sub(h.sweptSnapshots) < sweepSnapshotsEvery {
		return nil
	}
	h.sweptSnapshots = now
	folders, err := h.opts.Snapshots.Folders()
	for _, f := range folders {
		err = errors.Join(err, h.sweepFolder(ctx, f))
	}
	return err
}

func (h *Host) sweepFolder(ctx context.Context, f *snapshot.Folder) error {
	ctx, cancel := context.WithTimeout(ctx, sweepPatience)
	defer cancel()
	rows, err := h.store.FolderSnapshots(ctx, f.Path())
	if err != nil {
		return err
	}
	h.mu.Lock()
	used := h.looked[f.Path()]
	h.mu.Unlock()
	if err := f.Sweep(ctx, trees(rows), used); err != nil {
		return err
	}
	for len(rows) > 1 && f.Size() > snapshot.MaxRepo {
		old := rows[:(len(rows)+1)/2]
		rows = rows[len(old):]
		err := h.store.Write(ctx, store.Fast, func(tx *store.Tx) error {
			for _, row := range old {
				if err := tx.DropSnapshot(row.Seq); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		h.opts.Logger.Warn("the oldest snapshots go: the folder has too many", "workdir", f.Path(), "gone", len(old))
		if err := f.Sweep(ctx, trees(rows), used); err != nil {
			return err
		}
	}
	return nil
}

func trees(rows []store.Snapshot) (list []snapshot.Tree) {
	for _, row := range rows {
		for _, t := range []string{row.Before, row.After} {
			if t != "" {
				list = append(list, snapshot.Tree(t))
			}
		}
	}
	return list
}

// dropSnapshots forgets what was kept for a session that is gone: when nothing of its folder is left, at once. It returns how
// many bytes of the disk that has freed.
func (h *Host) dropSnapshots(ctx context.Context, workdir string) (freed int64, err error) {
	if h.opts.Snapshots == nil || workdir == "" {
		return 0, nil
	}
	rows, err := h.store.FolderSnapshots(ctx, workdir)
	if err != nil || len(rows) > 0 {
		return 0, err // the next sweep sees to it
	}
	sessions, err := h.store.SessionsPage(ctx, store.Page{Workdir: workdir, Limit: 1})
	if err != nil || len(sessions) > 0 {
		return 0, err
	}
	h.mu.Lock()
	delete(h.looked, workdir)
	h.mu.Unlock()
	bound, cancel := context.WithTimeout(ctx, dropPatience)
	defer cancel()
	f := h.opts.Snapshots.Folder(workdir)
	size := f.Size()
	err = f.Sweep(bound, nil, false)
	if errors.Is(err, context.DeadlineExceeded) { // the folder is being looked at
		h.owesSweep.Store(true)
		return 0, nil
	}
	return size, err
}
