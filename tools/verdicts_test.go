package tools

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/permission"
)

var update = flag.Bool("update", false, "write docs/verdicts.md anew")

// A verdictCase is a call, where it is made, and what the policy must say. See agent/permission/testdata.
type verdictCase struct {
	ID        string                       `json:"id"`
	Tool      string                       `json:"tool"`
	Args      json.RawMessage              `json:"args"`
	Mode      string                       `json:"mode"`
	Setup     []map[string]json.RawMessage `json:"setup"`
	Expect    permission.Decision          `json:"expect"`
	Sandboxed permission.Decision          `json:"sandboxed"`
	Also      []permission.Decision        `json:"also"`
	Why       string                       `json:"why"`
}

// TestEveryCallIsJudgedAsTheCasesSay judges every case without a sandbox and with a whole one, through the real tools, and
// compares the table of what came out with docs/verdicts.md.
func TestEveryCallIsJudgedAsTheCasesSay(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the cases have links and paths of Unix")
	}
	var table strings.Builder
	table.WriteString("# Verdicts\n\nWhat the policy says of the cases in `agent/permission/testdata`: without a sandbox (level 0) and with a whole one (level 3).\n" +
		"Written by `go test ./tools -run TestEveryCallIsJudged -update`.\n")
	for _, file := range []string{"attacks.jsonl", "more.jsonl"} {
		fmt.Fprintf(&table, "\n## %s\n\n| case | call | mode | level 0 | level 3 | why |\n| --- | --- | --- | --- | --- | --- |\n", file)
		for _, c := range readCases(t, filepath.Join("..", "agent", "permission", "testdata", file)) {
			t.Run(c.ID, func(t *testing.T) { table.WriteString(c.judge(t)) })
		}
	}
	golden := filepath.Join("..", "docs", "verdicts.md")
	if *update {
		if err := os.WriteFile(golden, []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "linux" && table.String() != string(want) {
		t.Error("docs/verdicts.md is not what the policy says now; look at the difference that -update makes")
	}
}

func readCases(t *testing.T, name string) (cases []verdictCase) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var c verdictCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatalf("%s: %v in %.80s", name, err, lines.Text())
		}
		cases = append(cases, c)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return cases
}

// judge returns the case's row of the table.
func (c verdictCase) judge(t *testing.T) string {
	short, err := os.MkdirTemp("", "v") //nolint:usetesting // reasons clip what is long: t.TempDir is, and not always as long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(short); err != nil {
			t.Error(err)
		}
	})
	base, err := filepath.EvalSymlinks(short)
	if err != nil {
		t.Fatal(err)
	}
	w := world{t: t, workdir: filepath.Join(base, "ws"), out: filepath.Join(base, "out"), home: filepath.Join(base, "home")}
	rules := w.build(c.Setup)
	mode := map[string]permission.Mode{"read-only": permission.ModePlan, "accept-edits": permission.ModeEdit}[c.Mode]
	if mode == "" {
		mode = permission.Mode(c.Mode)
	}
	policy := permission.Policy{Mode: mode, Rules: rules, Place: permission.Place{Workdir: w.workdir, Home: w.home, Private: []string{filepath.Join(w.home, ".local", "share", "coder")}}}
	args := json.RawMessage(w.expand(string(c.Args)))
	verdicts := make([]permission.Verdict, 2)
	for i, level := range []int{0, 3} {
		policy.Level = level
		v := judgeCase(t, policy, c.Tool, args)
		want := append([]permission.Decision{c.Expect}, c.Also...)
		if level == 3 && c.Sandboxed != "" {
			want = append([]permission.Decision{c.Sandboxed}, c.Also...)
		}
		if !slices.Contains(want, v.Decision) {
			t.Errorf("%s %.200s in mode %s at level %d: %s (%s), want one of %v: %s", c.Tool, args, mode, level, v.Decision, v.Reason, want, c.Why)
		}
		if (v.Reason == "") != (v.Decision == permission.Allow) {
			t.Errorf("%s %.200s: %s with the reason %q", c.Tool, args, v.Decision, v.Reason)
		}
		verdicts[i] = v
	}
	reason := verdicts[0].Reason
	if reason == "" {
		reason = verdicts[1].Reason
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s |\n", c.ID, cell(c.Tool+" "+string(c.Args), 90), mode, verdicts[0].Decision, verdicts[1].Decision, cell(w.hide(reason), 200))
}

