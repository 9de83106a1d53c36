package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const (
	key   = "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"
	token = "tok+en/with?odd=chars&more"
	mark  = "[redacted: OPENROUTER_API_KEY]"
)

func known() *Set {
	s := &Set{}
	s.AddKey("OPENROUTER_API_KEY", key)
	s.AddKey("server token", token)
	s.Add("MY_SERVICE_TOKEN", `pass"word$1\x`)
	s.Add("SHORT", "seven77")
	s.AddKey("NONE", "")
	s.AddKey("SHORT", "ab\x00")
	return s
}

func TestRedact(t *testing.T) {
	s := known()
	wrapped := base64.StdEncoding.EncodeToString([]byte("user:" + key + "\n"))
	wrapped = wrapped[:76] + "\n" + wrapped[76:]
	for _, tt := range []struct{ name, text, want string }{
		{"a text without any", "PATH=/usr/bin", "PATH=/usr/bin"},
		{"alone", key, mark},
		{"among others", "a " + key + "b" + key, "a " + mark + "b" + mark},
		{"another one", "?token=" + token, "?token=[redacted: server token]"},
		{"in a URL", "?token=" + url.QueryEscape(token), "?token=[redacted: server token]"},
		{"in hex", hex.EncodeToString([]byte(key)), mark},
		{"in upper case hex", strings.ToUpper(hex.EncodeToString([]byte(key))), mark},
		{"in JSON", `{"a":"pass\"word$1\\x"}`, `{"a":"[redacted: MY_SERVICE_TOKEN]"}`},
		{"as export -p shows it", `declare -x MY_SERVICE_TOKEN="pass\"word\$1\\x"`, `declare -x MY_SERVICE_TOKEN="[redacted: MY_SERVICE_TOKEN]"`},
		{"broken into lines", key[:40] + "\n" + key[40:60] + "\r\n" + key[60:], mark},
		{"its beginning only", key[:60], key[:60]},
		{"a value that is too short", "seven77", "seven77"},
	} {
		if got := s.Redact(tt.text); got != tt.want {
			t.Errorf("%s: Redact(%q) = %q, want %q", tt.name, tt.text, got, tt.want)
		}
	}
	got := s.Redact(wrapped)
	if plainText, _ := base64.StdEncoding.DecodeString(strings.ReplaceAll(got, "\n", "")); !strings.Contains(got, mark) || bytes.Contains(plainText, []byte(key[3:len(key)-3])) {
		t.Errorf("base64 in two lines: %q", got)
	}
}

// Base64 of any text with the key in it must not hold it, wherever it begins.
func TestBase64AtEveryOffset(t *testing.T) {
	s := known()
	for offset := range 7 {
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			text := e.EncodeToString([]byte(strings.Repeat("x", offset) + token + "tail"))
			if got := s.Redact(text); !strings.Contains(got, "[redacted: server token]") {
				t.Errorf("%d bytes before it: %q", offset, got)
			}
		}
	}
}

func TestTheLongestValueCounts(t *testing.T) {
	s := &Set{}
	s.Add("SHORT", "abcdefgh")
	s.Add("LONG", "abcdefghijkl")
	if got := s.Redact("abcdefghijklm"); got != "[redacted: LONG]m" {
		t.Errorf("got %q", got)
	}
	var out strings.Builder
	w := s.Writer(&out)
	for _, piece := range []string{"abcdefgh", "ijkl", "m abcdefgh"} {
		if _, err := io.WriteString(w, piece); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil || out.String() != "[redacted: LONG]m [redacted: SHORT]" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

func TestAValueLongerThanOnePattern(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 700)
	s := &Set{}
	s.Add("PEM", long)
	if got := s.Redact("(" + long + ")"); strings.Contains(got, "0123456789abcdef") {
		t.Errorf("%d bytes of it are left", len(got))
	}
}

// However a text is cut into writes, what comes out is what Redact makes of the whole.
func TestWriterIsRedactInPieces(t *testing.T) {
	s := known()
	s.AddPrints(func() []Print {
		other := &Set{}
		other.Add("PRINTED", "known by its print only")
		return other.Prints()
	}())
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOf(rapid.SampledFrom([]string{
			key, key[:9], key[:30], token, token[:8], "sk-or-v", "\n", "x", "known by its print only", "known by", strings.Repeat("y", 100),
		})).Draw(t, "pieces")
		text := strings.Join(pieces, "")
		var out strings.Builder
		w := s.Writer(&out)
		for rest := text; rest != ""; {
			n := rapid.IntRange(1, min(len(rest), 50)).Draw(t, "n")
			if _, err := io.WriteString(w, rest[:n]); err != nil {
				t.Fatal(err)
			}
			if len(w.held) > 2*len(key)+n {
				t.Fatalf("%d bytes are held back", len(w.held))
			}
			rest = rest[n:]
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if want := s.Redact(text); out.String() != want {
			t.Errorf("of %q came %q, want %q", text, out.String(), want)
		}
	})
}

