package tools

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/diff"
	"pgregory.net/rapid"
)

func patchInput(t testing.TB, patch string) string {
	t.Helper()
	input, err := json.Marshal(map[string]string{"input": patch})
	if err != nil {
		t.Fatal(err)
	}
	return string(input)
}

func TestAPatchKeepsTheModeAndWhatItWroteIsKnown(t *testing.T) {
	s := newSession(t)
	path := s.put(t, "run.sh", "#!/bin/sh\necho a\n")
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	must(t, s, read, `{"path":"run.sh"}`)
	must(t, s, applyPatch, patchInput(t, "*** Begin Patch\n*** Update File: run.sh\n@@\n-echo a\n+echo b\n*** Add File: x/new.sh\n+echo x\n*** End Patch"))
	must(t, s, applyPatch, patchInput(t, "*** Begin Patch\n*** Update File: run.sh\n*** Move to: bin/run.sh\n@@\n-echo b\n+echo c\n*** Update File: x/new.sh\n@@\n-echo x\n+echo y\n*** End Patch"))
	must(t, s, edit, `{"path":"bin/run.sh","old":"echo c","new":"echo d"}`)
	if got := s.get(t, "bin/run.sh") + s.get(t, "x/new.sh"); got != "#!/bin/sh\necho d\necho y\n" {
		t.Errorf("the files hold %q", got)
	}
	if info, err := os.Stat(filepath.Join(s.dir, "bin/run.sh")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the mode is %v, %v", info, err)
	}
	if left, err := filepath.Glob(filepath.Join(s.dir, "*", ".coder-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestAPatchTellsFrontEndsTheDiffOfAllFiles(t *testing.T) {
	s := newSession(t)
	s.put(t, "a", "one\n")
	s.put(t, "b", "two\n")
	must(t, s, read, `{"path":"a"}`)
	must(t, s, read, `{"path":"b"}`)
	res, err := do(t, s, applyPatch, patchInput(t, "*** Begin Patch\n*** Update File: a\n*** Move to: c\n@@\n-one\n+1\n*** Delete File: b\n*** End Patch"))
	if err != nil {
		t.Fatal(err)
	}
	want := changeDetails{
		Path: "c, b", Added: 1, Removed: 2,
		Diff: "--- a/a\n+++ b/c\n@@ -1,1 +1,1 @@\n-one\n+1\n--- a/b\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-two\n",
	}
	if got := res.Details.(changeDetails); got != want {
		t.Errorf("details are %+v, want %+v", got, want)
	}
}

func TestAPatchDoesNotDeleteThroughALink(t *testing.T) {
	s := newSession(t)
	s.put(t, "real", "a\n")
	if err := os.Symlink("real", filepath.Join(s.dir, "link")); err != nil {
		t.Fatal(err)
	}
	must(t, s, read, `{"path":"real"}`)
	contains(t, refused(t, s, applyPatch, patchInput(t, "*** Begin Patch\n*** Delete File: link\n*** End Patch")), "link is a link; delete or move links with bash")
	contains(t, refused(t, s, applyPatch, patchInput(t, "*** Begin Patch\n*** Update File: link\n*** Move to: x\n*** End Patch")), "link is a link")
	must(t, s, applyPatch, patchInput(t, "*** Begin Patch\n*** Update File: link\n@@\n-a\n+b\n*** End Patch"))
	info, err := os.Lstat(filepath.Join(s.dir, "link"))
	if err != nil || info.Mode()&os.ModeSymlink == 0 || s.get(t, "real") != "b\n" {
		t.Errorf("the link is %v, %v; its target holds %q", info, err, s.get(t, "real"))
	}
}

func TestAPatchRefusesAFileThatChanged(t *testing.T) {
	s := newSession(t)
	s.put(t, "f", "a\n")
	must(t, s, read, `{"path":"f"}`)
	s.put(t, "f", "a\nb\n")
	for _, patch := range []string{"*** Update File: f\n@@\n-a\n+c\n", "*** Delete File: f\n", "*** Update File: f\n*** Move to: g\n", "*** Delete File: f\n*** Add File: f\n+x\n"} {
		contains(t, refused(t, s, applyPatch, patchInput(t, "*** Begin Patch\n"+patch+"*** End Patch")), "f has changed since you last saw it")
	}
	if got := s.get(t, "f"); got != "a\nb\n" {
		t.Errorf("the file holds %q", got)
	}
}

// drawTexts draws a text of few different lines, so that many are there twice, and another that was made of it.
func drawTexts(t *rapid.T) (old, text string) {
	line := rapid.SampledFrom([]string{"a", "b", "c", "\tif x {", "\t}", "", "return one two", "  deep one two", "“q”", "x  "})
	deed := rapid.SampledFrom([]string{"keep", "keep", "keep", "keep", "keep", "keep", "delete", "insert", "change"})
	before := rapid.SliceOfN(line, 8, 60).Draw(t, "lines")
	var after []string
	for _, l := range before {
		switch deed.Draw(t, "deed") {
		case "keep":
			after = append(after, l)
		case "insert":
			after = append(after, l, line.Draw(t, "inserted"))
		case "change":
			after = append(after, line.Draw(t, "changed"))
		}
	}
	end := rapid.SampledFrom([]string{"", "\n"}).Draw(t, "end")
	return strings.Join(before, "\n") + end, strings.Join(after, "\n") + end
}

// asHunks makes the hunks of a patch from a unified diff.
func asHunks(old, text string) string {
	var b strings.Builder
	body := diff.Diff("a", []byte(old), "b", []byte(text))
	for range 3 {
		_, body, _ = bytes.Cut(body, []byte{'\n'})
	}
	for line := range strings.Lines(string(body)) {
		if !strings.HasPrefix(line, `\`) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// TestAPatchOfTwoTextsMakesTheSecondOfTheFirst: the hunks of any diff lead to the second text, or a hunk whose lines are
// there twice is refused; and with the whole file as context they always do.
func TestAPatchOfTwoTextsMakesTheSecondOfTheFirst(t *testing.T) {
	made, ambiguous := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		old, text := drawTexts(t)
		if strings.HasSuffix(old, "\n") != strings.HasSuffix(text, "\n") || old == text || strings.TrimSpace(old) == "" || strings.TrimSpace(text) == "" {
			return // a patch cannot say that the last line end goes or comes
		}
		d := patched(t, old, asHunks(old, text), rapid.IntRange(0, 3).Draw(t, "context"))
		switch {
		case len(d.failed) == 0 && string(d.data) != text:
			t.Fatalf("%q patched to %q is %q", old, text, d.data)
		case len(d.failed) == 0:
			made++
		default:
			ambiguous++
			for _, f := range d.failed {
				if !strings.Contains(f.why, " times, at line") && !strings.Contains(f.why, "only lines with +") && !strings.Contains(f.why, "not in the file") {
					t.Fatalf("%q to %q: %v", old, text, f)
				}
			}
		}
		var whole strings.Builder
		for l := range strings.Lines(old) {
			whole.WriteString("-" + strings.TrimSuffix(l, "\n") + "\n")
		}
		for l := range strings.Lines(text) {
			whole.WriteString("+" + strings.TrimSuffix(l, "\n") + "\n")
		}
		if d := patched(t, old, "@@\n"+whole.String(), 3); len(d.failed) > 0 || string(d.data) != text {
			t.Fatalf("%q patched as a whole to %q is %q, %v", old, text, d.data, d.failed)
		}
	})
	t.Logf("%d patches were applied, %d refused", made, ambiguous)
	if made == 0 || ambiguous == 0 {
		t.Errorf("%d patches were applied and %d refused: the texts do not test both", made, ambiguous)
	}
}

// patched applies the hunks of one file, with so many lines of context around them at most.
func patched(t *rapid.T, old, hunks string, context int) draft {
	sections, err := parsePatch("*** Begin Patch\n*** Update File: f\n" + hunks + "*** End Patch\n")
	if err != nil {
		t.Fatalf("%s: %v", hunks, err)
	}
	d := draft{data: []byte(old)}
	for i, h := range sections[0].hunks {
		first := slices.IndexFunc(h.lines, func(l hunkLine) bool { return l.op != ' ' })
		last := len(h.lines)
		for h.lines[last-1].op == ' ' {
			last--
		}
		h.lines = h.lines[max(0, first-context):min(len(h.lines), last+context)]
		d.hunk(fmt.Sprint(i), h)
	}
	return d
}

// FuzzPatch: whatever stands in a patch, it is parsed or answered, and applied without a panic; what no hunk names is
// not changed.
func FuzzPatch(f *testing.F) {
	for _, seed := range []string{
		"*** Begin Patch\n*** Update File: f\n@@ func a\n-x\n+y\n*** End of File\n*** End Patch",
		"*** Begin Patch\n*** Add File: f\n+x\n\n+y\n*** Delete File: g\n*** End Patch",
		"```\n*** Update File: f\n*** Move to: g\n@@ -1 +1 @@\n \n-\t\n+\n*** End Patch\n```",
		"<<EOF", "*** End Patch", "@@", "*** Update File: \n@@\n+\n*** End Patch", "```", "*** Begin Patch\n*** Update File: f\n*** End of File\n*** End Patch",
	} {
		f.Add(seed, "func a() {\n\tx\n}\r\n\uFEFF“q” \n")
	}
	f.Fuzz(func(t *testing.T, patch, content string) {
		sections, err := parsePatch(patch)
		if err != nil && err.Error() == "" {
			t.Error("an error without words")
		}
		shownPatch(patchArgs{sections: sections})
		_ = patchArgs{sections: sections}.Action()
		for _, s := range sections {
			d := draft{data: []byte(content)}
			for _, h := range s.hunks {
				before := bytes.Clone(d.data)
				d.hunk("h", h)
				old, text := h.sides()
				if grown := len(d.data) - len(before); grown > 0 && len(text) == 0 || bytes.Equal(d.data, before) && !d.changed && len(d.failed) == 0 {
					t.Errorf("%q on %q made %q of %v %v", patch, before, d.data, old, text)
				}
			}
			d.failures()
			d.report("f", len(s.hunks))
		}
	})
}
