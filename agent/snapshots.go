package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/snapshot"
	"github.com/coder-agent/coder/agent/store"
)

const (
	snapshotPatience = 900 * time.Millisecond // how long a turn waits for a snapshot of the whole folder: with what follows it is a second
	filesPatience    = 2 * time.Second        // and for one of files by their names, which takes some 30 ms
	snapshotLate     = time.Minute            // how long one goes on that its turn does not wait for
	warmPatience     = 10 * time.Minute       // how long the first look at a folder may take
)

// warmUp takes a first snapshot of the folder beside the turn: by the time the model wants to write, the next one is quick.
func (t *turn) warmUp(ctx context.Context) error {
	h := t.agent.host
	if h.opts.Snapshots == nil {
		return nil
	}
	var dir string
	err := t.agent.do(ctx, func(s *state) error {
		if s.mode() != permission.ModePlan {
			dir = s.session.Workdir
		}
		return nil
	})
	if err != nil || dir == "" || !h.firstLook(dir) {
		return err
	}
	h.owned.Go(func() {
		ctx, cancel := context.WithTimeout(h.ctx, warmPatience)
		defer cancel()
		if _, err := h.opts.Snapshots.Folder(dir).Take(ctx, nil); err != nil {
			h.complain("taking the first snapshot of "+dir, err)
		}
	})
	return nil
}

// firstLook reports whether nobody has asked of the folder yet.
func (h *Host) firstLook(dir string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.looked[dir] {
		return false
	}
	if h.looked == nil {
		h.looked = make(map[string]bool)
	}
	h.looked[dir] = true
	return true
}

// acts reports whether a call may change files, and which ones it names, relative to the workdir. A command that is known to
// only read, and a tool without business in the folder, do not.
func (h *Host) acts(c chat.ToolCall, p permission.Policy) (names []string, acts bool) {
	tool := h.tools[c.Name]
	action, err := tool.Action(c.Input)
	if err != nil {
		return nil, false // it will fail
	}
	switch cmp.Or(action.Effect, tool.Effect) {
	case permission.Reads, permission.Network, permission.Plans:
		return nil, false
	}
	if action.Command != "" {
		plan := permission.Policy{Mode: permission.ModePlan, Level: p.Level, Place: p.Place}
		return nil, tool.Judge(c.Input, plan).Decision != permission.Allow
	}
	for _, path := range action.Writes {
		rel, err := filepath.Rel(p.Place.Workdir, permission.Resolve(p.Place.Workdir, path))
		if err == nil && filepath.IsLocal(rel) {
			names = append(names, filepath.ToSlash(rel))
		}
	}
	return names, true
}

// keepBefore sees to it that what the calls may change can be put back: before the first of the turn that may change a file
// the folder is snapshot, and the row that says so is on the disk. What cannot be had in time does not hold the turn up: then
// the files that the calls name are kept, and a note says so.
func (t *turn) keepBefore(ctx context.Context, p permission.Policy, run []granted) (notes []chat.Event) {
	h := t.agent.host
	if h.opts.Snapshots == nil && h.opts.Unkept == "" || p.Place.Workdir == "" {
		return nil
	}
	var names []string
	acts := false
	for _, c := range run {
		named, does := h.acts(c.ToolCall, p)
		names, acts = append(names, named...), acts || does
	}
	if !acts {
		return nil
	}
	if h.opts.Snapshots == nil {
		return t.tellUnkept(ctx)
	}
	slices.Sort(names)
	why, err := t.keep(ctx, p.Place.Workdir, slices.Compact(names))
	if err != nil {
		h.complain("keeping what a turn may change", err)
		why = "coder could not keep what the folder holds: what this turn changes cannot be undone"
	}
	if why == "" || t.toldPartial {
		return nil
	}
	t.toldPartial = true
	return []chat.Event{snapshotNote(why)}
}

func snapshotNote(why string) chat.Event {
	return chat.Noted{ID: newID("note"), Kind: chat.SnapshotNote, Text: "(From coder, not from the user.) " + why + "."}
}

