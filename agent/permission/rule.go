package permission

import (
	"fmt"
	"regexp"
	"strings"
)

// A Rule is a remembered line of the policy: a decision about the calls of a tool whose subject the pattern matches. What a
// pattern is matched with depends on the tool: the words of a command (bash, network), a host (fetch, web_search), a path (all others;
// read stands for every tool that reads, edit for every tool that changes files).
type Rule struct {
	Decision Decision
	Tool     string
	Pattern  string
	From     string // who made it, in words for people: a file and line, "this session"
}

var ruleLine = regexp.MustCompile(`^(allow|ask|deny) ([A-Za-z0-9_-]{1,64})\((.+)\)$`)

// ParseRule reads a rule as it is written: DECISION TOOL(PATTERN), such as "allow bash(go test **)". A pattern that could
// match nothing, or not what it seems to, is an error: a rule that does nothing in silence is worse than none.
func ParseRule(text, from string) (Rule, error) {
	m := ruleLine.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return Rule{}, &RuleError{Text: text, From: from}
	}
	r := Rule{Decision: Decision(m[1]), Tool: m[2], Pattern: m[3], From: from}
	var err error
	switch r.Tool {
	case "bash", "network":
		_, err = parsePattern(r.Pattern)
	case "fetch":
		_, err = parseHost(r.Pattern)
	case "web_search":
		_, err = anyHost(r.Pattern)
	default:
		err = checkPath(r.Pattern)
	}
	if err != nil {
		return Rule{}, &RuleError{Text: text, From: from, Err: err}
	}
	return r, nil
}

// String writes the rule as ParseRule reads it.
func (r Rule) String() string { return fmt.Sprintf("%s %s(%s)", r.Decision, r.Tool, r.Pattern) }

// A RuleError says that a line is no rule.
type RuleError struct {
	Text, From string
	Err        error // what is wrong with the pattern; nil when the line does not look like a rule at all
}

func (e *RuleError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: the rule %q: %v", e.From, e.Text, e.Err)
	}
	return fmt.Sprintf("%s: %q is not a rule", e.From, e.Text)
}

func (e *RuleError) Unwrap() error { return e.Err }

// Hint shows what a rule looks like.
func (e *RuleError) Hint() string {
	return `write allow, ask or deny, then TOOL(PATTERN), such as "allow bash(go test **)"; see docs/permissions.md`
}

// offer returns a rule that "always" may store, or "" if it would not be read back as what it says.
func offer(text string) string {
	if len(text) > 200 {
		return ""
	}
	if _, err := ParseRule(text, ""); err != nil {
		return ""
	}
	return text
}
