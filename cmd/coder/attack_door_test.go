package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// inside is what no answer may tell: types and files of the program, stacks.
var inside = regexp.MustCompile(`\b(agent|chat|wire|store|json|main|server)\.[A-Z]\w+|\.go:\d|goroutine \d|/agent/|Go (value|struct)`)

// tokens shows the token wrongly, in every shape, for a plain request and for a socket.
func (s *siege) tokens() {
	auth := func(v ...string) http.Header { return http.Header{"Authorization": v} }
	flipped := s.token[:len(s.token)-1] + string(s.token[len(s.token)-1]^1)
	for name, c := range map[string]struct {
		query  string
		header http.Header
	}{
		"none":                     {},
		"empty":                    {"?token=", nil},
		"empty header":             {"", auth("Bearer ")},
		"basic":                    {"", auth("Basic " + s.token)},
		"no scheme":                {"", auth(s.token)},
		"wrong":                    {"", auth("Bearer " + strings.Repeat("A", len(s.token)))},
		"last character":           {"", auth("Bearer " + flipped)},
		"a part":                   {"", auth("Bearer " + s.token[:20])},
		"too much":                 {"", auth("Bearer " + s.token + "A")},
		"upper case":               {"", auth("Bearer " + strings.ToUpper(s.token))},
		"long":                     {"", auth("Bearer " + strings.Repeat(s.token, 400))},
		"twice in the header":      {"", auth("Bearer "+s.token, "Bearer "+s.token)},
		"twice in the query":       {"?token=" + s.token + "&token=" + s.token, nil},
		"in both":                  {"?token=" + s.token, auth("Bearer " + s.token)},
		"cookie":                   {"", http.Header{"Cookie": {"token=" + s.token}}},
		"other parameter":          {"?access_token=" + s.token + "&key=" + s.token + "&Token=" + s.token, nil},
		"other header":             {"", http.Header{"X-Token": {s.token}, "Proxy-Authorization": {"Bearer " + s.token}}},
		"semicolon":                {"?a=1;token=" + s.token, nil},
		"bad escape":               {"?token=" + s.token + "&x=%zz", nil},
		"subprotocol alone":        {"", http.Header{"Sec-Websocket-Protocol": {"bearer." + s.token}}},
		"subprotocol wrong":        {"", http.Header{"Sec-Websocket-Protocol": {"coder, bearer.x"}}},
		"subprotocol and query":    {"?token=" + s.token, http.Header{"Sec-Websocket-Protocol": {"coder, bearer." + s.token}}},
		"two subprotocols":         {"", http.Header{"Sec-Websocket-Protocol": {"coder, bearer." + s.token + ", bearer." + s.token}}},
		"null":                     {"?token=null", nil},
		"NUL":                      {"?token=" + s.token + "%00", nil},
		"in the path":              {"/" + s.token, nil},
		"negotiated by encoding":   {"?%74oken=" + s.token + "&token=x", nil},
		"header with leading text": {"", auth("Bearer x " + s.token)},
	} {
		status, _, _ := s.request(s.t.Context(), "GET", "/agents/coder-agent/t/get-messages"+c.query, c.header, "")
		if status != 401 {
			s.errorf("%s: a request is answered %d, want 401", name, status)
		}
		if got := s.refusedWith("/agents/coder-agent/t"+c.query, c.header); got != 401 {
			s.errorf("%s: a socket is answered %d, want 401", name, got)
		}
	}
	begun := time.Now()
	for range 200 {
		if status, _, _ := s.request(s.t.Context(), "GET", "/host/status", auth("Bearer wrong"), ""); status != 401 {
			s.errorf("a wrong token is answered %d", status)
		}
	}
	if each := time.Since(begun) / 200; each > 50*time.Millisecond {
		s.errorf("a wrong token costs %s, want at most 50 ms", each)
	}
	if status, _, _ := s.request(s.t.Context(), "GET", "/host/status", s.bearer(), ""); status != 200 {
		s.errorf("after 200 wrong tokens the right one is answered %d", status)
	}
}

