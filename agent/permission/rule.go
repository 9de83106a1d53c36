package permission

import (
	"fmt"
	"regexp"
	"strings"
)

// A Rule is a remembered line of the policy: a decision about the calls of a tool whose subject the pattern matches. What a
// pattern is matched with depends on the tool: the words of a command, a path, the host of a URL.
type Rule struct {
	Decision Decision
	Tool     string
	Pattern  string
	From     string // who made it, in words for people: a file and line, "this session"
}

var ruleLine = regexp.MustCompile(`^(allow|ask|deny) ([A-Za-z0-9_-]{1,64})\((.+)\)$`)

// ParseRule reads a rule as it is written: DECISION TOOL(PATTERN), such as "allow bash(go test **)".
func ParseRule(text, from string) (Rule, error) {
	m := ruleLine.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return Rule{}, &RuleError{Text: text, From: from}
	}
	return Rule{Decision: Decision(m[1]), Tool: m[2], Pattern: m[3], From: from}, nil
}

// String writes the rule as ParseRule reads it.
func (r Rule) String() string { return fmt.Sprintf("%s %s(%s)", r.Decision, r.Tool, r.Pattern) }

// A RuleError says that a line is no rule.
type RuleError struct{ Text, From string }

func (e *RuleError) Error() string { return fmt.Sprintf("%s: %q is not a rule", e.From, e.Text) }

// Hint shows what a rule looks like.
func (e *RuleError) Hint() string {
	return `write allow, ask or deny, then TOOL(PATTERN), such as "allow bash(go test **)"`
}
