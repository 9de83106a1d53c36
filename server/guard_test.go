package server

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
)

// A rawAnswer is what came back for a request that no client library would send.
type rawAnswer struct {
	*http.Response
	body string
}

// raw sends the lines of a request as they are. PORT stands for the server's port.
func (h *house) raw(lines ...string) rawAnswer {
	h.t.Helper()
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		h.t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, port, _ := net.SplitHostPort(h.addr)
	text := strings.ReplaceAll(strings.Join(lines, "\r\n")+"\r\n\r\n", "PORT", port)
	if _, err := c.Write([]byte(text)); err != nil {
		h.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		h.t.Fatalf("%q: %v", lines, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return rawAnswer{Response: resp}
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return rawAnswer{resp, string(body)}
}

const bearer = "Authorization: Bearer " + token

func TestTheGuard(t *testing.T) {
	h := simple(t)
	const (
		status   = "GET /host/status HTTP/1.1"
		messages = "GET /agents/coder-agent/x/get-messages HTTP/1.1"
		query    = "GET /host/status?token=" + token + " HTTP/1.1"
		own      = "Host: 127.0.0.1:PORT"
	)
	socket := func(target string, more ...string) []string {
		return append([]string{
			"GET " + target + " HTTP/1.1", own, "Connection: Upgrade", "Upgrade: websocket",
			"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
		}, more...)
	}
	const agentPath = "/agents/coder-agent/x"
	for _, tt := range []struct {
		name  string
		lines []string
		want  int
	}{
		{"the token as a bearer", []string{status, own, bearer}, 200},
		{"a lower case scheme", []string{status, own, "Authorization: bearer " + token}, 200},
		{"the token in the query", []string{query, own}, 200},
		{"no token", []string{status, own}, 401},
		{"no token for messages", []string{messages, own}, 401},
		{"a wrong token", []string{status, own, "Authorization: Bearer nope"}, 401},
		{"a longer token", []string{status, own, bearer + "x"}, 401},
		{"an empty token", []string{"GET /host/status?token= HTTP/1.1", own}, 401},
		{"the token twice in the query", []string{"GET /host/status?token=" + token + "&token=" + token + " HTTP/1.1", own}, 401},
		{"the token in two places", []string{query, own, bearer}, 401},
		{"the token in two headers", []string{status, own, bearer, bearer}, 401},
		{"another scheme", []string{status, own, "Authorization: Basic " + token}, 401},
		{"another scheme beside the token", []string{query, own, "Authorization: Basic eDp5"}, 401},
		{"the token in a cookie", []string{status, own, "Cookie: token=" + token}, 401},
		{"the token in the path", []string{"GET /host/status/" + token + " HTTP/1.1", own}, 404},
		{"the token in another parameter", []string{"GET /host/status?t=" + token + " HTTP/1.1", own}, 401},
		{"a broken query", []string{"GET /host/status?token=" + token + "&x=%zz HTTP/1.1", own}, 401},

		{"health needs no token", []string{"GET /healthz HTTP/1.1", own}, 200},
		{"health has no POST", []string{"POST /healthz HTTP/1.1", own, "Content-Length: 0"}, 405},
		{"nothing is 404 without the token", []string{"GET /nothing HTTP/1.1", own}, 404},
		{"nothing is 404 with the token", []string{"GET /nothing HTTP/1.1", own, bearer}, 404},

		{"localhost", []string{status, "Host: localhost:PORT", bearer}, 200},
		{"the v6 loopback", []string{status, "Host: [::1]:PORT", bearer}, 200},
		{"an allowed host", []string{status, "Host: coder.test", bearer}, 200},
		{"another host", []string{status, "Host: evil.example:PORT", bearer}, 403},
		{"another host for health", []string{"GET /healthz HTTP/1.1", "Host: evil.example:PORT"}, 403},
		{"a trailing dot", []string{status, "Host: localhost.:PORT", bearer}, 403},
		{"another port", []string{status, "Host: 127.0.0.1:1", bearer}, 403},
		{"no port", []string{status, "Host: 127.0.0.1", bearer}, 403},
		{"a decimal address", []string{status, "Host: 2130706433:PORT", bearer}, 403},
		{"the unspecified address", []string{status, "Host: 0.0.0.0:PORT", bearer}, 403},
		{"the unspecified v6 address", []string{status, "Host: [::]:PORT", bearer}, 403},
		{"no host", []string{"GET /host/status HTTP/1.0", bearer}, 403},
		{"two hosts", []string{status, own, own, bearer}, 400},
		{"an absolute target", []string{"GET http://127.0.0.1:PORT/host/status HTTP/1.1", own, bearer}, 400},
		{"an absolute target elsewhere", []string{"GET http://evil.example/healthz HTTP/1.1", "Host: evil.example"}, 400},
		{"a star target", []string{"OPTIONS * HTTP/1.1", own}, 400},

		{"our own origin", []string{status, own, bearer, "Origin: http://127.0.0.1:PORT"}, 200},
		{"an allowed origin", []string{status, own, bearer, "Origin: http://dev.example:5173"}, 200},
		{"another origin", []string{status, own, bearer, "Origin: http://evil.example"}, 403},
		{"the null origin", []string{status, own, bearer, "Origin: null"}, 403},
		{"another port", []string{status, own, bearer, "Origin: http://127.0.0.1:1"}, 403},
		{"another scheme", []string{status, own, bearer, "Origin: https://127.0.0.1:PORT"}, 403},
		{"an empty origin", []string{status, own, bearer, "Origin:"}, 403},
		{"two origins", []string{status, own, bearer, "Origin: http://127.0.0.1:PORT", "Origin: http://127.0.0.1:PORT"}, 403},
		{"another origin for health", []string{"GET /healthz HTTP/1.1", own, "Origin: http://evil.example"}, 403},
		{"a rebound page", []string{status, "Host: evil.example:PORT", bearer, "Origin: http://evil.example:PORT"}, 403},

		{"a fetch from another site", []string{status, own, bearer, "Sec-Fetch-Site: cross-site"}, 403},
		{"a fetch from the same site", []string{status, own, bearer, "Sec-Fetch-Site: same-site"}, 403},
		{"a fetch from the same origin", []string{status, own, bearer, "Sec-Fetch-Site: same-origin"}, 200},
		{"a fetch that the user began", []string{status, own, bearer, "Sec-Fetch-Site: none"}, 200},
		{"a fetch of an allowed origin", []string{status, own, bearer, "Origin: http://dev.example:5173", "Sec-Fetch-Site: cross-site"}, 200},

		{"a form cannot stop the host", []string{"POST /host/stop HTTP/1.1", own, bearer, "Content-Type: text/plain", "Content-Length: 0"}, 415},
		{"a GET cannot stop the host", []string{"GET /host/stop HTTP/1.1", own, bearer}, 405},

		{"a socket without the token", socket(agentPath), 401},
		{"a socket with the token in the query", socket(agentPath + "?token=" + token), 101},
		{"a socket with a bearer", socket(agentPath, bearer), 101},
		{"a socket with the subprotocol", socket(agentPath, "Sec-WebSocket-Protocol: coder, bearer."+token), 101},
		{"the subprotocol without its name", socket(agentPath, "Sec-WebSocket-Protocol: bearer."+token), 401},
		{"the subprotocol and the query", socket(agentPath+"?token="+token, "Sec-WebSocket-Protocol: coder, bearer."+token), 401},
		{"the subprotocol twice", socket(agentPath, "Sec-WebSocket-Protocol: coder, bearer."+token+", bearer."+token), 401},
		{"the subprotocol without an upgrade", []string{status, own, "Sec-WebSocket-Protocol: coder, bearer." + token}, 401},
		{"a socket of another origin", socket(agentPath+"?token="+token, "Origin: http://evil.example"), 403},
		{"a socket nowhere", socket("/other?token=" + token), 404},
		{"a socket of no agent", socket("/agents/coder-agent?token=" + token), 404},
		{"a socket of an unknown kind", socket("/agents/nope/x?token=" + token), 400},
	} {
		if got := h.raw(tt.lines...).StatusCode; got != tt.want {
			t.Errorf("%s: %d, want %d\n%s", tt.name, got, tt.want, strings.Join(tt.lines, "\n"))
		}
	}
}

func TestTheTokenIsNeverEchoed(t *testing.T) {
	h := simple(t)
	resp := h.raw("GET /agents/coder-agent/x HTTP/1.1", "Host: 127.0.0.1:PORT", "Connection: Upgrade", "Upgrade: websocket",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
		"Sec-WebSocket-Protocol: coder, bearer."+token)
	if got := resp.Header.Get("Sec-WebSocket-Protocol"); got != "coder" {
		t.Errorf("the subprotocol is %q, want coder", got)
	}
	if got := resp.Header.Get("Sec-WebSocket-Extensions"); got != "" {
		t.Errorf("extensions %q, want none", got)
	}
}

func TestOnlyAllowedOriginsMayReadAnswers(t *testing.T) {
	h := simple(t)
	const dev = "http://dev.example:5173"
	_, _, header := h.get("GET", "/healthz", "", "Origin", dev)
	if header.Get("Access-Control-Allow-Origin") != dev || header.Get("Vary") != "Origin" {
		t.Errorf("headers for an allowed origin: %v", header)
	}
	_, _, header = h.get("GET", "/healthz", "")
	if header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("headers without an origin: %v", header)
	}
	status, _, header := h.get("OPTIONS", "/host/status", "", "Origin", dev, "Access-Control-Request-Method", "GET")
	if status != 204 || header.Get("Access-Control-Allow-Headers") == "" || header.Get("Access-Control-Allow-Private-Network") != "" {
		t.Errorf("preflight of an allowed origin: %d %v", status, header)
	}
	status, _, header = h.get("OPTIONS", "/host/status", "", "Origin", "http://evil.example", "Access-Control-Request-Method", "GET")
	if status != 403 || header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("preflight of another origin: %d %v", status, header)
	}
}

