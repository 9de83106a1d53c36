package render

import (
	"strings"
	"testing"

	"github.com/charmbracelet/colorprofile"
)

// TestNothingFlickers streams texts byte by byte. What is shown on the way must be a beginning of what is shown at the end:
// no mark that goes away again, no line that becomes something else.
func TestNothingFlickers(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"plain text with 2 * 3 in it",
		"This is **bold text** and *it* is ***both*** of __them__ and ~~struck~~ too",
		"a `code span` and ``one with ` in it`` and **bold `code` in bold**, done",
		"see [the docs](#docs) and **[a bold link](#x)** or *[an emphasis](#y)* end",
		"snake_case_name and __init__ and 5 * 4 * 3",
		"- **bold** item\n- `code` item\n- [link](#x) item\n- ~~gone~~\n1. *em*\n2. <https://x.example/y> z",
		"a\\*b and \\`c and \\[d",
		"# A *title* here\n\nText\n\n## And `another`\n\nmore",
		"- one **item**\n- two\n  - nested *x*\n  - more\n- [ ] task\n- [x] done\n\n1. first\n2. second\n10. third",
		"text\n\n---\n\nmore\n\n***\n\nend",
		"> a **quote** of\n> two lines\n\ntext",
		"| a | **b** |\n|---|---|\n",
		"```go\nfunc main() {}\n```\n\ntext",
		"1. do this:\n\n   ```sh\n   ls `pwd` **x\n   ```\n\n2. then",
		"https://example.com/a_b_c*d and <https://example.com/x_y>",
		"one\ntwo\nthree",
	} {
		for _, profile := range []colorprofile.Profile{colorprofile.NoTTY, colorprofile.TrueColor} {
			theme := NewTheme(true, profile)
			want := strip(Document(theme, text, 400))
			m := NewMarkdown(theme, 400)
			var settled []string
			for i := range len(text) {
				m.Append(text[i : i+1])
				settled = append(settled, m.Settled()...)
				got := strip(append(append([]string(nil), settled...), m.Live()...))
				if !strings.HasPrefix(want, strings.TrimSuffix(got, "\n──")) && !strings.HasPrefix(squash(want), squash(got)) {
					t.Errorf("%q shows\n%s\non the way to\n%s", text[:i+1], got, want)
				}
			}
		}
	}
}

func strip(lines []string) string { return ours.ReplaceAllString(strings.Join(lines, "\n"), "") }

// squash takes away what may grow: the lines of a table and the end of a block of code.
func squash(s string) string {
	return strings.Join(strings.Fields(strings.NewReplacer("─", "", "┼", "", "│", "", "`", "").Replace(s)), " ")
}
