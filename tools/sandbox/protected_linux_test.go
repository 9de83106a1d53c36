package sandbox

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// inWork runs a script outside of the box, in its workdir.
func (b boxedTest) inWork(t *testing.T, script string) {
	t.Helper()
	cmd := exec.Command("bash", "-ec", script)
	cmd.Dir, cmd.Env = b.Work, append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "HOME="+b.Home)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("%s: %v\n%s", script, err, out)
	}
}

func (b boxedTest) has(name string) bool {
	_, err := os.Lstat(filepath.Join(b.Work, filepath.FromSlash(name)))
	return err == nil
}

// What a command leaves for the user's own git, editor or CI to run later is gone, however it is put there.
func TestNothingProtectedIsLeftBehind(t *testing.T) {
	const fill = `for i in {1..2100}; do : > %; done; `
	for name, x := range map[string]struct{ before, script, gone string }{
		"another folder for git's parts":    {"", `mkdir evil && echo ../evil > .git/commondir`, ".git/commondir"},
		"another folder for a working tree": {"", `mkdir -p .git/worktrees/x && echo ../../../evil > .git/worktrees/x/commondir`, ".git/worktrees/x/commondir"},
		"many files before it":              {"rm -r .git/hooks", `mkdir .claude .git/hooks; ` + strings.ReplaceAll(fill, "%", ".claude/f$i") + `echo evil > .git/hooks/pre-commit`, ".git/hooks/pre-commit"},
		"many harmless files before it":     {"rm -r .git/hooks", `mkdir .git/hooks; ` + strings.ReplaceAll(fill, "%", ".git/hooks/$i.sample") + `echo evil > .git/hooks/pre-commit`, ".git/hooks/pre-commit"},
		"instructions of another agent":     {"", `echo evil > .github/copilot-instructions.md`, ".github/copilot-instructions.md"},
		"an action":                         {"", `mkdir -p .github/actions/a && echo evil > .github/actions/a/action.yml`, ".github/actions/a/action.yml"},
		"a container":                       {"", `echo evil > .devcontainer.json`, ".devcontainer.json"},
		"a submodule deep in the tree": {
			"", `rm -rf .git/index && git init -q vendor/a/b/c/d/e && cd vendor/a/b/c/d/e && git -c user.name=x -c user.email=x commit -q --allow-empty -m a &&
				cd "$OLDPWD" && git add vendor && sed -i '/^.core/a fsmonitor = /tmp/x' vendor/a/b/c/d/e/.git/config`, "vendor/a/b/c/d/e/.git/config",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, Report{Level: LevelFull})
			b.inWork(t, "rm -rf .git; git init -q .; "+x.before)
			out, said := b.script(t, x.script)
			if out.Code != 0 {
				t.Fatalf("%+v: %s", out, said)
			}
			if b.has(x.gone) || len(out.Moved) == 0 {
				t.Errorf("%s is still there; %d files were put aside", x.gone, len(out.Moved))
			}
		})
	}
}

// Folders that one command makes do not hide from the next what is protected.
func TestManyFoldersHideNothing(t *testing.T) {
	b := newBox(t, Report{Level: LevelFull})
	b.inWork(t, "mkdir -p .github/workflows; echo good > .github/workflows/ci.yml")
	b.script(t, `for i in {1..1100}; do mkdir "!$i"; done`)
	b.script(t, `echo evil > .github/workflows/ci.yml`)
	if text, err := os.ReadFile(filepath.Join(b.Work, ".github", "workflows", "ci.yml")); string(text) != "good\n" {
		t.Errorf("the workflow is %q: %v", text, err)
	}
}

// A submodule that the index names is held in place, also where the search does not get.
func TestASubmoduleIsHeldInPlace(t *testing.T) {
	b := newBox(t, Report{Level: LevelFull})
	b.inWork(t, `rm -rf .git; git init -q .; git init -q a/b/c/d/e/f; cd a/b/c/d/e/f; git -c user.name=x -c user.email=x commit -q --allow-empty -m a; cd "$OLDPWD"; git add a 2>/dev/null`)
	if out, _ := b.script(t, `echo '[core] fsmonitor = /tmp/x' >> a/b/c/d/e/f/.git/config`); out.Code == 0 {
		t.Error("a command can change the configuration of a submodule")
	}
}

// A link in the place of a folder of git's does not make the host move files that are elsewhere.
func TestPuttingAsideFollowsNoLink(t *testing.T) {
	b := newBox(t, Report{Level: LevelFull})
	other := filepath.Join(b.Outside, "other")
	b.inWork(t, `rm -rf .git; git init -q .; git init -q "`+other+`"; echo '[alias] x = !y' >> "`+other+`/.git/config"; : > "`+other+`/.git/hooks/pre-push"; : > "`+other+`/.git/info/attributes"`)
	out, said := b.script(t, `rm -rf .git/info .git/modules; ln -s "`+b.Outside+`/other" .git/modules; ln -s "`+other+`/.git/info" .git/info`)
	if out.Code != 0 {
		t.Fatal(said)
	}
	for _, name := range []string{"config", "hooks/pre-push", "info/attributes"} {
		if _, err := os.Lstat(filepath.Join(other, ".git", filepath.FromSlash(name))); err != nil {
			t.Errorf("the host has moved a file outside of the workdir: %v", err)
		}
	}
}
