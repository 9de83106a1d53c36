package permission_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/coder-agent/coder/agent/permission"
)

// repository makes a workdir with a repository in it, and returns how the policy decides about commands there.
func repository(t *testing.T, files map[string]string) (dir string, decide func(command string) permission.Verdict) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skipf("commands are judged as bash reads them, not of %s", runtime.GOOS)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, "w")
	if err := os.MkdirAll(filepath.Join(dir, "src"), 0o700); err != nil {
		t.Fatal(err)
	}
	git(t, dir, "init", "-q")
	write(t, dir, files)
	return dir, func(command string) permission.Verdict {
		p := permission.Policy{Mode: permission.ModePlan, Place: permission.Place{Workdir: dir}}
		return p.Judge(permission.Call{Tool: "bash", Effect: permission.Runs, Command: command})
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no git")
		}
		t.Skipf("git looks at its own configuration in this test: %v", err)
	}
	cmd := exec.Command("git", append([]string{"-c", "user.name=x", "-c", "user.email=x@example.com"}, args...)...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1"}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

// None of these is a look: each runs a program, writes, or opens what its operands do not name.
func TestLooksThatDoMore(t *testing.T) {
	_, decide := repository(t, map[string]string{".env": "KEY=1\n", "a.txt": "a\n", "src/a.txt": "b\n", "list": "/etc/hostname\n"})
	for _, command := range []string{
		`printf 'x%n' PATH && ls`, `printf 'x%-1hhn' PATH`, `printf -- 'x%n' PATH`,
		`find . [-""]delete`, `cat .en[v""]`, `cat a}/../{lin"",x}k`,
		`rg -L KEY`, `rg -uu KEY`, `rg -g .env KEY`, `rg '-g.e*' KEY`, `rg --iglob=.ENV KEY .`, `rg -g '*' KEY`,
		`diff . src`, `diff -N . src`, `strings @list`, `strings -n 1 -- @list`,
		`git show :0:.env`, `git show 'HEAD^{/a:b}:.env'`, `git grep --untracked --no-exclude-standard KEY`, `git whatchanged`,
		`go version`, `rustc --version`, `cargo --version`, `node --version`, `python3 -V`,
	} {
		if v := decide(command); v.Decision == permission.Allow {
			t.Errorf("mode plan lets %s run on its own", command)
		}
	}
	for _, command := range []string{
		`printf '%s\n' a`, `printf '100%%\n'`, `[ -f a.txt ]`, `git show HEAD@{1}`, `rg KEY`, `rg -t go KEY`, `rg -g '*.go' KEY src`,
		`rg --files`, `diff a.txt src/a.txt`, `strings a.txt`, `git grep KEY`, `git show HEAD:src/a.txt`, `git status`,
	} {
		if v := decide(command); v.Decision != permission.Allow {
			t.Errorf("mode plan has %s for %s: %s", v.Decision, command, v.Reason)
		}
	}
}

func TestRgIsToldToLookAtHiddenFiles(t *testing.T) {
	_, decide := repository(t, map[string]string{".env": "KEY=1\n", ".ignore": "!.env\n"})
	if v := decide("rg KEY"); v.Decision != permission.Ask {
		t.Errorf("with !.env in .ignore, rg KEY is %s; want ask", v.Decision)
	}
}

// Configurations in which git finds a program, written so that a reader by lines may miss it.
func TestGitProgramsInOddConfigurations(t *testing.T) {
	for name, config := range map[string]string{
		"two sections in a line":     "[a] [diff] external = x\n",
		"a mark of the byte order":   "\ufeff[diff]\nexternal = x\n",
		"a driver for merges":        "[merge \"m\"]\ndriver = x\n",
		"an extension of git-lfs":    "[lfs \"extension.e\"]\nclean = x\n",
		"a file of revisions":        "[blame]\nignoreRevsFile = /home/u/.ssh/id_rsa\n",
		"a section in the old style": "[diff.d]\ntextconv = x\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, decide := repository(t, map[string]string{".git/config": config})
			if v := decide("git diff"); v.Decision == permission.Allow {
				t.Error("git diff runs on its own")
			}
		})
	}
}