// judgeCase judges a call of one of our tools through it, and of one that is not there by what it will say of itself.
func judgeCase(t *testing.T, p permission.Policy, name string, args json.RawMessage) permission.Verdict {
	t.Helper()
	tools := All(Options{})
	if i := slices.IndexFunc(tools, func(tool agent.Tool) bool { return tool.Name == name }); i >= 0 {
		return tools[i].Judge(args, p)
	}
	return p.Judge(permission.Call{Tool: name, Effect: "foreign"})
}

// cell writes text so that it stays in its cell, with what cannot be seen made visible.
func cell(s string, limit int) string {
	q := fmt.Sprintf("%+q", s)
	q = strings.NewReplacer(`\"`, `"`, `\\`, `\`, "|", `\|`, "`", "'", "<", "&lt;").Replace(q[1 : len(q)-1])
	if len(q) > limit {
		q = q[:limit] + "…"
	}
	return q
}

// A world is the folders that a case is about.
type world struct {
	t                  *testing.T
	workdir, out, home string
}

func (w world) expand(s string) string {
	return strings.NewReplacer("$WS", w.workdir, "$OUT", w.out, "$HOME", w.home).Replace(s)
}

func (w world) hide(s string) string {
	return strings.NewReplacer(w.workdir, "$WS", w.out, "$OUT", w.home, "$HOME", filepath.Dir(w.workdir), "$WS/..").Replace(s)
}

func (w world) at(path string) string {
	path = w.expand(path)
	if !filepath.IsAbs(path) {
		path = filepath.Join(w.workdir, path)
	}
	w.mkdir(filepath.Dir(path))
	return path
}

func (w world) mkdir(dir string) {
	w.t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		w.t.Fatal(err)
	}
}

func (w world) write(path, text string) {
	w.t.Helper()
	f, err := os.OpenFile(w.at(path), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(w.expand(text)); err != nil {
		w.t.Fatal(err)
	}
}

// build makes what stands there before the call, and returns the user's rules.
func (w world) build(setup []map[string]json.RawMessage) (rules []permission.Rule) {
	w.t.Helper()
	for _, dir := range []string{w.workdir, w.out, w.home} {
		w.mkdir(dir)
	}
	for _, step := range setup {
		for what, raw := range step {
			var pair [2]string
			var one string
			if json.Unmarshal(raw, &pair) != nil {
				_ = json.Unmarshal(raw, &one) // what is neither has its own case
			}
			switch what {
			case "git_init":
				w.repository(filepath.Join(one, ".git"))
			case "git_config":
				i := strings.LastIndexByte(pair[0], '.')
				section := strings.SplitN(pair[0][:i], ".", 2)
				head := section[0]
				if len(section) == 2 {
					head += fmt.Sprintf(" %q", section[1])
				}
				w.write(".git/config", fmt.Sprintf("[%s]\n\t%s = %s\n", head, pair[0][i+1:], pair[1]))
			case "bare_repo":
				var args []json.RawMessage
				var dir string
				if json.Unmarshal(raw, &args) != nil || json.Unmarshal(args[0], &dir) != nil {
					w.t.Fatalf("bare_repo %s", raw)
				}
				w.repository(dir)
			case "write":
				w.write(pair[0], pair[1])
			case "mkdir":
				w.mkdir(w.at(one))
			case "symlink":
				if err := os.Symlink(w.expand(pair[0]), w.at(pair[1])); err != nil {
					w.t.Fatal(err)
				}
			case "sparse":
				w.write("big", "") // the policy does not look at sizes
			case "rule":
				rule, err := permission.ParseRule(one, "the user's config, line 1")
				if err != nil {
					w.t.Fatal(err)
				}
				rules = append(rules, rule)
			case "mcp_approved", "mcp_tool": // what servers offer is judged like every call that is not ours
			default:
				w.t.Fatalf("the setup has %q, which is not known", what)
			}
		}
	}
	return rules
}

func (w world) repository(dir string) {
	for _, sub := range []string{"objects", "refs/heads"} {
		w.mkdir(w.at(filepath.Join(dir, sub)))
	}
	w.write(filepath.Join(dir, "HEAD"), "ref: refs/heads/main\n")
	w.write(filepath.Join(dir, "config"), "[core]\n\trepositoryformatversion = 0\n\tbare = false\n")
}
