package trust

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func names(f Folder) (list []string) {
	for _, p := range f.Commands() {
		name, _ := CommandName(p.Path)
		list = append(list, name)
	}
	return list
}

func TestCommandsActAfterTheYesToTheirText(t *testing.T) {
	dir := folder(t, map[string]string{
		".coder/commands/review.md": "Review $1.\n", ".coder/commands/a.md": "All", ".coder/commands/notes.txt": "no command",
		".coder/commands/two words.md": "no name", ".coder/commands/below/deep.md": "too deep", ".coder/commands/empty.md": " \n",
	})
	s := store(t)
	f := s.Look(dir)
	if got := shown(f); !slices.Equal(got, []string{"command /a", "command /review"}) {
		t.Errorf("it brings %q", got)
	}
	if f.State != Untrusted || len(f.Commands()) > 0 || f.Wants[0].Holds {
		t.Errorf("before the yes it is %s, and has %q", f.State, names(f))
	}
	accept(t, s, dir)
	if f = s.Look(dir); f.State != Trusted || !slices.Equal(names(f), []string{"a", "review"}) || f.Commands()[1].Text != "Review $1." || !f.Wants[0].Holds {
		t.Errorf("after it %s, with %+v", f.State, f.Commands())
	}
	for name, text := range map[string]string{"review.md": "Remove $1.", "more.md": "More"} {
		put(t, dir, map[string]string{".coder/commands/" + name: text})
		if f = s.Look(dir); f.State != Changed || len(f.Commands()) > 0 {
			t.Errorf("with another %s it is %s, and has %q", name, f.State, names(f))
		}
		accept(t, s, dir)
	}
	if _, err := s.Revoke(dir); err != nil {
		t.Fatal(err)
	}
	if f = s.Look(dir); len(f.Commands()) > 0 {
		t.Errorf("when it is revoked it has %q", names(f))
	}
}

func TestCommandsStayInTheFolder(t *testing.T) {
	outside := folder(t, map[string]string{"commands/steal.md": "Steal"})
	link := func(from, to string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(from, to); err != nil {
			t.Skipf("links cannot be made here: %v", err)
		}
	}
	whole, one := folder(t, nil), folder(t, nil)
	link(filepath.Join(outside, "commands"), filepath.Join(whole, CommandsFolder))
	link(filepath.Join(outside, "commands", "steal.md"), filepath.Join(one, CommandsFolder, "steal.md"))
	for _, dir := range []string{whole, one} {
		if f := store(t).Look(dir); len(f.Parts) > 0 || len(f.Problems) != 1 {
			t.Errorf("a link that leads out brings %+v, and %v is wrong", f.Parts, f.Problems)
		}
	}
}

func TestCommandsAreBounded(t *testing.T) {
	many := map[string]string{}
	for i := range maxCommands + 1 {
		many[fmt.Sprintf("%s/c%d.md", CommandsFolder, i)] = "go"
	}
	for name, tt := range map[string]struct {
		files map[string]string
		want  string
	}{
		"many":    {many, "there are too many files"},
		"long":    {map[string]string{CommandsFolder + "/a.md": strings.Repeat("a", maxCommand+1)}, "it has more than 16 KiB"},
		"no text": {map[string]string{CommandsFolder + "/a.md": "a\xff"}, "it is not a text"},
		"a file":  {map[string]string{CommandsFolder: "x"}, "it is not a folder"},
	} {
		f := store(t).Look(folder(t, tt.files))
		if len(f.Parts) > 0 || len(f.Problems) != 1 || !strings.Contains(f.Problems[0].Error(), tt.want) {
			t.Errorf("%s: it brings %d parts, and %v is wrong", name, len(f.Parts), f.Problems)
		}
	}
	hiding := store(t).Look(folder(t, map[string]string{CommandsFolder + "/a.md": "a\u202eb"}))
	if hiding.Parts[0].Text != `a\u202eb` || hiding.Wants[0].Hidden != 1 {
		t.Errorf("what cannot be seen is %q, %d", hiding.Parts[0].Text, hiding.Wants[0].Hidden)
	}
}
