package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/secret"
)

const canary = "sk-or-v1-canary-9f8e7d6c5b4a"

// leak says the canary in every way that a tool can speak, and then in the way it is asked to.
func leak() agent.Tool {
	return agent.NewTool("leak", permission.Reads, "Leak.", func(ctx context.Context, a noteArgs) (agent.Result, error) {
		if err := agent.FromContext(ctx).Progress(ctx, "so far "+canary); err != nil {
			return agent.Result{}, err
		}
		switch a.Text {
		case "fail":
			return agent.Result{}, errors.New("cannot open " + canary)
		case "panic":
			panic("with " + canary)
		}
		return agent.Result{Text: "KEY=" + canary, Details: map[string]any{"out": []string{canary}}}, nil
	})
}

// TestNoSecretIsRecorded: whoever says a known value, it is neither with a client, nor with the model, nor in any file.
func TestNoSecretIsRecorded(t *testing.T) {
	dir := t.TempDir()
	secrets := &secret.Set{}
	secrets.AddKey("THE_KEY", canary)
	model := agenttest.NewModel(
		agenttest.Call(use("c1", "leak", "tell"), use("c2", "leak", "fail"), use("c3", "leak", "panic"), use("c4", "where", "")),
		agenttest.Fail(&passing{"the provider shows " + canary}, "half an answer"),
		agenttest.Fail(errors.New("refused: "+canary)),
	)
	opts := agenttest.Options(t, model, leak())
	opts.Secrets = secrets
	h := agenttest.Open(t, dir, opts)
	a := agenttest.Agent(t, h, "s")
	sub, err := a.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	askWith(t, h, a, "one", declared)
	events := agenttest.Finish(t, sub, "one")
	answer(t, a, "c4", `{"where":"`+canary+`"}`, true)
	events = append(events, agenttest.Finish(t, sub, "")...)

	told := 0
	for _, e := range events {
		body, err := chat.EncodeEvent(e)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(body), canary) {
			t.Errorf("a client is told %s", body)
		}
		told += strings.Count(string(body), "[redacted: THE_KEY]")
	}
	if told < 8 { // three times progress, a result with details, two failures, what the provider said, the end of the turn
		t.Errorf("%d values were taken out", told)
	}
	if got := call(t, a, "c4").Result(); got != `{"where":"[redacted: THE_KEY]"}` {
		t.Errorf("the client's result is %s", got)
	}
	requests, err := json.Marshal(model.Requests())
	if err != nil || strings.Contains(string(requests), canary) {
		t.Errorf("the model is told: %s, %v", requests, err)
	}
	holds(t, dir, canary, false)
	holds(t, dir, "redacted: THE_KEY", true) // so this test can fail
}

// passing is an error of a provider that may pass.
type passing struct{ text string }

func (p *passing) Error() string   { return p.text }
func (p *passing) Retryable() bool { return true }

// holds looks through every file of a folder.
func holds(t *testing.T, dir, text string, want bool) {
	t.Helper()
	got := false
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), text) {
			got = true
			if !want {
				t.Errorf("%s holds %q", path, text)
			}
		}
		return err
	})
	if err != nil || got != want {
		t.Errorf("a file with %q: %v, want %v; %v", text, got, want, err)
	}
}