func TestWriterHoldsNothingBackForNobody(t *testing.T) {
	var out strings.Builder
	if _, err := io.WriteString((&Set{}).Writer(&out), "abc"); err != nil || out.String() != "abc" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

// What cannot become a value is shown at once: a user looks at it.
func TestWriterPassesLinesAtOnce(t *testing.T) {
	s := known()
	var out strings.Builder
	w := s.Writer(&out)
	for _, tt := range []struct{ write, want string }{{"first\n", "first\n"}, {"ok ", "first\nok "}, {"sk-or-", "first\nok "}, {"x", "first\nok sk-or-x"}} {
		if _, err := io.WriteString(w, tt.write); err != nil || out.String() != tt.want {
			t.Errorf("after %q there is %q, %v", tt.write, out.String(), err)
		}
	}
	printed := &Set{}
	printed.AddPrints(s.Prints())
	out.Reset()
	if _, err := io.WriteString(printed.Writer(&out), "first\n"); err != nil || out.String() != "first\n" {
		t.Errorf("with prints there is %q, %v", out.String(), err)
	}
}

func TestWriterTellsWhyItCannot(t *testing.T) {
	full := errors.New("full")
	w := known().Writer(writerFunc(func([]byte) (int, error) { return 0, full }))
	if _, err := io.WriteString(w, strings.Repeat("x", 100)); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestPrintsTellNoValue(t *testing.T) {
	prints := known().Prints()
	data, err := json.Marshal(prints)
	if err != nil {
		t.Fatal(err)
	}
	if known().Holds(string(data)) {
		t.Errorf("a value is in its print: %s", data)
	}
	if err := json.Unmarshal(data, &prints); err != nil {
		t.Fatal(err)
	}
	other := &Set{}
	other.AddPrints(prints)
	if got := other.Redact("a " + key + "b"); got != "a "+mark+"b" {
		t.Errorf("got %q", got)
	}
	if got := other.Redact(key[:len(key)-1] + "!"); !strings.HasPrefix(got, "sk-or") {
		t.Errorf("another value with the same beginning: %q", got)
	}
}

func TestJSON(t *testing.T) {
	s := known()
	s.Add("N", "n123456789")
	for _, tt := range []struct{ raw, want string }{
		{`{"b": 1.50, "a": "x"}`, `{"b": 1.50, "a": "x"}`},
		{`{"text":"\n123456789n123456789","n":12345678901234567890}`, `{"n":12345678901234567890,"text":"\n123456789[redacted: N]"}`},
		{`["` + key + `",{"` + key + `":"pass\"word$1\\x"}]`, `["` + mark + `",{"` + mark + `":"[redacted: MY_SERVICE_TOKEN]"}]`},
	} {
		if got := string(s.JSON(json.RawMessage(tt.raw))); got != tt.want {
			t.Errorf("JSON(%s) = %s, want %s", tt.raw, got, tt.want)
		}
	}
}

func TestNoValueIsLogged(t *testing.T) {
	s := known()
	type request struct{ Header string }
	for _, handler := range []func(io.Writer, *slog.HandlerOptions) slog.Handler{
		func(w io.Writer, o *slog.HandlerOptions) slog.Handler { return slog.NewTextHandler(w, o) },
		func(w io.Writer, o *slog.HandlerOptions) slog.Handler { return slog.NewJSONHandler(w, o) },
	} {
		var out strings.Builder
		log := slog.New(handler(&out, &slog.HandlerOptions{ReplaceAttr: s.ReplaceAttr}))
		log.With("who", key).WithGroup("g").Error("asking with "+key, "err", fmt.Errorf("refused: %w", errors.New(token)),
			"request", request{"Bearer " + key}, "n", 1, slog.Group("h", "url", "http://x/?token="+url.QueryEscape(token)), "list", []string{key})
		if s.Holds(out.String()) || strings.Count(out.String(), "redacted") < 6 {
			t.Errorf("logged: %s", out.String())
		}
	}
}

func TestANilSetKnowsNothing(t *testing.T) {
	var s *Set
	if s.Redact(key) != key || s.Holds(key) || string(s.JSON([]byte(`"`+key+`"`))) != `"`+key+`"` || s.Prints() != nil || s.Names() != nil {
		t.Error("it does")
	}
}

// What a real shell prints of a variable must be found, whatever stands in it.
func TestShellsQuoteAsWeThink(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	for _, value := range []string{"plain-value-1", `it's "quoted" $HOME` + " `x` \\n", "with spaces and <html> & co", "ünïcödé-välüe"} {
		s := &Set{}
		s.Add("V", value)
		cmd := exec.Command(bash, "--noprofile", "--norc", "-c", `env; export -p; printf '%s\n' "$V"; echo "$V" | base64`)
		cmd.Env = []string{"V=" + value, "PATH=" + os.Getenv("PATH")}
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Redact(string(out)); strings.Count(got, "[redacted: V]") != 3 {
			t.Errorf("%q: %s", value, got)
		}
	}
}

func TestNothingFoundCostsNoAllocation(t *testing.T) {
	s, text := known(), strings.Repeat("a line of output like any other\n", 100)
	if n := testing.AllocsPerRun(100, func() { _ = s.Redact(text) }); n != 0 {
		t.Errorf("Redact: %v allocations", n)
	}
	w, p := s.Writer(io.Discard), []byte(text)
	if n := testing.AllocsPerRun(100, func() { _, _ = w.Write(p) }); n != 0 {
		t.Errorf("Write: %v allocations", n)
	}
}

func many() *Set {
	s, rng := known(), rand.New(rand.NewPCG(1, 2))
	for i := range 50 {
		s.Add(fmt.Sprintf("SECRET_%d", i), fmt.Sprintf("%016x%016x", rng.Uint64(), rng.Uint64()))
	}
	return s
}

func BenchmarkRedact(b *testing.B) {
	s, text := many(), strings.Repeat("internal/server/conn.go:117: read tcp 127.0.0.1:41237: use of closed connection\n", 30<<10/80)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		s.Redact(text)
	}
}

func BenchmarkWriter(b *testing.B) {
	w, p := many().Writer(io.Discard), []byte(strings.Repeat("internal/server/conn.go:117: read tcp 127.0.0.1:41237\n", 32<<10/54))
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		_, _ = w.Write(p)
	}
}

// Every process of coder begins with this.
func BenchmarkLearn(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		s := known()
		for i := range 10 {
			s.Add("SECRET", fmt.Sprintf("%032x", i))
		}
	}
}
