package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// quotings returns the value as it is and as it stands between the quotes of JSON, of Go and of a shell. Most values
// look the same in all.
func quotings(value string) []string {
	html, _ := json.Marshal(value) // a string always has JSON
	var plain bytes.Buffer
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(value)
	return distinct(
		value,
		inner(string(html)),
		inner(strings.TrimSuffix(plain.String(), "\n")),
		inner(strconv.Quote(value)),
		strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`").Replace(value), // declare -x NAME="…"
		strings.ReplaceAll(value, `'`, `'\''`),                                          // export NAME='…'
		octal(value),                                                                    // declare -x NAME=$'…'
	)
}

// octal is how a shell writes what its locale cannot show.
func octal(value string) string {
	var b strings.Builder
	for _, c := range []byte(value) {
		switch {
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\\' || c == '\'':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

// encodings returns the value in hex, as part of a URL and in base64.
func encodings(value string) []string {
	low := hex.EncodeToString([]byte(value))
	forms := []string{low, strings.ToUpper(low), url.QueryEscape(value), url.PathEscape(value)}
	for skip := range 3 {
		for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			forms = append(forms, within(e, skip, value))
		}
	}
	return distinct(forms...)
}

// within returns what stands for the value in the base64 of any longer text, in which 3n+skip bytes come before it: the
// characters that no byte of its surroundings is a part of.
func within(e *base64.Encoding, skip int, value string) string {
	text := e.EncodeToString(append(make([]byte, skip), value...))
	first := (skip*8 + 5) / 6
	last := (skip + len(value)) * 8 / 6
	return text[first:last]
}

func distinct(list ...string) []string {
	out := list[:0]
	seen := make(map[string]bool, len(list))
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}
