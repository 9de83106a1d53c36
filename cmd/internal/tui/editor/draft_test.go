package editor

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"
)

func openDraft(t *testing.T, dir string) *DraftFile {
	t.Helper()
	d, err := OpenDraft(dir, "S/sub/kind/x")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// TestDraftSurvivesACrash: what was typed is on disk when the time to gather is over, folded pastes too.
func TestDraftSurvivesACrash(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "drafts")
	file := openDraft(t, dir)
	d := newDesk(t, Options{Drafts: file}).do("half a <<" + tenLines + ">> thought")
	d.send1(saveDraft{})
	if err := file.lock.Close(); err != nil { // as the system does for who has crashed
		t.Fatal(err)
	}
	again := newDesk(t, Options{Drafts: openDraft(t, dir)})
	if got, want := again.withCursor(), "half a [pasted 10 lines #1] thought|"; got != want {
		t.Errorf("the draft is %q, want %q", got, want)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v (%v), want 0600", e.Name(), info.Mode(), err)
		}
	}
}

// TestTimersRunOnlyWhileSomethingIsTyped, one at a time.
func TestTimersRunOnlyWhileSomethingIsTyped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, Options{Drafts: &fakeDrafts{}})
		begun := time.Now()
		d.do("abc")
		timers := 0
		for len(d.cmds) > 0 {
			cmd := d.cmds[0]
			d.cmds = d.cmds[1:]
			for _, msg := range runAll(cmd) {
				if _, ok := msg.(saveDraft); ok {
					timers++
					d.send1(msg)
				}
			}
		}
		if took := time.Since(begun); timers != 1 || took != gather {
			t.Errorf("three letters begin %d timers, which take %v; want one of %v", timers, took, gather)
		}
		if d.do("<left>"); len(d.cmds) > 0 {
			t.Error("a move begins a timer")
		}
	})
}

// runAll runs a command and those that it is made of.
func runAll(cmd tea.Cmd) (msgs []tea.Msg) {
	if cmd == nil {
		return nil
	}
	msg := cmd()
	batch, ok := msg.(tea.BatchMsg)
	if !ok {
		return []tea.Msg{msg}
	}
	for _, one := range batch {
		msgs = append(msgs, runAll(one)...)
	}
	return msgs
}

// TestASentPromptStaysOnDiskUntilTheHostHasIt.
func TestASentPromptStaysOnDiskUntilTheHostHasIt(t *testing.T) {
	drafts := &fakeDrafts{}
	crash := func() *desk { return newDesk(t, Options{Drafts: drafts}) }
	d := crash().do("one<enter>tw")
	d.send1(saveDraft{})
	sent := lastSaid[Submit](d)

	again := crash()
	if got := again.Value(); got != "tw" {
		t.Errorf("before the transcript is there the editor has %q, want the draft", got)
	}
	again.collect(again.Restore(func(string) bool { return false }))
	if got := again.Value(); got != "one\n\ntw" {
		t.Errorf("what no host has is not brought back: %q", got)
	}

	drafts.draft = Draft{Pieces: []Piece{{Text: "tw"}}, Unsent: []Unsent{{ID: sent.ID, Pieces: []Piece{{Text: "one"}}}}}
	again = crash()
	again.collect(again.Restore(func(id string) bool { return id == sent.ID }))
	if got := again.Value(); got != "tw" || len(drafts.draft.Unsent) > 0 {
		t.Errorf("what the host has is brought back: %q, %+v", got, drafts.draft)
	}

	d = crash()
	d.SetValue("")
	d.do("three<enter>")
	d.collect(d.Settled(lastSaid[Submit](d).ID))
	if len(drafts.draft.Unsent) > 0 || len(drafts.draft.Pieces) > 0 {
		t.Errorf("a settled prompt leaves %+v", drafts.draft)
	}
	d.do("four<enter>")
	d.collect(d.Refused(lastSaid[Submit](d).ID))
	if got := d.Value(); got != "four" {
		t.Errorf("a refused prompt leaves %q in the editor, want it back", got)
	}
}

