package server

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/server/wire"
)

// TestARequestThatCannotBeReadIsAnswered: its client waits for the end. Each is told why and what to do, and the log has one
// line for the lot. What the Agents SDK ignores is in the recordings, and here once more.
func TestARequestThatCannotBeReadIsAnswered(t *testing.T) {
	var log bytes.Buffer
	h := serve(t, agenttest.Options(t, agenttest.NewModel()), func(s *Server) {
		s.opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	p := h.join("refused?_pk=a")
	deep := strings.Repeat("[", 70) + strings.Repeat("]", 70)
	user := func(rest string) string { return `[{"id":"u","role":"user",` + rest + `}]` }
	for _, tt := range []struct{ name, frame, id, reason, hint string }{
		{"metadata 70 deep", request("r", user(`"metadata":`+deep+`,"parts":[]`)), "r", "nested deeper than 64 levels", "begin a new session"},
		{
			"140,000 values", request("r", `[{}`+strings.Repeat(",{}", 140_000)+`]`),
			"r", "the prompt has too many values", "the transcript is too long for one frame: clear it or begin a new session",
		},
		{"messages: null", request("r", "null"), "r", "its messages are no list", "a list of parts"},
		{"messages: 5", request("r", "5"), "r", `its "messages" is of type number`, "a list of parts"},
		{"a text that is none", request("r", user(`"parts":[{"type":"text","text":5}]`)), "r", `its "text" is of type number`, "a list of parts"},
		{"parts that are none", request("r", user(`"parts":"x"`)), "r", `its "parts" is of type string`, "a list of parts"},
		{"a part without a type", request("r", user(`"parts":[{}]`)), "r", "a part without a type", "a list of parts"},
		{"an empty id", request("", user(`"parts":[{"type":"text","text":"x"}]`)), "", "its id is empty", "a list of parts"},
		{"an id that follows", `{"init":{"body":"{\"messages\":null}","method":"POST"},"id":"late","type":"cf_agent_use_chat_request"}`, "late", "no list", "list"},
		{"a deep frame", `{"type":"cf_agent_use_chat_request","id":"d","more":` + deep + `,"init":{}}`, "d", "deeper than 64", "new session"},
	} {
		p.send(tt.frame)
		f, ok := p.recv().(wire.ChatResponse)
		if !ok || f.ID != tt.id || !f.Error || !f.Done || f.Outcome != wire.Failed || !strings.Contains(f.Body, tt.reason) ||
			!strings.HasSuffix(f.Body, "\n"+f.Hint) || !strings.Contains(f.Hint, tt.hint) {
			t.Errorf("%s: answered by %+v", tt.name, f)
		}
	}
	p.send(`{"type":"rpc","id":"c1","method":"nosuch","args":[` + deep + `]}`)
	if f, ok := p.recv().(wire.CallResult); !ok || f.ID != "c1" || f.Success || !strings.Contains(f.Error, "the call is nested deeper than 64 levels\n") {
		t.Errorf("the deep call is answered by %+v", f)
	}
	p.send(`{"type":"rpc","id":"c2","method":"steer","args":["` + strings.Repeat("x", wire.MaxCall) + `"]}`)
	if f, ok := p.recv().(wire.CallResult); !ok || f.ID != "c2" || f.Success || !strings.Contains(f.Error, "the call is larger than 1 MiB\n") {
		t.Errorf("the large call is answered by %+v", f)
	}
	for _, ignored := range []string{
		`{"type":"rpc","id":"c1","method":"nosuch","args":"x"}`,
		`{"type":"rpc","id":"c1","success":true,"result":` + deep + `}`,
		`{"type":"cf_agent_use_chat_request","id":"g1","init":{"method":"GET","body":"{\"messages\":null}"}}`,
		`{"type":"cf_agent_use_chat_request","id":"g2","init":{"method":"POST","body":"[]"}}`,
		`{"type":"cf_agent_use_chat_request","id":"g3","init":{"method":"POST","body":"{\"messages\":[5"}}`,
		`{"type":"cf_agent_use_chat_request","id":5,"init":{"method":"POST","body":"{\"messages\":null}"}}`,
	} {
		p.send(ignored)
	}
	p.quiet()
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(log.String(), "level=WARN"); got != 1 || !strings.Contains(log.String(), "a frame that cannot be read") {
		t.Errorf("the log has %d warnings:\n%s", got, log.String())
	}
}

// TestAMessageOfTheOldShapeIsTaken: AI SDK 4 has the text in content, and no parts.
func TestAMessageOfTheOldShapeIsTaken(t *testing.T) {
	h := simple(t, agenttest.Say("hello"))
	p := h.join("old?_pk=a")
	p.send(request("q1", `[{"id":"u-q1","role":"user","content":"hi"}]`))
	p.until("q1 done of u-q1")
	messages, err := agenttest.Agent(t, h.host, "old").Messages(t.Context())
	if err != nil || len(messages) != 2 || messages[0].Text() != "hi" {
		t.Errorf("the transcript is %+v, %v", messages, err)
	}
}
