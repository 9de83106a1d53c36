package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// guard decides who may come in, before anything else looks at a request. Host, Origin and token are each sufficient to
// refuse: the first stops a rebound name, the second a page in the user's browser, the third everybody else.
type guard struct {
	hosts   []string
	origins []string
	token   [sha256.Size]byte
}

func newGuard(opts Options, addr string) guard {
	g := guard{token: sha256.Sum256([]byte(opts.Token))}
	host, port, err := net.SplitHostPort(addr)
	if err == nil {
		g.hosts = []string{"127.0.0.1:" + port, "localhost:" + port, "[::1]:" + port}
		if ip := net.ParseIP(host); ip != nil && !ip.IsUnspecified() && !ip.IsLoopback() {
			g.hosts = append(g.hosts, addr)
		}
	}
	for _, h := range g.hosts {
		g.origins = append(g.origins, "http://"+h)
	}
	g.hosts = append(g.hosts, opts.AllowHosts...)
	g.origins = append(g.origins, opts.AllowOrigins...)
	return g
}

// place checks where a request was sent and where it comes from. It returns 0 or the status that refuses it.
func (g *guard) place(r *http.Request) int {
	if !strings.HasPrefix(r.RequestURI, "/") {
		return http.StatusBadRequest // absolute form, authority form and *
	}
	if !slices.Contains(g.hosts, r.Host) {
		return http.StatusForbidden
	}
	origins := r.Header["Origin"]
	if len(origins) > 0 && !g.allowsOrigin(r) {
		return http.StatusForbidden
	}
	for _, site := range r.Header["Sec-Fetch-Site"] {
		if site != "same-origin" && site != "none" && len(origins) == 0 {
			return http.StatusForbidden
		}
	}
	return 0
}

// allowsOrigin reports whether the request has exactly one Origin and it is on the list.
func (g *guard) allowsOrigin(r *http.Request) bool {
	origins := r.Header["Origin"]
	return len(origins) == 1 && slices.Contains(g.origins, origins[0])
}

// The subprotocols with which a browser page that cannot set headers may carry the token.
const (
	subprotocol  = "coder"
	bearerPrefix = "bearer."
)

// knows reports whether the request shows the token in exactly one of its three places, once.
func (g *guard) knows(r *http.Request) bool {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return false
	}
	shown := slices.Clone(query["token"])
	for _, v := range r.Header["Authorization"] {
		scheme, token, _ := strings.Cut(v, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return false
		}
		shown = append(shown, token)
	}
	named := false
	for _, p := range subprotocols(r) {
		named = named || p == subprotocol
		if token, ok := strings.CutPrefix(p, bearerPrefix); ok {
			if !named || !upgrades(r) {
				return false
			}
			shown = append(shown, token)
		}
	}
	if len(shown) != 1 {
		return false
	}
	got := sha256.Sum256([]byte(shown[0]))
	return subtle.ConstantTimeCompare(got[:], g.token[:]) == 1
}

func subprotocols(r *http.Request) []string {
	var list []string
	for _, v := range r.Header["Sec-Websocket-Protocol"] {
		for p := range strings.SplitSeq(v, ",") {
			list = append(list, strings.TrimSpace(p))
		}
	}
	return list
}

// upgrades reports whether the request wants to become a WebSocket.
func upgrades(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// share lets a page of an allowed origin read the answer. It reports whether the request was a preflight and has its
// answer.
func (g *guard) share(w http.ResponseWriter, r *http.Request) bool {
	if len(r.Header["Origin"]) == 0 {
		return false
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	h.Set("Access-Control-Allow-Origin", r.Header.Get("Origin")) // place has checked it
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
	w.WriteHeader(http.StatusNoContent)
	return true
}
