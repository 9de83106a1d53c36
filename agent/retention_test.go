package agent_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/store"
)

func TestRetentionLetsGoOnlyWhatNobodyNeeds(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	session := func(name string, unused time.Duration, bytes int64, change ...func(*agent.Session)) agent.Session {
		s := agent.Session{Name: name, Status: agent.Idle, Updated: now.Add(-unused), Bytes: bytes}
		for _, c := range change {
			c(&s)
		}
		return s
	}
	pinned := func(s *agent.Session) { s.Pinned = true }
	running := func(s *agent.Session) { s.Status = agent.Running }
	waiting := func(s *agent.Session) { s.Status = agent.Waiting }
	planned := func(s *agent.Session) { s.Schedules = 1 }

	mixed := []agent.Session{
		session("now", time.Hour, 10e6), session("week", 7*day, 20e6), session("month", 30*day, 30e6), session("year", 365*day, 40e6),
	}
	kept := []agent.Session{
		session("pinned", 365*day, 10e6, pinned), session("running", 365*day, 10e6, running),
		session("waiting", 365*day, 10e6, waiting), session("planned", 365*day, 10e6, planned),
	}
	tests := []struct {
		name string
		r    agent.Retention
		list []agent.Session
		want string // name: why, the longest unused first
	}{
		{"no bound keeps all", agent.Retention{}, mixed, ""},
		{"no session is no error", agent.Retention{Unused: day, Count: 1, Bytes: 1}, nil, ""},
		{"by age", agent.Retention{Unused: 8 * day}, mixed, "year: unused for 365 days; month: unused for 30 days"},
		{"exactly that old stays", agent.Retention{Unused: 30 * day}, mixed, "year: unused for 365 days"},
		{"the last 24 hours stay even if less is wanted", agent.Retention{Unused: time.Minute}, mixed, "year: unused for 365 days; month: unused for 30 days; week: unused for 7 days"},
		{"by number", agent.Retention{Count: 2}, mixed, "year: not among the last 2; month: not among the last 2"},
		{"the order of the list does not matter", agent.Retention{Count: 3}, []agent.Session{mixed[3], mixed[0], mixed[2], mixed[1]}, "year: not among the last 3"},
		{"by size, the longest unused first and no more than needed", agent.Retention{Bytes: 60e6}, mixed, "year: all together take more than 60 MB"},
		{"by size, more of them", agent.Retention{Bytes: 59e6}, mixed, "year: all together take more than 59 MB; month: all together take more than 59 MB"},
		{"what fits stays", agent.Retention{Bytes: 100e6}, mixed, ""},
		{"what goes by age makes room for the rest", agent.Retention{Unused: 100 * day, Bytes: 60e6}, mixed, "year: unused for 365 days"},
		{"pinned, running, waiting and planned ones stay", agent.Retention{Unused: day, Count: 1, Bytes: 1}, kept, ""},
		{
			"what stays counts against the size",
			agent.Retention{Bytes: 45.5e6},
			append(slices.Clone(kept), session("free", 2*day, 10e6)),
			"free: all together take more than 45.5 MB",
		},
		{"a pinned one takes its place among the last", agent.Retention{Count: 1}, []agent.Session{session("a", 2*day, 1, pinned), session("b", 3*day, 1)}, "b: not among the last 1"},
		{"a clock that was set back deletes nothing", agent.Retention{Unused: day}, []agent.Session{session("future", -day, 1)}, ""},
		{
			"with a session go those below it, and their sizes add up",
			agent.Retention{Bytes: 50e6},
			[]agent.Session{session("a/sub/task/x", 3*day, 30e6), session("A", 40*day, 20e6), session("b", 2*day, 20e6)},
			"A: all together take more than 50 MB",
		},
		{
			"what is used below a session keeps it",
			agent.Retention{Unused: 30 * day},
			[]agent.Session{session("a", 90*day, 1), session("a/sub/task/x", 3*day, 1), session("b/sub/task/x", 90*day, 1)},
			"b: unused for 90 days",
		},
		{
			"what is pinned below a session keeps it",
			agent.Retention{Unused: 30 * day},
			[]agent.Session{session("a", 90*day, 1), session("a/sub/task/x/sub/task/y", 80*day, 1, pinned)},
			"",
		},
		{"hours below two days", agent.Retention{Unused: day}, []agent.Session{session("a", 30*time.Hour, 1)}, "a: unused for 30 hours"},
	}
	for _, tt := range tests {
		var got []string
		for _, d := range tt.r.Dispensable(tt.list, now) {
			got = append(got, d.Name+": "+d.Why)
		}
		if got := strings.Join(got, "; "); got != tt.want {
			t.Errorf("%s: %+v lets go %q, want %q", tt.name, tt.r, got, tt.want)
		}
	}
}

