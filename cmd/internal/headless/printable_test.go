package headless

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain text stays", "tab\tand\nline, ä and 日本", "tab\tand\nline, ä and 日本"},
		{"colours go", "a\x1b[31mred\x1b[0mb", "aredb"},
		{"cursor moves go", "a\x1b[2Jb\x1b[1;1Hc", "abc"},
		{"a title that is set goes, with its text", "a\x1b]0;owned\x07b", "ab"},
		{"a clipboard write goes", "a\x1b]52;c;aGk=\x1b\\b", "ab"},
		{"a string without an end goes to the end", "a\x1bPq#1", "a"},
		{"the 8-bit forms go too", "a\u009b31mb\u009d0;x\u009cc", "abc"},
		{"a lone escape goes", "a\x1b", "a"},
		{"a carriage return breaks the line", "good\rbad", "good\nbad"},
		{"CR LF is one break", "a\r\nb", "a\nb"},
		{"backspace and bell go", "a\bb\a", "ab"},
		{"marks that reorder text go", "a\u202eb\u2066c", "abc"},
	}
	for _, tt := range tests {
		if got := Printable(tt.in); got != tt.want {
			t.Errorf("%s: Printable(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("a\x1b[31mb\u009d0;x\u009c\r\n")
	f.Fuzz(func(t *testing.T, s string) {
		got := Printable(strings.ToValidUTF8(s, "?"))
		if i := strings.IndexFunc(got, unsafe); i >= 0 {
			t.Errorf("Printable(%q) = %q holds %q", s, got, got[i])
		}
	})
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
