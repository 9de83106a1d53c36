package tools

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/secret"
	"github.com/coder-agent/coder/tools/pdftext"
	"github.com/coder-agent/coder/tools/sandbox"
)

// TestMain lets the test binary be the helper of the sandbox.
func TestMain(m *testing.M) {
	sandbox.Dispatch()
	pdftext.Dispatch()
	os.Exit(m.Run())
}

// fakeSession is a session on a temporary folder. It remembers what results say was seen, as an agent does.
type fakeSession struct {
	dir, scratch string
	environ      []string
	seen         map[string]string
	shown        []agent.Shown   // results of read, the latest first
	looked       []agent.Shown   // results that show a job
	trusted      bool            // by the user
	told         map[string]bool // folders of whose instructions a result tells
	secrets      *secret.Set
	blind        bool // its model takes no pictures
}

func newSession(t testing.TB) *fakeSession {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &fakeSession{
		dir: dir, scratch: t.TempDir(), seen: map[string]string{}, told: map[string]bool{},
		environ: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()},
	}
}

func (s *fakeSession) Workdir(context.Context) (string, error)    { return s.dir, nil }
func (s *fakeSession) Environ(context.Context) ([]string, error)  { return s.environ, nil }
func (s *fakeSession) ScratchDir(context.Context) (string, error) { return s.scratch, nil }
func (s *fakeSession) Progress(context.Context, string) error     { return nil }

func (s *fakeSession) Name() string { return s.dir }

func (s *fakeSession) Blind(context.Context) (bool, string, error) {
	return s.blind, "vendor/model", nil
}

func (s *fakeSession) Redacting(to io.Writer) *secret.Writer { return s.secrets.Writer(to) }

func (s *fakeSession) Seen(_ context.Context, path string) (string, bool, error) {
	hash, ok := s.seen[path]
	return hash, ok, nil
}

func (s *fakeSession) Shown(_ context.Context, tool string) ([]agent.Shown, error) {
	if tool == "read" {
		return s.shown, nil
	}
	return s.looked, nil
}

func (s *fakeSession) Untold(_ context.Context, folder string) (bool, error) {
	return s.trusted && !s.told[folder], nil
}

func (s *fakeSession) Path(_ context.Context, path string) (string, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(s.dir, path)
	}
	for rest := ""; ; {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			return filepath.Join(real, rest), nil
		}
		path, rest = filepath.Dir(path), filepath.Join(filepath.Base(path), rest)
	}
}

// bash runs a command without a sandbox.
func bash(ctx context.Context, s session, a bashArgs) (agent.Result, error) {
	return shell{}.run(ctx, s, a)
}

