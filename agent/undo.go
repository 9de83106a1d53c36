package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coder-agent/coder/agent/audit"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/snapshot"
	"github.com/coder-agent/coder/agent/store"
)

// A TurnName names a turn that has changed files: by its number, counted from 1 over those of the session, by the id of its
// answer or by its request id. In JSON it may be a number. "" is the last one.
type TurnName string

// UnmarshalJSON also takes a number.
func (n *TurnName) UnmarshalJSON(data []byte) error {
	if number, err := strconv.Atoi(string(data)); err == nil {
		*n = TurnName(strconv.Itoa(number))
		return nil
	}
	return json.Unmarshal(data, (*string)(n))
}

// An UndoRequest asks to take back what a turn has changed, or to make it again.
type UndoRequest struct {
	Turn   TurnName `json:"turn,omitempty"` // "": the last one that is not taken back; of a redo, the one that was taken back last
	DryRun bool     `json:"dryRun,omitempty"`

	Protected bool `json:"protected,omitempty"` // also write what UndoAnswer.Protected names
}

// An UndoAnswer says what was done, or would be.
type UndoAnswer struct {
	Turn      ChangedTurn          `json:"turn"`
	Redo      bool                 `json:"redo,omitempty"`
	Done      bool                 `json:"done"`                // the files are as they shall be; false with DryRun or Conflicts
	Files     []snapshot.FileStat  `json:"files"`               // what changes: in the way that it is put back
	Conflicts []snapshot.Conflict  `json:"conflicts,omitempty"` // files that somebody has changed since: nothing was done
	Left      []snapshot.Conflict  `json:"left,omitempty"`      // files that could not be put back, or were changed at that moment
	Uncovered []snapshot.Uncovered `json:"uncovered,omitempty"` // files that the turn has changed and no snapshot holds
	Below     []string             `json:"below,omitempty"`     // sub-agents and other children that have changed files in turns of their own
	Protected []string             `json:"protected,omitempty"` // files that are written only if that is asked for: nothing was done
}

// A ChangedTurn is a turn that has changed files.
type ChangedTurn struct {
	Number  int       `json:"number"`
	Message string    `json:"message"` // the id of its answer
	Title   string    `json:"title"`   // the beginning of its prompt
	Began   time.Time `json:"began"`
	Undone  bool      `json:"undone"`            // it was taken back
	Partial bool      `json:"partial,omitempty"` // only files that its tools name are held, none that commands change
	Open    bool      `json:"open,omitempty"`    // it is at work, or what it changed was never found out

	rows     []store.Snapshot
	undoneBy int64 // the row that took it back
}

// Undo takes back what a turn has changed. Files that somebody has changed since are named, and then nothing is done.
func (a *CoderAgent) Undo(ctx context.Context, want UndoRequest) (UndoAnswer, error) {
	return a.putBack(ctx, want, false)
}

// Redo makes again what was taken back.
func (a *CoderAgent) Redo(ctx context.Context, want UndoRequest) (UndoAnswer, error) {
	return a.putBack(ctx, want, true)
}

func (a *CoderAgent) putBack(ctx context.Context, want UndoRequest, redo bool) (UndoAnswer, error) {
	if a == nil {
		return UndoAnswer{}, ErrNoAgent
	}
	if a.host.opts.Snapshots == nil {
		return UndoAnswer{}, a.host.noSnapshots()
	}
	if err := a.host.awaitLooks(ctx, a.key); err != nil {
		return UndoAnswer{}, err
	}
	if err := a.hold(ctx); err != nil {
		return UndoAnswer{}, err
	}
	answer, err := a.putBackHeld(ctx, want, redo)
	return answer, errors.Join(err, a.letGo(ctx))
}

// noSnapshots says why nothing is kept.
func (h *Host) noSnapshots() error {
	return refusal("there are no snapshots: " + or(h.opts.Unkept, "the host keeps none"))
}

// hold keeps the session from beginning a turn. One that runs must end first.
func (a *CoderAgent) hold(ctx context.Context) error {
	return a.do(ctx, func(s *state) error {
		switch {
		case s.undoing:
			return refusal("another undo of this session is at work: wait for it")
		case s.turn != nil || s.stalled != nil || len(s.queue) > 0:
			return refusal("a turn of session " + a.name + " is at work: wait for it, or cancel it first")
		case s.parked():
			return refusal("calls of session " + a.name + " wait, judged by the files as they are: decide on them, or cancel the turn first")
		}
		s.undoing = true
		return nil
	})
}

