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
				tokens, stack = language.line(line, stack)
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

// colours returns the style of each character of a token that shows.
func colours(theme *Theme, token chroma.Token) (styles []string) {
	for _, r := range token.Value {
		if r != ' ' && r != '\n' && r != '\t' {
			styles = append(styles, string(r)+"="+theme.token(token.Type).open())
		}
	}
	return styles
}