// converse gives the host's session one turn.
func converse(t *testing.T, h *agent.Host, model *agenttest.Model, name, text string) {
	t.Helper()
	a := agenttest.Agent(t, h, name)
	sub, err := a.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	model.Add(agenttest.Say("heard: " + text))
	id := "q-" + text // a request id counts once
	agenttest.Ask(t, a, id, text)
	agenttest.Finish(t, sub, id)
}

func sessionNames(t *testing.T, h *agent.Host) string {
	t.Helper()
	list, err := h.Sessions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, s := range list {
		all = append(all, s.Name)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func TestPruneDeletesWhatItWasShownAndNoMore(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	model := agenttest.NewModel()
	opts := agenttest.Options(t, model)
	opts.Now = func() time.Time { return now }
	dir := t.TempDir()
	h := agenttest.Open(t, dir, opts)
	for _, name := range []string{"a", "b", "Kept", "used"} {
		converse(t, h, model, name, "the secret of "+name)
	}
	scratch, err := agenttest.Agent(t, h, "a").ScratchDir(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Pin(t.Context(), "KEPT", true); err != nil {
		t.Fatal(err)
	}
	now = now.Add(60 * 24 * time.Hour)
	month := agent.Retention{Unused: 30 * 24 * time.Hour}
	list, err := h.Sessions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	shown := month.Dispensable(list, now)
	if len(shown) != 3 || sessionNames(t, h) != "Kept a b used" {
		t.Fatalf("shown: %+v, there: %s", shown, sessionNames(t, h))
	}
	converse(t, h, model, "used", "again")

	pruned, err := h.Prune(t.Context(), month, []string{"A", "used"})
	if err != nil {
		t.Fatal(err)
	}
	if len(pruned.Sessions) != 1 || pruned.Sessions[0].Name != "a" || pruned.Sessions[0].Why != "unused for 60 days" || pruned.Sessions[0].Bytes == 0 {
		t.Errorf("pruned %+v", pruned)
	}
	if got := sessionNames(t, h); got != "Kept b used" {
		t.Errorf("left are %s", got)
	}
	if _, err := os.Stat(scratch); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its scratch folder is still there (%v)", err)
	}
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(store.Path(dir) + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "secret of a") {
			t.Errorf("its text is still in the file %q", suffix)
		}
	}
	if _, err := h.Prune(t.Context(), month, nil); err != nil || sessionNames(t, h) != "Kept used" {
		t.Errorf("without names: left are %s, %v", sessionNames(t, h), err)
	}
}

func TestPruneTakesWhatIsBelowASession(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	model := agenttest.NewModel()
	opts := agenttest.Options(t, model)
	opts.Now = func() time.Time { return now }
	h := agenttest.Open(t, t.TempDir(), opts)
	for _, name := range []string{"a", "a/sub/task/x", "a/sub/task/x/sub/task/y", "ab", "c", "c/sub/task/x"} {
		converse(t, h, model, name, "hello "+name)
	}
	if err := h.Pin(t.Context(), "c/sub/task/x", true); err != nil {
		t.Fatal(err)
	}
	now = now.Add(60 * 24 * time.Hour)
	pruned, err := h.Prune(t.Context(), agent.Retention{Unused: 30 * 24 * time.Hour}, []string{"a"})
	if err != nil || len(pruned.Sessions) != 1 || pruned.Sessions[0].Name != "a" {
		t.Fatalf("pruned %+v, %v", pruned, err)
	}
	if _, err := h.Prune(t.Context(), agent.Retention{Unused: 30 * 24 * time.Hour}, nil); err != nil {
		t.Fatal(err)
	}
	if got := sessionNames(t, h); got != "c c/sub/task/x" {
		t.Errorf("left are %s", got)
	}
}

func TestPinsOutliveTheHostAndAreNoUse(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	model := agenttest.NewModel()
	opts := agenttest.Options(t, model)
	opts.Now = func() time.Time { return now }
	dir := t.TempDir()
	session := func(h *agent.Host) agent.Session {
		t.Helper()
		list, err := h.Sessions(t.Context())
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		return list[0]
	}
	h := agenttest.Open(t, dir, opts)
	converse(t, h, model, "a", "hello")
	used := session(h).Updated
	now = now.Add(time.Hour)
	if err := h.Pin(t.Context(), "a", true); err != nil {
		t.Fatal(err)
	}
	if s := session(h); !s.Pinned || !s.Updated.Equal(used) {
		t.Errorf("pinned %v, used %s; want pinned, and used as before at %s", s.Pinned, s.Updated, used)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h = agenttest.Open(t, dir, opts)
	if !session(h).Pinned {
		t.Error("after a restart the pin is gone")
	}
	converse(t, h, model, "A", "a turn keeps it")
	if err := h.Pin(t.Context(), "a", false); err != nil || session(h).Pinned {
		t.Errorf("unpinning: %v, %+v", err, session(h))
	}
	var none *agent.NoSessionError
	if err := h.Pin(t.Context(), "nobody", true); !errors.As(err, &none) || sessionNames(t, h) != "a" {
		t.Errorf("pinning nobody: %v; there are %s", err, sessionNames(t, h))
	}
}

// TestTheHostAppliesItsRetentionAtItsStartAndDaily in a world where days pass in no time.
func TestTheHostAppliesItsRetentionAtItsStartAndDaily(t *testing.T) {
	const day = 24 * time.Hour
	synctest.Test(t, func(t *testing.T) {
		model := agenttest.NewModel()
		opts := agenttest.Options(t, model)
		dir := t.TempDir()
		h, err := agent.Open(t.Context(), dir, opts)
		if err != nil {
			t.Fatal(err)
		}
		converse(t, h, model, "old", "x")
		<-time.After(8 * day)
		converse(t, h, model, "new", "y")
		<-time.After(5 * day)
		if got := sessionNames(t, h); got != "new old" {
			t.Errorf("a host without retention has left %s", got)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}

		opts.Retention = agent.Retention{Unused: 7 * day}
		if h, err = agent.Open(t.Context(), dir, opts); err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * time.Second) // its first sweep comes after one
		if got := sessionNames(t, h); got != "new" {
			t.Errorf("at its start the host has left %s", got)
		}
		<-time.After(day)
		if got := sessionNames(t, h); got != "new" {
			t.Errorf("on the first day the host has left %s", got)
		}
		<-time.After(2 * day)
		if got := sessionNames(t, h); got != "" {
			t.Errorf("once it was due the host has left %s", got)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestAHostEndsTheDeletionsOfTheLast: a session that was half deleted when the host died is gone, and its name is free.
func TestAHostEndsTheDeletionsOfTheLast(t *testing.T) {
	model := agenttest.NewModel()
	opts := agenttest.Options(t, model)
	dir := t.TempDir()
	h := agenttest.Open(t, dir, opts)
	converse(t, h, model, "a", "hello")
	scratch, err := agenttest.Agent(t, h, "a").ScratchDir(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	hide(t, dir, "a")
	h = agenttest.Open(t, dir, opts)
	if got := sessionNames(t, h); got != "" {
		t.Errorf("there are %s", got)
	}
	if _, err := os.Stat(filepath.Clean(scratch)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its scratch folder is still there (%v)", err)
	}
	converse(t, h, model, "a", "anew")
	messages, err := agenttest.Agent(t, h, "a").Messages(t.Context())
	if err != nil || len(messages) != 2 {
		t.Errorf("the new session has %d messages, %v", len(messages), err)
	}
}

// hide does what a deletion does first.
func hide(t *testing.T, dir, key string) {
	t.Helper()
	s, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Write(context.Background(), store.Safe, func(tx *store.Tx) error { return tx.HideSession(key) })
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
}