func (a *CoderAgent) letGo(ctx context.Context) error {
	return a.do(context.WithoutCancel(ctx), func(s *state) error {
		s.undoing = false
		s.next()
		return nil
	})
}

func (a *CoderAgent) putBackHeld(ctx context.Context, want UndoRequest, redo bool) (UndoAnswer, error) {
	turns, err := a.changedTurns(ctx)
	if err != nil {
		return UndoAnswer{}, err
	}
	turn, err := chooseTurn(turns, want.Turn, redo)
	if err != nil && want.Turn == "" && !redo {
		err = a.orBelow(ctx, err)
	}
	if err != nil {
		return UndoAnswer{}, err
	}
	answer := UndoAnswer{Turn: turn, Redo: redo, Files: []snapshot.FileStat{}}
	if answer.Below, err = a.changedBelow(ctx); err != nil {
		return answer, err
	}
	workdir := turn.rows[0].Workdir
	if name := a.host.atWork(workdir); name != "" {
		return answer, refusal("session " + name + " is at work in this folder: wait for it, or cancel its turn first")
	}
	f := a.host.opts.Snapshots.Folder(workdir)
	changes, over, err := a.changesOf(ctx, f, turn)
	if err != nil {
		return answer, err
	}
	answer.Uncovered = over.uncovered
	if !redo {
		changes = snapshot.Reverse(changes)
	}
	answer.Conflicts, err = f.Check(ctx, changes)
	if err != nil {
		return answer, err
	}
	for _, path := range over.between {
		answer.Conflicts = append(answer.Conflicts, snapshot.Conflict{Path: path, Why: "was changed by somebody else while the turn waited"})
	}
	if !want.Protected {
		answer.Protected = turn.unasked(changes)
	}
	before, after, err := f.Build(ctx, changes)
	if err != nil {
		return answer, err
	}
	if answer.Files, err = f.Stat(ctx, before, after, changes); err != nil || want.DryRun || len(answer.Conflicts)+len(answer.Protected) > 0 {
		return answer, err
	}
	row := store.Snapshot{
		Session: a.key, Message: turn.Message, Title: turn.Title, Workdir: workdir, Kind: store.KindUndo, Before: string(before), After: string(after),
		Began: a.host.opts.Now(),
	}
	if redo {
		row.Kind = store.KindRedo
	}
	for _, file := range answer.Files {
		row.Named = append(row.Named, file.Path)
	}
	ctx = context.WithoutCancel(ctx) // what has begun is finished
	if err := a.host.writeSnapshot(ctx, func(tx *store.Tx) error { return tx.AddSnapshot(&row) }); err != nil {
		return answer, err
	}
	answer.Left, err = a.host.finishUndo(ctx, row, changes)
	answer.Done = err == nil && len(answer.Left) == 0
	answer.Turn.Undone = !redo
	return answer, err
}

// unasked are the files that changes would write, which decide what runs later, and which no file tool of the turn has named: a
// person was asked before each of those. What only commands have written or taken away may be of the model's making, put aside
// since: it does not come back unseen.
func (t ChangedTurn) unasked(changes []snapshot.Change) (paths []string) {
	for _, c := range changes {
		writes := c.After.Kind == snapshot.File || c.After.Kind == snapshot.Link
		named := slices.ContainsFunc(t.rows, func(r store.Snapshot) bool { return slices.Contains(r.Named, c.Path) })
		if writes && !named && permission.Protected(filepath.Join(t.rows[0].Workdir, filepath.FromSlash(c.Path))) {
			paths = append(paths, c.Path)
		}
	}
	return paths
}

