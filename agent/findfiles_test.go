package agent_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
)

// TestFindFilesAsksTheHostsFinder with what the client wants, within bounds.
func TestFindFilesAsksTheHostsFinder(t *testing.T) {
	opts := agenttest.Options(t, agenttest.NewModel())
	var query string
	var limit int
	opts.FindFiles = func(_ context.Context, a *agent.CoderAgent, q string, n int) (agent.FilesFound, error) {
		query, limit = q, n
		return agent.FilesFound{Files: []agent.FoundFile{{Path: a.Name() + ".go"}}}, nil
	}
	a := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), opts), "a")
	v, err := rpc(t, a, "findFiles", "ago")
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(v)
	if got, want := string(data), `{"files":[{"path":"a.go"}]}`; err != nil || got != want || query != "ago" || limit != 20 {
		t.Errorf("findFiles(ago) answers %s (%v) to %q, at most %d; want %s to ago, at most 20", got, err, query, limit, want)
	}
	if _, err := rpc(t, a, "findFiles", "ago", 7); err != nil || limit != 7 {
		t.Errorf("findFiles(ago, 7) finds at most %d (%v), want 7", limit, err)
	}
	for _, tt := range []struct {
		args []any
		want string
	}{
		{nil, "argument 1 is missing"},
		{[]any{"a", 201}, "limit must be 1 to 200"},
		{[]any{"a", -1}, "limit must be 1 to 200"},
		{[]any{strings.Repeat("a", 600)}, "the query is longer than 512 bytes"},
	} {
		if _, err := rpc(t, a, "findFiles", tt.args...); err == nil || err.Error() != tt.want {
			t.Errorf("findFiles with %d arguments gives %v, want %q", len(tt.args), err, tt.want)
		}
	}
	plain := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), agenttest.Options(t, agenttest.NewModel())), "a")
	if _, err := rpc(t, plain, "findFiles", "a"); err == nil || err.Error() != "this host finds no files" {
		t.Errorf("findFiles of a host that has no finder gives %v", err)
	}
}