// origins comes from other places, with the token.
func (s *siege) origins() {
	own := "http://" + s.addr
	port := s.addr[strings.LastIndex(s.addr, ":"):]
	for _, origin := range []string{
		"null", "https://" + s.addr, "http://evil.example", "http://127.0.0.1", "http://127.0.0.1:1", own + "/", own + ".evil.example",
		"http://evil.example@" + s.addr, "HTTP://" + s.addr, "http://0.0.0.0" + port, "http://localhost." + port[1:], "file://", "chrome-extension://x", "", own + ", " + own,
	} {
		h := s.bearer("Origin", origin)
		if status, _, _ := s.request(s.t.Context(), "GET", "/host/status", h, ""); status != 403 {
			s.errorf("origin %q: a request is answered %d", origin, status)
		}
		if got := s.refusedWith("/agents/coder-agent/o", h); got != 403 {
			s.errorf("origin %q: a socket is answered %d", origin, got)
		}
	}
	two := s.bearer()
	two["Origin"] = []string{own, own}
	if status, _, _ := s.request(s.t.Context(), "GET", "/host/status", two, ""); status != 403 {
		s.errorf("two origins are answered %d", status)
	}
	for _, host := range []string{
		"evil.example", "evil.example" + port, "127.0.0.1", "127.0.0.1." + port, "localhost." + port, "0.0.0.0" + port, "[::]" + port, "2130706433" + port,
		"0x7f.1" + port, "127.1" + port, "localhost:1", "LOCALHOST" + port, "127.0.0.1:" + port, "[::ffff:127.0.0.1]" + port,
	} {
		for _, path := range []string{"/healthz", "/host/status"} {
			got := s.exchange("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nAuthorization: Bearer " + s.token + "\r\nConnection: close\r\n\r\n")
			if got < 400 || got > 499 {
				s.errorf("host %q on %s is answered %d", host, path, got)
			}
		}
	}
	for name, raw := range map[string]string{
		"absolute form":  "GET http://" + s.addr + "/healthz HTTP/1.1\r\nHost: " + s.addr + "\r\n\r\n",
		"authority form": "CONNECT " + s.addr + " HTTP/1.1\r\nHost: " + s.addr + "\r\n\r\n",
		"star":           "OPTIONS * HTTP/1.1\r\nHost: " + s.addr + "\r\n\r\n",
		"two hosts":      "GET /healthz HTTP/1.1\r\nHost: " + s.addr + "\r\nHost: evil.example\r\n\r\n",
		"no host":        "GET /healthz HTTP/1.1\r\n\r\n",
		"HTTP/1.0":       "GET /healthz HTTP/1.0\r\n\r\n",
		"smuggled":       "POST /host/stop HTTP/1.1\r\nHost: " + s.addr + "\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"space in name":  "GET /healthz HTTP/1.1\r\nHost : " + s.addr + "\r\n\r\n",
		"HTTP/2":         "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"garbage":        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
	} {
		if got := s.exchange(raw); got != 0 && (got < 400 || got > 505) {
			s.errorf("%s is answered %d", name, got)
		}
	}
	for _, site := range []string{"cross-site", "same-site", "", "none,cross-site"} {
		if status, _, _ := s.request(s.t.Context(), "GET", "/healthz", http.Header{"Sec-Fetch-Site": {site}}, ""); site != "" && status != 403 {
			s.errorf("Sec-Fetch-Site %q is answered %d", site, status)
		}
	}
}

// crossSite sends what a page of another site can: forms, beacons, preflights, images. None may change or tell anything.
func (s *siege) crossSite() {
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "text/plain; application/json", "application/jsonp"} {
		for _, path := range []string{"/host/stop", "/host/prune", "/host/sessions/x/pin"} {
			h := s.bearer("Content-Type", kind)
			if status, _, _ := s.request(s.t.Context(), "POST", path, h, `{"ifIdle":false}`); status != 415 {
				s.errorf("POST %s as %q is answered %d", path, kind, status)
			}
		}
	}
	for _, path := range []string{"/host/stop", "/host/prune", "/host/sessions/x/pin", "/host/sessions/x", "/host/schedules/x"} {
		for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "TRACE", "stop"} {
			if status, _, _ := s.request(s.t.Context(), method, path, s.bearer("Content-Type", "application/json"), ""); status != 405 {
				s.errorf("%s %s is answered %d", method, path, status)
			}
		}
	}
	h := http.Header{"Origin": {"http://evil.example"}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Private-Network": {"true"}}
	for _, path := range []string{"/host/stop", "/healthz", "/agents/coder-agent/x"} {
		status, _, header := s.request(s.t.Context(), "OPTIONS", path, h, "")
		if status != 403 {
			s.errorf("a preflight of %s is answered %d", path, status)
		}
		for name := range header {
			if strings.HasPrefix(name, "Access-Control-") {
				s.errorf("a preflight of %s gets %s", path, name)
			}
		}
	}
	for _, path := range []string{"/host/sessions", "/host/stop", "/host/prune", "/host/schedules", "/host/sessions/x"} {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			h := s.bearer("Origin", "http://"+s.addr, "Content-Type", "application/json")
			if status, _, _ := s.request(s.t.Context(), method, path, h, "{}"); status != 403 {
				s.errorf("%s %s of a page is answered %d", method, path, status)
			}
		}
	}
	if status, _, _ := s.request(s.t.Context(), "POST", "/agents/coder-agent/csrf/get-messages", s.bearer("Content-Type", "text/plain"), `{"type":"cf_agent_chat_clear"}`); status != 200 && status != 404 {
		s.errorf("a POST that reads is answered %d", status)
	}
	if _, body, _ := s.request(s.t.Context(), "GET", "/host/sessions", s.bearer(), ""); strings.Contains(string(body), "csrf") {
		s.errorf("a plain request has made a session: %s", body)
	}
}

