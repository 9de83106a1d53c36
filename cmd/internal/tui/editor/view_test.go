package editor

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

var update = flag.Bool("update", false, "write the golden views anew")

// TestViews draws what a person sees at three widths.
// The frame is not the editor's.
func TestViews(t *testing.T) {
	for _, tt := range []struct {
		name   string
		opts   Options
		keys   string
		report bool // the terminal draws by clusters
		height int
	}{
		{"empty", Options{Placeholder: "Ask anything, @ names a file, / a command"}, "", true, 6},
		{"wrapped", Options{}, "Please look at the flaky test of the store and find out why it fails, once in fifty runs.", true, 8},
		{"wide", Options{}, "日本語の文章はどこでも折り返せる。 " + family + " 🇩🇪 👍🏽 café e\u0301 한국어<left><left>", true, 8},
		{"wide where the terminal counts runes", Options{}, "日本語 " + family + " 🇩🇪 end", false, 8},
		{"lines and tabs", Options{}, "<<if x {\n\treturn\n}>>", true, 6},
		{"a paste is folded", Options{}, "Why? <<" + strings.Repeat("panic\n", 312) + ">> thanks", true, 6},
		{"a long text scrolls", Options{}, "one<ctrl+j>two<ctrl+j>three<ctrl+j>four<ctrl+j>five<ctrl+j>six<up><up>", true, 3},
		{"shell", Options{}, "! go test ./...", true, 4},
		{"commands", Options{Commands: someCommands}, "/m<down>", true, 8},
		{"files", Options{Files: func(string, int) ([]File, error) {
			return []File{{"cmd/coder/main.go"}, {"日本/文書.md"}, {"a/very/long/path/that/does/not/fit/into/narrow/terminals/main_test.go"}}, nil
		}}, "see @ma<down>", true, 8},
		{"search", Options{History: &fakeHistory{[]Entry{{Pieces: []Piece{{Text: "fix the build"}}}, {Pieces: []Piece{{Text: "other"}}}}}}, "draft<ctrl+r>fix", true, 5},
		{"search in vain", Options{History: &fakeHistory{}}, "draft<ctrl+r>fix", true, 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var all strings.Builder
			for _, width := range []int{120, 60, 15} {
				d := newDesk(t, tt.opts)
				if tt.report {
					d.send1(tea.ModeReportMsg{Mode: ansi.ModeUnicodeCore, Value: ansi.ModeReset})
				}
				d.View(width, tt.height)
				d.do(tt.keys)
				check(t, d, width, tt.height)
				lines, cursor := d.View(width, tt.height)
				fmt.Fprintf(&all, "%d x %d, cursor at %d, %d\n%s\n", width, tt.height, cursor.X, cursor.Y, framed(d, lines, width))
			}
			golden(t, strings.ReplaceAll(tt.name, " ", "_"), all.String())
		})
	}
}

// framed draws a frame around lines, which shows their widths.
func framed(d *desk, lines []string, width int) string {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString("│" + line + strings.Repeat(" ", width-d.buf.method.StringWidth(line)) + "│\n")
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "views", name+".txt")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the view differs from %s; if it is right: go test -run TestViews -update\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

// TestStylesKeepWidths: what colours the parts is called for each of them.
func TestStylesKeepWidths(t *testing.T) {
	paint := func(s string) string { return "\x1b[1m" + s + "\x1b[m" }
	d := newDesk(t, Options{Commands: someCommands, Placeholder: "x", Styles: Styles{
		Prompt: paint, Shell: paint, Chip: paint, Placeholder: paint, Label: paint, Item: paint, Selected: paint, Help: paint,
	}})
	d.Edit("1", "label", "")
	d.do("/")
	lines, _ := d.View(40, 10)
	for _, line := range lines {
		if !strings.Contains(line, "\x1b[1m") {
			t.Errorf("nothing in %q is styled", line)
		}
		if w := d.buf.method.StringWidth(line); w > 40 {
			t.Errorf("%q is %d wide", line, w)
		}
	}
}

// TestTypedLettersAreMarked, also between wide characters and in a path of which only the end is shown.
func TestTypedLettersAreMarked(t *testing.T) {
	find := func(string, int) ([]File, error) {
		return []File{{"日本/main.go"}, {"a/very/long/path/to/main.go"}}, nil
	}
	d := newDesk(t, Options{Files: find, Styles: Styles{Match: func(s string) string { return "\x1b[1m" + s + "\x1b[m" }}}).do("@mg")
	lines, _ := d.View(20, 10)
	mark := strings.NewReplacer("\x1b[1m", "(", "\x1b[m", ")")
	for i, want := range []string{"> 日本/(m)ain.(g)o", "  …g/path/to/(m)ain.(g)o"} {
		if got := mark.Replace(lines[i+1]); got != want {
			t.Errorf("row %d is %q, want %q", i, got, want)
		}
		if w := d.buf.method.StringWidth(lines[i+1]); w > 20 {
			t.Errorf("row %d is %d wide", i, w)
		}
	}
}