// A page with the token, from an origin that is allowed, learns nothing of the sessions of other folders by HTTP either.
func TestAPageMayOnlyAskHowTheHostIs(t *testing.T) {
	h := serve(t, agenttest.Options(t, agenttest.NewModel(agenttest.Say("hi"))), func(s *Server) {
		s.opts.Stop = func() { t.Error("a page has stopped the host") }
		s.opts.Status = func() any { return map[string]string{"keyHash": "x"} }
	})
	p := h.join("One?_pk=a")
	p.ask("q1", "hello there")
	p.until("q1 done")
	pages := [][]string{{"Origin", "http://dev.example:5173"}, {"Sec-Fetch-Site", "same-origin"}}
	for _, page := range pages {
		ask := append([]string{"Authorization", "Bearer " + token, "Content-Type", "application/json"}, page...)
		for _, route := range []string{"GET sessions", "DELETE sessions/One", "GET schedules", "GET jobs", "DELETE jobs/One/1", "DELETE schedules/s-1", "POST stop"} {
			method, path, _ := strings.Cut(route, " ")
			if status, body, _ := h.get(method, "/host/"+path, "{}", ask...); status != 403 || !strings.Contains(body, "a page may not do this") {
				t.Errorf("%s by a page (%s): %d %s, want 403", route, page[0], status, body)
			}
		}
		if status, body, _ := h.get("GET", "/host/status", "", ask...); status != 200 || strings.Contains(body, "keyHash") {
			t.Errorf("the status for a page (%s): %d %s, want it without what the program adds", page[0], status, body)
		}
	}
	if _, body, _ := h.get("GET", "/host/sessions", "", "Authorization", "Bearer "+token, "Sec-Fetch-Site", "none"); !strings.Contains(body, `"One"`) {
		t.Errorf("the sessions for a person are %s", body)
	}
}

