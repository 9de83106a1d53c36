package render

import (
	"embed"
	"encoding/xml"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/alecthomas/chroma/v2"
)

// files are the lexers, in the XML of chroma, from which most are taken: its package of lexers would cost every start of
// the program 24 ms, these are read when the first code is shown and compiled when their language is.
//
//go:embed lexers/*.xml
var files embed.FS

// A language colours code line by line: what one line leaves open, such as a comment, is known to the next.
type language struct {
	lexer *chroma.RegexLexer

	mu    sync.Mutex
	stack []string           // with which the next line begins
	now   *chroma.LexerState // of the line that is being read
}

// resume is the state of a lexer in which each line begins: its only rule puts the stack of the line before in place.
const resume = "coder: resume"

// languages are all that we know, read once.
var languages = sync.OnceValue(func() *chroma.LexerRegistry {
	registry := chroma.NewLexerRegistry()
	entries, err := files.ReadDir("lexers")
	if err != nil {
		panic(err) // they are embedded
	}
	for _, e := range entries {
		registry.Register(newLanguage(path.Join("lexers", e.Name())))
	}
	return registry
})

// loaded finds the language of a lexer.
var loaded = make(map[chroma.Lexer]*language)

func newLanguage(file string) chroma.Lexer {
	lexer, err := chroma.NewXMLLexer(files, file)
	if err != nil {
		panic(err)
	}
	l := &language{}
	l.lexer, err = chroma.NewLexer(lexer.Config(), func() chroma.Rules { return l.rules(file) })
	if err != nil {
		panic(err)
	}
	loaded[l.lexer] = l
	return l.lexer
}

// rules reads the rules of a lexer and adds the state in which a line begins.
func (l *language) rules(file string) chroma.Rules {
	data, err := files.ReadFile(file)
	if err != nil {
		panic(err)
	}
	var lexer struct {
		Rules chroma.Rules `xml:"rules"`
	}
	if err := xml.Unmarshal(data, &lexer); err != nil {
		panic(fmt.Errorf("%s: %w", file, err))
	}
	lexer.Rules[resume] = []chroma.Rule{{Mutator: chroma.MutatorFunc(l.resume)}}
	return lexer.Rules
}

// resume is what the rule does. It comes a second time if the rules do not know the end of the line: then it is over, and
// the next one begins anew.
func (l *language) resume(s *chroma.LexerState) error {
	if l.now == s {
		s.Stack = []string{"root"}
		s.Pos++
		return nil
	}
	l.now, s.Stack = s, slices.Clone(l.stack)
	return nil
}

// line returns the tokens of a line and the stack for the one after it. ok is false if the lexer has broken down: its rules
// come from elsewhere, and a mistake in them is to cost colours, not the program.
func (l *language) line(text string, stack []string) (tokens []chroma.Token, after []string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer func() {
		if recover() != nil {
			tokens, after, ok = nil, nil, false
		}
	}()
	l.stack, l.now = stack, nil
	if len(stack) == 0 {
		l.stack = []string{"root"}
	}
	next, err := l.lexer.Tokenise(&chroma.TokeniseOptions{State: resume}, text+"\n")
	if err != nil {
		return nil, nil, false
	}
	for token := next(); token != chroma.EOF; token = next() {
		tokens = append(tokens, token)
	}
	return tokens, l.now.Stack, true
}

// languageOf returns the language that a fence names, or the name of a file. nil: one we do not know.
func languageOf(name string) *language {
	name, _, _ = strings.Cut(strings.TrimSpace(name), " ")
	name = strings.ToLower(strings.Trim(name, "{}."))
	if name == "" {
		return nil
	}
	all := languages()
	lexer := all.Get(name)
	if lexer == nil {
		lexer = all.Match(path.Base(name))
	}
	return loaded[lexer]
}
