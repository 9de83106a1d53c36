package render

import (
	"strings"

	"github.com/alecthomas/chroma/v2"
)

// Code renders code. name is that of its language or its file; of an unknown one the code has no colours.
func Code(t *Theme, name, text string, width int) []string {
	h := t.highlighter(name)
	var lines []string
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		for _, r := range h.rows(line, width) {
			lines = append(lines, r.encode(false))
		}
	}
	return lines
}

// A highlighter colours code line by line. A copy of it goes on from the same place.
type highlighter struct {
	theme    *Theme
	language *language // nil: no colours
	stack    []string  // what the lines so far have left open; never changed, only replaced
}

func (t *Theme) highlighter(name string) highlighter {
	h := highlighter{theme: t}
	if t.Colours() {
		h.language = languageOf(name)
	}
	return h
}

// longestCode is the length up to which a line of code is coloured, in bytes: minified code says nothing in colours.
const longestCode = 400

// rows returns the rows of the next line.
func (h *highlighter) rows(line string, width int) []row {
	return chop(h.line(expand(clean(line))), width)
}

// line returns the next line in colours.
func (h *highlighter) line(text string) []span {
	if h.language == nil || len(text) > longestCode {
		return []span{{text: text}}
	}
	tokens, stack, ok := h.language.line(text, h.stack)
	if !ok {
		h.language = nil
		return []span{{text: text}}
	}
	h.stack = stack
	if !spells(tokens, text) {
		return []span{{text: text}}
	}
	spans := make([]span, 0, len(tokens))
	for _, token := range tokens {
		value := strings.TrimSuffix(token.Value, "\n")
		if value == "" {
			continue
		}
		style := h.theme.token(token.Type)
		if n := len(spans) - 1; n >= 0 && (spans[n].style == style || strings.TrimSpace(value) == "") {
			spans[n].text += value
			continue
		}
		spans = append(spans, span{text: value, style: style})
	}
	return spans
}

// spells reports whether tokens are the text, and perhaps the end of its line: a rule may emit a part of what it has matched
// twice, and what is shown must be what is there.
func spells(tokens []chroma.Token, text string) bool {
	rest := text + "\n"
	for _, token := range tokens {
		if !strings.HasPrefix(rest, token.Value) {
			return false
		}
		rest = rest[len(token.Value):]
	}
	return rest == "" || rest == "\n"
}

// token returns the style of a kind of token.
func (t *Theme) token(kind chroma.TokenType) Style {
	switch kind {
	case chroma.KeywordType, chroma.NameClass, chroma.NameException, chroma.NameNamespace:
		return t.Type
	case chroma.KeywordConstant, chroma.NameConstant, chroma.NameBuiltinPseudo, chroma.NameEntity, chroma.LiteralDate:
		return t.Constant
	case chroma.NameTag, chroma.NameKeyword:
		return t.Tag
	case chroma.NameAttribute, chroma.NameDecorator, chroma.NameProperty, chroma.NameLabel:
		return t.Attribute
	case chroma.NameFunction, chroma.NameFunctionMagic, chroma.NameBuiltin:
		return t.Function
	case chroma.CommentPreproc, chroma.CommentPreprocFile:
		return t.Keyword
	case chroma.GenericInserted:
		return t.Added
	case chroma.GenericDeleted:
		return t.Removed
	case chroma.GenericHeading, chroma.GenericSubheading:
		return t.Heading
	case chroma.GenericStrong:
		return t.Strong
	case chroma.GenericEmph:
		return t.Emphasis
	case chroma.GenericPrompt, chroma.OperatorWord:
		return t.Keyword
	case chroma.GenericOutput:
		return t.Dim
	}
	switch {
	case kind.InCategory(chroma.Keyword):
		return t.Keyword
	case kind.InCategory(chroma.Comment):
		return t.Comment
	case kind.InSubCategory(chroma.LiteralString):
		return t.String
	case kind.InSubCategory(chroma.LiteralNumber):
		return t.Number
	case kind.InCategory(chroma.Operator), kind.InCategory(chroma.Punctuation):
		return t.Operator
	}
	return Style{}
}

// codeHead and codeFoot are the lines above and below a block of code. Nothing stands beside it: what is copied is the code.
func (t *Theme) codeHead(info string, width int) row {
	head := t.signs.rule + t.signs.rule
	if name, _, _ := strings.Cut(strings.TrimSpace(info), " "); name != "" {
		head += " " + flat(clean(unescape([]byte(name))))
	}
	return row{{text: Cut(head, width), style: t.Label}}
}

func (t *Theme) codeFoot(width int) row {
	return row{{text: Cut(t.signs.rule+t.signs.rule, width), style: t.Label}}
}
