package main_test

import (
	"slices"
	"strings"
	"testing"
)

// TestNothingSlowIsLinked names packages that a module we use brings along, and that cost every start of the program far more
// than they give. A linter denies importing them; this finds them also where another module imports them.
func TestNothingSlowIsLinked(t *testing.T) {
	t.Parallel()
	linked := strings.Fields(string(goList(t, "linux", "-deps", "./cmd/...")))
	if !slices.Contains(linked, "github.com/alecthomas/chroma/v2") {
		t.Fatal("chroma is not linked: this test looks at the wrong program")
	}
	for _, slow := range []string{
		"charm.land/glamour", "github.com/charmbracelet/glamour", // 34 ms
		"github.com/alecthomas/chroma/v2/lexers", "github.com/alecthomas/chroma/v2/styles", // 24 ms
		"github.com/alecthomas/chroma/v2/quick", // both
	} {
		for _, path := range linked {
			if path == slow || strings.HasPrefix(path, slow+"/") {
				t.Errorf("%s is linked", path)
			}
		}
	}
}
