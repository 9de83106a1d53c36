package render

import (
	"slices"
	"strings"
	"testing"

	"github.com/charmbracelet/colorprofile"
	"pgregory.net/rapid"
)

func TestWidth(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		want       int
	}{
		{"ASCII", "hello", 5},
		{"nothing", "", 0},
		{"wide characters", "日本", 4},
		{"a letter with a combining mark", "e\u0301", 1},
		{"an emoji", "✅", 2},
		{"a family", "👨\u200d👩\u200d👧", 2},
		{"a flag", "🇩🇪", 2},
		{"a skin tone", "👍🏽", 2},
		{"a text character made an emoji", "❤\ufe0f", 2},
		{"and left as text", "❤", 1},
		{"Hangul in parts", "\u1112\u1161\u11ab", 2},
		{"styles take no room", "\x1b[1;31mred\x1b[m", 3},
		{"nor do links", "\x1b]8;;https://x.example\x1b\\here\x1b]8;;\x1b\\", 4},
	} {
		if got := Width(tt.text); got != tt.want {
			t.Errorf("%s: Width(%q) = %d, want %d", tt.name, tt.text, got, tt.want)
		}
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	red := NewTheme(true, colorprofile.ANSI).Removed
	for _, tt := range []struct {
		name, line string
		width      int
		want       string
	}{
		{"what fits stays", "hello", 5, "hello"},
		{"the last cell is an ellipsis", "hello", 4, "hel…"},
		{"a wide character is not halved", "日本語", 4, "日…"},
		{"a style is ended", red.Paint("hello"), 3, "\x1b[91mhe…\x1b[m"},
		{"no room", "hello", 0, ""},
		{"one cell", "hello", 1, "…"},
	} {
		if got := Cut(tt.line, tt.width); got != tt.want {
			t.Errorf("%s: Cut(%q, %d) = %q, want %q", tt.name, tt.line, tt.width, got, tt.want)
		}
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		width      int
		want       []string
	}{
		{"at spaces, which are dropped", "one two  three", 7, []string{"one two", "three"}},
		{"at line breaks", "one\ntwo\n\nthree", 20, []string{"one", "two", "", "three"}},
		{"inside a long word", "abcdefgh ij", 5, []string{"abcde", "fgh", "ij"}},
		{"around wide characters", "漢字かな交じり", 6, []string{"漢字か", "な交じ", "り"}},
		{"but not before what closes", "漢字、かな。", 8, []string{"漢字、か", "な。"}},
		{"a word and wide characters", "abc漢字def", 6, []string{"abc漢", "字def"}},
		{"a family stays together", "ab 👨\u200d👩\u200d👧 cd", 6, []string{"ab", "👨\u200d👩\u200d👧", "cd"}}, // some terminals give it six cells
		{"nothing", "", 5, []string{""}},
		{"only spaces", "   ", 2, []string{""}},
		{"a space that does not break", "one\u00a0two x", 7, []string{"one\u00a0two", "x"}},
		{"a tab is a space", "a\tb", 5, []string{"a b"}},
		{"what no line can hold", "日", 1, []string{"?"}},
		{"control characters go", "a\x1b[31mb\x07", 5, []string{"ab"}},
	} {
		if got := Wrap(tt.text, tt.width); !slices.Equal(got, tt.want) {
			t.Errorf("%s: Wrap(%q, %d) = %q, want %q", tt.name, tt.text, tt.width, got, tt.want)
		}
	}
}

// TestWrapKeepsTheText checks that wrapping loses nothing but spaces.
func TestWrapKeepsTheText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := clean(strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{"a", "word", " ", "  ", "\n", "日本語", "。", "e\u0301", "🇩🇪", "long-word-here"})).Draw(t, "text"), ""))
		width := rapid.IntRange(2, 30).Draw(t, "width")
		lines := Wrap(text, width)
		checkLines(t, "Wrap", text, lines, width)
		bare := func(s string) string { return strings.Join(strings.Fields(s), "") }
		if got, want := bare(strings.Join(lines, "")), bare(text); got != want {
			t.Fatalf("Wrap(%q, %d) = %q", text, width, lines)
		}
	})
}

func TestPad(t *testing.T) {
	t.Parallel()
	if got := Pad("日", 4); got != "日  " {
		t.Errorf("Pad = %q", got)
	}
	if got := Pad("long", 2); got != "long" {
		t.Errorf("Pad = %q, want what is too long as it is", got)
	}
}
