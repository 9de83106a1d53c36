package render

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/charmbracelet/colorprofile"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden compares what a person would see with files that a person has looked at. In those with colours the styles are
// words: ‹bold blue›text‹›.
func TestGolden(t *testing.T) {
	t.Parallel()
	plain := NewTheme(true, colorprofile.NoTTY)
	ascii := NewTheme(true, colorprofile.ASCII)
	dark, light := NewTheme(true, colorprofile.ANSI), NewTheme(false, colorprofile.ANSI)
	wide := NewTheme(true, colorprofile.ASCII)
	wide.signs = typed
	fine := NewTheme(true, colorprofile.ANSI256)
	links := NewTheme(true, colorprofile.ANSI)
	links.Hyperlinks = true
	diff := func(t *Theme, text string, width int) []string { return Diff(t, text, width, 0) }
	short := func(t *Theme, text string, width int) []string { return Diff(t, text, width, 8) }
	for _, tt := range []struct {
		name, source string
		render       func(*Theme, string, int) []string
		theme        *Theme
		width        int
	}{
		{"all-120-plain", "all.md", Document, plain, 120},
		{"all-60-plain", "all.md", Document, plain, 60},
		{"all-60-no-color", "all.md", Document, ascii, 60},
		{"all-120-dark", "all.md", Document, dark, 120},
		{"all-60-light", "all.md", Document, light, 60},
		{"all-15-plain", "all.md", Document, plain, 15},
		{"all-60-typed", "all.md", Document, wide, 60},
		{"links-80", "links.md", Document, links, 80},
		{"answer-100-dark", "answer.md", Document, dark, 100},
		{"table-60-plain", "table.md", Document, plain, 60},
		{"table-100-plain", "table.md", Document, plain, 100},
		{"hostile-80-plain", "hostile.md", Document, plain, 80},
		{"change-120-plain", "change.diff", diff, plain, 120},
		{"change-60-dark", "change.diff", diff, dark, 60},
		{"change-60-light", "change.diff", diff, light, 60},
		{"change-80-256", "change.diff", diff, fine, 80},
		{"change-30-plain", "change.diff", diff, plain, 30},
		{"change-short", "change.diff", short, plain, 80},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			source, err := os.ReadFile(filepath.Join("testdata", tt.source))
			if err != nil {
				t.Fatal(err)
			}
			lines := tt.render(tt.theme, string(source), tt.width)
			checkLines(t, tt.name, tt.source, lines, tt.width)
			got := words(strings.Join(lines, "\n") + "\n")
			file := filepath.Join("testdata", "golden", tt.name+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("%s is not as it was (-was +is); if it should be, run the test with -update and look at it:\n%s", file, d)
			}
		})
	}
}

var sequence = regexp.MustCompile("\x1b\\[([0-9;]*)m|\x1b]8;;([^\x1b]*)\x1b\\\\")

// words spells escape sequences out.
func words(text string) string {
	return sequence.ReplaceAllStringFunc(text, func(s string) string {
		m := sequence.FindStringSubmatch(s)
		if strings.HasPrefix(s, "\x1b]") {
			return "‹link " + m[2] + "›"
		}
		m[1] = strings.NewReplacer("38;5;", "text-", "48;5;", "on-").Replace(m[1])
		var names []string
		for p := range strings.SplitSeq(m[1], ";") {
			names = append(names, word(p))
		}
		return "‹" + strings.Join(names, " ") + "›"
	})
}

func word(parameter string) string {
	attributes := map[string]string{"": "", "1": "bold", "2": "faint", "3": "italic", "4": "underline", "7": "reverse", "9": "strike"}
	colours := []string{"black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"}
	if name, ok := attributes[parameter]; ok {
		return name
	}
	n, _ := strconv.Atoi(parameter)
	switch {
	case n >= 30 && n <= 37:
		return colours[n-30]
	case n >= 90 && n <= 97:
		return "bright-" + colours[n-90]
	}
	return parameter
}
