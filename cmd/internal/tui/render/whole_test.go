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

// whole renders a text as one piece: what its grammar makes of it without our cuts.
func whole(t *Theme, text string, width int) (lines []string) {
	p := painter{theme: t}
	for _, r := range p.paint(strings.TrimSuffix(text, "\n")+"\n", width, &references{}) {
		lines = append(lines, r.encode(t.Hyperlinks))
	}
	return lines
}

var (
	// A definition acts on what stands behind it; of an underline below a table the parser makes a heading or a list, where
	// GitHub makes a table and a line; an empty item it ends before what is indented behind it.
	differs = regexp.MustCompile(`(?s)\[a\]:|[|:].*\n *(-|=|1\.)|[-+*.)] *\n`)
	// Behind a fence, and at the end of what is never closed, the parser sees blank lines where none are, or drops them.
	blanks = regexp.MustCompile("```|~~~|<!--|<script|<pre")
)

// TestCutsDoNotShow checks the cuts against the grammar: pieces of a text look as in the whole.
func TestCutsDoNotShow(t *testing.T) {
	t.Parallel()
	theme := NewTheme(true, colorprofile.ASCII)
	rapid.Check(t, func(t *rapid.T) {
		text := plain.Text(texts().Draw(t, "text"))
		if differs.MatchString(text) {
			t.Skip()
		}
		got, want := Document(theme, text, 60), whole(theme, text, 60)
		if blanks.MatchString(text) {
			got, want = dropBlank(got), dropBlank(want)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q in pieces:\n%s\nas one:\n%s", text, marks(got), marks(want))
		}
	})
}

func dropBlank(lines []string) []string {
	return slices.DeleteFunc(lines, func(s string) bool { return strings.TrimSpace(s) == "" })
}
