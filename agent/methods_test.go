package agent_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
)

// TestThePageHasTheTableOfMethods: docs/rpc.md says of each method what the code's table says.
func TestThePageHasTheTableOfMethods(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "rpc.md"))
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	inside := false
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case !strings.HasPrefix(line, "|"):
			inside = false
		case cells[0] == "method":
			inside = true
		case inside && strings.HasPrefix(cells[0], "`") && len(cells) == 7:
			name, _, _ := strings.Cut(strings.Trim(cells[0], "`"), "(")
			documented[name] = strings.Join(cells[3:], " ")
		}
	}
	mark := func(b bool) string { return map[bool]string{true: "yes", false: ""}[b] }
	for name, m := range agent.Methods() {
		want := strings.Join([]string{string(m.Pages), mark(m.Ordered), mark(m.Sets), mark(m.Streams)}, " ")
		if got, ok := documented[name]; !ok || got != want {
			t.Errorf("docs/rpc.md says of %s: %q (there: %t); the table says %q (pages, ordered, sets, streams)", name, got, ok, want)
		}
		delete(documented, name)
	}
	for name := range documented {
		t.Errorf("docs/rpc.md has a method %s that is not in the table", name)
	}
}

// rpc calls a method.
func rpc(t *testing.T, a *agent.CoderAgent, method string, args ...any) (any, error) {
	t.Helper()
	raw := make([]json.RawMessage, len(args))
	for i, v := range args {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		raw[i] = data
	}
	return a.Call(t.Context(), method, raw)
}

// raws are arguments that are JSON already.
func raws(args ...string) (list []json.RawMessage) {
	for _, a := range args {
		list = append(list, json.RawMessage(a))
	}
	return list
}

func TestErrorsOfCallsNameNothingOfTheProgram(t *testing.T) {
	a := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), agenttest.Options(t, agenttest.NewModel())), "a")
	for _, tt := range []struct {
		method string
		args   []any
		want   string
	}{
		{"constructor", nil, "Method constructor does not exist"},
		{"__proto__", nil, "Method __proto__ does not exist"},
		{"toString", nil, "Method toString does not exist"},
		{"", nil, "Method  does not exist"},
		{"setModel", nil, "argument 1 is missing"},
		{"setModel", []any{nil}, "argument 1 is missing"},
		{"setModel", []any{7}, "argument 1 must be of type string, not number"},
		{"setup", []any{"x"}, "argument 1 must be of type object, not string"},
		{"setup", []any{map[string]any{"mode": 7}}, `argument 1: "mode" must be of type string, not number`},
		{"decide", []any{"c1", "true"}, "argument 2 must be of type boolean, not string"},
		{"decide", []any{"c1", true}, "tool call c1 does not wait for a decision"},
		{"setMode", []any{"yolo"}, `there is no mode "yolo"`},
	} {
		_, err := rpc(t, a, tt.method, tt.args...)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s(%v) gives %v, want %q", tt.method, tt.args, err, tt.want)
		}
	}
}

// TestAPageFindsOutNothingOfTheDisk by the errors of setup.
func TestAPageFindsOutNothingOfTheDisk(t *testing.T) {
	a := agenttest.Agent(t, agenttest.Open(t, t.TempDir(), agenttest.Options(t, agenttest.NewModel())), "a")
	ctx := agent.WithCaller(t.Context(), agent.Caller{Connection: "p", Page: true})
	for _, dir := range []string{t.TempDir(), "/no/such/folder"} {
		_, err := a.Call(ctx, "setup", []json.RawMessage{fmt.Appendf(nil, `{"workdir":%q}`, dir)})
		if err == nil || strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "a page may not choose the workdir") {
			t.Errorf("setup of %s by a page gives %v", dir, err)
		}
	}
	ctx = agent.WithCaller(t.Context(), agent.Caller{Connection: "r", ReadOnly: true})
	if _, err := a.Call(ctx, "setModel", []json.RawMessage{[]byte(`"m"`)}); err == nil || err.Error() != "Connection is readonly" {
		t.Errorf("setModel by a read-only connection gives %v", err)
	}
}
