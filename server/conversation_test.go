package server

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/server/wire"
)

func TestConnectFramesComeInTheirOrder(t *testing.T) {
	h := simple(t)
	p := h.dial("demo?_pk=a")
	got := p.recv()
	if want := (wire.Identity{Name: "demo", Agent: "coder-agent", StateFollows: true}); got != want {
		t.Fatalf("first frame is %#v, want %#v", got, want)
	}
	if _, ok := p.recv().(wire.State); !ok {
		t.Fatal("stateFollows, but no state frame followed")
	}
	p.expect("mcp")
	p.quiet()
}

// Two clients see the same stream; the transcript goes to the one that did not ask, before the last frame.
func TestATurnGoesToEveryConnection(t *testing.T) {
	h := simple(t, agenttest.Say("hello ", "world"))
	a, b := h.join("ct1?_pk=a"), h.join("ct1?_pk=b")
	a.ask("q1", "say hello")
	stream := []string{"q1 0 start", "q1 1 start-step", "q1 2 text-start"}
	tail := []string{"text-end", "finish-step", "finish"}
	gotA, gotB := a.until("q1 done"), b.until("q1 done")
	if !slices.Equal(gotA[:3], stream) {
		t.Errorf("the asker saw %q", gotA)
	}
	if gotB[0] != `messages user("say hello")` {
		t.Errorf("the other's first frame is %q", gotB[0])
	}
	if got, want := gotB[len(gotB)-2], `messages user("say hello") assistant(step "hello world")`; got != want {
		t.Errorf("the other's last but one frame is %q, want %q", got, want)
	}
	if got, want := gotA[len(gotA)-1], "q1 done of u-q1"; got != want {
		t.Errorf("the last frame is %q, want %q", got, want)
	}
	if chunks := gotB[1 : len(gotB)-2]; !slices.Equal(chunks, gotA[:len(gotA)-1]) {
		t.Errorf("the asker saw %q, the other %q", gotA, chunks)
	}
	for i, want := range tail {
		if got := gotA[len(gotA)-4+i]; got[len(got)-len(want):] != want {
			t.Errorf("the asker's stream ends with %q, want %q", gotA[len(gotA)-4:], tail)
		}
	}
	status, body, _ := h.get("GET", "/agents/coder-agent/ct1/get-messages?token="+token, "")
	if status != 200 || len(body) < 50 {
		t.Errorf("get-messages: %d %s", status, body)
	}
}

