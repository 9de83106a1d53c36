package tools

import (
	"bytes"
	"cmp"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// maxDiff is how much of a diff goes to front-ends, in bytes.
const maxDiff = 64 << 10

// changeDetails is for front-ends.
type changeDetails struct {
	Path    string `json:"path"`
	Diff    string `json:"diff"` // unified, three lines of context
	Cut     bool   `json:"cut,omitempty"`
	Added   int    `json:"added"`
	Removed int    `json:"removed"`
}

// changed compares two contents of a file. Of one that is new, old is nil.
func changed(path string, old, data []byte) changeDetails {
	from := path
	if old == nil {
		from = ""
	}
	return compared(from, old, path, data)
}

// compared compares a file with what it has become, perhaps elsewhere. A path is "" when there is no file.
func compared(from string, old []byte, to string, data []byte) changeDetails {
	d := changeDetails{Path: cmp.Or(to, from)}
	if isBinary(old) || isBinary(data) {
		return d
	}
	text := diff.Diff(diffName("a/", from), old, diffName("b/", to), data)
	_, text, _ = bytes.Cut(text, []byte{'\n'}) // the first line is "diff a b"
	body := text
	for range 2 {
		_, body, _ = bytes.Cut(body, []byte{'\n'}) // --- and +++
	}
	for line := range bytes.Lines(body) {
		switch line[0] {
		case '+':
			d.Added++
		case '-':
			d.Removed++
		}
	}
	if len(text) > maxDiff {
		text, d.Cut = text[:bytes.LastIndexByte(text[:maxDiff], '\n')+1], true
	}
	d.Diff = strings.ToValidUTF8(string(text), "\uFFFD")
	return d
}

func diffName(side, path string) string {
	if path == "" {
		return "/dev/null"
	}
	return side + path
}
