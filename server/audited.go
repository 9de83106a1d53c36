package server

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/coder-agent/coder/agent/audit"
)

// noteRefused writes to the audit log that a request was turned away. Each status is a kind of its own there, so that
// whoever knocks again and again has one line a minute. A query string is never written down: it may hold a token.
func (s *Server) noteRefused(r *http.Request, status int, why string) {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	err := s.opts.Audit.Refuse(http.StatusText(status), audit.Entry{
		Origin: s.forLog(r.Header.Get("Origin")), Client: r.RemoteAddr,
		Why: fmt.Sprintf("%d %s: %s %s, Host %s: %s", status, http.StatusText(status), s.forLog(r.Method), s.forLog(path), s.forLog(r.Host), why),
	})
	if err != nil {
		s.opts.Logger.Error("writing the audit log", "err", err)
	}
}

// noteConnected writes to the audit log who came: what its id does from now on is told by these words.
func (s *Server) noteConnected(c *connection, r *http.Request) {
	err := s.opts.Audit.Record(audit.Entry{
		What: audit.Connected, Session: c.name, Client: c.id, Kind: c.kind, Origin: r.Header.Get("Origin"),
	})
	if err != nil {
		s.opts.Logger.Error("writing the audit log", "err", err)
	}
}
