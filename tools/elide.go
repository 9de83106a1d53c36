package tools

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// elision matches a line by which a model leaves text out: dots and a word for "as before", behind a comment sign or on
// their own. A spread (...rest) has no blank after its dots.
var elision = sync.OnceValue(func() *regexp.Regexp {
	const sign = `(//|#|/\*|<!--|--|;|%|\{/\*)\s*[\[(<]?\s*`
	return regexp.MustCompile(`(?i)^\s*(` +
		`(` + sign + `(\.\.\.|…)|[\[(<]?(\.\.\.\s|…)).*\b(rest|remaining|existing|unchanged|previous|same|omitted|other|as before)\b|` +
		sign + `(the )?(rest|remainder|remaining|existing|previous|other|unchanged)\b[\w\s,]*(\.\.\.|…)\W*$|` +
		sign + `(the )?rest of (the |this )?(code|file|content|function|class|method|implementation)\b[\w\s,]*\b(same|unchanged|here|as before|omitted)\b)`)
})

// elided fails when text holds a line that stands for text left out. A line that is already in old is meant.
func elided(text, old string) error {
	var before []string
	for n, line := range strings.Split(text, "\n") {
		if len(line) > 200 || !elision().MatchString(line) {
			continue
		}
		if before == nil {
			before = strings.Split(strings.ReplaceAll(old, "\r\n", "\n"), "\n")
		}
		if !slices.Contains(before, strings.TrimSuffix(line, "\r")) {
			return fmt.Errorf("line %d of the new text stands for text left out (%q), so nothing was written; give the text itself, or use edit for the parts that change", n+1, strings.TrimSpace(line))
		}
	}
	return nil
}
