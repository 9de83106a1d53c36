package sandbox

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func cleaned(pieces ...string) string {
	var b bytes.Buffer
	c := cleaner{emit: func(p []byte) { b.Write(p) }}
	for _, p := range pieces {
		_, _ = c.Write([]byte(p))
	}
	c.flush()
	return b.String()
}

func TestOutputIsMadePlain(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain text stays", "a\tb\nc", "a\tb\nc"},
		{"of a progress bar the last state stays", "1%\r2%\r100%\nok\n", "100%\nok\n"},
		{"also when it ends in a return", "1%\r2%\r", "2%"},
		{"CR LF is a line end", "a\r\nb\r\n", "a\nb\n"},
		{"several returns before a line end", "a\r\r\nb", "a\nb"},
		{"colours go", "\x1b[1;31mred\x1b[0m text", "red text"},
		{"titles go", "\x1b]0;title\x07a\x1b]8;;http://x\x1b\\b", "ab"},
		{"character sets go", "\x1b(Ba\x1b=b", "ab"},
		{"an unending title ends with its line", "\x1b]0;abc\ndef\n", "\ndef\n"},
		{"a sequence that is broken off", "a\x1b[12", "a"},
		{"a backspace", "abc\bd", "abd"},
		{"NUL and broken UTF-8", "a\x00b\xff\xfec", "a\uFFFDb\uFFFDc"},
		{"other controls go", "a\x07\x01b\x7f", "ab"},
	}
	for _, tt := range tests {
		if got := cleaned(tt.in); got != tt.want {
			t.Errorf("%s: %q became %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}

func TestHowOutputIsCutDoesNotMatter(t *testing.T) {
	piece := rapid.SampledFrom([]string{"a", "é", "\n", "\r", "\r\n", "\x1b[31m", "\x1b]0;x\x07", "\x1b", "\b", "\xff", "\x00", "[", "\\", "…"})
	rapid.Check(t, func(t *rapid.T) {
		in := strings.Join(rapid.SliceOf(piece).Draw(t, "in"), "")
		var cuts []string
		for rest := in; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "n")
			cuts, rest = append(cuts, rest[:n]), rest[n:]
		}
		whole, parts := cleaned(in), cleaned(cuts...)
		if whole != parts {
			t.Fatalf("%q: whole %q, in parts %q", in, whole, parts)
		}
		if !utf8.ValidString(whole) || strings.ContainsFunc(whole, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' }) {
			t.Fatalf("%q became %q", in, whole)
		}
	})
}

// newOutput makes an Output with small bounds whose file is in the test's folder.
func newOutput(t testing.TB) (o *Output, opened *int) {
	opened = new(int)
	dir := t.TempDir()
	return &Output{MaxBytes: 100, MaxLines: 10, Keep: 1000, Open: func() (*os.File, error) {
		*opened++
		return os.CreateTemp(dir, "log")
	}}, opened
}

func TestShortOutputIsKeptWhole(t *testing.T) {
	o, opened := newOutput(t)
	_, _ = o.Write([]byte("a\nb\n"))
	if x := o.Finish(); x.Head != "a\nb\n" || x.Cut || x.Log != "" || *opened != 0 {
		t.Errorf("%+v, %d files", x, *opened)
	}
}

func TestLongOutputKeepsItsBeginningAndEnd(t *testing.T) {
	tests := []struct {
		name, line string
		lines      int
		want       Excerpt
	}{
		{"too many lines", "x\n", 15, Excerpt{Head: "x\nx\nx\nx\n", Tail: "x\nx\nx\nx\nx\nx\n", Cut: true, CutLines: 5, CutBytes: 10, Lines: 15, Bytes: 30, LogBytes: 30}},
		{"too many bytes", "0123456789abcdefghi\n", 8, Excerpt{Head: strings.Repeat("0123456789abcdefghi\n", 2), Tail: strings.Repeat("0123456789abcdefghi\n", 2), Cut: true, CutLines: 4, CutBytes: 80, Lines: 8, Bytes: 160, LogBytes: 160}},
		{"more than the file keeps", "0123456789abcdefghi\n", 80, Excerpt{Head: strings.Repeat("0123456789abcdefghi\n", 2), Tail: strings.Repeat("0123456789abcdefghi\n", 2), Cut: true, CutLines: 76, CutBytes: 1520, Lines: 80, Bytes: 1600, LogBytes: 1000}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, opened := newOutput(t)
			for range tt.lines {
				_, _ = o.Write([]byte(tt.line))
			}
			x := o.Finish()
			log, err := os.ReadFile(x.Log)
			if want := strings.Repeat(tt.line, tt.lines)[:x.LogBytes]; err != nil || string(log) != want || *opened != 1 {
				t.Errorf("the file holds %q (%v), want %q", log, err, want)
			}
			x.Log = ""
			if x != tt.want {
				t.Errorf("kept is %+v, want %+v", x, tt.want)
			}
		})
	}
}

func TestOneEndlessLineIsCutBetweenCharacters(t *testing.T) {
	o, _ := newOutput(t)
	_, _ = o.Write([]byte(strings.Repeat("é", 1000)))
	if x := o.Finish(); !utf8.ValidString(x.Head) || !utf8.ValidString(x.Tail) || len(x.Head) < 30 || len(x.Tail) < 50 || int64(len(x.Head)+len(x.Tail))+x.CutBytes != 2000 {
		t.Errorf("kept is %+v", x)
	}
}

func TestOutputGoesOnWithoutAFile(t *testing.T) {
	why := errors.New("no space")
	o := &Output{MaxBytes: 100, MaxLines: 10, Keep: 1 << 20, Open: func() (*os.File, error) { return nil, why }}
	for range 20000 {
		_, _ = o.Write([]byte("0123456789\n"))
	}
	if x := o.Finish(); !x.Cut || !errors.Is(x.LogErr, why) || x.Lines != 20000 || x.Head == "" || x.Tail == "" {
		t.Errorf("kept is %+v", x)
	}
}

// TestNothingIsLostOrDoubled: head, what was cut and tail are the whole.
func TestNothingIsLostOrDoubled(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o, _ := newOutput(t)
		in := strings.Join(rapid.SliceOfN(rapid.StringMatching(`[a-z]{0,30}\n?`), 0, 60).Draw(rt, "in"), "")
		_, _ = o.Write([]byte(in))
		x := o.Finish()
		if !strings.HasPrefix(in, x.Head) || !strings.HasSuffix(in, x.Tail) || len(x.Head)+len(x.Tail)+int(x.CutBytes) != len(in) {
			rt.Fatalf("of %q kept is %+v", in, x)
		}
		if len(x.Head)+len(x.Tail) > 100 || strings.Count(x.Head+x.Tail, "\n") > 10 {
			rt.Fatalf("of %q too much is kept: %+v", in, x)
		}
	})
}
