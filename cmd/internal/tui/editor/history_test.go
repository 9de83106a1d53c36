package editor

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func texts(t *testing.T, h History) (list []string) {
	t.Helper()
	all, err := h.Entries()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		list = append(list, plainText(e.Pieces))
	}
	return list
}

func entry(text string) Entry { return Entry{Workdir: "/w", Pieces: []Piece{{Text: text}}} }

// TestHistoryIsSharedByTerminals that add to it side by side: nothing is lost or mixed up, and nobody else can read it.
func TestHistoryIsSharedByTerminals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "history.jsonl")
	const terminals, prompts = 8, 40
	var wg sync.WaitGroup
	for i := range terminals {
		h := NewHistoryFile(path)
		wg.Go(func() {
			for j := range prompts {
				if err := h.Add(entry(fmt.Sprintf("%d of %d\nlines", j, i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got := texts(t, NewHistoryFile(path))
	next := make(map[int]int)
	for _, text := range got {
		var j, i int
		if _, err := fmt.Sscanf(text, "%d of %d\nlines", &j, &i); err != nil || next[i] != j {
			t.Errorf("an entry is %q, want number %d of its terminal", text, next[i])
		}
		next[i]++
	}
	if len(got) != terminals*prompts {
		t.Errorf("%d entries are kept, want %d", len(got), terminals*prompts)
	}
	for _, name := range []string{path, path + ".lock"} {
		if info, err := os.Stat(name); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want mode 0600", name, info.Mode(), err)
		}
	}
}

func TestHistoryIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.jsonl")
	h := NewHistoryFile(path)
	long := strings.Repeat("x", maxEntry/2)
	for i := range 2 * maxHistory / len(long) {
		if err := h.Add(entry(fmt.Sprint(i, long))); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Add(entry("last")); err != nil {
		t.Fatal(err)
	}
	if err := h.Add(entry(strings.Repeat("y", maxEntry))); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() > maxHistory {
		t.Errorf("the file has %d bytes (%v), want at most %d", info.Size(), err, maxHistory)
	}
	got := texts(t, h)
	if len(got) == 0 || got[len(got)-1] != "last" {
		t.Errorf("%d entries are kept, and the last is not the last that fits", len(got))
	}
}

// TestHistoryOutlivesADamagedLine, such as one that a crash has cut.
func TestHistoryOutlivesADamagedLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.jsonl")
	h := NewHistoryFile(path)
	if err := h.Add(entry("one")); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"pieces":[{"te`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h.Add(entry("two")); err != nil {
		t.Fatal(err)
	}
	if got := texts(t, h); len(got) != 2 || got[0] != "one" || got[1] != "two" {
		t.Errorf("the entries are %q, want one and two", got)
	}
}

func TestWalkingTheHistory(t *testing.T) {
	history := &fakeHistory{[]Entry{entry("other"), entry("first"), entry("first"), entry("second\nline"), {Workdir: "/elsewhere", Pieces: []Piece{{Text: "not here"}}}}}
	for _, tt := range []struct{ name, keys, want string }{
		{"up shows the last of this folder", "<up>", "second|\nline"},
		{"up and up, what is twice is once", "<up><up>", "first|"},
		{"the oldest stays", "<up><up><up><up><up>", "|other"},
		{"down comes back to the draft", "my draft<up><up><down><down>", "my draft|"},
		{"the draft is not lost by a walk to the end", "my <<" + tenLines + ">>draft<up><up><up><down><down><down><down>", "my [pasted 10 lines #1]draft|"},
		{"what was changed on the way stays changed", "<up><end>X<up><down>", "secondX\nline|"},
		{"up within a text moves the cursor", "a<ctrl+j>b<up>", "a|\nb"},
		{"down at the end stays", "abc<left><down>", "abc|"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, Options{History: history, Workdir: "/w"}).do(tt.keys)
			if got := d.withCursor(); got != tt.want {
				t.Errorf("%s gives %q, want %q", tt.keys, got, tt.want)
			}
		})
	}
}

// TestTheDraftComesBackWhenAnOlderPromptIsSent in its place.
func TestTheDraftComesBackWhenAnOlderPromptIsSent(t *testing.T) {
	for _, keys := range []string{"my draft<up>", "my draft<ctrl+r>ol<enter>", "my draft<up><ctrl+r>ol<enter>"} {
		d := newDesk(t, Options{History: &fakeHistory{[]Entry{{Pieces: []Piece{{Text: "old"}}}}}}).do(keys + "<enter>")
		if got := lastSaid[Submit](d).Text; got != "old" || d.withCursor() != "my draft|" {
			t.Errorf("%s sends %q and leaves %q, want old and my draft", keys, got, d.withCursor())
		}
	}
	d := newDesk(t, Options{History: &fakeHistory{[]Entry{{Pieces: []Piece{{Text: "old"}}}}}}).do("my draft<ctrl+r>ol<enter><down>")
	if got := d.withCursor(); got != "my draft|" {
		t.Errorf("down from what was found gives %q, want the draft", got)
	}
}

func TestSendingAddsToTheHistory(t *testing.T) {
	h := &fakeHistory{}
	d := newDesk(t, Options{History: h, Workdir: "/w"}).do("fix <<" + tenLines + ">><enter>!ls<enter>")
	if len(h.list) != 2 || h.list[0].Workdir != "/w" || plainText(h.list[0].Pieces) != "fix "+strings.TrimSuffix(tenLines, "\n")+"\n" {
		t.Errorf("the history is %+v", h.list)
	}
	if got, want := d.do("<up><up>").withCursor(), "fix [pasted 10 lines #1]|"; got != want {
		t.Errorf("the history shows %q, want %q: folded, as it was", got, want)
	}
}

func TestSearch(t *testing.T) {
	h := &fakeHistory{[]Entry{entry("Fix the build"), entry("run tests"), {Workdir: "/elsewhere", Pieces: []Piece{{Text: "fix it"}}}, entry("last")}}
	for _, tt := range []struct{ name, keys, want string }{
		{"the newest that has it, of all folders", "draft<ctrl+r>fix<enter>", "fix it|"},
		{"again for the one before", "<ctrl+r>fix<ctrl+r><enter>", "Fix the build|"},
		{"and forward", "<ctrl+r>fix<ctrl+r><ctrl+s><enter>", "fix it|"},
		{"capitals count", "<ctrl+r>Fix<enter>", "Fix the build|"},
		{"escape brings the draft back", "draft<left><ctrl+r>fix<esc>", "draf|t"},
		{"a letter less", "<ctrl+r>tesx<backspace><enter>", "run tests|"},
		{"in vain", "draft<ctrl+r>zzz<enter>", "draft|"},
		{"a key that types nothing adds nothing", "<ctrl+r>fix<alt+up><enter>", "fix it|"},
		{"blanks count", "<ctrl+r>fix the<enter>", "Fix the build|"},
		{"enter does not send", "<ctrl+r>fix<enter>", "fix it|"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, Options{History: h, Workdir: "/w"}).do(tt.keys)
			if got := d.withCursor(); got != tt.want || len(d.said) > 0 {
				t.Errorf("%s gives %q and says %v, want %q", tt.keys, got, d.said, tt.want)
			}
		})
	}
}
