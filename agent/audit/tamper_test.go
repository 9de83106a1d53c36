package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent/audit"
)

// A chain is a finished log of three files in memory, to be changed and put somewhere.
type chain map[string][]byte

func newChain(t *testing.T) chain {
	t.Helper()
	dir := t.TempDir()
	l := open(t, dir, audit.Options{MaxSize: 900, Keep: 3})
	for i := range 20 { // the oldest files go
		record(t, l, audit.Entry{What: audit.Judged, Session: "s", Call: fmt.Sprint("c", i), Why: "mode ask asks before a tool that changes files"})
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if report := holds(t, dir); report.Files != 3 || report.Lines < 6 {
		t.Fatalf("got %+v, want three files with lines", report)
	}
	c := chain{}
	entries, err := os.ReadDir(audit.Dir(dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(audit.Dir(dir), e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		c[e.Name()] = data
	}
	return c
}

func (c chain) logs() (names []string) {
	for name := range c {
		if strings.HasSuffix(name, ".jsonl") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// A place is a data dir with a chain in it.
type place struct {
	dir  string
	have chain // what is there; nil: nobody knows
}

// put makes the chain the one that is there.
func (c chain) put(t *testing.T, p *place) {
	t.Helper()
	dir := audit.Dir(p.dir)
	if p.have == nil {
		if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
			t.Fatal(err)
		}
	}
	for name := range p.have {
		if _, ok := c[name]; !ok {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, data := range c {
		if have, ok := p.have[name]; ok && bytes.Equal(have, data) {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.have = c
}

// found checks that the change is found, and that a host that comes and writes does not cover it up.
func (c chain) found(t *testing.T, p *place, what string, later bool) {
	t.Helper()
	c.put(t, p)
	report := verify(t, p.dir)
	if report.Break == nil {
		t.Errorf("%s: nothing is found: %+v", what, report)
		return
	}
	if report.Break.File == "" || report.Break.Why == "" || report.Break.Hint == "" {
		t.Errorf("%s: %+v does not say where, why and what it may mean", what, report.Break)
	}
	if !later {
		return
	}
	p.have = nil
	l, err := audit.Open(p.dir, audit.Options{MaxSize: 900, Keep: 10})
	if err != nil {
		t.Fatal(err)
	}
	record(t, l, audit.Entry{What: audit.HostStarted})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if report := verify(t, p.dir); report.Break == nil {
		t.Errorf("%s: the next host has covered it up", what)
	}
	got := lines(t, p.dir)
	if last := got[len(got)-1]; last.What != audit.HostStarted {
		t.Errorf("%s: the log does not go on: its last line is %+v", what, last)
	}
}

// with returns the chain with one file changed; nil data takes the file away.
func (c chain) with(name string, data []byte) chain {
	changed := maps.Clone(c)
	if changed[name] = data; data == nil {
		delete(changed, name)
	}
	return changed
}

func TestAChangedByteIsFound(t *testing.T) {
	c := newChain(t)
	dir := &place{dir: t.TempDir()}
	for _, name := range append(c.logs(), "head") {
		for i := range c[name] {
			data := bytes.Clone(c[name])
			data[i] ^= 1 << (i % 8)
			c.with(name, data).found(t, dir, fmt.Sprintf("byte %d of %s", i, name), i%97 == 0)
		}
	}
}

func TestALineThatIsRemovedDoubledOrMovedIsFound(t *testing.T) {
	c := newChain(t)
	dir := &place{dir: t.TempDir()}
	for _, name := range c.logs() {
		list := bytes.SplitAfter(c[name], []byte("\n"))
		list = list[:len(list)-1]
		for i := range list {
			join := func(parts ...[][]byte) []byte { return bytes.Join(slices.Concat(parts...), nil) }
			without := join(list[:i], list[i+1:])
			c.with(name, without).found(t, dir, fmt.Sprintf("%s without line %d", name, i+1), true)
			c.with(name, join(list[:i+1], list[i:])).found(t, dir, fmt.Sprintf("%s with line %d twice", name, i+1), true)
			for j := range i {
				moved := slices.Clone(list)
				moved[i], moved[j] = moved[j], moved[i]
				c.with(name, join(moved)).found(t, dir, fmt.Sprintf("%s with lines %d and %d swapped", name, j+1, i+1), true)
			}
			for _, other := range c.logs() {
				if other != name && (i > 0 || other > name) { // the first line of a file may as well be the last of the one before
					c.with(name, without).with(other, append(bytes.Clone(c[other]), list[i]...)).
						found(t, dir, fmt.Sprintf("line %d of %s at the end of %s", i+1, name, other), true)
				}
			}
			forged := bytes.Replace(list[i], []byte(`"what":"judged"`), []byte(`"what":"login"`), 1)
			c.with(name, join(list[:i+1], [][]byte{forged}, list[i+1:])).found(t, dir, fmt.Sprintf("a line behind line %d of %s", i+1, name), true)
		}
	}
}

func TestATruncatedLogIsFound(t *testing.T) {
	c := newChain(t)
	dir := &place{dir: t.TempDir()}
	for _, name := range c.logs() {
		for i := range c[name] {
			c.with(name, c[name][:i]).found(t, dir, fmt.Sprintf("%s cut after %d bytes", name, i), i%211 == 0)
		}
		c.with(name, nil).found(t, dir, "without "+name, true)
	}
	c.with("head", nil).found(t, dir, "without the head", true)
	for i := range c["head"] {
		c.with("head", c["head"][:i]).found(t, dir, fmt.Sprintf("the head cut after %d bytes", i), i%211 == 0)
	}
	empty := c
	for _, name := range c.logs() {
		empty = empty.with(name, nil)
	}
	empty.found(t, dir, "the head alone", true)
}

// A machine that loses its power loses what the disk did not have yet: that is told, and is no break.
func TestLinesThatTheDiskNeverHadAreNoTampering(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, audit.Options{})
	record(t, l, audit.Entry{What: audit.HostStarted})
	if err := l.Settle(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(audit.Dir(dir), "audit-000001.jsonl")
	kept, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	head, err := os.ReadFile(filepath.Join(audit.Dir(dir), "head"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(head, []byte(`"synced":2`)) {
		t.Fatalf("the head does not say what the disk has: %s", head)
	}
	audit.Unsynced(t, dir, audit.Entry{What: audit.Judged}, audit.Entry{What: audit.Judged})
	if err := os.WriteFile(name, append(kept, make([]byte, 100)...), 0o600); err != nil { // zeros, as a file system leaves them
		t.Fatal(err)
	}
	record(t, l, audit.Entry{What: audit.HostStarted})
	report := holds(t, dir)
	if len(report.Notes) != 1 || !strings.Contains(report.Notes[0], "lines 3 to 4 are missing") || !strings.Contains(report.Notes[0], "lost its power") {
		t.Errorf("got the notes %q", report.Notes)
	}
	// The same loss of lines that the disk had is one.
	if err := os.WriteFile(name, kept[:len(kept)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if report := verify(t, dir); report.Break == nil {
		t.Error("lines that the disk had are gone, and nothing is found")
	}
}