// names addresses sessions that lead elsewhere.
func (s *siege) names() {
	long := strings.Repeat("a", 129)
	for _, name := range []string{
		"..", "../../etc/passwd", "%2e%2e", "..%2f..%2fetc", "%2Fetc", ".hidden", "-x", "_x", "ä", "a%00b\x00", "%00", "a\\b", "a:b", "a;b", long,
		strings.Repeat("a", 20_000), "a/sub/coder-agent/..", "a/sub/task/%2e%2e%2f", "a/sub/task/%zz", "a/sub/task/" + long, "a" + strings.Repeat("/sub/task/b", 40),
		"💣", "a\u202eb", "__proto__/../x", "%", "~", "$HOME", "`id`", "a|b", "<script>",
	} {
		for _, kind := range []string{"coder-agent", "CoderAgent", "__proto__", "constructor", "other-agent", ".."} {
			raw := "/agents/" + kind + "/" + name
			got := s.exchange("GET " + raw + " HTTP/1.1\r\nHost: " + s.addr + "\r\nAuthorization: Bearer " + s.token + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
			// A name is any 128 characters of letters, digits and . _ % -: %2e%2e is one, and stays what it is.
			harmless := kind == "coder-agent" && validHere(name)
			if got == 101 != harmless || got == 0 || got >= 500 {
				s.errorf("the name %.40q of kind %s is answered %d", name, kind, got)
			}
		}
	}
	err := filepath.WalkDir(s.data, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && (strings.Contains(path, "passwd") || strings.Contains(d.Name(), "%2")) {
			s.errorf("a name became the file %s", path)
		}
		return nil
	})
	s.must(err)
}

