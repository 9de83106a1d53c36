package permission

import (
	"strings"
	"testing"
)

// TestEveryRowOfTheTableCanBeRead reads commands.txt, which is otherwise first read by the first judgement of a host.
func TestEveryRowOfTheTableCanBeRead(t *testing.T) {
	for i, line := range strings.Split(commandsText, "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if _, err := parseRow(line); err != nil {
			t.Errorf("commands.txt, line %d: %v", i+1, err)
		}
	}
}
