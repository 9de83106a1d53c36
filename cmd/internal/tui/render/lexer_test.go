package render

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/chroma/v2"
	"github.com/charmbracelet/colorprofile"
)

// TestLexersReadLineByLine compares what each lexer makes of a sample line by line with what it makes of the whole: a lexer
// whose rules reach over the end of a line would colour code wrongly that is still arriving.
func TestLexersReadLineByLine(t *testing.T) {
	t.Parallel()
	theme := NewTheme(true, colorprofile.TrueColor)
	samples, err := filepath.Glob("testdata/code/*.txt")
	if err != nil || len(samples) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, file := range samples {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			language := languageOf(name)
			if language == nil {
				t.Fatalf("no lexer for %s", name)
			}
			tokens, err := chroma.Tokenise(language.lexer, nil, string(data))
			if err != nil {
				t.Fatal(err)
			}
			var want [][]string
			for _, line := range chroma.SplitTokensIntoLines(tokens) {
				var styles []string
				for _, token := range line {
					styles = append(styles, colours(theme, token)...)
				}
				want = append(want, styles)
			}
			var stack []string
			lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
			for i, line := range lines {
				var tokens []chroma.Token
				var ok bool
				tokens, stack, ok = language.line(line, stack)
				if !ok {
					t.Fatalf("the lexer breaks down at line %d, %q", i+1, line)
				}
				var got []string
				for _, token := range tokens {
					got = append(got, colours(theme, token)...)
				}
				if g, w := strings.Join(got, " "), strings.Join(want[i], " "); g != w {
					t.Errorf("line %d, %q, by itself:\n%s\nin the whole:\n%s", i+1, line, g, w)
				}
			}
		})
	}
}

// TestABrokenLexerCostsColours gives code to a lexer whose rules take more from its stack than is there.
func TestABrokenLexerCostsColours(t *testing.T) {
	t.Parallel()
	l := &language{}
	var err error
	l.lexer, err = chroma.NewLexer(&chroma.Config{Name: "broken"}, func() chroma.Rules {
		return chroma.Rules{
			"root": {{Pattern: "x", Type: chroma.Keyword, Mutator: chroma.Pop(5)}, {Pattern: ".|\n", Type: chroma.Text}},
			resume: {{Mutator: chroma.MutatorFunc(l.resume)}},
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	h := highlighter{theme: NewTheme(true, colorprofile.TrueColor), language: l}
	for _, line := range []string{"abc", "axb", "abc"} {
		if got := row(h.line(line)).encode(false); got != line {
			t.Errorf("%q is shown as %q", line, got)
		}
	}
	if h.language != nil {
		t.Error("a lexer that has broken down is asked again")
	}
}

// colours returns the style of each character of a token that shows.
func colours(theme *Theme, token chroma.Token) (styles []string) {
	for _, r := range token.Value {
		if r != ' ' && r != '\n' && r != '\t' {
			styles = append(styles, string(r)+"="+theme.token(token.Type).open())
		}
	}
	return styles
}
