package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coder-agent/coder/agent/store"
)

// alwaysKept is how long a session stays after its last use, whatever the retention says.
const alwaysKept = 24 * time.Hour

// A Retention says how much is kept of what nobody uses. The zero value keeps everything.
type Retention struct {
	Unused time.Duration // a session goes when nobody has used it for longer; 0: its age does not matter
	Count  int           // so many stay, the last used first; 0: their number does not matter
	Bytes  int64         // the messages of all that stay take no more; 0: their size does not matter
}

// Bounded reports whether the retention deletes anything at all.
func (r Retention) Bounded() bool { return r != Retention{} }

// A Dispensable is a session that a retention lets go. With it go those below it: it stands for them all, so that its
// size is theirs together, and its last use that of any.
type Dispensable struct {
	Session
	Why string `json:"why"`
}

// Dispensable returns the sessions of the list that may go, the longest unused first. One that is pinned, runs, waits
// for a decision, has schedules or was used in the last 24 hours stays, and counts among those that stay.
func (r Retention) Dispensable(list []Session, now time.Time) []Dispensable {
	list = families(list)
	var size int64
	for _, s := range list {
		size += s.Bytes
	}
	var gone []Dispensable
	for i, s := range slices.Backward(list) {
		if why := r.why(s, i, size, now); why != "" && !s.kept(now) {
			gone = append(gone, Dispensable{s, why})
			size -= s.Bytes
		}
	}
	return gone
}

// families joins each session with those below it, and returns them with the last used first.
func families(list []Session) []Session {
	joined := make(map[string]*Session)
	for _, s := range list {
		root, _, _ := strings.Cut(strings.ToLower(s.Name), "/")
		if family, ok := joined[root]; ok {
			family.join(s)
		} else {
			joined[root] = &s
		}
	}
	families := make([]Session, 0, len(joined))
	for _, family := range joined {
		family.Name, _, _ = strings.Cut(family.Name, "/")
		family.Parent = ""
		families = append(families, *family)
	}
	slices.SortFunc(families, func(a, b Session) int {
		return cmp.Or(b.Updated.Compare(a.Updated), strings.Compare(a.Name, b.Name))
	})
	return families
}

// join adds another session of the family. What it is called comes from whichever is above.
func (s *Session) join(other Session) {
	upper, lower := *s, other
	if len(other.Name) < len(s.Name) {
		upper, lower = lower, upper
	}
	if lower.Updated.After(upper.Updated) {
		upper.Updated = lower.Updated
	}
	if upper.Status == Idle {
		upper.Status = lower.Status
	}
	upper.Pinned = upper.Pinned || lower.Pinned
	upper.Bytes += lower.Bytes
	upper.Schedules += lower.Schedules
	*s = upper
}

// why says for which reason the session may go: it is the one after i that were used later, and size is what it and
// all others that are left take. "" means none.
func (r Retention) why(s Session, i int, size int64, now time.Time) string {
	switch unused := now.Sub(s.Updated); {
	case r.Unused > 0 && unused > r.Unused:
		return "unused for " + age(unused)
	case r.Count > 0 && i >= r.Count:
		return fmt.Sprintf("not among the last %d", r.Count)
	case r.Bytes > 0 && size > r.Bytes:
		return fmt.Sprintf("all together take more than %g MB", float64(r.Bytes)/1e6)
	}
	return ""
}