// finishUndo does what a row that is on the disk says, and notes that it is done. It may be called again after it was cut
// short, wherever that was.
func (h *Host) finishUndo(ctx context.Context, row store.Snapshot, changes []snapshot.Change) (left []snapshot.Conflict, err error) {
	f := h.opts.Snapshots.Folder(row.Workdir)
	h.passes("undo recorded")
	left, err = f.Apply(ctx, changes, "undo-"+strconv.FormatInt(row.Seq, 10), func(deed, path string) { h.passes("undo: " + deed + " " + path) })
	if err != nil {
		return left, fmt.Errorf("the next start of the host goes on with it: %w", err)
	}
	h.passes("undo made")
	row.Ended = h.opts.Now()
	if err := h.writeSnapshot(ctx, func(tx *store.Tx) error { return tx.SetSnapshot(row) }); err != nil {
		return left, err
	}
	h.passes("undo's end recorded")
	h.note(audit.Entry{What: audit.Undone, Session: row.Session, By: "person", Why: fmt.Sprintf("%s of %q: %d files", row.Kind, row.Title, len(row.Named))})
	return left, h.relearnUndos(ctx, row.Session)
}

// relearnUndos has a session that is in memory read what its model must be told.
func (h *Host) relearnUndos(ctx context.Context, key string) error {
	a, err := h.Agent(ctx, key)
	if err != nil {
		return nil // the host closes: whoever loads the session reads it
	}
	rows, err := h.store.Snapshots(ctx, key)
	if err != nil {
		return err
	}
	return a.do(ctx, func(s *state) error { s.undone = untold(rows); return nil })
}

// endUndos finishes undos that an earlier host has begun.
func (h *Host) endUndos(ctx context.Context) error {
	rows, err := h.store.OpenUndos(ctx)
	if err != nil || h.opts.Snapshots == nil {
		return err
	}
	for _, row := range rows {
		f := h.opts.Snapshots.Folder(row.Workdir)
		changes, _, err := f.Changes(ctx, snapshot.Tree(row.Before), snapshot.Tree(row.After))
		var left []snapshot.Conflict
		if err == nil {
			left, err = h.finishUndo(ctx, row, changes)
		}
		if err != nil { // the folder may be gone, or on a disk that is not there now
			h.opts.Logger.Error("going on with an undo", "session", row.Session, "workdir", row.Workdir, "err", err)
			continue
		}
		h.opts.Logger.Info("finished an undo that was cut short", "session", row.Session, "files", len(row.Named), "left", len(left))
	}
	return nil
}

// atWork names a session with a turn at work in a folder, or "".
func (h *Host) atWork(workdir string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, n := range h.working[workdir] {
		if n > 0 {
			return name
		}
	}
	return ""
}

// works notes that a turn of a session has begun to change files of a folder (1), or has ended (-1).
func (h *Host) works(workdir, name string, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.working == nil {
		h.working = make(map[string]map[string]int)
	}
	if h.working[workdir] == nil {
		h.working[workdir] = make(map[string]int)
	}
	if n > 0 {
		if h.acted == nil {
			h.acted = make(map[string]int)
		}
		h.acted[workdir]++
	}
	if h.working[workdir][name] += n; h.working[workdir][name] <= 0 {
		delete(h.working[workdir], name)
	}
}

// changedBelow names the sessions below this one with changes that are not undone: what they did in turns of their own is
// undone there.
func (a *CoderAgent) changedBelow(ctx context.Context) (names []string, err error) {
	keys, err := a.host.below(ctx, a.key)
	if err != nil {
		return nil, err
	}
	slices.Sort(keys)
	for _, key := range keys {
		turns, err := a.host.changedTurns(ctx, key)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(turns, func(t ChangedTurn) bool { return !t.Undone }) {
			names = append(names, key)
		}
	}
	return names, nil
}

// orBelow adds to a refusal where else there are changes: who asks for the last of a session's means its sub-agents' too.
func (a *CoderAgent) orBelow(ctx context.Context, refused error) error {
	names, err := a.changedBelow(ctx)
	if err != nil || len(names) == 0 {
		return errors.Join(refused, err)
	}
	return refusal(refused.Error() + "; sub-agents have, in turns of their own: " + listed(names) + " (coder undo --session " + names[0] + ")")
}

// changedTurns are the turns of the session that have changed files, the first first.
func (a *CoderAgent) changedTurns(ctx context.Context) ([]ChangedTurn, error) {
	return a.host.changedTurns(ctx, a.key)
}