func TestGarbageIsNeitherAnsweredNorTheEnd(t *testing.T) {
	h := simple(t)
	p := h.join("bad1")
	for _, frame := range []string{
		`not json`, `"str"`, `[1,2]`, `null`, `{"type":"unknown_type","x":1}`, `{"foo":1}`,
		`{"type":"cf_agent_use_chat_request","id":"g1","init":{"method":"GET"}}`,
		`{"type":"cf_agent_use_chat_request","id":"g2","init":{"method":"POST"}}`,
		`{"type":"cf_agent_use_chat_request","id":"g3","init":{"method":"POST","body":"{bad"}}`,
		`{"type":"cf_agent_use_chat_request","id":"g4"}`,
		`{"type":"cf_agent_use_chat_request","id":"g5","init":{"method":"POST","body":"{}"}}`,
		`{"type":"cf_agent_chat_request_cancel","id":"nope"}`, `{"type":"cf_agent_chat_request_cancel"}`,
		`{"type":"cf_agent_tool_result","toolCallId":"nope","toolName":"x","output":1}`,
		`{"type":"cf_agent_tool_approval","toolCallId":"nope","approved":true}`,
		`{"type":"cf_agent_tool_approval","toolCallId":"nope","approved":"true"}`,
		`{"type":"rpc","id":"x1","method":"add"}`, `{"type":"rpc","id":5,"method":"add","args":[1,1]}`,
		`{"type":"cf_agent_state"}`, `ping`,
		strings.Repeat("[", 100_000),
	} {
		p.send(frame)
	}
	if err := p.ws.Write(t.Context(), websocket.MessageBinary, []byte{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	p.quiet()
	p.put(wire.ResumeAck{ID: "nope"})
	p.expect("nope replay done")
}

func TestRPC(t *testing.T) {
	h := simple(t)
	p := h.join("rpc1")
	p.put(wire.Call{ID: "1", Method: "getMessages", Args: []json.RawMessage{}})
	p.expect("rpc 1 [] done=true")
	p.put(wire.Call{ID: "2", Method: "constructor", Args: []json.RawMessage{}})
	p.expect("rpc 2 error Method constructor does not exist")
	p.put(wire.Call{ID: "3", Method: "setModel", Args: []json.RawMessage{json.RawMessage(`"m/x"`)}})
	got := p.recv() // the state comes before the answer of the call that changed it
	if s, ok := got.(wire.State); !ok || !strings.Contains(string(s.State), `"model":"m/x"`) {
		t.Errorf("after setModel came %#v, want the state", got)
	}
	p.expect("rpc 3  done=true")
}

func TestState(t *testing.T) {
	h := simple(t)
	a, b := h.join("st1?_pk=a"), h.join("st1?_pk=b")
	ro, quiet := h.join("st1?_pk=ro&readonly=1"), h.dial("st1?_pk=q&noproto=1")
	a.send(`{"type":"cf_agent_state","state":{"title":"from A"}}`)
	for _, p := range []*peer{b, ro} {
		for { // who has joined is told first
			s, ok := p.recv().(wire.State)
			if !ok {
				t.Fatalf("%s got another frame than a state", p.name)
			}
			if strings.Contains(string(s.State), `"title":"from A"`) {
				break
			}
		}
	}
	a.send(`{"type":"cf_agent_state","state":{"title":"x","mode":"full"}}`)
	a.expect("refused State update rejected")
	a.send(`{"type":"cf_agent_state","state":null}`)
	a.expect("refused State update rejected")
	ro.send(`{"type":"cf_agent_state","state":{"title":"x"}}`)
	ro.expect("refused Connection is readonly")
	ro.put(wire.Call{ID: "1", Method: "setModel", Args: []json.RawMessage{json.RawMessage(`"m/x"`)}})
	ro.expect("rpc 1 error Connection is readonly")
	for _, p := range []*peer{a, b, ro, quiet} { // nothing else came, to the quiet one nothing at all
		p.quiet()
	}
}

func TestSocketsOfOneClientAreOneSender(t *testing.T) {
	h := simple(t)
	a, twin, b := h.join("dk1?_pk=a"), h.join("dk1?_pk=a"), h.join("dk1?_pk=b")
	a.send(`{"type":"cf_agent_state","state":{"title":"from A"}}`)
	if _, ok := b.recv().(wire.State); !ok {
		t.Error("B got no state")
	}
	a.quiet()
	twin.quiet()
}

func TestAPingIsAnswered(t *testing.T) {
	h := simple(t)
	p := h.join("ping1")
	ctx := p.ws.CloseRead(t.Context())
	if err := p.ws.Ping(ctx); err != nil {
		t.Errorf("ping: %v", err)
	}
}

// held is a reply that says word by word, waits, and says the rest.
func held(words ...string) (reply agenttest.Reply, reached chan struct{}, release chan struct{}) {
	reached, release = make(chan struct{}), make(chan struct{})
	return agenttest.Hold(reached, release, agenttest.Say("the ", "rest"), words...), reached, release
}

func TestCancel(t *testing.T) {
	reply, reached, _ := held("word0 ", "word1 ")
	h := simple(t, reply, agenttest.Say("again"))
	a, b := h.join("cc1?_pk=a"), h.join("cc1?_pk=b")
	a.ask("q1", "slow please")
	<-reached
	b.put(wire.ChatCancel{ID: "q1"})
	gotA, gotB := a.until("q1 done"), b.until("q1 done")
	if got, want := gotA[len(gotA)-1], "q1 done aborted of u-q1"; got != want {
		t.Errorf("the asker's last frame is %q, want %q", got, want)
	}
	if slices.ContainsFunc(gotA, func(s string) bool { return strings.HasSuffix(s, " finish") }) {
		t.Errorf("a cancelled turn has a finish chunk: %q", gotA)
	}
	if got := gotB[len(gotB)-2]; !strings.Contains(got, "word0 word1 ") {
		t.Errorf("the transcript is %q, want the partial text in it", got)
	}
	a.ask("q2", "and now")
	a.until("q2 done of u-q2")
}

func TestClear(t *testing.T) {
	reply, reached, _ := held("word0 ")
	h := simple(t, agenttest.Say("hi"), reply)
	a, b := h.join("cl1?_pk=a"), h.join("cl1?_pk=b")
	a.ask("q1", "say hello")
	a.until("q1 done")
	b.until("q1 done")
	a.ask("q2", "slow please")
	<-reached
	a.put(wire.ChatClear{})
	a.until("q2 done aborted")
	b.until("q2 done aborted")
	b.until("clear")
	a.quiet()
	if _, body, _ := h.get("GET", "/agents/coder-agent/cl1/get-messages?token="+token, ""); body != "[]\n" {
		t.Errorf("after the clear messages are %s", body)
	}
}

func TestOverlappingRequestsAreQueued(t *testing.T) {
	reply, reached, release := held("one ")
	h := simple(t, reply, agenttest.Say("two"))
	a := h.join("cq1?_pk=a")
	a.ask("q1", "first")
	<-reached
	a.ask("q2", "second")
	a.ask("q3", "third")
	a.put(wire.ChatCancel{ID: "q3"})
	got := a.until("q3 done")
	if want := "q3 done aborted of u-q3"; got[len(got)-1] != want {
		t.Errorf("the queued request ended with %q, want %q", got[len(got)-1], want)
	}
	close(release)
	a.until("q1 done of u-q1")
	a.expect("q2 0 start", "q2 1 start-step")
	a.until("q2 done of u-q2")
}

func TestAnErrorIsKeptUntilTheNextRequest(t *testing.T) {
	h := simple(t, agenttest.Fail(errors.New("the model is out"), "partial "), agenttest.Say("hi"))
	a := h.join("er2?_pk=a")
	a.ask("q1", "midstream error")
	got := a.until("q1 done")
	if n := len(got); !strings.HasPrefix(got[n-2], "q1 error ") || got[n-1] != "q1 done error of u-q1" {
		t.Errorf("the turn ended with %q", got[n-2:])
	}
	b := h.join("er2?_pk=b")
	b.put(wire.ResumeRequest{ProbeID: "p1"})
	b.expect("resuming q1 p1")
	b.put(wire.ResumeAck{ID: "q1"})
	got = b.until("q1 error")
	if got[0] != "q1 0 start replay" || !strings.Contains(got[len(got)-1], " done") {
		t.Errorf("the replay is %q", got)
	}
	a.ask("q2", "again")
	a.until("q2 done")
	b.until("q2 done")
	b.put(wire.ResumeRequest{ProbeID: "p2"})
	b.expect("none idle p2")
}

func TestARefusedRequestEndsAtOnce(t *testing.T) {
	opts := agenttest.Options(t, agenttest.NewModel())
	opts.Workdir = ""
	h := serve(t, opts, nil)
	a := h.join("no1?_pk=a")
	a.ask("q1", "hello")
	f, ok := a.recv().(wire.ChatResponse)
	if !ok || !f.Done || !f.Error || f.Outcome != wire.Failed || !strings.Contains(f.Body, "workdir") {
		t.Errorf("the refusal is %#v", f)
	}
}

// TestTheStateTellsWhoIsConnected: a page is one by its Origin, whatever it says; only our own kinds count by name.
func TestTheStateTellsWhoIsConnected(t *testing.T) {
	h := simple(t)
	a := h.dial("who?client=run")
	h.join("who?client=chat")
	h.join("who?client=surprise")
	for {
		f, ok := a.recv().(wire.State)
		if !ok {
			continue
		}
		var doc agent.Document
		if err := json.Unmarshal(f.State, &doc); err != nil {
			t.Fatal(err)
		}
		if doc.Clients["run"] == 1 && doc.Clients["chat"] == 1 && doc.Clients["socket"] == 1 {
			break
		}
	}
	if got := kindOf(true, "run"); got != "page" {
		t.Errorf("a page that says it is run counts as %s", got)
	}
}
