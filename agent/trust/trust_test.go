package trust

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder-agent/coder/agent/permission"
)

// folder makes a folder with files.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, files)
	return dir
}

func put(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func store(t *testing.T) Store {
	t.Helper()
	return Store{Dir: filepath.Join(t.TempDir(), "trust"), Home: t.TempDir()}
}

func accept(t *testing.T, s Store, dir string, allow ...string) {
	t.Helper()
	if err := s.Accept(s.Look(dir), allow, time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
}

// shown is what a folder wants in a form that is easy to compare, and its problems.
func shown(f Folder) (lines []string) {
	for _, w := range f.Wants {
		lines = append(lines, strings.TrimSpace(string(w.Kind)+" "+w.Text))
	}
	for _, p := range f.Problems {
		lines = append(lines, strings.TrimPrefix(p.Error(), f.Path))
	}
	return lines
}

func TestWhatAFolderBrings(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  []string // a beginning of each line
	}{
		{"nothing", map[string]string{"main.go": "package main"}, nil},
		{"instructions", map[string]string{"AGENTS.md": "be kind\n"}, []string{"instructions"}},
		{"AGENTS.md before CLAUDE.md", map[string]string{"AGENTS.md": "a", "CLAUDE.md": "b"}, []string{"instructions"}},
		{"an empty AGENTS.md is none", map[string]string{"AGENTS.md": " \n", "CLAUDE.md": "b"}, []string{"instructions"}},
		{"instructions that are no text", map[string]string{"AGENTS.md": "a\xff"}, []string{"/AGENTS.md: it is not used: it is not a text"}},
		{
			"a config file with comments",
			map[string]string{ConfigFile: "{ // ours\n\"rules\": [\"deny read(a)\", \"allow bash(make)\",],\n\"Model\": 1, \"hooks\": {}}"},
			[]string{"rule deny read(a)", "rule allow bash(make)", "refused Model", "setting hooks"},
		},
		{"no JSON", map[string]string{ConfigFile: "{\n\"rules\" []}"}, []string{"/.coder/config.json:2: its rules cannot be read: "}},
		{"no object", map[string]string{ConfigFile: "[]"}, []string{"/.coder/config.json: its rules cannot be read: it does not hold"}},
		{"no list", map[string]string{ConfigFile: `{"rules": "deny read(a)"}`}, []string{"/.coder/config.json:1: the rules must be a list"}},
		{"no string", map[string]string{ConfigFile: "{\"rules\": [\n1]}"}, []string{"/.coder/config.json:2: a rule must be a string"}},
		{"a rule about no tool", map[string]string{ConfigFile: `{"rules": ["deny bsh(rm)"]}`}, []string{`/.coder/config.json:1: the rule "deny bsh(rm)" is about a tool that there is not: bsh`}},
		{"no rule", map[string]string{ConfigFile: `{"rules": ["deny"]}`}, []string{`/.coder/config.json:1: "deny" is not a rule`}},
		{
			"a rule that hides something",
			map[string]string{ConfigFile: `{"rules": ["allow bash(ls\u202e)"]}`},
			[]string{`/.coder/config.json:1: the rule "allow bash(ls\u202e)" has a character that cannot be seen`},
		},
		{"a rule without end", map[string]string{ConfigFile: `{"rules": ["deny read(` + strings.Repeat("a", 600) + `)"]}`}, []string{"/.coder/config.json:1: the rule has more than 512 bytes"}},
		{"a file without end", map[string]string{ConfigFile: strings.Repeat(" ", maxConfig+1)}, []string{"/.coder/config.json: its rules cannot be read: it has more than 64 KiB"}},
		{
			"servers, by name, with their secrets left out",
			map[string]string{ServersFile: `{"mcpServers": {"b": {"url": "https://x/\u001b[2J"}, "a": {"command": "npx", "args": ["-y", "p"], "env": {"K": "secret"}}}}`},
			[]string{"mcp a: npx -y p", `mcp b: https://x/\x1b[2J`},
		},
		{"servers that cannot be read", map[string]string{ServersFile: "{"}, []string{"/.mcp.json: it cannot be read: "}},
		{
			"lists in lists, behind what looks like the beginning of a string",
			map[string]string{ConfigFile: "{ // \"\n /* \" */ \"a\\\"\": " + strings.Repeat("[", 1000), ServersFile: strings.Repeat(`{"a":`, 1000)},
			[]string{"/.coder/config.json: its rules cannot be read: it is nested too deep", "/.mcp.json: it cannot be read: it is nested too deep"},
		},
		{"brackets in strings and comments are no lists", map[string]string{ConfigFile: `{"` + strings.Repeat("[", 100) + `": 1 /* ` + strings.Repeat("[", 100) + " */}"}, []string{"setting [[["}},
		{".coder is no folder", map[string]string{".coder": ""}, nil},
		{"a setting with control characters", map[string]string{ConfigFile: `{"a\u001b[31m\nb": 1}`}, []string{`setting a\x1b[31m b`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := Store{Tools: []string{"read", "bash"}}.Look(folder(t, tt.files))
			got := shown(f)
			same := slices.EqualFunc(got, tt.want, func(got, want string) bool { return strings.HasPrefix(filepath.ToSlash(got), want) })
			if !same {
				t.Errorf("it brings %q, want %q", got, tt.want)
			}
			wantBroken := slices.ContainsFunc(tt.want, func(s string) bool { return strings.HasPrefix(s, "/"+ConfigFile) })
			if broken := f.Broken(); (broken != nil) != wantBroken {
				t.Errorf("Broken() = %v", broken)
			}
		})
	}
}

func TestMoreRulesThanABoundAreAProblem(t *testing.T) {
	rules := `{"rules": ["deny read(a)"` + strings.Repeat(`, "deny read(a)"`, maxRules) + `]}`
	f := Store{}.Look(folder(t, map[string]string{ConfigFile: rules}))
	if got := len(f.Rules()); got != maxRules || f.Broken() == nil {
		t.Errorf("%d rules hold, Broken() = %v", got, f.Broken())
	}
}

func TestWhatIsReadStaysInTheFolder(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege on Windows")
	}
	outside := folder(t, map[string]string{"secret": "outside", "coder/config.json": `{"rules": ["deny read(a)"]}`})
	dir := folder(t, nil)
	for name, target := range map[string]string{
		"AGENTS.md": filepath.Join(outside, "secret"), ".coder": filepath.Join(outside, "coder"), ServersFile: "AGENTS.md",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	f := Store{}.Look(dir)
	want := []string{
		"/AGENTS.md: it is not used: path escapes from parent",
		"/.coder/commands: its commands are not used: path escapes from parent",
		"/.coder/config.json: its rules cannot be read: path escapes from parent",
		"/.mcp.json: it cannot be read: path escapes from parent",
	}
	if got := shown(f); !slices.Equal(got, want) || len(f.Parts) > 0 {
		t.Errorf("it brings %q, want %q", got, want)
	}
	inner := folder(t, map[string]string{"docs/rules.md": "be kind", "AGENTS.md.d/x": ""})
	if err := os.Symlink("docs/rules.md", filepath.Join(inner, "CLAUDE.md")); err != nil {
		t.Fatal(err)
	}
	if f := (Store{}).Look(inner); len(f.Parts) != 1 || f.Parts[0].Text != "be kind" {
		t.Errorf("through a link that stays inside it brings %q", f.Parts)
	}
	if err := os.Mkdir(filepath.Join(inner, "AGENTS.md"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := shown(Store{}.Look(inner)); !slices.Equal(got, []string{"/AGENTS.md: it is not used: it is not a regular file"}) {
		t.Errorf("of a folder in the place of a file it says %q", got)
	}
}

func TestInstructionsAreCutAndNothingInThemHides(t *testing.T) {
	text := "a\u202eb\U000E0041\x1b[2J" + strings.Repeat("ä", maxInstructions)
	f := Store{}.Look(folder(t, map[string]string{"AGENTS.md": text}))
	if len(f.Parts) != 1 {
		t.Fatalf("it brings %q", shown(f))
	}
	got := f.Parts[0].Text
	if !strings.HasPrefix(got, `a\u202eb\U000e0041\x1b[2Jää`) || !strings.HasSuffix(got, "ä\n(cut here: the rest is in AGENTS.md)") {
		t.Errorf("the model gets %q … %q", got[:40], got[len(got)-60:])
	}
	if w := f.Wants[0]; w.Hidden != 3 || w.Bytes > maxInstructions || w.Bytes < maxInstructions-1 {
		t.Errorf("it is shown as %+v", w)
	}
}

// FuzzConfig reads whatever a repository may bring: it must not panic, and nothing that is shown of it may hide.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(both))
	f.Add([]byte("{\"rules\": [\"deny read(a)\", 7, \"allow bash(\x1b[2J)\"], \"a\\u202eb\": {}}"))
	f.Add([]byte(`{"rules": {"a": []}} // x`))
	f.Fuzz(func(t *testing.T, data []byte) {
		folder := Folder{Path: "/p", State: Untrusted}
		folder.parseConfig(data, nil)
		folder.settle()
		for _, line := range shown(folder) {
			if countHidden(line) > 0 || len(line) > 4<<10 {
				t.Errorf("of %q it shows %q", data, line)
			}
		}
		for _, r := range folder.Rules() {
			if r.Decision == permission.Allow {
				t.Errorf("of %q the rule %s holds", data, r)
			}
		}
		if len(folder.Wants) > maxRules+maxSettings || len(folder.rules) > maxRules {
			t.Errorf("of %q it takes %d wants", data, len(folder.Wants))
		}
	})
}

const both = `{"rules": ["allow bash(make)", "deny read(a)"]}`

func rules(f Folder) (texts []string) {
	for _, r := range f.Rules() {
		texts = append(texts, r.String())
	}
	return texts
}

func TestNothingActsBeforeTheYesButRulesThatNarrow(t *testing.T) {
	s := store(t)
	dir := folder(t, map[string]string{"AGENTS.md": "be kind", ConfigFile: both})
	check := func(when string, state State, acts bool, want ...string) {
		t.Helper()
		f := s.Look(dir)
		part, ok := f.Instructions()
		if f.State != state || ok != acts || acts && part.Text == "" || !slices.Equal(rules(f), want) {
			t.Errorf("%s it is %s, its instructions act: %v, its rules are %q", when, f.State, ok, rules(f))
		}
	}
	check("at first", Untrusted, false, "deny read(a)")
	accept(t, s, dir)
	check("after the yes", Trusted, true, "deny read(a)")
	accept(t, s, dir, "allow bash(make)")
	check("after the yes to the rule", Trusted, true, "allow bash(make)", "deny read(a)")

	put(t, dir, map[string]string{"main.go": "", ConfigFile: both + " // a comment\n"})
	check("with other files, and a comment", Trusted, true, "allow bash(make)", "deny read(a)")
	put(t, dir, map[string]string{"AGENTS.md": "be cruel"})
	check("with other instructions", Changed, false, "deny read(a)")
	put(t, dir, map[string]string{"AGENTS.md": "be kind", ConfigFile: `{"rules": ["allow bash(make)"]}`})
	check("without the rule that narrowed", Changed, false)
	put(t, dir, map[string]string{ConfigFile: both})
	check("as it was", Trusted, true, "allow bash(make)", "deny read(a)")

	if err := s.Decline(s.Look(dir), time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	check("after a no", Untrusted, false, "deny read(a)")
	if !s.Look(dir).Record.Declined {
		t.Error("the no is forgotten")
	}
	put(t, dir, map[string]string{"AGENTS.md": "be kinder"})
	if f := s.Look(dir); f.State != Untrusted || f.Record.Declined {
		t.Errorf("after a change the no stands: %+v", f.Record)
	}
	if err := os.Remove(filepath.Join(dir, "AGENTS.md")); err != nil {
		t.Fatal(err)
	}
	put(t, dir, map[string]string{ConfigFile: `{"rules": ["deny read(a)"]}`})
	check("with rules that narrow alone", Nothing, false, "deny read(a)")
}

func TestTrustIsOfOneFolder(t *testing.T) {
	s := store(t)
	dir := folder(t, map[string]string{"AGENTS.md": "be kind", "sub/AGENTS.md": "be kind"})
	accept(t, s, dir)
	if got := s.Look(filepath.Join(dir, "sub")).State; got != Untrusted {
		t.Errorf("a folder in a trusted one is %s", got)
	}
	moved := dir + "-moved"
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	if got := s.Look(moved).State; got != Untrusted {
		t.Errorf("a folder that was renamed is %s", got)
	}
	if got := s.Look(dir).State; got != Nothing {
		t.Errorf("a folder that is gone is %s", got)
	}
	if list, err := s.List(); err != nil || len(list) != 1 || list[0].Folder != dir {
		t.Errorf("List() = %v, %v", list, err)
	}
	if was, err := s.Revoke(dir); !was || err != nil {
		t.Errorf("Revoke() = %v, %v", was, err)
	}
	if was, err := s.Revoke(dir); was || err != nil {
		t.Errorf("a second Revoke() = %v, %v", was, err)
	}
}

func TestHomeAndRootAreNeverTrusted(t *testing.T) {
	s := store(t)
	s.Home = folder(t, map[string]string{"AGENTS.md": "be kind", "p/AGENTS.md": "be kind"})
	for _, dir := range []string{s.Home, filepath.VolumeName(s.Home) + string(filepath.Separator)} {
		f := s.Look(dir)
		err := s.Accept(f, nil, time.Unix(0, 0))
		if _, never := errors.AsType[*NeverError](err); !never || f.State == Trusted {
			t.Errorf("%s is %s, and a yes gives %v", dir, f.State, err)
		}
	}
	home := s.Home
	s.Home = ""
	accept(t, s, home)
	s.Home = home
	if got := s.Look(home).State; got != Untrusted {
		t.Errorf("what became the home folder is %s", got)
	}
	accept(t, s, filepath.Join(home, "p"))
}

func TestARecordThatOthersCouldWriteCountsForNothing(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes are not Windows'")
	}
	s := store(t)
	dir := folder(t, map[string]string{"AGENTS.md": "be kind"})
	accept(t, s, dir)
	file := s.file(dir)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the record has the mode %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(s.Dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder of the records has the mode %v, %v", info.Mode(), err)
	}
	spoil := func(name string, do func() error) {
		t.Helper()
		if err := do(); err != nil {
			t.Fatal(err)
		}
		if f := s.Look(dir); f.State != Untrusted || len(f.Problems) != 1 {
			t.Errorf("%s: it is %s, with the problems %q", name, f.State, shown(f))
		}
	}
	spoil("a record that others can write", func() error { return os.Chmod(file, 0o622) })
	other := filepath.Join(t.TempDir(), "record")
	spoil("a link", func() error {
		return errors.Join(os.Rename(file, other), os.Chmod(other, 0o600), os.Symlink(other, file))
	})
	spoil("half a record", func() error { return errors.Join(os.Remove(file), os.WriteFile(file, []byte("{"), 0o600)) })
	spoil("the record of another folder", func() error { return os.WriteFile(file, []byte(`{"folder":"/other"}`), 0o600) })
}

func TestAServerThatWouldRunSomethingElseIsAnother(t *testing.T) {
	base := server{Command: "npx", Args: []string{"-y", "p"}, Env: map[string]json.RawMessage{"K": json.RawMessage(`"1"`)}}
	id := base.id("/p")
	for name, other := range map[string]server{
		"command": {Command: "npx2", Args: base.Args, Env: base.Env},
		"args":    {Command: "npx", Args: []string{"-y p"}, Env: base.Env},
		"env":     {Command: "npx", Args: base.Args, Env: map[string]json.RawMessage{"L": nil}},
		"url":     {URL: "npx"},
	} {
		if other.id("/p") == id {
			t.Errorf("with another %s it has the same id", name)
		}
	}
	if base.id("/q") == id {
		t.Error("in another folder it has the same id")
	}
	same := base
	same.Env = map[string]json.RawMessage{"K": json.RawMessage(`"2"`)}
	if same.id("/p") != id {
		t.Error("with another value in its environment it has another id")
	}
}