func (h *Host) changedTurns(ctx context.Context, key string) ([]ChangedTurn, error) {
	rows, err := h.store.Snapshots(ctx, key)
	if err != nil {
		return nil, err
	}
	var turns []ChangedTurn
	at := make(map[string]int)
	for _, row := range rows {
		i, known := at[row.Message]
		switch {
		case row.Undoes() && known:
			turns[i].Undone, turns[i].undoneBy = row.Kind == store.KindUndo, row.Seq
			continue
		case row.Undoes(): // its turn is forgotten
			continue
		case !known:
			i = len(turns)
			at[row.Message] = i
			turns = append(turns, ChangedTurn{Number: i + 1, Message: row.Message, Title: row.Title, Began: row.Began})
		}
		turns[i].rows = append(turns[i].rows, row)
		turns[i].Partial = turns[i].Partial || row.Kind == store.KindFiles
		turns[i].Open = turns[i].Open || row.After == ""
	}
	return turns, nil
}

// chooseTurn finds the turn to take back or to make again.
func chooseTurn(turns []ChangedTurn, name TurnName, redo bool) (ChangedTurn, error) {
	var found *ChangedTurn
	if name != "" {
		i, err := find(turns, name)
		if err != nil {
			return ChangedTurn{}, err
		}
		found = &turns[i]
	} else {
		for i := range turns {
			if turns[i].Undone == redo && (!redo || found == nil || turns[i].undoneBy > found.undoneBy) {
				found = &turns[i]
			}
		}
	}
	switch {
	case found == nil && redo:
		return ChangedTurn{}, refusal("nothing of this session is undone, so there is nothing to redo")
	case found == nil:
		return ChangedTurn{}, refusal(nothingToUndo(turns))
	case found.Undone != redo && redo:
		return ChangedTurn{}, refusal(fmt.Sprintf("turn %d is not undone", found.Number))
	case found.Undone != redo:
		return ChangedTurn{}, refusal(fmt.Sprintf("turn %d is undone already: coder redo makes its changes again", found.Number))
	case found.Open:
		return ChangedTurn{}, refusal(fmt.Sprintf("what turn %d has changed is not known: it was cut short, or the folder is still being looked at", found.Number))
	}
	return *found, nil
}

func nothingToUndo(turns []ChangedTurn) string {
	if len(turns) > 0 {
		return "there is nothing more to undo: all that this session has changed is undone already"
	}
	return "there is nothing to undo: no turn of this session has changed files"
}

func find(turns []ChangedTurn, name TurnName) (int, error) {
	number, _ := strconv.Atoi(string(name))
	i := slices.IndexFunc(turns, func(t ChangedTurn) bool {
		byRequest := slices.ContainsFunc(t.rows, func(r store.Snapshot) bool { return r.Turn == string(name) })
		return t.Number == number || t.Message == string(name) || byRequest
	})
	if i < 0 {
		return 0, refusal(fmt.Sprintf("no turn %s of this session has changed files; coder diff --list shows those that have", clip(string(name))))
	}
	return i, nil
}

// besides are what is to be said of changes.
type besides struct {
	uncovered []snapshot.Uncovered
	between   []string // files that others have changed between two stretches of the turn
}

// changesOf joins what the stretches of a turn have changed.
func (a *CoderAgent) changesOf(ctx context.Context, f *snapshot.Folder, turns ...ChangedTurn) (all []snapshot.Change, also besides, err error) {
	for _, t := range turns {
		for _, row := range t.rows {
			if row.After == "" {
				continue
			}
			changes, over, err := f.Changes(ctx, snapshot.Tree(row.Before), snapshot.Tree(row.After))
			if err != nil {
				return nil, also, err
			}
			var between []string
			all, between = snapshot.Then(all, changes)
			also.uncovered, also.between = append(also.uncovered, over...), append(also.between, between...)
		}
	}
	return all, also, nil
}

// untold are the undos of which the model has not heard.
func untold(rows []store.Snapshot) (list []store.Snapshot) {
	for _, row := range rows {
		if row.Undoes() && !row.Told && !row.Ended.IsZero() {
			list = append(list, row)
		}
	}
	return list
}

// listed is a list of paths in one line, of which not all may be named.
func listed(paths []string) string {
	const most = 40
	shown := make([]string, 0, most)
	for _, p := range paths[:min(most, len(paths))] {
		shown = append(shown, clip(p))
	}
	text := strings.Join(shown, ", ")
	if more := len(paths) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
