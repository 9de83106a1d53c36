package render

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/chroma/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/coder-agent/coder/agent/plain"
)

// FuzzCode reads any text in any language: none may panic or hang, add or lose a character.
func FuzzCode(f *testing.F) {
	samples, err := filepath.Glob("testdata/code/*.txt")
	if err != nil || len(samples) == 0 {
		f.Fatalf("no samples: %v", err)
	}
	var names []string
	for i, file := range samples {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".txt"))
		f.Add(i, string(data))
	}
	theme := NewTheme(true, colorprofile.TrueColor)
	f.Fuzz(func(t *testing.T, language int, text string) {
		name := names[int(uint(language)%uint(len(names)))]
		text = expandAll(plain.Text(text[:min(len(text), 8<<10)]))
		lines := Code(theme, name, text, 1000)
		checkLines(t, name, text, lines, 1000)
		if got, want := strip(lines), strip(Code(NewTheme(true, colorprofile.NoTTY), name, text, 1000)); got != want {
			t.Errorf("%s of %q in colours is %q, without %q", name, text, got, want)
		}
	})
}

func expandAll(text string) string { return strings.ReplaceAll(text, "\t", " ") }

// TestUnclosedStringsAreReadInTime holds lines that make a careless rule try every way to read them.
func TestUnclosedStringsAreReadInTime(t *testing.T) {
	t.Parallel()
	samples, err := filepath.Glob("testdata/code/*.txt")
	if err != nil || len(samples) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	theme := NewTheme(true, colorprofile.TrueColor)
	for _, file := range samples {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		for _, part := range []string{`\`, `\\a`, "a: ", "(", "{a", "/", "<a ", "a=b "} {
			for _, first := range []string{"", `"`} {
				line := (first + strings.Repeat(part, longestCode))[:longestCode]
				start := time.Now()
				Code(theme, name, line, 80)
				if took := time.Since(start); took > 2*time.Second { // one that tries all ways takes for ever
					t.Errorf("%s: %.20q… took %v", name, line, took)
				}
			}
		}
	}
}

// TestCodeIsShownAsItIs holds what a lexer once read twice.
func TestCodeIsShownAsItIs(t *testing.T) {
	t.Parallel()
	if !spells([]chroma.Token{{Value: "a"}, {Value: "b\n"}}, "ab") || !spells(nil, "") {
		t.Error("tokens that spell the text are refused")
	}
	for _, values := range [][]string{{"a", "a", "b"}, {"a"}, {"b", "a"}, {"ab", "\n", "x"}} {
		var tokens []chroma.Token
		for _, v := range values {
			tokens = append(tokens, chroma.Token{Value: v})
		}
		if spells(tokens, "ab") {
			t.Errorf("%q is taken for ab", values)
		}
	}
	const ruby = "  %  return s if x else None"
	if got := strip(Code(NewTheme(true, colorprofile.TrueColor), "ruby", ruby, 80)); got != ruby {
		t.Errorf("%q is shown as %q", ruby, got)
	}
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	theme := NewTheme(true, colorprofile.ANSI)
	for _, name := range []string{
		"go", "Go", "golang", "main.go", "cmd/main.go", "{.go}", "go title=\"x\"", "py", "python3", "js", "ts", "tsx", "jsx", "json", "yaml", "yml", "toml",
		"sh", "bash", "shell", "zsh", "console", "html", "css", "sql", "rust", "rs", "c", "cpp", "c++", "java", "ruby", "rb", "php", "diff", "patch", "md",
		"markdown", "dockerfile", "Dockerfile", "makefile", "Makefile", "xml", "ini", "csharp", "cs", "kotlin", "kt", "swift", "lua", "a/b/x.tsx", "jsonc",
	} {
		if languageOf(name) == nil {
			t.Errorf("no language for %q", name)
		}
	}
	for _, name := range []string{"", "text", "nonsense", "..", "[", "*"} {
		if l := languageOf(name); l != nil {
			t.Errorf("%q is taken for %v", name, l.lexer)
		}
		if got := Code(theme, name, "a\tb\n", 80); len(got) != 1 || got[0] != "a   b" {
			t.Errorf("Code in %q = %q, want it as it is", name, got)
		}
	}
}