// The table of the protocol page, with what the real server answered.
func TestPathsAreSplitRaw(t *testing.T) {
	h := simple(t)
	for _, tt := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/agents/coder-agent/h1", 404, "Not implemented"},
		{"POST", "/agents/coder-agent/h1/a/b?x=1", 404, "Not implemented"},
		{"GET", "/agents/coder-agent/h1/get-messages", 200, "[]\n"},
		{"POST", "/agents/coder-agent/h1/get-messages", 200, "[]\n"},
		{"GET", "/agents/coder-agent/h1/deep/er/get-messages", 200, "[]\n"},
		{"GET", "/agents/coder-agent/h1/get-messages?x=1", 200, "[]\n"},
		{"GET", "/agents/coder-agent/get-messages", 404, "Not implemented"},
		{"GET", "/agents/coder-agent", 404, "Not found"},
		{"GET", "/agents/", 404, "Not found"},
		{"GET", "/agents", 404, "Not found"},
		{"GET", "/", 404, "Not found"},
		{"GET", "/agents/nope/x", 400, "Invalid request"},
		{"GET", "/agents/CoderAgent/x", 400, "Invalid request"},
		{"GET", "/agents/CODER_AGENT/x", 400, "Invalid request"},
		{"GET", "/agents/coder_agent/x", 400, "Invalid request"},
		{"GET", "//agents//coder-agent//h1//get-messages", 200, "[]\n"},
		{"GET", "/agents/coder-agent/h1/sub/coder-agent/child/get-messages", 200, "[]\n"},
		{"GET", "/agents/coder-agent/h1/sub/task/child", 404, "Not implemented"},
		{"GET", "/agents/coder-agent/h1/sub/task/c%2d1/x/get-messages", 200, "[]\n"},
		{"GET", "/agents/coder-agent/h1/sub/nope/../get-messages", 200, "[]\n"}, // more path of h1
		{"GET", "/agents/coder-agent/h1/sub/task/../get-messages", 400, "Invalid request"},
		{"GET", "/agents/coder-agent/h1/sub/task/%2e%2e/get-messages", 400, "Invalid request"},
		{"GET", "/agents/coder-agent/h1/sub/task/a%2fb/get-messages", 400, "Invalid request"},
		{"GET", "/agents/coder-agent/h1/sub/task/a%20b/get-messages", 400, "Invalid request"},
		{"GET", "/agents/coder-agent/h1" + strings.Repeat("/sub/task/c", 8) + "/get-messages", 200, "[]\n"},
		{"GET", "/agents/coder-agent/h1" + strings.Repeat("/sub/task/c", 9) + "/get-messages", 400, "Invalid request"},
		{"GET", "/agents/coder-agent/a%20b/get-messages", 200, "[]\n"},
		{"GET", "/agents/coder-agent/%2e%2e/get-messages", 400, "Invalid request"},
		{"GET", "/agents/coder-agent/../get-messages", 400, "Invalid request"},
		{"GET", "/agents/coder-agent/.hidden/get-messages", 400, "Invalid request"},
		{"GET", "/agents/coder-agent/" + strings.Repeat("a", 129) + "/get-messages", 400, "Invalid request"},
		{"GET", "/agents/coder-agent/ünï/get-messages", 400, "Invalid request"},
		{"GET", "/host", 404, "Not found"},
		{"GET", "/host/nothing", 404, "Not found"},
		{"GET", "/host/../host/status", 404, "Not found"},
	} {
		resp := h.raw(tt.method+" "+tt.path+" HTTP/1.1", "Host: 127.0.0.1:PORT", bearer, "Content-Length: 0")
		if resp.StatusCode != tt.status || resp.body != tt.body {
			t.Errorf("%s %s: %d %q, want %d %q", tt.method, tt.path, resp.StatusCode, resp.body, tt.status, tt.body)
		}
	}
}