// put writes a file of the workdir.
func (s *fakeSession) put(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(s.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func (s *fakeSession) get(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// do runs a tool on arguments as a model would send them.
func do[A any](t testing.TB, s *fakeSession, run func(context.Context, session, A) (agent.Result, error), input string) (agent.Result, error) {
	t.Helper()
	var args A
	if err := json.Unmarshal([]byte(input), &args); err != nil {
		return agent.Result{}, err
	}
	res, err := run(t.Context(), s, args)
	for _, f := range res.Files {
		s.seen[f.Path] = f.Hash
	}
	for _, folder := range res.Told {
		s.told[folder] = true
	}
	if d, ok := res.Details.(jobDetails); ok {
		details, _ := json.Marshal(d)
		s.looked = append(s.looked, agent.Shown{Output: chat.Output{Text: res.Text, Details: details}})
	}
	return res, err
}

// must is do for a call that succeeds.
func must[A any](t testing.TB, s *fakeSession, run func(context.Context, session, A) (agent.Result, error), input string) string {
	t.Helper()
	res, err := do(t, s, run, input)
	if err != nil {
		t.Fatalf("%s: %v", input, err)
	}
	return res.Text
}

// refused is do for a call that does not.
func refused[A any](t testing.TB, s *fakeSession, run func(context.Context, session, A) (agent.Result, error), input string) string {
	t.Helper()
	res, err := do(t, s, run, input)
	if err == nil {
		t.Fatalf("%s = %q, want an error", input, res.Text)
	}
	return err.Error()
}

func contains(t testing.TB, got string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("%q lacks %q", got, w)
		}
	}
}

func TestAllHasAFixedOrderAndTheRightEffects(t *testing.T) {
	want := []struct {
		name   string
		effect permission.Effect
	}{
		{"read", permission.Reads},
		{"write", permission.Writes},
		{"edit", permission.Writes},
		{"apply_patch", permission.Writes},
		{"bash", permission.Runs},
		{"job", permission.Runs},
		{"grep", permission.Reads},
		{"glob", permission.Reads},
		{"schedule", permission.Plans},
		{"todo", permission.Reads},
		{"fetch", permission.Network},
		{"ask_user", permission.Reads},
		{"task", permission.Reads},
	}
	searching := All(Options{Search: &Search{URL: "http://127.0.0.1:1"}})
	if last := searching[len(searching)-1]; len(searching) != len(want)+1 || last.Name != "web_search" || last.Effect != permission.Network {
		t.Errorf("with a place to search the last of %d tools is %s with effect %s", len(searching), last.Name, last.Effect)
	}
	all := All(Options{})
	if len(all) != len(want) {
		t.Fatalf("All(Options{}) has %d tools, want %d", len(all), len(want))
	}
	for i, w := range want {
		if all[i].Name != w.name || all[i].Effect != w.effect {
			t.Errorf("tool %d is %s with effect %s, want %s with %s", i, all[i].Name, all[i].Effect, w.name, w.effect)
		}
	}
}

// bytesPerToken is what a token of a tool block has at least: that of o200k for JSON, while the prose in it has 4.6. Recorded requests
// with tools have 4.4 (Claude, beside some 500 tokens that do not depend on the tools), 4.6 (Gemini) and 5.4 (Kimi).
const bytesPerToken = 3.44

func TestTheToolBlockIsSmallAndAlwaysTheSame(t *testing.T) {
	for _, model := range []string{"anthropic/claude-sonnet-4.5", "openai/gpt-5.1"} {
		first := toolBlock(t, model)
		tokens := int(float64(len(first)) / bytesPerToken)
		t.Logf("the tool block of %s has %d bytes, about %d tokens:\n%s", model, len(first), tokens, first)
		if tokens > 3500 {
			t.Errorf("the tool block of %s has about %d tokens, want at most 3500", model, tokens)
		}
		if again := toolBlock(t, model); again != first {
			t.Errorf("the tool block changed:\n%s\n%s", first, again)
		}
		if strings.Contains(first, `"null"`) {
			t.Error("a schema offers null")
		}
	}
}

// toolBlock is what a model is sent of the tools.
func toolBlock(t *testing.T, model string) string {
	type spec struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Parameters  json.RawMessage `json:"parameters"`
	}
	var specs []spec
	for _, tool := range All(Options{Search: new(Search)}) {
		if tool.Models != nil && !tool.Models(model) {
			continue
		}
		schema, err := json.Marshal(tool.Schema)
		if err != nil {
			t.Fatal(err)
		}
		specs = append(specs, spec{tool.Name, tool.Description, schema})
	}
	out, err := json.Marshal(specs)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestAModelIsOfferedEditsOrPatches(t *testing.T) {
	for model, want := range map[string]string{
		"anthropic/claude-sonnet-4.5": "read write edit bash job grep glob schedule todo fetch ask_user task",
		"openai/gpt-5.1":              "read apply_patch bash job grep glob schedule todo fetch ask_user task",
	} {
		var names []string
		for _, tool := range All(Options{}) {
			if tool.Models == nil || tool.Models(model) {
				names = append(names, tool.Name)
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s is offered %s, want %s", model, got, want)
		}
	}
}

func TestWhatACallWouldDoIsToldBefore(t *testing.T) {
	tests := []struct {
		name, tool, input string
		want              agent.Action
	}{
		{"read names its path and range", "read", `{"file_path":"a.go","offset":20,"limit":10}`, agent.Action{Summary: "a.go:20-29", Reads: []string{"a.go"}}},
		{"write names its path", "write", `{"path":"a.go","content":"x"}`, agent.Action{Summary: "a.go", Writes: []string{"a.go"}}},
		{"edit names its path", "edit", `{"path":"a.go","old_string":"x","new_string":"y"}`, agent.Action{Summary: "a.go", Writes: []string{"a.go"}}},
		{
			"a patch names all its paths", "apply_patch",
			`{"patch":"*** Begin Patch\n*** Add File: a\n+x\n*** Update File: b\n*** Move to: ../c\n*** Delete File: /d\n*** Update File: e\n@@\n-x\n+y\n*** End Patch"}`,
			agent.Action{Summary: "add a, move b to ../c, delete /d, e", Writes: []string{"a", "b", "../c", "/d", "e"}},
		},
		{"bash names the exact command", "bash", `{"cmd":"go  test\n./..."}`, agent.Action{Summary: "go test ./...", Command: "go  test\n./..."}},
		{"bash names its folder", "bash", `{"command":"ls","cwd":"/etc"}`, agent.Action{Summary: "ls", Command: "ls", Workdir: "/etc"}},
		{"to look at a job is to read", "job", `{"job_id":1}`, agent.Action{Summary: "1", Effect: permission.Reads}},
		{"so is to signal it", "job", `{"id":"1","signal":"TERM"}`, agent.Action{Summary: "TERM to 1", Effect: permission.Reads}},
		{
			"to type to a job names what it may reach", "job", `{"id":"2-unsandboxed","chars":"ls\n"}`,
			agent.Action{Summary: "to 2-unsandboxed: ls", Command: "ls\n", Typed: true, Unsandboxed: true, Effect: permission.Runs},
		},
		{"grep without a path reads the workdir", "grep", `{"pattern":"x"}`, agent.Action{Summary: "x", Reads: []string{"."}}},
		{"grep names its path", "grep", `{"pattern":"x","path":"../y","include":"*.go"}`, agent.Action{Summary: "x in ../y (*.go)", Reads: []string{"../y"}}},
		{"a glob that leads elsewhere says so", "glob", `{"pattern":"/etc/*.conf"}`, agent.Action{Summary: "/etc/*.conf", Reads: []string{"/etc"}}},
		{"schedule names the time and the prompt", "schedule", `{"task":"look","delay":"2h"}`, agent.Action{Summary: "in 2h: look"}},
		{"to cancel a schedule is no less than to plan one", "schedule", `{"id":"s-1"}`, agent.Action{Summary: "cancel s-1"}},
		{"to list schedules is to read", "schedule", `{"action":"list"}`, agent.Action{Summary: "list", Effect: permission.Reads}},
		{"todo says how far it is", "todo", `{"items":[{"text":"a","status":"done"},{"text":"b","status":"in_progress"}]}`, agent.Action{Summary: "1 of 2 done; now: b"}},
		{"fetch names the URL", "fetch", `{"uri":" https://example.com/a?b=c#d "}`, agent.Action{Summary: "https://example.com/a?b=c#d", URL: "https://example.com/a?b=c#d"}},
		{"ask_user names its questions", "ask_user", `{"questions":[{"title":"Database","question":"Which?"},"and why?"]}`, agent.Action{Summary: "Database, and why?"}},
		{"a glob that climbs says so", "glob", `{"pattern":"../x/*"}`, agent.Action{Summary: "../x/*", Reads: []string{"../x"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, tool := range All(Options{}) {
				if tool.Name != tt.tool {
					continue
				}
				got, err := tool.Action(json.RawMessage(tt.input))
				if err != nil {
					t.Fatal(err)
				}
				g, _ := json.Marshal(got)
				w, _ := json.Marshal(tt.want)
				if string(g) != string(w) {
					t.Errorf("Action(%s) = %s, want %s", tt.input, g, w)
				}
			}
		})
	}
}

// TestWhoExploresHasToolsThatLook: of those only bash could change anything, and mode plan lets it run what reads.
func TestWhoExploresHasToolsThatLook(t *testing.T) {
	var names []string
	for _, tool := range All(Options{}) {
		if tool.Looks {
			names = append(names, tool.Name)
		}
	}
	if got := strings.Join(names, " "); got != "read bash job grep glob" {
		t.Errorf("those who explore have %s", got)
	}
}

func TestOutsideAnAgentEveryToolSaysSo(t *testing.T) {
	inputs := map[string]string{
		"read": `{"path":"x"}`, "write": `{"path":"x","content":""}`, "edit": `{"path":"x","old":"a","new":"b"}`,
		"apply_patch": `{"input":"*** Begin Patch\n*** Add File: x\n*** End Patch"}`,
		"bash":        `{"command":"true"}`, "job": `{"id":"1"}`, "grep": `{"pattern":"x"}`, "glob": `{"pattern":"x"}`,
		"schedule": `{"prompt":"x","in":"1h"}`,
		"todo":     `{"items":[]}`,
		"fetch":    `{"url":"https://example.com/"}`,
		"ask_user": `{"questions":["why?"]}`,
		"task":     `{"prompt":"x"}`,
	}
	for _, tool := range All(Options{}) {
		if _, err := tool.Run(t.Context(), json.RawMessage(inputs[tool.Name])); err == nil || err.Error() != agent.ErrNoAgent.Error() {
			t.Errorf("%s without an agent: %v, want %v", tool.Name, err, agent.ErrNoAgent)
		}
	}
}

func BenchmarkAll(b *testing.B) {
	for b.Loop() {
		All(Options{})
	}
}

// stamp gives a file a time, in seconds after some moment.
func stamp(t testing.TB, path string, seconds int) {
	t.Helper()
	at := time.Unix(1_700_000_000+int64(seconds), 0)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}
