package plain

import (
	"html"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	family   = "👨\u200d👩\u200d👧"
	scotland = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
	rainbow  = "🏳\ufe0f\u200d🌈"
)

// texts are texts from elsewhere with what each function makes of them. "" for visible or output: as it came.
var texts = []struct{ name, in, text, visible, output string }{
	{"plain text stays", "tab\tand\nline, ä and 日本", "tab\tand\nline, ä and 日本", "", ""},
	{"emoji with joiners stay", family + rainbow + "👍🏽 1\ufe0f\u20e3 ❤\ufe0f", family + rainbow + "👍🏽 1\ufe0f\u20e3 ❤\ufe0f", "", ""},
	{"the flag of a region stays", scotland, scotland, "", ""},
	{"scripts that need joiners stay in a text", "می\u200cخواهم", "می\u200cخواهم", `می\u200cخواهم`, `می\u200cخواهم`},
	{"colours go", "a\x1b[31mred\x1b[0mb", "aredb", `a\x1b[31mred\x1b[0mb`, "aredb"},
	{"cursor moves go", "a\x1b[2Jb\x1b[1;1Hc", "abc", `a\x1b[2Jb\x1b[1;1Hc`, "abc"},
	{"a title that is set goes, with its text", "a\x1b]0;owned\x07b", "ab", `a\x1b]0;owned\x07b`, "ab"},
	{"a clipboard write goes", "a\x1b]52;c;aGk=\x1b\\b", "ab", `a\x1b]52;c;aGk=\x1b\b`, "ab"},
	{"a link goes, its text stays", "\x1b]8;;http://x\x1b\\here\x1b]8;;\x1b\\", "here", `\x1b]8;;http://x\x1b\here\x1b]8;;\x1b\`, "here"},
	{"all kinds of strings go", "a\x1bPq#1\x1b\\b\x1b_x\x1b\\c\x1b^x\x1b\\d\x1bXx\x1b\\e", "abcde", `a\x1bPq#1\x1b\b\x1b_x\x1b\c\x1b^x\x1b\d\x1bXx\x1b\e`, "abcde"},
	{"a line break in a string belongs to it", "a\x1b]0;x\ny\x07b", "ab", "a\\x1b]0;x\ny\\x07b", "ab"},
	{"a string without an end goes to the end", "a\x1bPq#1", "a", `a\x1bPq#1`, "a"},
	{"another sequence ends a string", "a\x1b]0;x\x1b[1mb", "ab", `a\x1b]0;x\x1b[1mb`, "ab"},
	{"short sequences go", "a\x1b7b\x1b(Bc\x1bc", "abc", `a\x1b7b\x1b(Bc\x1bc`, "abc"},
	{"a broken control sequence ends where it breaks", "a\x1b[3\nb\x1b[é", "a\nbé", "a\\x1b[3\nb\\x1b[é", "a\nbé"},
	{"the 8-bit forms go too", "a\u009b31mb\u009d0;x\u009cc\u0090q\u009cd", "abcd", `a\x9b31mb\x9d0;x\x9cc\x90q\x9cd`, "abcd"},
	{"a lone escape goes", "a\x1b", "a", `a\x1b`, "a"},
	{"a carriage return breaks the line", "good\rbad", "good\nbad", `good\x0dbad`, "good\nbad"},
	{"CR LF is one break", "a\r\nb\n\r\nc", "a\nb\n\nc", "a\\x0d\nb\n\\x0d\nc", "a\nb\n\nc"},
	{"backspace, bell, NUL and DEL go", "a\bb\a\x00\x7f", "ab", `a\x08b\x07\x00\x7f`, "ab"},
	{"bytes that are no UTF-8", "a\x9b31m\xff", "a\uFFFD31m\uFFFD", `a\x9b31m\xff`, "a\uFFFD31m\uFFFD"},
	{"a replacement character that is one", "a\uFFFD", "a\uFFFD", "", ""},
	{"marks that reorder text", "a\u202eb\u2066c", "abc", `a\u202eb\u2066c`, `a\u202eb\u2066c`},
	{"what has no width", "a\u200bb\u2060c\u00add\u115fe\u3164", "a\u200bb\u2060c\u00add\u115fe\u3164", `a\u200bb\u2060c\xadd\u115fe\u3164`, `a\u200bb\u2060c\xadd\u115fe\u3164`},
	{"tags without a flag", "a\U000e0041\U000e0042", "a\U000e0041\U000e0042", `a\U000e0041\U000e0042`, `a\U000e0041\U000e0042`},
	{"tags after a flag that name no region", "🏴\U000e0041\U000e007f", "🏴\U000e0041\U000e007f", `🏴\U000e0041\U000e007f`, `🏴\U000e0041\U000e007f`},
	{"a flag whose tags do not end", "🏴\U000e0067\U000e0062\U000e0073", "🏴\U000e0067\U000e0062\U000e0073", `🏴\U000e0067\U000e0062\U000e0073`, `🏴\U000e0067\U000e0062\U000e0073`},
	{"a run of variation selectors", "❤\ufe0f\ufe00\U000e0101", "❤\ufe0f\ufe00\U000e0101", `❤\ufe0f\ufe00\U000e0101`, `❤\ufe0f\ufe00\U000e0101`},
	{"a variation selector after a letter", "rm x\ufe0f", "rm x\ufe0f", `rm x\ufe0f`, `rm x\ufe0f`},
	{"a variant of a Han character", "葛\U000e0100", "葛\U000e0100", "", ""},
	{"a joiner that joins nothing", "👨\u200d \u200d👩", "👨\u200d \u200d👩", `👨\u200d \u200d👩`, `👨\u200d \u200d👩`},
	{"spaces that only look like one", "rm -rf\u00a0/\u2003x\u2800\u3000y", "rm -rf\u00a0/\u2003x\u2800\u3000y", "rm -rf\\xa0/\\u2003x\\u2800\u3000y", "rm -rf\\xa0/\\u2003x\\u2800\u3000y"},
	{"separators of lines", "a\u2028b\u2029", "a\u2028b\u2029", `a\u2028b\u2029`, `a\u2028b\u2029`},
	{"signs that Unicode counts among the formats", "\u0600\u06dd", "\u0600\u06dd", "", ""},
	{"a byte order mark", "\ufeffa", "\ufeffa", `\ufeffa`, "a"},
}

func TestTexts(t *testing.T) {
	for _, tt := range texts {
		for _, f := range []struct {
			name string
			do   func(string) string
			want string
		}{{"Text", Text, tt.text}, {"Visible", Visible, tt.visible}, {"Output", Output, tt.output}} {
			want := f.want
			if want == "" {
				want = tt.in
			}
			if got := f.do(tt.in); got != want {
				t.Errorf("%s: %s(%q) = %q, want %q", tt.name, f.name, tt.in, got, want)
			}
		}
	}
}

func TestTextOfASequenceThatNeverEnds(t *testing.T) {
	got := Text("a\x1b]0;" + strings.Repeat("x", maxSequence) + "the rest")
	if !strings.HasPrefix(got, "a") || !strings.HasSuffix(got, "the rest") || len(got) > 20 {
		t.Errorf("Text of an endless title = %q, want the end of the text", got)
	}
}

func TestHTML(t *testing.T) {
	in := "<b onclick='x'>\"&\x1b[1m\u202e" + family
	want := `&lt;b onclick=&#39;x&#39;&gt;&#34;&amp;\u202e` + family
	if got := HTML(in); got != want {
		t.Errorf("HTML(%q) = %q, want %q", in, got, want)
	}
}

func TestLine(t *testing.T) {
	if got, want := Line("a\n  b\tc\x1b[1m", 80), "a b c"; got != want {
		t.Errorf("Line = %q, want %q", got, want)
	}
	got := Line(strings.Repeat("ä", 100), 10)
	if utf8.RuneCountInString(got) != 10 || !strings.HasSuffix(got, "…") {
		t.Errorf("Line cut to %q, want 10 characters with an ellipsis", got)
	}
}

// TestStreamInPieces cuts every text at every byte.
func TestStreamInPieces(t *testing.T) {
	for _, tt := range texts {
		for cut := range len(tt.in) + 1 {
			var s Stream
			if got := s.Next(tt.in[:cut]) + s.Next(tt.in[cut:]) + s.End(); got != tt.text {
				t.Errorf("%s: %q and %q = %q, want %q", tt.name, tt.in[:cut], tt.in[cut:], got, tt.text)
			}
		}
	}
}

func FuzzPlain(f *testing.F) {
	for _, tt := range texts {
		f.Add(tt.in, len(tt.in)/2, len(tt.in)/3)
	}
	f.Fuzz(func(t *testing.T, s string, one, two int) {
		for name, do := range map[string]func(string) string{"Text": Text, "Visible": Visible, "Output": Output} {
			got := do(s)
			check(t, name, s, got)
			if again := do(got); again != got {
				t.Errorf("%s(%q) = %q, and again %q", name, s, got, again)
			}
			if name != "Text" && strings.IndexFunc(got, reorders) >= 0 {
				t.Errorf("%s(%q) = %q reorders text", name, s, got)
			}
		}
		if got := HTML(s); strings.ContainsAny(got, `<>"'`) || html.UnescapeString(got) != Output(s) {
			t.Errorf("HTML(%q) = %q", s, got)
		}
		a, b := place(one, len(s)), place(two, len(s))
		a, b = min(a, b), max(a, b)
		var p Stream
		if got := p.Next(s[:a]) + p.Next(s[a:b]) + p.Next(s[b:]) + p.End(); got != Text(s) {
			t.Errorf("%q, %q and %q = %q, want %q", s[:a], s[a:b], s[b:], got, Text(s))
		}
	})
}

func place(n, most int) int { return int(uint(n) % uint(most+1)) }

func check(t *testing.T, name, in, got string) {
	t.Helper()
	if !utf8.ValidString(got) {
		t.Errorf("%s(%q) = %q is no UTF-8", name, in, got)
	}
	if i := strings.IndexFunc(got, controls); i >= 0 {
		t.Errorf("%s(%q) = %q holds the control character %q", name, in, got, got[i])
	}
}
