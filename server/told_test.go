package server

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/secret"
	"github.com/coder-agent/coder/server/wire"
)

// TestErrorsTellNoSecret: an error repeats what it is about, and that may hold a value which the host knows.
func TestErrorsTellNoSecret(t *testing.T) {
	const value = "canary-0123456789abcdef"
	opts := agenttest.Options(t, agenttest.NewModel())
	opts.Secrets = &secret.Set{}
	opts.Secrets.Add("CANARY", value)
	h := serve(t, opts, nil)
	p := h.join("s?_pk=a")
	for _, c := range []wire.Call{
		{ID: "1", Method: value, Args: []json.RawMessage{}},
		{ID: "2", Method: "setup", Args: []json.RawMessage{json.RawMessage(`{"workdir":"/nowhere/` + value + `"}`)}},
	} {
		p.put(c)
		for {
			if f, ok := p.recv().(wire.CallResult); ok {
				if f.Success || strings.Contains(f.Error, value) || !strings.Contains(f.Error, "[redacted: CANARY]") {
					t.Errorf("%s answers %q", c.Method, f.Error)
				}
				break
			}
		}
	}
	_, body, _ := h.get("DELETE", "/host/schedules/"+value, "", "Authorization", "Bearer "+token)
	if strings.Contains(body, value) || !strings.Contains(body, "[redacted: CANARY]") {
		t.Errorf("/host/schedules answers %s", body)
	}
}
