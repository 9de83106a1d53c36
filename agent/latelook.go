package agent

import (
	"context"
	"errors"
	"slices"

	"github.com/coder-agent/coder/agent/snapshot"
	"github.com/coder-agent/coder/agent/store"
)

// A lateLook is a look at what a turn has changed that goes on when the turn is over. The host stays for it, and an undo waits for it:
// nobody else can ever find out.
type lateLook struct {
	session string        // its key
	done    chan struct{} // closed when the row says what was found, or that will never be known
}

// errOvertaken says that another turn has begun to change files before the look at what one has changed was over.
var errOvertaken = errors.New("another turn has begun to change files of the folder meanwhile: what the one before has changed cannot be told from it")

// lookLate takes the snapshot after of a row beside the session, for at most snapshotLate.
func (h *Host) lookLate(session string, f *snapshot.Folder, row store.Snapshot) {
	l := &lateLook{session: session, done: make(chan struct{})}
	h.mu.Lock()
	h.late = append(h.late, l)
	before := h.acted[row.Workdir]
	h.mu.Unlock()
	h.owned.Go(func() {
		defer h.endLook(l)
		ctx, cancel := context.WithTimeout(h.ctx, snapshotLate)
		defer cancel()
		tree, err := f.Take(ctx, row.Named)
		if err == nil && h.actedIn(row.Workdir) != before {
			err = errOvertaken
		}
		if err == nil {
			err = h.closeStretch(ctx, row, tree)
		}
		if err != nil {
			h.complain("noting what a turn has changed", err)
		}
	})
}

func (h *Host) endLook(l *lateLook) {
	h.mu.Lock()
	h.late = slices.DeleteFunc(h.late, func(other *lateLook) bool { return other == l })
	h.mu.Unlock()
	close(l.done)
	h.opts.Changed()
}

// actedIn is how many turns have begun to change files of a folder so far.
func (h *Host) actedIn(workdir string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.acted[workdir]
}

// Looking reports whether a folder is still being looked at for a turn that is over: a host that ends now would not know what it
// has changed.
func (h *Host) Looking() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.late) > 0
}

// awaitLooks waits until no turn of the session is still being looked at.
func (h *Host) awaitLooks(ctx context.Context, session string) error {
	for {
		h.mu.Lock()
		i := slices.IndexFunc(h.late, func(l *lateLook) bool { return l.session == session })
		var look *lateLook
		if i >= 0 {
			look = h.late[i]
		}
		h.mu.Unlock()
		if look == nil {
			return nil
		}
		h.passes("undo waits for a look")
		select {
		case <-look.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
