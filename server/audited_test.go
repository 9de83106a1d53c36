package server

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/audit"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/server/wire"
)

// Two hundred wrong tokens keep nobody out and are one line of the audit log; who comes in has a line that names them, and
// what they decide names them again.
func TestTheAuditLogTellsWhoCame(t *testing.T) {
	dir := t.TempDir()
	log, err := audit.Open(dir, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	opts := agenttest.Options(t, agenttest.NewModel(shell, agenttest.Say("hi")), gated())
	opts.Audit, opts.Mode = log, permission.ModeAsk
	h := serve(t, opts, func(s *Server) { s.opts.Audit = log })
	for i := range 200 {
		if status, _, _ := h.get("GET", fmt.Sprintf("/host/status?token=%043d", i), ""); status != 401 {
			t.Fatalf("wrong token %d: %d", i, status)
		}
	}
	if status, _, _ := h.get("GET", "/host/status", "", "Origin", "http://evil.example", "Authorization", "Bearer "+token); status != 403 {
		t.Fatalf("another origin: %d", status)
	}
	page := h.dialFrom("http://dev.example:5173", "One?_pk=tab")
	page.ask("q1", "go")
	page.until("q1 done")
	page.send(`{"type":"cf_agent_tool_approval","toolCallId":"call_1","approved":true}`)
	for done := false; !done; {
		f, ok := page.recv().(wire.ChatResponse)
		done = ok && f.Done
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	var got []string
	r := audit.Reader{Dir: audit.Dir(dir)}
	if err := r.Next(func(l audit.Line) {
		if l.What != audit.Ended && l.What != audit.Judged {
			got = append(got, fmt.Sprintf("%s %s %s %s %d", l.What, l.Kind, l.Origin, l.Decision, l.Count))
		}
	}); err != nil {
		t.Fatal(err)
	}
	const dev = "page http://dev.example:5173"
	want := []string{
		"begun    0", "refused    1", "refused  http://evil.example  1", "connected " + dev + "  0",
		"decided " + dev + " approved 0", "started " + dev + " approved 0", "refused    199",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the log has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	data, err := os.ReadFile(filepath.Join(audit.Dir(dir), "audit-000001.jsonl"))
	if err != nil || strings.Contains(string(data), "token=") || strings.Contains(string(data), token) {
		t.Errorf("the log holds a query string: %v\n%s", err, data)
	}
}
