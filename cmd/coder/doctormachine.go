package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/coder-agent/coder/tools/sandbox"
)

// lookSandbox tests the sandbox anew, whatever a host has found before.
func (d *doctor) lookSandbox(ctx context.Context) finding {
	dir, err := os.MkdirTemp("", "coder-doctor-")
	if err != nil {
		return finding{Status: warning, Text: err.Error()}
	}
	defer os.RemoveAll(dir)
	report, err := sandbox.Test(ctx, sandboxOptions(d.config), dir)
	if err != nil {
		return finding{Status: warning, Text: err.Error()}
	}
	f := finding{Status: fine, Text: fmt.Sprintf("level %d: %s", report.Level, report.Name)}
	if most := sandbox.New(sandbox.Options{}, report).MaxTasks(); most > 0 {
		f.Text += fmt.Sprintf("; a command has at most %d processes and threads", most)
	}
	if report.Level < sandbox.LevelFull {
		f.Text = fmt.Sprintf("%s; a command could %s (%s)", f.Text, strings.Join(report.Misses(), ", "), report.Why)
		f.Status, f.Remedy = warning, "docs/sandbox.md says what each level needs; below level 3 a command asks first unless it is known to only read, but in mode full"
	}
	return f
}

// lookTerminal looks at what the screen can show.
func (d *doctor) lookTerminal(context.Context) finding {
	f := finding{Status: fine}
	var facts []string
	if columns := d.app.width(); columns > 0 {
		facts = append(facts, fmt.Sprintf("%d columns", columns))
	} else {
		facts = append(facts, "stdout is no terminal")
	}
	term := d.app.getenv("TERM")
	if term == "" {
		term = "not set"
	}
	facts = append(facts, "TERM "+term, d.colours(term))
	for _, in := range []struct{ variable, name string }{{"TMUX", "inside tmux"}, {"STY", "inside screen"}, {"SSH_CONNECTION", "over ssh"}} {
		if d.app.getenv(in.variable) != "" {
			facts = append(facts, in.name)
		}
	}
	f.Text = strings.Join(facts, ", ")
	if runtime.GOOS != "windows" && !d.utf8() {
		f.add(warning, "the locale is not UTF-8: other letters than English ones may look broken", "export LC_ALL=C.UTF-8")
	}
	if columns := d.app.width(); columns > 0 && (term == "dumb" || term == "not set") {
		f.add(warning, "the terminal says that it can do nothing", "export TERM=xterm-256color, if it can")
	}
	return f
}

func (d *doctor) colours(term string) string {
	switch colour := strings.ToLower(d.app.getenv("COLORTERM")); {
	case d.app.getenv("NO_COLOR") != "":
		return "colours off (NO_COLOR)"
	case colour == "truecolor" || colour == "24bit":
		return "16 million colours"
	case strings.Contains(term, "256color"):
		return "256 colours"
	}
	return "basic colours"
}