// tellUnkept says once in a session that nothing of it can be undone.
func (t *turn) tellUnkept(ctx context.Context) (notes []chat.Event) {
	err := t.agent.do(context.WithoutCancel(ctx), func(s *state) error {
		for _, m := range s.script.Snapshot() {
			for _, p := range m.Parts {
				if n, ok := p.(chat.Note); ok && n.Kind == chat.SnapshotNote {
					return nil
				}
			}
		}
		notes = []chat.Event{snapshotNote("What this session changes cannot be undone: " + t.agent.host.opts.Unkept)}
		return nil
	})
	if err != nil {
		t.agent.host.complain("telling that nothing is kept", err)
	}
	return notes
}

// keep returns why only a part is kept, or "".
func (t *turn) keep(ctx context.Context, dir string, names []string) (why string, err error) {
	row, err := t.stretch(ctx)
	if err != nil {
		return "", err
	}
	f := t.agent.host.opts.Snapshots.Folder(dir)
	if row != nil && row.Kind == store.KindWhole {
		bound, cancel := context.WithTimeout(ctx, filesPatience)
		defer cancel()
		return "", t.alsoKeep(bound, f, row, names)
	}
	if row == nil || f.Warm() {
		bound, cancel := context.WithTimeout(ctx, snapshotPatience)
		tree, err := f.Take(bound, names)
		cancel()
		t.agent.host.passes("snapshot taken")
		if err == nil {
			return "", t.beginStretch(ctx, f, store.KindWhole, tree, names)
		}
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		why = "it could not be looked at: " + err.Error()
		if errors.Is(err, context.DeadlineExceeded) {
			why = "that takes longer than a second"
		}
		if large, ok := errors.AsType[*snapshot.LimitError](err); ok {
			why = large.Error()
		}
		why = "The folder was not snapshot as a whole (" + why + "): undo of this turn covers only the files that its file tools change, and none that its commands do"
	}
	bound, cancel := context.WithTimeout(ctx, filesPatience)
	defer cancel()
	if row != nil {
		return why, t.alsoKeep(bound, f, row, names)
	}
	tree, err := f.TakeFiles(bound, names)
	if err != nil {
		return why, err
	}
	return why, t.beginStretch(ctx, f, store.KindFiles, tree, names)
}

// stretch is the row of what the turn may be changing, or nil. A turn that a crash has cut short goes on with the one it had: its
// first snapshot is the one to go back to.
func (t *turn) stretch(ctx context.Context) (*store.Snapshot, error) {
	if t.lookedUp {
		return t.kept, nil
	}
	rows, err := t.agent.host.store.Snapshots(ctx, t.agent.key)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if row.Turn == t.row.ID && row.Ended.IsZero() && !row.Undoes() {
			t.kept = &row
		}
	}
	t.lookedUp = true
	t.works()
	return t.kept, nil
}

// beginStretch records the snapshot before, in place of one of a part.
func (t *turn) beginStretch(ctx context.Context, f *snapshot.Folder, kind string, before snapshot.Tree, names []string) error {
	if t.kept != nil {
		if err := t.endStretch(ctx, f); err != nil {
			return err
		}
	}
	row := store.Snapshot{
		Session: t.agent.key, Turn: t.row.ID, Workdir: f.Path(), Kind: kind, Before: string(before), Named: names, Began: t.agent.host.opts.Now(),
	}
	err := t.agent.do(context.WithoutCancel(ctx), func(s *state) error {
		m, _ := s.script.TurnMessage()
		row.Message, row.Title = m.ID, s.lastPrompt()
		return nil
	})
	if err == nil {
		err = t.agent.host.writeSnapshot(ctx, func(tx *store.Tx) error { return tx.AddSnapshot(&row) })
	}
	if err == nil {
		t.kept = &row
		t.works()
		t.agent.host.passes("snapshot recorded")
	}
	return err
}

// passes tells tests where the process is.
func (h *Host) passes(point string) {
	if h.passing != nil {
		h.passing(point)
	}
}

// works tells that the turn may be changing files, until keepAfter.
func (t *turn) works() {
	if t.kept != nil && t.working == "" {
		t.working = t.kept.Workdir
		t.agent.host.works(t.working, t.agent.name, 1)
	}
}