func TestCommandsOfTheHost(t *testing.T) {
	stopped := make(chan struct{})
	h := serve(t, agenttest.Options(t, agenttest.NewModel(agenttest.Say("hi"))), func(s *Server) {
		s.opts.Stop = func() { close(stopped) }
		s.opts.Status = func() any { return map[string]string{"log": "x"} }
	})
	p := h.join("One?_pk=a")
	p.ask("q1", "hello there")
	p.until("q1 done")
	auth := []string{"Authorization", "Bearer " + token}
	stop := func(body string) (int, string) {
		status, answer, _ := h.get("POST", "/host/stop", body, append(auth, "Content-Type", "application/json")...)
		return status, answer
	}
	if status, body := stop(`{"ifIdle":true}`); status != 409 || !strings.Contains(body, "in use") {
		t.Errorf("stop if idle, with a socket open: %d %s, want 409", status, body)
	}
	if status, body := stop(`{"ifIdle":`); status != 400 {
		t.Errorf("stop with a broken body: %d %s, want 400", status, body)
	}
	_, body, _ := h.get("GET", "/host/status", "", auth...)
	for _, want := range []string{`"version":"test"`, `"addr":"` + h.addr + `"`, `"sockets":1`, `"host":{"log":"x"}`, `"turns":0`} {
		if !strings.Contains(body, want) {
			t.Errorf("status is %s, want it to hold %s", body, want)
		}
	}
	_, body, _ = h.get("GET", "/host/sessions", "", auth...)
	if !strings.Contains(body, `"name":"One"`) || !strings.Contains(body, `"title":"hello there"`) {
		t.Errorf("sessions are %s", body)
	}
	if status, body, _ := h.get("DELETE", "/host/sessions/two", "", auth...); status != 404 {
		t.Errorf("deleting what is not there: %d %s", status, body)
	}
	if status, body, _ := h.get("DELETE", "/host/sessions/one", "", auth...); status != 200 {
		t.Errorf("deleting a session: %d %s", status, body)
	}
	if code := p.closed(); code != statusDeleted {
		t.Errorf("the socket of a deleted session closed with %d, want %d", code, statusDeleted)
	}
	if _, body, _ = h.get("GET", "/host/sessions", "", auth...); body != "{\"sessions\":[]}\n" {
		t.Errorf("sessions after the deletion are %s", body)
	}
	if status, body := stop(""); status != 202 {
		t.Errorf("stop: %d %s", status, body)
	}
	<-stopped
}

