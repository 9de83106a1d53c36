package render

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/colorprofile"
)

// TestWhatSettlesWhen says what may go to the scrollback while the text is still arriving.
func TestWhatSettlesWhen(t *testing.T) {
	t.Parallel()
	theme := NewTheme(true, colorprofile.NoTTY)
	for _, tt := range []struct {
		name, text    string
		settled, live []string
	}{
		{"a paragraph is open until it is over", "one\ntwo", nil, []string{"one two"}},
		{"a blank line ends it", "one\ntwo\n\n", []string{"one two"}, nil},
		{"so does a block that begins", "one\n# two", nil, []string{"one", "", "# two"}},
		{"the heading is complete", "one\n# two\n", []string{"one", "", "# two"}, nil},
		{"an item is open until the next begins", "- one\n- two\n", []string{"- one"}, []string{"- two"}},
		{"a blank line may be inside an item", "- one\n\n", nil, []string{"- one"}},
		{"what follows the list ends it", "- one\n\ntext", []string{}, []string{"- one", "", "text"}},
		{"each line of code is settled", "```go\na\nb\nc", []string{"── go", "a", "b"}, []string{"c", "──"}},
		{"a fence that may be ending", "```\na\n``", []string{"──", "a"}, []string{"──"}},
		{"an empty line before what is live", "one\n\ntwo", []string{"one"}, []string{"", "two"}},
		{"a table is open until it is over", "|a|b|\n|-|-|\n|c|d|\n", nil, []string{"a │ b", "──┼──", "c │ d"}},
		{"the head alone is a table", "|a|b|", nil, []string{"a │ b", "──┼──"}},
		{"a definition is shown where it stands", "[a]: http://x\n\n[a].", []string{"[a]: http://x"}, []string{"", "a (http://x)."}},
		{"nothing", "", nil, nil},
		{"blank lines", "\n\n \n", nil, nil},
	} {
		m := NewMarkdown(theme, 40)
		m.Append(tt.text)
		if got := m.Settled(); !slices.Equal(got, tt.settled) {
			t.Errorf("%s: %q settles %q, want %q", tt.name, tt.text, got, tt.settled)
		}
		if got := m.Live(); !slices.Equal(got, tt.live) {
			t.Errorf("%s: of %q %q is live, want %q", tt.name, tt.text, got, tt.live)
		}
		if got := m.Settled(); len(got) > 0 {
			t.Errorf("%s: %q settles twice: %q", tt.name, tt.text, got)
		}
	}
}

// TestANewWidthActsOnWhatIsLive changes the width in the middle: what is settled stays, the rest is as wide as asked.
func TestANewWidthActsOnWhatIsLive(t *testing.T) {
	t.Parallel()
	m := NewMarkdown(NewTheme(true, colorprofile.NoTTY), 40)
	m.Append("the first paragraph of them all\n\nthe second paragraph of them all, ")
	if got := m.Settled(); len(got) != 1 {
		t.Fatalf("settled %q", got)
	}
	if got := m.Live(); !slices.Equal(got, []string{"", "the second paragraph of them all,"}) {
		t.Errorf("live at 40: %q", got)
	}
	m.SetWidth(20)
	want := []string{"", "the second paragraph", "of them all,"}
	if got := m.Live(); !slices.Equal(got, want) {
		t.Errorf("live at 20: %q, want %q", got, want)
	}
	m.SetTheme(NewTheme(false, colorprofile.ASCII))
	m.Append("**bold**")
	if got := strings.Join(m.Close(), "\n"); got != "\nthe second paragraph\nof them all, \x1b[1mbold\x1b[m" {
		t.Errorf("closed: %q", got)
	}
}

// TestLongBlocksAreCut checks that a block without an end is cut, the same way however it comes.
func TestLongBlocksAreCut(t *testing.T) {
	t.Parallel()
	theme := NewTheme(true, colorprofile.ANSI)
	for _, tt := range []struct{ name, head, part, want string }{
		{"a paragraph in one line", "", "some **words** and `code` ", "words"},
		{"a word without an end", "", "abcdefghij", "abcdefghij"},
		{"wide characters without an end", "", "日本語の文", "日本語"},
		{"a paragraph", "", "some **words**\n", "words"},
		{"a list item", "- ", "words\n  and more ", "  words and more"},
		{"code in an item", "1. x\n\n   ```go\n", "   x := f(\"a\", 1) // why\n", "   x := "},
		{"a table", "| a | b |\n|---|---|\n", "| some | others |\n", "some"},
		{"a line of code", "```go\n", "f(\"a\", 1); ", "f("},
		{"a quote", "> ", "words\n> ", "words"},
		{"indented code", "    ", "x\n    ", "x"},
		{"HTML", "<pre>\n", "x\n\n", "x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := tt.head + strings.Repeat(tt.part, 2*longestOpen/len(tt.part))
			var cuts []int
			for at := 5501; at < len(text); at += 5501 {
				cuts = append(cuts, at)
			}
			checkDeltas(t, theme, text, 60, cuts)
			lines := Document(theme, text, 60)
			if last := strip(lines[len(lines)-4 : len(lines)-1]); !strings.Contains(last, tt.want) {
				t.Errorf("the last lines are %q, want %q in them", last, tt.want)
			}
		})
	}
}