// lastPrompt is the beginning of what the user said last.
func (s *state) lastPrompt() string {
	for _, m := range slices.Backward(s.script.Snapshot()) {
		if text := titleOf(m.Text()); m.Role == chat.User && text != "" {
			return text
		}
	}
	return ""
}

func (h *Host) writeSnapshot(ctx context.Context, do func(*store.Tx) error) error {
	if err := h.store.Write(context.WithoutCancel(ctx), store.Safe, do); err != nil {
		return fmt.Errorf("recording a snapshot: %w", err)
	}
	return nil
}

// alsoKeep adds files that the row does not hold: that git ignores, or of a row that holds only what it names. One that this
// turn has made is no file to go back to.
func (t *turn) alsoKeep(ctx context.Context, f *snapshot.Folder, row *store.Snapshot, names []string) error {
	next := *row
	for _, name := range names {
		if slices.Contains(next.Named, name) {
			continue
		}
		if permission.Protected(name) { // an undo wants to know that a person was asked
			next.Named = append(slices.Clone(next.Named), name)
		}
		add := row.Kind == store.KindFiles
		if !add {
			held, err := f.Holds(ctx, snapshot.Tree(next.Before), name)
			if err != nil {
				return err
			}
			if held {
				continue
			}
			if add, err = f.Ignored(ctx, name); err != nil {
				return err
			}
		}
		if add {
			tree, err := f.Add(ctx, snapshot.Tree(next.Before), []string{name})
			if err != nil {
				return err
			}
			next.Before = string(tree)
			if !slices.Contains(next.Named, name) {
				next.Named = append(slices.Clone(next.Named), name)
			}
		}
	}
	if len(next.Named) == len(row.Named) {
		return nil
	}
	if err := t.agent.host.writeSnapshot(ctx, func(tx *store.Tx) error { return tx.SetSnapshot(next) }); err != nil {
		return err
	}
	t.kept = &next
	return nil
}

// keepAfter notes what the turn has changed, before it is told to be over: what the user changes from then on is the user's. A
// host that closes leaves it to the next one.
func (t *turn) keepAfter(ctx context.Context) {
	h := t.agent.host
	defer func() {
		if t.working != "" {
			h.works(t.working, t.agent.name, -1)
			t.working = ""
		}
	}()
	if h.opts.Snapshots == nil || errors.Is(context.Cause(t.ctx), ErrShutdown) {
		return
	}
	h.passes("turn ends")
	row, err := t.stretch(ctx)
	if err == nil && row != nil {
		err = t.endStretch(ctx, h.opts.Snapshots.Folder(row.Workdir))
	}
	if err != nil {
		h.complain("noting what a turn has changed", err)
	}
	t.lookedUp, t.kept = false, nil
	h.passes("turn's changes recorded")
}

// endStretch takes the snapshot after. One of the whole that takes longer than a turn may wait goes on beside it.
func (t *turn) endStretch(ctx context.Context, f *snapshot.Folder) error {
	h, row := t.agent.host, *t.kept
	if row.Kind == store.KindFiles {
		tree, err := f.TakeFiles(ctx, row.Named)
		if err != nil {
			return err
		}
		return h.closeStretch(ctx, row, tree)
	}
	bound, cancel := context.WithTimeout(ctx, snapshotPatience)
	defer cancel()
	tree, err := f.Take(bound, row.Named)
	if err == nil {
		return h.closeStretch(ctx, row, tree)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	h.lookLate(t.agent.key, f, row)
	return nil
}

// closeStretch records the snapshot after. A stretch in which nothing has changed is forgotten.
func (h *Host) closeStretch(ctx context.Context, row store.Snapshot, after snapshot.Tree) error {
	row.After, row.Ended = string(after), h.opts.Now()
	return h.writeSnapshot(ctx, func(tx *store.Tx) error {
		if row.After == row.Before {
			return tx.DropSnapshot(row.Seq)
		}
		return tx.SetSnapshot(row)
	})
}