// age is a time in whole days, or hours below two days.
func age(d time.Duration) string {
	if d < 48*time.Hour {
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// kept reports whether the session stays whatever the retention says.
func (s Session) kept(now time.Time) bool {
	return s.Pinned || s.Status != Idle || s.Schedules > 0 || now.Sub(s.Updated) < alwaysKept
}

// A Pruned says what Prune has deleted.
type Pruned struct {
	Sessions []Dispensable `json:"sessions"`
	Freed    int64         `json:"freedBytes"` // what the store's file is shorter, and snapshots took up that went at once
}

// Prune deletes what the retention lets go. With names it deletes only those of them: what a user was shown and said
// yes to. A session that is used meanwhile stays.
func (h *Host) Prune(ctx context.Context, r Retention, names []string) (Pruned, error) {
	pruned := Pruned{Sessions: []Dispensable{}}
	list, err := h.Sessions(ctx)
	if err != nil {
		return pruned, err
	}
	for _, d := range r.Dispensable(list, h.opts.Now()) {
		if names != nil && !slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, d.Name) }) {
			continue
		}
		gone, err := h.pruneFamily(ctx, d)
		if err != nil {
			return pruned, err
		}
		if gone {
			pruned.Sessions = append(pruned.Sessions, d)
			freed, err := h.dropSnapshots(ctx, d.Workdir)
			if err != nil {
				return pruned, err
			}
			pruned.Freed += freed
			h.opts.Logger.Info("session deleted to make room", "session", d.Name, "why", d.Why, "bytes", d.Bytes)
		}
	}
	if len(pruned.Sessions) > 0 {
		freed, err := h.store.Reclaim(ctx)
		pruned.Freed += freed
		return pruned, err
	}
	return pruned, nil
}

// pruneFamily deletes the session and those below it, the deepest first. One that is used meanwhile stays, and with it
// those above it.
func (h *Host) pruneFamily(ctx context.Context, d Dispensable) (gone bool, err error) {
	key := strings.ToLower(d.Name)
	keys, err := h.below(ctx, key)
	if err != nil {
		return false, err
	}
	for _, k := range append(keys, key) {
		a, err := h.Agent(ctx, k)
		if err != nil {
			return false, err
		}
		if gone, err = a.prune(ctx, d.Updated); err != nil || !gone {
			return false, err
		}
	}
	return true, nil
}

// prune deletes the session unless it was used after a time or must stay for another reason. What is not there is gone.
func (a *CoderAgent) prune(ctx context.Context, used time.Time) (gone bool, err error) {
	err = a.do(ctx, func(s *state) error {
		row, ok, err := a.host.store.Session(ctx, a.key)
		busy := s.turn != nil || len(s.queue) > 0 || a.host.hasJobs(a.key)
		if err != nil || ok && (busy || row.Updated.After(used) || SessionOf(row).kept(a.host.opts.Now())) {
			return err
		}
		if gone = true; !ok {
			return nil
		}
		return s.remove()
	})
	return gone && err == nil, err
}

// Pin keeps a session from being deleted to make room, or lets it go again. Without such a session it is a
// *NoSessionError.
func (h *Host) Pin(ctx context.Context, name string, pinned bool) error {
	a, err := h.Agent(ctx, name)
	if err != nil {
		return err
	}
	return a.do(ctx, func(s *state) error {
		if !s.known {
			return &NoSessionError{Name: name}
		}
		row := s.session
		row.Pinned = pinned
		err := h.store.Write(context.WithoutCancel(h.ctx), store.Safe, func(tx *store.Tx) error { return tx.PutSession(row) })
		if err != nil {
			return fmt.Errorf("pinning session %s: %w", name, err)
		}
		s.session = row
		return nil
	})
}

// A NoSessionError says that there is no session with the name.
type NoSessionError struct{ Name string }

func (e *NoSessionError) Error() string { return "there is no session " + e.Name }

// Hint names the way to see the sessions.
func (e *NoSessionError) Hint() string { return "coder sessions list shows what there is" }

// retainEvery is how often the host applies its retention, counted from its start.
const retainEvery = 24 * time.Hour

// tidy applies the host's retention once a day and gives the room of all that was deleted back to the disk. It is
// part of every sweep, so that after a machine's sleep the wall clock counts.
func (h *Host) tidy() {
	now := h.opts.Now()
	if h.opts.Retention.Bounded() && now.Sub(h.retained) >= retainEvery {
		h.retained = now
		if _, err := h.Prune(h.ctx, h.opts.Retention, nil); err != nil {
			h.complain("applying the retention", err)
		}
	}
	if _, err := h.store.Reclaim(h.ctx); err != nil {
		h.complain("giving back free room", err)
	}
	if err := h.sweepSnapshots(h.ctx); err != nil {
		h.complain("sweeping snapshots", err)
	}
}

// complain logs an error, unless it comes from the host's own end.
func (h *Host) complain(deed string, err error) {
	if h.ctx.Err() == nil && !errors.Is(err, ErrShutdown) {
		h.opts.Logger.Error(deed, "err", err)
	}
}
