package render

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/charmbracelet/colorprofile"
	"pgregory.net/rapid"

	"github.com/coder-agent/coder/agent/plain"
)

// TestAnyDiff renders what looks like a diff, and what does not quite.
func TestAnyDiff(t *testing.T) {
	t.Parallel()
	parts := []string{
		"--- a/x.go\n", "+++ b/x.go\n", "--- a/x.go\n+++ b/x.go\n", "--- /dev/null\n+++ b/y\n", "@@ -1,2 +1,2 @@\n", "@@ -1 +1 @@ func x()\n", "@@ -9999999999,1 +1 @@\n",
		"@@ -a,b +c @@\n", "@@", "@@ \n", " same\n", "-old text here\n", "+new text here\n", "-\n", "+\n", "\n", "\\ No newline at end of file\n", "diff --git a/x b/x\n",
		"index 1..2\n", "rename from x\n", "Binary files differ\n", "+\t日本語 👨\u200d👩\u200d👧\n", "-\t\x1b[31mx\n", "+e\u0301", " ", "+/* comment\n", "+`raw\n",
	}
	themes := []*Theme{NewTheme(true, colorprofile.NoTTY), NewTheme(true, colorprofile.ANSI), NewTheme(false, colorprofile.TrueColor)}
	rapid.Check(t, func(t *rapid.T) {
		text := plain.Text(strings.Join(rapid.SliceOf(rapid.SampledFrom(parts)).Draw(t, "parts"), ""))
		width := rapid.SampledFrom([]int{1, 2, 11, 30, 80}).Draw(t, "width")
		most := rapid.IntRange(0, 12).Draw(t, "most")
		var shown string
		for _, theme := range themes {
			lines := Diff(theme, text, width, most)
			checkLines(t, "Diff", text, lines, width)
			if most > 0 && len(lines) > most {
				t.Fatalf("%d lines of %q, want at most %d", len(lines), text, most)
			}
			if got := trailing.ReplaceAllString(strip(lines), ""); shown != "" && got != shown {
				t.Fatalf("%q is shown as\n%s\nin colours\n%s", text, shown, got)
			} else {
				shown = got
			}
		}
	})
}

var trailing = regexp.MustCompile(`(?m) +$`)

func TestChangedWords(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, before, after, wantBefore, wantAfter string }{
		{"a word", "return foo(a)", "return bar(a)", "foo", "bar"},
		{"a part of a word is the whole word", "value_one = 1", "value_two = 1", "value_one", "value_two"},
		{"something is added", "f(a)", "f(a, b)", "", ", b"},
		{"at the end", "return", "return err", "", " err"},
		{"nothing in common", "one thing", "x := other", "", ""},
		{"no character is divided", "日本語の文章です", "日本人の文章です", "", ""},
		{"the same", "same", "same", "", ""},
	} {
		b, a := changed(tt.before, tt.after)
		if got := tt.before[b[0]:b[1]]; got != tt.wantBefore {
			t.Errorf("%s: in %q %q is marked, want %q", tt.name, tt.before, got, tt.wantBefore)
		}
		if got := tt.after[a[0]:a[1]]; got != tt.wantAfter {
			t.Errorf("%s: in %q %q is marked, want %q", tt.name, tt.after, got, tt.wantAfter)
		}
	}
}

func TestDiffSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	theme := NewTheme(true, colorprofile.NoTTY)
	text := "--- a/x\n+++ b/x\n@@ -1,0 +1,5 @@\n+1\n+2\n+3\n+4\n+5\n"
	for most, want := range map[int][]string{
		0: {"x", "  1 + 1", "  2 + 2", "  3 + 3", "  4 + 4", "  5 + 5"},
		6: {"x", "  1 + 1", "  2 + 2", "  3 + 3", "  4 + 4", "  5 + 5"},
		3: {"x", "  1 + 1", "… 4 more lines"},
		1: {"… 6 more lines"},
	} {
		if got := Diff(theme, text, 80, most); !slices.Equal(got, want) {
			t.Errorf("at most %d: %q, want %q", most, got, want)
		}
	}
}