func TestAHostThatStopsBecauseItIsIdleLetsNobodyIn(t *testing.T) {
	reply, reached, release := held("one ")
	ended := make(chan struct{}, 1)
	opts := agenttest.Options(t, agenttest.NewModel(reply))
	opts.Changed = func() { signal(ended) }
	stopped := make(chan struct{})
	var wait func(*testing.T, int)
	h := serve(t, opts, func(s *Server) {
		s.opts.Stop = func() { close(stopped) }
		wait = watched(s)
	})
	stop := func() int {
		status, _, _ := h.get("POST", "/host/stop", `{"ifIdle":true}`, "Authorization", "Bearer "+token, "Content-Type", "application/json")
		return status
	}
	p := h.join("one?_pk=a")
	p.ask("q1", "hello")
	<-reached
	_ = p.ws.CloseNow()
	wait(t, 0)
	if status := stop(); status != 409 {
		t.Errorf("stop if idle, while a turn runs: %d, want 409", status)
	}
	close(release)
	for turns, _ := h.host.Busy(); turns > 0; turns, _ = h.host.Busy() {
		<-ended
	}
	if status := stop(); status != 202 {
		t.Errorf("stop if idle: %d, want 202", status)
	}
	<-stopped
	resp := h.raw("GET /agents/coder-agent/two HTTP/1.1", "Host: 127.0.0.1:PORT", bearer, "Connection: Upgrade",
		"Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")
	if resp.StatusCode != 503 {
		t.Errorf("a socket after the stop is answered with %d, want 503", resp.StatusCode)
	}
}

func TestNoListenerWithoutAToken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{Host: agenttest.Open(t, t.TempDir(), agent.Options{Model: agenttest.NewModel()})})
	if err := s.Serve(t.Context(), l); err == nil {
		t.Error("Serve without a token returned no error")
	}
}