var rawName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._%-]{0,127}(/.*)?$`)

// validHere reports whether a path begins with a session's name and is not one of a child that cannot be.
func validHere(name string) bool {
	return rawName.MatchString(name) && !strings.Contains(name, "/sub/")
}

// hostRoutes plays tricks with paths, bodies and ids of the host's own routes.
func (s *siege) hostRoutes() {
	asJSON := func() http.Header { return s.bearer("Content-Type", "application/json") }
	for _, path := range []string{
		"/host", "/host/", "/host/STATUS", "/host/status/x", "/host/../host/status", "/host/./status", "/host/%73tatus", "/Host/status", "/host/sessions/..",
		"/debug/pprof/", "/debug/vars", "/metrics", "/.git/config", "/run/host.json", "/", "//", "/agents", "/agents/coder-agent", "/favicon.ico", "/host/env",
	} {
		got := s.exchange("GET " + path + " HTTP/1.1\r\nHost: " + s.addr + "\r\nAuthorization: Bearer " + s.token + "\r\nConnection: close\r\n\r\n")
		if got < 400 || got > 499 {
			s.errorf("%s is answered %d", path, got)
		}
	}
	for body, most := range map[string]int{
		strings.Repeat("[", 100_000): 499, `{"count":1e400}`: 499, `{"count":-1}`: 499, `{"unusedSeconds":9e99}`: 499, `{"names":{"__proto__":1}}`: 499, `[]`: 499,
		`{"count":1,"surprise":2}`: 499, `{"count":1}{"count":2}`: 499, "": 499, "null": 499,
	} {
		status, answer, _ := s.request(s.t.Context(), "POST", "/host/prune", asJSON(), body)
		if status < 400 || status > most {
			s.errorf("pruning with %.40q is answered %d: %s", body, status, answer)
		}
		if inside.Match(answer) {
			s.errorf("pruning with %.40q tells of the program: %s", body, answer)
		}
	}
	for _, path := range []string{"/host/stop", "/host/sessions/x/pin"} {
		for _, body := range []string{"{", `{"ifIdle":"yes","pinned":"no"}`, `[1]`, strings.Repeat("x", 2000)} {
			status, answer, _ := s.request(s.t.Context(), "POST", path, asJSON(), body)
			if status < 400 || status > 499 || inside.Match(answer) {
				s.errorf("POST %s with %.20q is answered %d: %s", path, body, status, answer)
			}
		}
	}
	large := fmt.Sprintf("POST /host/prune HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", s.addr, s.token, 3<<20)
	if got := s.exchange(large + `{"bytes":` + strings.Repeat("9", 1<<20)); got != 413 && got != 0 {
		s.errorf("a body of 3 MiB is answered %d, want 413", got)
	}
	for _, path := range []string{"/host/sessions/none", "/host/schedules/__proto__", "/host/schedules/" + strings.Repeat("9", 5000)} {
		status, answer, _ := s.request(s.t.Context(), "DELETE", path, s.bearer(), "")
		if status != 404 || inside.Match(answer) {
			s.errorf("DELETE %.40s is answered %d: %s", path, status, answer)
		}
	}
	if got := s.exchange("GET /healthz HTTP/1.1\r\nHost: " + s.addr + "\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n"); got != 431 {
		s.errorf("64 KiB of headers are answered %d, want 431", got)
	}
}

// rpc calls what is no method, and methods with what is no argument.
func (s *siege) rpc() {
	p := s.join("rpc", nil)
	defer p.close()
	for _, name := range []string{
		"__proto__", "constructor", "toString", "prototype", "hasOwnProperty", "valueOf", "", " ", "Setup", "setup ", "fetch", "onStart", "sql", "destroy", "Delete", "delete",
		"eval", "../setup", "setup\x00", strings.Repeat("a", 100_000), "💣", "exports", "CallStreaming", "SetState", "schedule()", "a.close",
	} {
		f := p.call(name)
		if f.Success || len(f.Error) > 1<<20 || inside.Match(f.Error) {
			s.errorf("the method %.30q is answered %t %.200s", name, f.Success, f.Error)
		}
	}
	wrong := []any{
		nil, true, 1e308, -1, "x", "\x00",
		[]any{},
		map[string]any{"__proto__": map[string]any{"x": 1}},
		strings.Repeat("x", 200_000),
		[]any{[]any{[]any{}}},
		map[string]any{"workdir": 1},
		map[string]any{"workdir": "/dev/null\x00"},
		map[string]any{"mode": "full"},
		map[string]any{"maxCost": "NaN"},
		map[string]any{"maxSteps": -1},
	}
	for _, method := range []string{
		"setup", "decide", "cancel", "steer", "setModel", "setMode", "schedule", "cancelSchedule", "setProjectContext", "renameSession", "forkSession", "listSessions",
	} {
		for _, v := range wrong {
			f := p.call(method, v)
			if inside.Match(f.Error) {
				s.errorf("%s(%.60v) tells of the program: %s", method, v, f.Error)
			}
		}
		many := make([]any, 5000)
		if f := p.call(method, many...); inside.Match(f.Error) {
			s.errorf("%s with 5000 arguments tells of the program: %s", method, f.Error)
		}
	}
	f := p.call("approvals")
	if !f.Success {
		s.errorf("after all that approvals are answered %s", f.Error)
	}
	page := s.join("rpc", http.Header{"Origin": {"http://" + s.addr}})
	defer page.close()
	for _, mode := range []string{"full", "auto", "edit"} {
		if f := page.call("setMode", mode); f.Success {
			s.errorf("a page has loosened the mode to %s: %s", mode, f.Result)
		}
	}
	if f := page.call("schedule", map[string]any{"prompt": "x", "in": "1h"}); f.Success {
		s.errorf("a page has planned")
	}
	for _, state := range []string{`{"mode":"full"}`, `{"workdir":"/"}`, `{"pending":[]}`, `{"title":` + fmt.Sprintf("%q", strings.Repeat("x", 100<<10)) + `}`, `[]`, `"x"`, `{"rules":["allow bash(*)"]}`} {
		page.send(`{"type":"cf_agent_state","state":` + state + `}`)
		page.until(func(f frame) bool { return f.Type == "cf_agent_state_error" })
	}
	var session struct {
		Sessions []struct{ Name, Mode, Workdir string }
	}
	_, body, _ := s.request(s.t.Context(), "GET", "/host/sessions", s.bearer(), "")
	s.must(json.Unmarshal(body, &session))
	for _, have := range session.Sessions {
		if slices.Contains([]string{"full", "auto", "edit"}, have.Mode) || have.Workdir == "/" {
			s.errorf("session %s is in mode %s and folder %s", have.Name, have.Mode, have.Workdir)
		}
	}
}
