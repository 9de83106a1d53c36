package render

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/charmbracelet/colorprofile"
	"pgregory.net/rapid"

	"github.com/coder-agent/coder/agent/plain"
)

// fragments are what Markdown is made of; a text of some of them meets more of its rules than one of random characters.
var fragments = []string{
	"a", "word", "a longer run of words ", "日本語", "👨\u200d👩\u200d👧", "e\u0301", "👍🏽", "🇩🇪", "❤\ufe0f", "\u0301",
	" ", "  ", "    ", "\t", "\n", "\n", "\n\n", "\n\n\n", "  \n", "\\\n",
	"*", "**", "***", "_", "__", "~~", "`", "``", "```", "```go\n", "~~~\n", "\n```\n",
	"# ", "\n## ", "\n===\n", "\n---\n", "***\n", "> ", "\n> ", ">> ", "- ", "\n- ", "\n* ", "\n  - ", "\n1. ", "\n2. ", "\n10) ", "   ", "- [ ] ", "- [x] ",
	"[a](b)", "[a](https://x.example)", "[", "](", ")", "]", "![", "[a]: http://x.example\n", "[a]", "<http://x.example>", "https://x.example/y", "www.x.example",
	"| a | b |\n|---|:-:|\n| c | d |\n", "|", "\n|-|-|\n", ":--", "\\|",
	"<div>", "</div>\n", "<!--", "-->", "<br>", "<b>", "<pre>", "</pre>", "<script>",
	"&amp;", "&#27;[31m", "&#x1b;]0;x", "&#x202e;", "&#10;", "&#9;", "&#0;", "&nbsp;", "&", "\\", "\\*",
	"func main() {\n", "/* comment", "*/", "`raw", "\"string", "'", "// x\n", "<", ">", "=", "+", "1", "1.", "-", "#",
}

func texts() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		parts := rapid.SliceOfN(rapid.SampledFrom(fragments), 0, 60).Draw(t, "parts")
		return strings.Join(parts, "")
	})
}

// TestDeltasDoNotShow is the promise of Markdown: however a text is cut, the settled lines are those of the whole.
func TestDeltasDoNotShow(t *testing.T) {
	t.Parallel()
	theme := NewTheme(true, colorprofile.TrueColor)
	theme.Hyperlinks = true
	rapid.Check(t, func(t *rapid.T) {
		text := plain.Text(texts().Draw(t, "text"))
		width := rapid.SampledFrom([]int{1, 2, 7, 20, 60, 120}).Draw(t, "width")
		cuts := rapid.SliceOf(rapid.IntRange(0, len(text))).Draw(t, "cuts")
		checkDeltas(t, theme, text, width, cuts)
	})
}

func FuzzMarkdown(f *testing.F) {
	all, err := os.ReadFile("testdata/all.md")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(all), 80, 3)
	for _, s := range fragments {
		f.Add(s+s, 10, 1)
	}
	theme := NewTheme(true, colorprofile.TrueColor)
	f.Fuzz(func(t *testing.T, text string, width, step int) {
		text = plain.Text(text[:min(len(text), 3*longestOpen)])
		step = max(int(uint(step)%50)+1, len(text)/100) // each step is a frame
		var cuts []int
		for at := step; at < len(text); at += step {
			cuts = append(cuts, at)
		}
		checkDeltas(t, theme, text, int(uint(width)%200)+1, cuts)
	})
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func checkDeltas(t failer, theme *Theme, text string, width int, cuts []int) {
	t.Helper()
	want := Document(theme, text, width)
	checkLines(t, "Document", text, want, width)
	m := NewMarkdown(theme, width)
	var got []string
	slices.Sort(cuts)
	from := 0
	for _, at := range append(cuts, len(text)) {
		m.Append(text[from:at])
		from = at
		got = append(got, m.Settled()...)
		checkLines(t, "Live", text[:at], m.Live(), width)
	}
	got = append(got, m.Close()...)
	if !slices.Equal(got, want) {
		t.Fatalf("width %d, %q cut at %v:\n%s\nas a whole:\n%s", width, text, cuts, marks(got), marks(want))
	}
}

var (
	ours = regexp.MustCompile("\x1b\\[[0-9;]*m|\x1b]8;;[!-~]*\x1b\\\\")
	open = regexp.MustCompile("\x1b\\[[0-9;]+m[^\x1b]*$|\x1b]8;;[!-~]+\x1b\\\\[^\x1b]*$")
)

// checkLines checks what holds for every line: its width, that nothing of it reaches the terminal but our own sequences,
// and that it ends what it begins.
func checkLines(t failer, what, text string, lines []string, width int) {
	t.Helper()
	for _, line := range lines {
		bare := ours.ReplaceAllString(line, "")
		switch {
		case plain.Text(bare) != bare || strings.ContainsAny(bare, "\n\t\x1b"):
			t.Fatalf("%s of %q: %q holds a control character", what, text, line)
		case Width(line) > width:
			t.Fatalf("%s of %q: %q has %d cells, more than %d", what, text, line, Width(line), width)
		case open.MatchString(line):
			t.Fatalf("%s of %q: %q leaves a style open", what, text, line)
		}
	}
}

// marks shows lines with their escape sequences readable.
func marks(lines []string) string {
	return strings.ReplaceAll(strings.Join(lines, "\n"), "\x1b", "␛")
}