// utf8 reports whether the locale's letters are those of UTF-8: the first variable that is set counts.
func (d *doctor) utf8() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(d.app.getenv(name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return runtime.GOOS == "darwin" // its terminals are UTF-8 whatever the locale
}

// says runs a program that is on the PATH and returns the first line that it prints.
func (d *doctor) says(ctx context.Context, name string, args ...string) (path, line string, err error) {
	if path, err = exec.LookPath(name); err != nil {
		return "", "", err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = commandEnviron(d.app.environ(), nil)
	cmd.Dir = os.TempDir() // not in a folder whose files it might read
	cmd.WaitDelay = checkTimeout / 10
	out, err := cmd.Output()
	first, _, _ := bytes.Cut(out, []byte("\n"))
	return path, strings.TrimSpace(string(first)), err
}

// bareSafe is the first git that can refuse a bare repository inside a project, whose configuration would run commands.
var bareSafe = [2]int{2, 38}

func (d *doctor) lookGit(ctx context.Context) finding {
	path, line, err := d.says(ctx, "git", "--version")
	switch {
	case path == "":
		return finding{Status: warning, Text: "not found", Remedy: "install git: without it the agent knows nothing of branches and changes, and nothing that it changes can be undone"}
	case err != nil:
		return finding{Status: warning, Text: fmt.Sprintf("%s does not say its version: %v", path, err), Remedy: "look whether it runs: git --version"}
	}
	var have [2]int
	version := strings.TrimPrefix(line, "git version ")
	f := finding{Status: fine, Text: version + ", " + path}
	if n, _ := fmt.Sscanf(version, "%d.%d", &have[0], &have[1]); n == 2 && (have[0] < bareSafe[0] || have[0] == bareSafe[0] && have[1] < bareSafe[1]) {
		f.Status = warning
		f.Text += fmt.Sprintf("; before %d.%d a bare repository inside a project can run commands when git looks at it", bareSafe[0], bareSafe[1])
		f.Remedy = fmt.Sprintf("update git to %d.%d or later", bareSafe[0], bareSafe[1])
	}
	return f
}

// lookShell looks for the shell that runs the agent's commands.
func (d *doctor) lookShell(ctx context.Context) finding {
	kind, path, err := sandbox.ShellOf(commandEnviron(d.app.environ(), nil))
	if err != nil {
		return failing(problem, err, "install bash")
	}
	switch {
	case kind == sandbox.PowerShell || kind == sandbox.WindowsPowerShell:
		return finding{
			Status: warning, Text: fmt.Sprintf("there is no bash: commands run in %s, %s", kind, path),
			Remedy: "install Git for Windows, which brings one: models write commands for bash, and by it they are judged",
		}
	case kind == sandbox.Sh:
		return finding{
			Status: warning, Text: "there is no bash: commands run in " + path, Remedy: "install bash: models write commands for it, and some fail elsewhere",
		}
	}
	_, line, err := d.says(ctx, path, "--noprofile", "--norc", "--version")
	if err != nil {
		return finding{Status: problem, Text: fmt.Sprintf("%s does not run: %v", path, err), Remedy: "look whether it runs: bash --version"}
	}
	version, _, _ := strings.Cut(strings.TrimPrefix(line, "GNU bash, version "), " ")
	return finding{Status: fine, Text: string(kind) + " " + version + ", " + path}
}

// A program is one that is looked for under the names that it may have.
type program struct {
	name     string
	commands []string
}

var editors = []program{
	{"VS Code", []string{"code", "code-insiders", "codium", "cursor"}},
	{"Zed", []string{"zed", "zeditor"}},
	{"Neovim", []string{"nvim"}},
	{"Emacs", []string{"emacs"}},
	{"JetBrains", []string{"idea", "goland", "pycharm", "webstorm", "clion", "rustrover", "phpstorm", "rubymine", "rider"}},
}

var languageServers = []program{
	{"Go", []string{"gopls"}},
	{"TypeScript", []string{"typescript-language-server", "vtsls"}},
	{"Python", []string{"pyright-langserver", "basedpyright-langserver", "pylsp", "ty"}},
	{"Rust", []string{"rust-analyzer"}},
	{"C and C++", []string{"clangd"}},
	{"Java", []string{"jdtls"}},
	{"Ruby", []string{"ruby-lsp", "solargraph"}},
	{"PHP", []string{"intelephense", "phpactor"}},
	{"Lua", []string{"lua-language-server"}},
	{"Zig", []string{"zls"}},
	{"bash", []string{"bash-language-server"}},
}

// found says which of the programs are on the PATH.
func found(programs []program) string {
	var names []string
	for _, p := range programs {
		for _, command := range p.commands {
			if _, err := exec.LookPath(command); err == nil {
				names = append(names, fmt.Sprintf("%s (%s)", p.name, command))
				break
			}
		}
	}
	return strings.Join(names, ", ")
}

func (d *doctor) lookEditors(context.Context) finding {
	if names := found(editors); names != "" {
		return finding{Status: fine, Text: names}
	}
	return finding{Status: note, Text: "none on the PATH; coder works without one"}
}

func (d *doctor) lookLanguages(context.Context) finding {
	if names := found(languageServers); names != "" {
		return finding{Status: fine, Text: "language servers: " + names}
	}
	return finding{Status: note, Text: "no language server on the PATH; coder works without one"}
}

func (d *doctor) lookMCP(context.Context) finding {
	return finding{Status: note, Text: "no servers: this version uses none"}
}
