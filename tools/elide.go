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
		sign + `(the )?rest of (the |this )?(code|file|content|function|class|method|implementation)\b[\w\s,]*\b(same|unchanged|here|as before|omitted)\b|` +
		sign + `(the |your |all )?(rest of (the |your )?(code|file|function|class|method|implementation)|(existing|remaining|unchanged|previous|original|other) (code|content|lines|implementation|methods|functions|imports|logic))( (here|above|below|continues|goes here|unchanged|stays the same|remains unchanged))*\W*$)`)
})

// bareDots matches a comment of dots alone. It may be meant.
var bareDots = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\s*(//|#|/\*|<!--|--|;|%|\{/\*)\s*(\.\.\.|…)\s*(\*/\}?|-->)?\s*$`)
})

// elided fails when text holds a line that stands for text left out: by its words, or because it is dots alone and text
// is lost. A line that is already in old is meant.
func elided(text, old string) error {
	before := bare([]byte(old))
	less := strings.Count(text, "\n") < len(before)-1
	for n, line := range strings.Split(text, "\n") {
		if len(line) > 200 || !elision().MatchString(line) && !(less && bareDots().MatchString(line)) {
			continue
		}
		if !slices.Contains(before, strings.TrimSuffix(line, "\r")) {
			return fmt.Errorf("line %d of the new text stands for text left out (%q), so it was not written; give the text itself, or change only the parts that differ", n+1, strings.TrimSpace(line))
		}
	}
	return nil
}
