package trust

import (
	"strings"

	"github.com/coder-agent/coder/agent/plain"
)

// countHidden counts the characters of s that a person could not see: each stands in plain.Visible with one backslash more.
func countHidden(s string) int { return strings.Count(plain.Visible(s), `\`) - strings.Count(s, `\`) }