// TestWhatStandsInThePlaceOfTheDraftDoesNotTakeIt, when the terminal crashes meanwhile.
func TestWhatStandsInThePlaceOfTheDraftDoesNotTakeIt(t *testing.T) {
	for _, tt := range []struct{ name, keys, want string }{
		{"a search", "my draft<ctrl+r>old", "my draft"},
		{"an entry of the history", "my draft<up>", "my draft"},
		{"an entry that was changed", "my draft<up>er", "my draft\n\nolder"},
		{"an entry that was found", "my draft<ctrl+r>old<enter>", "my draft"},
		{"a search in a walk", "my draft<up><ctrl+r>ol", "my draft"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			drafts := &fakeDrafts{}
			d := newDesk(t, Options{Drafts: drafts, History: &fakeHistory{[]Entry{{Pieces: []Piece{{Text: "old"}}}}}}).do(tt.keys)
			d.send1(saveDraft{})
			if got := plainText(drafts.draft.Pieces); got != tt.want {
				t.Errorf("%s saves %q, want %q", tt.keys, got, tt.want)
			}
		})
	}
	drafts := &fakeDrafts{}
	d := newDesk(t, Options{Drafts: drafts, History: &fakeHistory{[]Entry{{Pieces: []Piece{{Text: "old"}}}}}}).do("my draft<up>")
	d.Edit("q", "prompt 1", "queued")
	d.send1(saveDraft{})
	if got := plainText(drafts.draft.Pieces); got != "my draft" {
		t.Errorf("an edit saves %q, want the draft", got)
	}
	d.do("!")
	d.send1(saveDraft{})
	if got := plainText(drafts.draft.Pieces); got != "my draft\n\nqueued!" {
		t.Errorf("an edit that was changed saves %q, want it behind the draft", got)
	}
}

func TestTwoTerminalsHaveTwoDrafts(t *testing.T) {
	dir := t.TempDir()
	one, two := openDraft(t, dir), openDraft(t, dir)
	if err := errors.Join(one.Save(Draft{Pieces: []Piece{{Text: "1"}}}), two.Save(Draft{Pieces: []Piece{{Text: "2"}}})); err != nil {
		t.Fatal(err)
	}
	for i, f := range []*DraftFile{one, two} {
		if d, err := f.Load(); err != nil || plainText(d.Pieces) != string(rune('1'+i)) {
			t.Errorf("terminal %d has the draft %+v (%v)", i+1, d, err)
		}
	}
	if err := one.Save(Draft{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(one.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty draft leaves a file: %v", err)
	}
}

// A brokenDrafts cannot be written.
type brokenDrafts struct{ fakeDrafts }

func (d *brokenDrafts) Save(Draft) error { return errors.New("no room") }

func TestADraftThatCannotBeWrittenIsToldOnce(t *testing.T) {
	d := newDesk(t, Options{Drafts: &brokenDrafts{}})
	for range 3 {
		d.do("x")
		d.send1(saveDraft{})
	}
	if len(d.said) != 1 || lastSaid[Notice](d).Err.Error() != "no room" {
		t.Errorf("three writes that fail tell %v, want one notice", d.said)
	}
}

func TestADamagedDraftIsToldAndLeavesAnEditor(t *testing.T) {
	file := openDraft(t, t.TempDir())
	if err := os.WriteFile(file.path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := New(Options{Drafts: file})
	if err == nil || !strings.Contains(err.Error(), file.path) || e == nil || !e.Empty() {
		t.Errorf("a damaged draft gives %v and %v, want an error that names it and an empty editor", e, err)
	}
	if data, err := os.ReadFile(file.path + ".damaged"); err != nil || string(data) != "{" {
		t.Errorf("the damaged draft is not kept: %q, %v", data, err)
	}
}