const monitor = "[core]\nrepositoryformatversion = 0\nfsmonitor = \"touch /tmp/x\"\n"

// A submodule is what the index calls one, and may have its own.
func TestGitRunsInWhatTheIndexCallsSubmodules(t *testing.T) {
	for _, version := range []string{"2", "3", "4"} {
		dir, decide := repository(t, map[string]string{"a/b": "x\n", "a/c": "x\n", "z": "x\n", "list": "x\n"})
		git(t, dir, "config", "index.version", version)
		outer := filepath.Join(dir, "deep", "er", "outer")
		inner := filepath.Join(outer, "inner")
		for _, repo := range []string{outer, inner} {
			write(t, repo, map[string]string{"f": "x\n"})
			git(t, repo, "init", "-q")
			git(t, repo, "add", "f")
			git(t, repo, "commit", "-qm", "a")
		}
		git(t, outer, "add", "inner")
		git(t, outer, "commit", "-qm", "b")
		git(t, dir, "add", "a", "z", "deep")
		git(t, dir, "add", "-N", "list") // version 3 has more flags
		if v := decide("git status"); v.Decision != permission.Allow {
			t.Fatalf("index version %s: git status is %s: %s", version, v.Decision, v.Reason)
		}
		write(t, inner, map[string]string{".git/config": monitor})
		if v := decide("git status"); v.Decision == permission.Allow {
			t.Errorf("index version %s: git status runs the monitor of a submodule of a submodule", version)
		}
	}
}

// git looks further up where a .git is no repository.
func TestGitPassesOverAnEmptyGitFolder(t *testing.T) {
	dir, decide := repository(t, map[string]string{".git/config": "[diff]\nexternal = x\n"})
	if err := os.Mkdir(filepath.Join(dir, "src", ".git"), 0o700); err != nil {
		t.Fatal(err)
	}
	if v := decide("cd src && git diff"); v.Decision == permission.Allow {
		t.Error("git diff runs on its own")
	}
}

func TestAnIndexThatCannotBeRead(t *testing.T) {
	_, decide := repository(t, map[string]string{".git/index": "DIRC\x00\x00\x00\x02\x00\x00\x00\x09garbage, garbage, garbage, garbage"})
	if v := decide("git status"); v.Decision == permission.Allow {
		t.Error("git status runs on its own")
	}
}

// A rule about what is in a folder is met by a command that opens whatever is in a folder above it.
func TestSearchesMeetTheRulesBelow(t *testing.T) {
	dir, _ := repository(t, map[string]string{"closed/a": "x\n", "src/a.txt": "x\n"})
	for text, commands := range map[string][]string{
		"deny read(closed/**)":            {"grep -r x .", "rg x", "git grep x", "cd src && rg x .."},
		"deny read(" + dir + "/closed/a)": {"rg x", "rg x closed"},
		"ask read(a)":                     {"grep -rn x closed", "cat closed/a"},
	} {
		rule, err := permission.ParseRule(text, "a test")
		if err != nil {
			t.Fatal(err)
		}
		p := permission.Policy{Mode: permission.ModeAuto, Rules: []permission.Rule{rule}, Place: permission.Place{Workdir: dir}}
		judge := func(command string) permission.Verdict {
			return p.Judge(permission.Call{Tool: "bash", Effect: permission.Runs, Command: command})
		}
		for _, command := range commands {
			if v := judge(command); v.Decision == permission.Allow {
				t.Errorf("with %s, %s runs on its own", text, command)
			}
		}
		if v := judge("rg x src"); text != "ask read(a)" && v.Decision != permission.Allow {
			t.Errorf("with %s, rg x src is %s: %s", text, v.Decision, v.Reason)
		}
	}
}
