package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/coder-agent/coder/agent"
)

// The corpus of testdata/edits and testdata/patches holds mistakes that models make, one class in a file. The files of a
// case are named NAME/ROLE:
//
//	before [PATH]   a file that is there, known to the model; PATH is "f" if it is left out
//	unseen [PATH]   one that the model has not read
//	old, new        a replacement, in this order, any number of times; "old all" replaces every occurrence
//	call            the arguments as JSON, instead
//	patch           the input of apply_patch, instead
//	after [PATH]    what the file holds then; a file without it is as before, or not there
//	gone PATH       a file that is not there any more
//	says            pieces of a result, one in a line
//	refused         pieces of an error, one in a line
//
// Bytes that an editor may lose are written as ‹cr›, ‹sp›, ‹tab›, ‹U+00A0›, ‹xE9›, and ‹60×ab› for many times ab. A file
// ends in a line end unless ‹end› stands there; the text of old and new does not, unless ‹nl› does.
type corpusCase struct {
	name          string
	before, after map[string]string
	unseen, gone  []string
	edits         []replacement
	call, patch   string
	says, refused []string
}

// leastCases is how many there are together, at least.
const leastCases = 300

func TestEveryCaseOfTheCorpusIsAppliedRightOrRefused(t *testing.T) {
	total := 0
	for _, dir := range []string{"edits", "patches"} {
		files, err := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
		if err != nil || len(files) == 0 {
			t.Fatalf("the corpus %s is not there: %v", dir, err)
		}
		for _, file := range files {
			cases := readCorpus(t, file)
			total += len(cases)
			class := strings.TrimSuffix(filepath.Base(file), ".txtar")
			t.Run(dir+"/"+class, func(t *testing.T) {
				for _, c := range cases {
					t.Run(c.name, func(t *testing.T) { c.run(t) })
				}
			})
		}
	}
	t.Logf("%d cases", total)
	if total < leastCases {
		t.Errorf("the corpus has %d cases, want at least %d", total, leastCases)
	}
}

func (c corpusCase) run(t *testing.T) {
	s := newSession(t)
	for path, content := range c.before {
		abs := s.put(t, path, content)
		if !slices.Contains(c.unseen, path) {
			s.seen[abs] = hashOf([]byte(content))
		}
	}
	said, err := c.do(t, s)
	if (err != nil) != (c.refused != nil) {
		t.Fatalf("the call said %q, %v", said, err)
	}
	if err != nil {
		said = err.Error()
	}
	contains(t, said, append(c.says, c.refused...)...)
	c.compare(t, s, said)
}

func (c corpusCase) do(t *testing.T, s *fakeSession) (string, error) {
	input := c.call
	switch {
	case c.patch != "":
		call, err := json.Marshal(map[string]string{"input": c.patch})
		if err != nil {
			t.Fatal(err)
		}
		return corpusCall(t, s, applyPatch, string(call))
	case input == "":
		call, err := json.Marshal(editArgs{Path: "f", Edits: c.edits})
		if err != nil {
			t.Fatal(err)
		}
		input = string(call)
	}
	return corpusCall(t, s, edit, input)
}

func corpusCall[A any](t *testing.T, s *fakeSession, run toolFunc[A], input string) (string, error) {
	res, err := do(t, s, run, input)
	return res.Text, err
}

// compare looks at all files, those too that nobody named.
func (c corpusCase) compare(t *testing.T, s *fakeSession, said string) {
	want := map[string]string{}
	maps.Copy(want, c.before)
	maps.Copy(want, c.after)
	for _, path := range c.gone {
		delete(want, path)
	}
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(s.dir, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		content, ok := want[name]
		if got := s.get(t, name); !ok || got != content {
			t.Errorf("%s is\n%s\nwant\n%s\nthe call said %s", name, strconv.Quote(got), strconv.Quote(content), said)
		}
		delete(want, name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for path := range want {
		t.Errorf("%s is not there; the call said %s", path, said)
	}
}

func readCorpus(t *testing.T, file string) (cases []corpusCase) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range txtar.Parse(data).Files {
		name, role, ok := strings.Cut(f.Name, "/")
		if !ok {
			t.Fatalf("%s: %q is not NAME/ROLE", file, f.Name)
		}
		if len(cases) == 0 || cases[len(cases)-1].name != name {
			if names[name] {
				t.Fatalf("%s: two cases are named %q", file, name)
			}
			names[name] = true
			cases = append(cases, corpusCase{name: name, before: map[string]string{}, after: map[string]string{}})
		}
		if err := cases[len(cases)-1].take(role, string(f.Data)); err != nil {
			t.Fatalf("%s: %s: %v", file, f.Name, err)
		}
	}
	return cases
}

func (c *corpusCase) take(role, data string) error {
	role, path, _ := strings.Cut(role, " ")
	if path == "" {
		path = "f"
	}
	text, err := unmarked(data)
	piece, _ := strings.CutSuffix(strings.TrimSuffix(text, "\n"), "‹nl›")
	if strings.HasSuffix(text, "‹nl›\n") {
		piece += "\n"
	}
	switch role {
	case "before":
		c.before[path] = text
	case "unseen":
		c.before[path] = text
		c.unseen = append(c.unseen, path)
	case "after":
		c.after[path] = text
	case "gone":
		c.gone = append(c.gone, path)
	case "old":
		c.edits = append(c.edits, replacement{Old: piece, All: path == "all"})
	case "new":
		if len(c.edits) == 0 {
			return errors.New("there is no old text before it")
		}
		c.edits[len(c.edits)-1].New = piece
	case "call":
		c.call = text
	case "patch":
		c.patch = text
	case "says":
		c.says = strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	case "refused":
		c.refused = strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	default:
		return fmt.Errorf("there is no role %q", role)
	}
	return err
}

var mark = regexp.MustCompile(`‹(cr|sp|tab|U\+[0-9A-F]+|x[0-9A-F]{2}|\d+×[^›]*)›`)

// unmarked puts bytes in the place of their marks.
func unmarked(data string) (text string, err error) {
	text = mark.ReplaceAllStringFunc(data, func(m string) string {
		name := strings.Trim(m, "‹›")
		switch plain := map[string]string{"cr": "\r", "sp": " ", "tab": "\t"}[name]; {
		case plain != "":
			return plain
		case strings.HasPrefix(name, "U+"):
			r, e := strconv.ParseInt(name[2:], 16, 32)
			err = errors.Join(err, e)
			return string(rune(r))
		case name[0] == 'x':
			b, e := strconv.ParseUint(name[1:], 16, 8)
			err = errors.Join(err, e)
			return string([]byte{byte(b)})
		}
		count, piece, _ := strings.Cut(name, "×")
		n, e := strconv.Atoi(count)
		err = errors.Join(err, e)
		return strings.Repeat(piece, n)
	})
	if cut, ok := strings.CutSuffix(text, "‹end›\n"); ok {
		text = cut
	}
	return text, err
}

type toolFunc[A any] = func(context.Context, session, A) (agent.Result, error)
