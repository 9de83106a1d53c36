package permission_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/coder-agent/coder/agent/permission"
)

// commands are those of the cases.
func commands(t testing.TB) (list []string) {
	t.Helper()
	for _, name := range []string{"attacks.jsonl", "more.jsonl"} {
		f, err := os.Open(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 4<<20)
		for lines.Scan() {
			var c struct{ Args struct{ Command string } }
			if err := json.Unmarshal(lines.Bytes(), &c); err == nil && c.Args.Command != "" && len(c.Args.Command) < 4096 {
				list = append(list, c.Args.Command)
			}
		}
	}
	if len(list) < 300 {
		t.Fatalf("%d commands in the cases", len(list))
	}
	return list
}

func workplace(t testing.TB) permission.Place {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{"src", ".git"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "a.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return permission.Place{Workdir: dir, Home: filepath.Join(dir, "..", "home"), Private: []string{filepath.Join(dir, "own")}}
}

var rank = map[permission.Decision]int{permission.Allow: 0, permission.Ask: 1, permission.Deny: 2}

func rules(t testing.TB, lines ...string) (list []permission.Rule) {
	t.Helper()
	for _, line := range lines {
		r, err := permission.ParseRule(line, "test")
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

// TestAddingToACommandNeverLoosensItsVerdict: whatever is put around or behind a command, under any mode, level and rules,
// the verdict is the same or tighter.
func TestAddingToACommandNeverLoosensItsVerdict(t *testing.T) {
	place, all := workplace(t), commands(t)
	more := []struct{ name, form string }{
		{"env", "env %s"},
		{"nice", "nice %s"},
		{"nohup", "nohup %s"},
		{"timeout", "timeout 5 %s"},
		{"stdbuf", "stdbuf -oL %s"},
		{"setsid", "setsid %s"},
		{"xargs", "xargs %s"},
		{"command", "command %s"},
		{"exec", "exec %s"},
		{"sudo", "sudo %s"},
		{"an assignment", "X=1 %s"},
		{"an output", "%s > out.txt"},
		{"a protected output", "%s > .git/config"},
		{"an output outside", "%s >> ../x"},
		{"no output", "%s >/dev/null 2>&1"},
		{"a substitution", "%s \"$(true)\""},
		{"being a substitution", "echo $(%s)"},
		{"a subshell", "(%s\n)"},
		{"the background", "%s &"},
		{"a block", "{ %s\n}"},
		{"a condition", "if true; then %s\nfi"},
		{"a 51st command", strings.Repeat("true; ", 50) + "%s"},
		{"another behind", "%s\nls"},
		{"another before", "ls && %s"},
		{"a pipe", "%s | cat"},
		{"a function", "f() { %s\n}"},
		{"a negation", "! %s"},
		{"a shell", "%s | sh"},
		{"a change of folder", "cd src; %s"},
	}
	sets := [][]permission.Rule{
		nil,
		rules(t, "allow bash(rm **)", "allow bash(go test **)", "allow bash(git push)", "allow bash(cat *)"),
		rules(t, "deny bash(rm **)", "ask bash(ls **)", "deny bash(git push **)", "deny read(src/**)"),
		rules(t, "allow network(npm install **)", "deny bash(curl **)"),
	}
	rapid.Check(t, func(r *rapid.T) {
		command := rapid.SampledFrom(all).Draw(r, "command")
		addition := rapid.SampledFrom(more).Draw(r, "addition")
		policy := permission.Policy{
			Mode:  rapid.SampledFrom([]permission.Mode{"plan", "ask", "edit", "auto"}).Draw(r, "mode"),
			Level: rapid.SampledFrom([]int{0, 2, 3}).Draw(r, "level"),
			Rules: sets[rapid.IntRange(0, len(sets)-1).Draw(r, "rules")], Place: place,
		}
		before := policy.Judge(permission.Call{Tool: "bash", Effect: permission.Runs, Command: command})
		longer := fmt.Sprintf(addition.form, command)
		after := policy.Judge(permission.Call{Tool: "bash", Effect: permission.Runs, Command: longer})
		if shifts(command, addition.name) || strings.Contains(after.Reason, "cannot be read as a shell command") {
			return
		}
		if rank[after.Decision] < rank[before.Decision] {
			r.Fatalf("with %s a verdict is looser in mode %s, level %d:\n%q: %s (%s)\n%q: %s (%s)", addition.name, policy.Mode, policy.Level,
				command, before.Decision, before.Reason, longer, after.Decision, after.Reason)
		}
	})
}

// shifts reports whether an addition makes another command of this one: it makes a comment or a here-document of what
// follows, takes a word of the shell for a program, or takes a path to another folder.
func shifts(command, addition string) bool {
	first, _, _ := strings.Cut(command, " ")
	return addition == "a change of folder" || strings.ContainsAny(command, "#\n") || strings.Contains(command, "<<") ||
		strings.Contains(command, "cd ") || slices.Contains([]string{"!", "coproc", "time", "pushd"}, first)
}

// TestAlwaysIsARuleThatCoversItsCall: what "always" would store lets the call pass, is read back as it is written, and
// opens neither what is protected nor what is never automatic.
func TestAlwaysIsARuleThatCoversItsCall(t *testing.T) {
	place := workplace(t)
	offered := 0
	for _, command := range commands(t) {
		for _, level := range []int{0, 3} {
			policy := permission.Policy{Mode: permission.ModeAsk, Level: level, Place: place}
			call := permission.Call{Tool: "bash", Effect: permission.Runs, Command: command}
			v := policy.Judge(call)
			if v.Always == "" {
				continue
			}
			offered++
			policy.Rules = rules(t, v.Always)
			if again := policy.Judge(call); again.Decision != permission.Allow {
				t.Errorf("%q at level %d: after %q it is %s (%s)", command, level, v.Always, again.Decision, again.Reason)
			}
		}
	}
	if offered < 30 {
		t.Errorf("%d calls had a rule to offer", offered)
	}
	for _, c := range []permission.Call{
		{Tool: "write", Effect: permission.Writes, Writes: []string{".git/config"}},
		{Tool: "write", Effect: permission.Writes, Writes: []string{"../x"}},
		{Tool: "read", Effect: permission.Reads, Reads: []string{".env"}},
		{Tool: "bash", Effect: permission.Runs, Command: "go test ./...", Reach: permission.Reach{Unsandboxed: true}},
		{Tool: "bash", Effect: permission.Runs, Command: "sudo ls"},
		{Tool: "bash", Effect: permission.Runs, Command: "rm x; rm y"},
		{Tool: "bash", Effect: permission.Runs, Command: "python3 -c x"},
	} {
		if v := (permission.Policy{Mode: permission.ModeAsk, Level: 2, Place: place}).Judge(c); v.Decision != permission.Ask || v.Always != "" {
			t.Errorf("%+v: %s offers %q", c, v.Decision, v.Always)
		}
	}
}

func FuzzJudge(f *testing.F) {
	for _, command := range commands(f) {
		f.Add(command, "ask", 3)
	}
	f.Add("rm -rf x", "full", 0)
	place := workplace(f)
	set := rules(f, "deny bash(rm **)", "allow bash(go test **)", "allow network(npm install **)", "deny read(src/**)")
	f.Fuzz(func(t *testing.T, command, mode string, level int) {
		start := time.Now()
		policy := permission.Policy{Mode: permission.Mode(mode), Level: level, Rules: set, Place: place}
		v := policy.Judge(permission.Call{Tool: "bash", Effect: permission.Runs, Command: command})
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("judging %q took %s", command, took)
		}
		if !slices.Contains([]permission.Decision{permission.Allow, permission.Ask, permission.Deny}, v.Decision) || (v.Reason == "") != (v.Decision == permission.Allow) {
			t.Errorf("%q: %+v", command, v)
		}
	})
}

func FuzzPattern(f *testing.F) {
	for _, p := range []string{"go test **", "git status *", "a 'b c' *", "**", "* *", "x; y", "a > b", "$x", "'*'"} {
		f.Add(p, "go test ./...")
	}
	place := workplace(f)
	f.Fuzz(func(t *testing.T, pattern, command string) {
		rule, err := permission.ParseRule("allow bash("+pattern+")", "test")
		if err != nil {
			return
		}
		policy := permission.Policy{Mode: permission.ModeAsk, Place: place}
		call := permission.Call{Tool: "bash", Effect: permission.Runs, Command: command}
		before := policy.Judge(call)
		policy.Rules = []permission.Rule{rule}
		allowed := policy.Judge(call)
		rule.Decision = permission.Deny
		policy.Rules = []permission.Rule{rule}
		denied := policy.Judge(call)
		if before.Decision == permission.Ask && allowed.Decision == permission.Allow && denied.Decision != permission.Deny {
			t.Errorf("allow bash(%s) covers %q and deny does not: %+v", pattern, command, denied)
		}
	})
}

func BenchmarkJudge(b *testing.B) {
	place := workplace(b)
	policy := permission.Policy{Mode: permission.ModeAsk, Level: 3, Place: place, Rules: rules(b, "deny bash(rm **)", "allow bash(go test **)")}
	for b.Loop() {
		policy.Judge(permission.Call{Tool: "bash", Effect: permission.Runs, Command: "cd src && go test ./... 2>&1 | tail -20"})
	}
}
