package permission

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// TestTheListsAreWrittenAsTheyAreRead: an entry has at most one star, at an end, so that fits is what path.Match would be.
func TestTheListsAreWrittenAsTheyAreRead(t *testing.T) {
	for _, entry := range slices.Concat(protectedParts, secretParts) {
		text := strings.TrimSuffix(strings.TrimPrefix(entry, "*"), "*")
		if len(text) == 0 || len(entry)-len(text) > 1 || strings.ContainsAny(text, `*?[\/`) || text != strings.ToLower(text) {
			t.Errorf("the entry %q is not a name in lower case with a star for its beginning or its end", entry)
		}
		for _, name := range []string{text, "x" + text, text + "x", "x" + text + "x", text[1:], text[:len(text)-1], "", "."} {
			want, err := path.Match(entry, name)
			if err != nil {
				t.Fatal(err)
			}
			if got := fits(entry, name); got != want {
				t.Errorf("fits(%q, %q) = %v, want %v", entry, name, got, want)
			}
		}
	}
}