// TestHostileLinks holds links whose text says another address than they have.
func TestHostileLinks(t *testing.T) {
	t.Parallel()
	theme := NewTheme(true, colorprofile.NoTTY)
	theme.Hyperlinks = true
	for text, want := range map[string]string{
		"[https://good.example](https://evil.example)":       "https://good.example (https://evil.example)",
		"[good.example](https://good.example)":               "good.example",
		"[good.example](https://good.example/)":              "good.example",
		"[good.example](https://good.example.evil.example)":  "good.example (https://good.example.evil.example)",
		"[](https://evil.example)":                           "https://evil.example",
		"[x](https://a.example/\u202ec)":                     "x (https://a.example/c)",
		"[x](<https://a.example/a b>)":                       "x (https://a.example/a b)",
		"![](https://evil.example/x.png)":                    "image: https://evil.example/x.png",
		"[x](javascript:alert(1))":                           "x (javascript:alert(1))",
		"[a\\](b](https://evil.example)":                     "a](b (https://evil.example)",
		"[x](https://a.example/\u200bz)":                     `x (https://a.example/\u200bz)`,
		"[`code`](https://evil.example)":                     "`code` (https://evil.example)",
		"[**https://good.example**](https://good.example/x)": "https://good.example (https://good.example/x)",
	} {
		lines := Document(theme, text, 100)
		if got := strip(lines); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
		if strings.Contains(text, "javascript") && strings.Contains(strings.Join(lines, ""), "\x1b]8;;j") {
			t.Errorf("%q can be clicked: %q", text, lines)
		}
	}
}

// TestCostIsLinear counts what is allocated for a text and one twice as long, each with a frame after each delta.
func TestCostIsLinear(t *testing.T) { // by itself: it counts allocations
	theme := NewTheme(true, colorprofile.TrueColor)
	for name, part := range map[string]string{
		"paragraphs":    "some **words** and `code`,\nand [a link](https://x.example)\n\n",
		"items":         "- an item\n  - with one inside\n",
		"one fence":     "\tx := f(\"a\", 1) // why\n",
		"quotes":        "> a quote\n> of lines\n\n",
		"short tables":  "| a | b |\n|---|---|\n| c | d |\n\n",
		"code in items": "1. do\n\n   ```sh\n   ls -l\n   ```\n\n",
	} {
		stream := func(size int) float64 {
			text := strings.Repeat(part, size/len(part))
			if name == "one fence" {
				text = "```go\n" + text
			}
			return testing.AllocsPerRun(1, func() {
				m := NewMarkdown(theme, 80)
				for at := 0; at < len(text); at += 10 {
					m.Append(text[at:min(at+10, len(text))])
					m.Settled()
					m.Live()
				}
				m.Close()
			})
		}
		stream(1000) // loads the lexers
		if short, long := stream(5000), stream(10000); long > 2.3*short {
			t.Errorf("%s: %.0f allocations for 5,000 bytes, %.0f for 10,000", name, short, long)
		}
	}
}

// TestHostileMarkdownIsReadInTime holds texts for which a careless grammar or renderer takes the square of their length.
func TestHostileMarkdownIsReadInTime(t *testing.T) {
	t.Parallel()
	theme := NewTheme(true, colorprofile.TrueColor)
	const size = 30 << 10
	for _, part := range []string{
		"> ", "- ", "1. ", "> - ", "[", "![", "[a](", "[a][", "*a", "*a **b ", "`` ` ", "<", "<a", "a\n", "-\n", "a | b\n-|-\n",
		"[a]: b\n\n[a]\n\n", "- a\n  ", "&", "\\", "\u0301", "\n", "|",
	} {
		text := strings.Repeat(part, size/len(part))
		start := time.Now()
		m := NewMarkdown(theme, 80)
		for at := 0; at < len(text); at += 10 << 10 {
			m.Append(text[at:min(at+10<<10, len(text))])
			m.Settled()
			m.Live()
		}
		m.Close()
		if took := time.Since(start); took > 20*time.Second { // what is not linear takes minutes
			t.Errorf("30 KB of %q take %v", part, took)
		}
	}
}

// TestNestingHasAnEnd checks that what stands too deep is text.
func TestNestingHasAnEnd(t *testing.T) {
	t.Parallel()
	theme := NewTheme(true, colorprofile.NoTTY)
	for part, want := range map[string]string{"> ": "> x", "- ": "- x", "1. ": "1. x"} {
		lines := Document(theme, strings.Repeat(part, deepest+1)+"x", 300)
		if got := strings.TrimSpace(strings.Join(lines, "")); !strings.HasSuffix(got, want) {
			t.Errorf("%q in %d levels: %q, want its end to be %q", part, deepest+1, got, want)
		}
	}
}
