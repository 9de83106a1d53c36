package permission

import (
	"errors"
	"fmt"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// A pattern is the words of a command. It is read by the parser that reads commands, so quotes mean the same.
type pattern struct {
	words []patternWord
	open  bool // ends with **: any further words
}

type patternWord struct {
	text string
	any  bool // * stands for one word
}

func parsePattern(text string) (pattern, error) {
	if why := screen(text); why != "" {
		return pattern{}, errors.New("the pattern " + why)
	}
	call, err := oneCall(text)
	if err != nil {
		return pattern{}, err
	}
	var p pattern
	for i, w := range call.Args {
		lit := w.Lit()
		switch {
		case lit == "**" && i == len(call.Args)-1:
			p.open = true
			continue
		case lit == "**":
			return pattern{}, errors.New("** stands for any further words and can only be the last")
		case lit == "*":
			p.words = append(p.words, patternWord{any: true})
			continue
		}
		word := readWord(text, "", w)
		if !word.plain {
			return pattern{}, fmt.Errorf("the word %s is not plain: * stands for one whole word, ** at the end for any further; quote what is meant as it is", word.src)
		}
		p.words = append(p.words, patternWord{text: word.value})
	}
	return p, nil
}

// oneCall reads text as one simple command.
func oneCall(text string) (*syntax.CallExpr, error) {
	errShape := errors.New("the pattern must be the words of one command, without operators, redirections and assignments")
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), "")
	if err != nil || len(file.Stmts) != 1 {
		return nil, errShape
	}
	s := file.Stmts[0]
	call, ok := s.Cmd.(*syntax.CallExpr)
	if !ok || s.Negated || s.Background || len(s.Redirs) > 0 || len(call.Assigns) > 0 || len(call.Args) == 0 {
		return nil, errShape
	}
	return call, nil
}

// A likeness says how sure it is that a command is one that a pattern means.
type likeness int

const (
	no likeness = iota
	maybe
	yes
)

// like compares as deny and ask rules do: in doubt they hold. Any word may stand where the pattern has * or **, and where
// a word is only known when the command runs, it may be the pattern's.
func (p pattern) like(words []word) likeness {
	for i, want := range p.words {
		switch {
		case i >= len(words):
			return no
		case want.any:
			if !words[i].known {
				return maybe
			}
		case !words[i].known:
			return maybe // one such word may become none or many
		case words[i].value != want.text:
			return no
		}
	}
	switch {
	case p.open || len(words) == len(p.words):
		return yes
	case !words[len(p.words)].known:
		return maybe
	}
	return no
}

// covers compares as allow rules do: every word is plain, and ** stands for no option.
func (p pattern) covers(words []word) bool {
	if len(words) < len(p.words) || !p.open && len(words) > len(p.words) {
		return false
	}
	for i, w := range words {
		if !w.plain {
			return false
		}
		switch {
		case i < len(p.words) && !p.words[i].any && p.words[i].text != w.value:
			return false
		case i >= len(p.words) && strings.HasPrefix(w.value, "-"):
			return false
		}
	}
	return true
}
