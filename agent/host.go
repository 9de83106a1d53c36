package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/store"
)

// A Host keeps the agents of one data dir alive. There is one per data dir: it holds the lock of the dir.
type Host struct {
	opts    Options
	dir     string
	private string // dir, absolute and with links resolved
	lock    *flock.Flock
	store   *store.Store
	tools   map[string]Tool
	specs   []chat.ToolSpec // of all tools, in their order

	ctx    context.Context // done, with ErrShutdown, once the host closes
	cancel context.CancelCauseFunc
	owned  sync.WaitGroup // the clock and the agents' loops

	mu     sync.Mutex
	agents map[string]*CoderAgent // by key, the name or address in lower case
	stalls map[string]Turn        // turns that stand still, by the same key
	closed bool

	giving sync.Mutex // held while a call gives its task to a child

	turns, subscribers atomic.Int64
	loaded             atomic.Int64  // sessions in memory
	spare              chan struct{} // a session that nobody uses takes from it, and goes to sleep

	opened    time.Time
	replanned chan struct{} // has room for one; wakes the clock
	planned   atomic.Pointer[Planned]

	working map[string]map[string]int // turns that may be changing files, by folder and session
	looked  map[string]bool           // folders of which a first snapshot was begun
	acted   map[string]int            // how many turns have begun to change files, by folder
	late    []*lateLook               // looks at what turns have changed that go on beside the sessions

	sweptSnapshots time.Time          // the clock's
	passing        func(point string) // nil but in tests, which end the process at a point of what snapshots and undos do
	owesSweep      atomic.Bool        // snapshots of a deleted session are left

	retained time.Time // when the retention was applied last; the clock's
}

// Open takes the lock of dir, or returns a *HeldError, opens its store and resumes the turns that are open there. The
// host lives until Close; ctx bounds the opening and hands down its values.
func Open(ctx context.Context, dir string, opts Options) (*Host, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("agent: making the data dir: %w", err)
	}
	lock := flock.New(filepath.Join(dir, "host.lock"), flock.SetPermissions(0o600))
	held, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("agent: locking %s: %w", dir, err)
	}
	if !held {
		return nil, &HeldError{Dir: dir, Addr: runningAddr(dir)}
	}
	h, err := open(ctx, dir, lock, opts)
	if err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return h, nil
}

func open(ctx context.Context, dir string, lock *flock.Flock, opts Options) (*Host, error) {
	private, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("agent: the data dir: %w", err)
	}
	private = permission.Resolve(private, ".")
	opts.Private = slices.Clone(opts.Private)
	for i, dir := range opts.Private {
		opts.Private[i] = permission.Resolve(dir, ".")
	}
	h := &Host{opts: opts, dir: dir, private: private, lock: lock, tools: make(map[string]Tool), agents: make(map[string]*CoderAgent), stalls: make(map[string]Turn)}
	h.opened, h.replanned, h.spare = opts.Now(), make(chan struct{}, 1), make(chan struct{})
	for _, tool := range opts.Tools {
		spec, err := tool.spec()
		if err != nil {
			return nil, err
		}
		if _, twice := h.tools[tool.Name]; twice {
			return nil, fmt.Errorf("agent: two tools named %s", tool.Name)
		}
		h.tools[tool.Name] = tool
		h.specs = append(h.specs, spec)
	}
	if h.store, err = store.Open(ctx, dir); err != nil {
		return nil, err
	}
	h.ctx, h.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	if err := errors.Join(h.lookAhead(ctx), h.endUndos(ctx), h.resume(ctx)); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	h.owned.Go(h.clock)
	return h, nil
}

// resume ends deletions that an earlier host has begun, and wakes every agent that has work.
func (h *Host) resume(ctx context.Context) error {
	if err := h.endRemovals(ctx); err != nil {
		return err
	}
	keys, err := h.store.OpenSessions(ctx)
	if err != nil {
		return err
	}
	for _, key := range keys {
		a, err := h.Agent(ctx, key)
		if err != nil {
			return err
		}
		if err := a.wake(); err != nil {
			return err
		}
	}
	return h.lookAfterTasks(ctx)
}

// endRemovals deletes what is left of sessions that are half deleted.
func (h *Host) endRemovals(ctx context.Context) error {
	keys, err := h.store.Removed(ctx)
	for _, key := range keys {
		a, errAgent := h.Agent(ctx, key)
		if errAgent != nil {
			return errAgent
		}
		err = errors.Join(err, a.erase())
	}
	return err
}

// Close refuses new work, cancels turns (they stay open on disk), waits for everything the host owns and releases the
// lock.
func (h *Host) Close() error {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.cancel(ErrShutdown)
	h.opts.Jobs.Close()
	h.owned.Wait()
	return errors.Join(h.store.Close(), h.lock.Unlock())
}

// ValidName reports whether a name is one of 1 to 128 letters, digits and . _ % -, and begins with a letter or digit.
func ValidName(name string) bool {
	for i, c := range []byte(name) {
		alnum := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !alnum && (i == 0 || !strings.ContainsRune("._%-", rune(c))) {
			return false
		}
	}
	return name != "" && len(name) <= 128
}

