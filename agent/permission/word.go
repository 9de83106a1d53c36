package permission

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"
)

const (
	maxScript = 16 << 10 // bytes of a command that is looked into
	maxNested = 100      // brackets, each in the other
)

// screen says why a command is not even parsed, or "". The parser and bash would disagree on some of this, and people
// could not see it.
func screen(command string) string {
	if len(command) > maxScript {
		return fmt.Sprintf("is %d bytes long, more than the %d that are looked into", len(command), maxScript)
	}
	if !utf8.ValidString(command) {
		return "is not valid UTF-8"
	}
	depth, deepest := 0, 0
	for i, r := range command {
		switch r {
		case '(', '{', '[':
			depth++
			deepest = max(deepest, depth)
		case ')', '}', ']':
			depth = max(depth-1, 0)
		}
		if invisible(r) {
			return fmt.Sprintf("has the invisible character U+%04X at byte %d", r, i)
		}
	}
	if deepest > maxNested || strings.Count(command, "`") > 2*maxNested {
		return fmt.Sprintf("nests brackets more than %d deep", maxNested)
	}
	return ""
}

// invisible reports whether a character is not to be seen, or turns the order of others: controls but tab and newline,
// bidirectional controls, zero width, tags, fillers, strange line ends.
func invisible(r rune) bool {
	switch {
	case r == '\n', r == '\t':
		return false
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co):
		return true
	}
	switch r {
	case '\u115f', '\u1160', '\u3164', '\uffa0', '\u2800', '\u034f', '\u17b4', '\u17b5':
		return true
	}
	return r >= 0xe0000 && r <= 0xe0fff
}

// A word is one word of a simple command.
type word struct {
	src   string // as it stands in the command
	value string // what the program gets, if known
	known bool   // value is certain, however strangely it is written: \rm, r''m, $'\x72m'
	plain bool   // and written plainly: letters and quotes, nothing that the shell expands
	bare  bool   // not even a quote
	path  string // where a word leads that begins with ~ or $HOME; "" otherwise
}

// readWord finds out what a word of the command src means. home is for words that begin with it.
func readWord(src, home string, w *syntax.Word) word {
	out := word{src: source(src, w), known: true, plain: true}
	var b, after strings.Builder // after: what comes behind ~ or $HOME
	var open strings.Builder     // what the shell may expand: what is quoted stands there as _
	fromHome := false
	for i, part := range w.Parts {
		switch x := part.(type) {
		case *syntax.Lit:
			if i == 0 && (x.Value == "~" || strings.HasPrefix(x.Value, "~/")) {
				fromHome = true
				after.WriteString(unescape(x.Value[1:], false))
			} else if fromHome {
				after.WriteString(unescape(x.Value, false))
			}
			open.WriteString(escape.ReplaceAllString(x.Value, "_"))
			out.bare = len(w.Parts) == 1 && !strings.Contains(x.Value, `\`)
			b.WriteString(unescape(x.Value, false))
		case *syntax.SglQuoted:
			open.WriteByte('_')
			text := x.Value
			if x.Dollar {
				out.plain = false
				text = ansiC(text)
			}
			b.WriteString(text)
			after.WriteString(text)
		case *syntax.DblQuoted:
			open.WriteByte('_')
			text, ok := dblQuoted(x)
			if i == 0 && !ok && len(x.Parts) > 0 && isHome(x.Parts[0]) {
				fromHome = true
				text, _ = dblQuoted(&syntax.DblQuoted{Parts: x.Parts[1:]})
			}
			if !ok {
				out.known, out.plain = false, false
			}
			b.WriteString(text)
			after.WriteString(text)
		default:
			out.known, out.plain = false, false
			fromHome = fromHome || i == 0 && isHome(part)
		}
	}
	out.value = b.String()
	if expands(open.String()) {
		out.known, out.plain = false, false
	}
	if fromHome && home != "" {
		out.path = filepath.Join(home, after.String())
	}
	if !out.known {
		out.bare = false
	}
	return out
}

func isHome(part syntax.WordPart) bool {
	x, ok := part.(*syntax.ParamExp)
	return ok && x.Param != nil && x.Param.Value == "HOME" && x.Exp == nil && x.Index == nil && !x.Excl && !x.Length
}

func source(src string, n syntax.Node) string {
	from, to := int(n.Pos().Offset()), int(n.End().Offset())
	if from < 0 || to > len(src) || from > to {
		return ""
	}
	return src[from:to]
}

func dblQuoted(q *syntax.DblQuoted) (text string, ok bool) {
	ok = !q.Dollar
	var b strings.Builder
	for _, part := range q.Parts {
		lit, is := part.(*syntax.Lit)
		if !is {
			ok = false
			continue
		}
		b.WriteString(unescape(lit.Value, true))
	}
	return b.String(), ok
}

var (
	braces    = regexp.MustCompile(`\{[^}]*(,|\.\.).*\}`)
	tildeLike = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*\+?=(.*:)?~|:~`)
	escape    = regexp.MustCompile(`(?s)\\.`)
)

// expands reports whether the shell makes something else of a word: file names, several words, a home. All of its pieces
// count together: a bracket that opens in one, before quotes, may close in another.
func expands(open string) bool {
	switch {
	case strings.ContainsAny(open, "*?"):
		return true
	case strings.Contains(open, "[") && strings.Contains(open, "]"):
		return true
	case braces.MatchString(open):
		return true
	}
	return strings.HasPrefix(open, "~") || tildeLike.MatchString(open)
}

// unescape takes backslashes away as the shell does.
func unescape(lit string, quoted bool) string {
	if !strings.Contains(lit, `\`) {
		return lit
	}
	var b strings.Builder
	for i := 0; i < len(lit); i++ {
		if lit[i] != '\\' || i+1 == len(lit) || quoted && !strings.ContainsRune("$`\"\\\n", rune(lit[i+1])) {
			b.WriteByte(lit[i])
			continue
		}
		i++
		if lit[i] != '\n' {
			b.WriteByte(lit[i])
		}
	}
	return b.String()
}

var ansiEscape = regexp.MustCompile(`(?s)\\(x[0-9A-Fa-f]{1,2}|u[0-9A-Fa-f]{1,4}|U[0-9A-Fa-f]{1,8}|[0-7]{1,3}|c.|.)`)

// ansiC reads what stands in $'…'.
func ansiC(text string) string {
	return ansiEscape.ReplaceAllStringFunc(text, func(e string) string {
		letters := map[byte]string{'a': "\a", 'b': "\b", 'e': "\x1b", 'E': "\x1b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v"}
		body := e[1:]
		switch c := body[0]; {
		case c == 'x' && len(body) > 1:
			n, _ := strconv.ParseUint(body[1:], 16, 8)
			return string([]byte{byte(n)})
		case (c == 'u' || c == 'U') && len(body) > 1:
			n, _ := strconv.ParseUint(body[1:], 16, 32)
			return string(rune(n))
		case c >= '0' && c <= '7':
			n, _ := strconv.ParseUint(body, 8, 16)
			return string([]byte{byte(n)})
		case c == 'c' && len(body) > 1:
			return string([]byte{body[1] & 0x1f})
		case letters[c] != "":
			return letters[c]
		case strings.IndexByte(`\'"?`, c) >= 0:
			return body
		}
		return e
	})
}
