package sandbox

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTheSelfTestFindsTheLevel(t *testing.T) {
	works(t, LevelFull)
	o, dir := Options{Home: t.TempDir(), Cache: t.TempDir()}, t.TempDir()
	first, err := Test(t.Context(), o, dir)
	if err != nil || first.Level != LevelFull || len(first.Misses()) > 0 || len(first.Checks) != len(allChecks) {
		t.Fatalf("%+v, %v", first, err)
	}
	file := filepath.Join(dir, "sandbox.json")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("what was found is kept as %v, %v", info, err)
	}
	if r, ok := recall(file, machine(o)); !ok || r.Level != first.Level || r.Overlay != first.Overlay {
		t.Errorf("recalled is %+v, %v", r, ok)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("it leaves %q", left)
	}
}

func TestTheSelfTestNamesWhatALevelMisses(t *testing.T) {
	works(t, LevelLandlock)
	checks, err := attemptLevel(t, LevelLandlock)
	r := Report{Level: LevelLandlock, Checks: checks}
	if want := []string{checkHooks, checkRename}; err != nil || !slices.Equal(r.Misses(), want) || !r.stands() {
		t.Errorf("level 2 misses %q (%v), want %q", r.Misses(), err, want)
	}
	if r.Level = LevelFull; r.stands() {
		t.Error("what does not hold all counts as level 3")
	}
}

// TestTheSelfTestBelievesNoFile: one that is not ours alone, is of another machine, or claims what it does not bear out.
func TestTheSelfTestBelievesNoFile(t *testing.T) {
	o := Options{}
	var all []Check
	for _, name := range allChecks {
		all = append(all, Check{Name: name, Held: true})
	}
	good := kept{ID: machine(o), Report: Report{Level: LevelFull, Checks: all}}
	tests := []struct {
		name   string
		change func(k *kept)
		mode   os.FileMode
		link   bool
		want   bool
	}{
		{"what we have written", func(*kept) {}, 0o600, false, true},
		{"one that others can write", func(*kept) {}, 0o622, false, false},
		{"one that others can read", func(*kept) {}, 0o644, false, false},
		{"a link", func(*kept) {}, 0o600, true, false},
		{"another boot", func(k *kept) { k.ID = strings.Repeat("0", 64) }, 0o600, false, false},
		{"a check that did not hold", func(k *kept) { k.Report.Checks = slices.Clone(all); k.Report.Checks[3].Held = false }, 0o600, false, false},
		{"a check that is missing", func(k *kept) { k.Report.Checks = all[1:] }, 0o600, false, false},
		{"a level that is none", func(k *kept) { k.Report.Level = 4 }, 0o600, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := good
			tt.change(&k)
			data, err := json.Marshal(k)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "sandbox.json")
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(file, tt.mode); err != nil {
				t.Fatal(err)
			}
			if tt.link {
				if err := os.Symlink(file, file+".link"); err != nil {
					t.Fatal(err)
				}
				file += ".link"
			}
			if _, ok := recall(file, machine(o)); ok != tt.want {
				t.Errorf("believed is %v, want %v", ok, tt.want)
			}
		})
	}
}

// TestTheScriptGetsOut: without a box the shell's self-test does all that it tries.
func TestTheScriptGetsOut(t *testing.T) {
	home := t.TempDir()
	f, err := newFixture(home, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.remove()
	x, _ := newTarget(t)
	checks, err := New(Options{Home: home}, Report{}).script(t.Context(), f, x.TCP, os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range checks {
		if c.Held {
			t.Errorf("%+v", c)
		}
	}
}
