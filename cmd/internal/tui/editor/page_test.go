package editor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestThePageHasTheKeys: docs/editor.md says of each key what the table of bindings says.
func TestThePageHasTheKeys(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", "editor.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")
	rows := make(map[string]bool)
	for _, line := range page {
		rows[line] = true
	}
	for _, b := range bindings {
		row := "| `" + strings.ReplaceAll(b.keys, " ", "` `") + "` | " + b.help + " |"
		if b.help != "" && !rows[row] {
			t.Errorf("docs/editor.md lacks %s", row)
		}
	}
}