// Agent returns the agent with the name, or the child with the address: the same name, in whatever case, the same agent.
// It wakes up when it is first used. A bad name is a *NameError.
func (h *Host) Agent(_ context.Context, name string) (*CoderAgent, error) {
	if !ValidAddress(name) {
		return nil, &NameError{Name: name}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, ErrShutdown
	}
	key := strings.ToLower(name)
	a, ok := h.agents[key]
	if !ok {
		a = &CoderAgent{host: h, key: key, name: name, mailbox: make(chan command)}
		h.agents[key] = a
	}
	return a, nil
}

// A Session describes an agent for lists.
type Session struct {
	Name     string          `json:"name"`             // of a child, its address
	Parent   string          `json:"parent,omitempty"` // of a child, its parent's name or address
	Title    string          `json:"title"`            // the beginning of the first prompt, or what a client set
	Workdir  string          `json:"workdir"`
	Model    string          `json:"model"`
	Mode     permission.Mode `json:"mode"`
	Status   Status          `json:"status"`
	Provider string          `json:"provider,omitempty"` // when interrupted under a host: whose host goes on with it
	Messages int             `json:"messages"`
	Usage    chat.Usage      `json:"usage"`
	Created  time.Time       `json:"created"`
	Updated  time.Time       `json:"updated"`

	ParentSession string `json:"parentSession,omitempty"` // of a fork
	ForkedAt      string `json:"forkedAt,omitempty"`      // the last message that it took over

	Pinned    bool  `json:"pinned"`    // never deleted to make room
	Bytes     int64 `json:"bytes"`     // of its messages on disk
	Schedules int   `json:"schedules"` // how many it has

	Agent string `json:"agent,omitempty"` // of a child with a task: explore or general
}

// A Status says what a session is doing.
type Status string

const (
	Idle    Status = "idle"
	Running Status = "running"
	Waiting Status = "waiting" // for a decision, or for a client's results
	Asking  Status = "asking"  // a question waits for the user's answer, and no call for a decision

	// Interrupted is a session whose turn is open, or whose prompt waits for its turn, and no host goes on with it: none
	// runs, or one of another provider than the work was accepted for.
	Interrupted Status = "interrupted"
)

// Sessions lists the sessions on disk, the last used first.
func (h *Host) Sessions(ctx context.Context) ([]Session, error) {
	rows, err := h.store.Sessions(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Session, 0, len(rows))
	for _, r := range rows {
		list = append(list, h.describe(r))
	}
	return list, nil
}

func (h *Host) describe(r store.Session) Session {
	session := SessionOf(r)
	if _, stands := h.stallOf(r.Key); stands {
		session.Status = Idle // on disk its turn is open, but nobody works on it
	}
	if session.Status == Running && h.foreign(r.Provider) {
		session.Status, session.Provider = Interrupted, r.Provider
	}
	return session
}

// SessionOf describes a stored session: for commands that read the store while no host runs.
func SessionOf(r store.Session) Session {
	parent, _, _ := SplitAddress(r.Name)
	return Session{
		Name: r.Name, Parent: parent, Title: r.Title, Workdir: r.Workdir, Model: r.Model, Mode: permission.Mode(r.Mode),
		Status: Status(r.Status), Messages: r.Messages, Usage: r.Usage, Created: r.Created, Updated: r.Updated,
		ParentSession: r.ForkedFrom, ForkedAt: r.ForkedAt,
		Pinned: r.Pinned, Bytes: r.Bytes, Schedules: r.Schedules, Agent: r.Agent,
	}
}

// Delete cancels the session's turns and removes it from disk, and with it all sessions below it; then nothing of their
// text is left in the store's files. Their subscribers get ErrDeleted.
func (h *Host) Delete(ctx context.Context, name string) error {
	a, err := h.Agent(ctx, name)
	if err != nil {
		return err
	}
	row, _, err := h.store.Session(ctx, a.key)
	if err != nil {
		return err
	}
	if err := a.still(ctx, func(*state) error { return nil }); err != nil { // else its turn would go on without them
		return err
	}
	if err := h.deleteBelow(ctx, a.key); err != nil {
		return err
	}
	h.opts.Jobs.Drop(a.key)
	if err := a.delete(ctx); err != nil {
		return err
	}
	h.opts.Jobs.Drop(a.key)                           // what its turn started before it ended
	if err := h.deleteBelow(ctx, a.key); err != nil { // what its turn made before it ended
		return err
	}
	a.tellAbove(ctx)
	if _, err := h.dropSnapshots(ctx, row.Workdir); err != nil {
		return fmt.Errorf("session %s is deleted, but its snapshots are not: %w", name, err)
	}
	if _, err := h.store.Reclaim(ctx); err != nil {
		return fmt.Errorf("session %s is deleted, but its text is still in free pages of the store's file: %w", name, err)
	}
	return nil
}

// Busy reports how many turns run or wait in queues and how many subscribers there are.
func (h *Host) Busy() (turns, subscribers int) {
	return int(h.turns.Load()), int(h.subscribers.Load())
}

// runningAddr returns the address that a host has published in run/host.json of the data dir, or "".
func runningAddr(dir string) string {
	data, err := os.ReadFile(filepath.Join(dir, "run", "host.json"))
	if err != nil {
		return ""
	}
	var info struct {
		Addr string `json:"addr"`
	}
	if json.Unmarshal(data, &info) != nil {
		return ""
	}
	return info.Addr
}
