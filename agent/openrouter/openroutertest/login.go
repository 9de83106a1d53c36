package openroutertest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Issue makes the server one with keys: whoever logs in gets this one, requests with another are refused, and GET …/key
// tells of it. Without it those pages are a 404.
func (s *Server) Issue(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Key, s.codes = key, make(map[string]string)
}

// serveKeys answers what is about keys, if the server has any. It reports whether it did.
func (s *Server) serveKeys(w http.ResponseWriter, r *http.Request) bool {
	s.mu.Lock()
	issues := s.codes != nil
	s.mu.Unlock()
	switch {
	case !issues:
		return false
	case r.URL.Path == "/auth":
		s.serveAuth(w, r)
	case strings.HasSuffix(r.URL.Path, "/auth/keys"):
		s.redeem(w, r)
	case strings.HasSuffix(r.URL.Path, "/key"):
		s.serveKey(w, r)
	default:
		return false
	}
	return true
}

// serveAuth is the page on which the user says yes: it always does, and sends the browser back with a code.
func (s *Server) serveAuth(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("callback_url"))
	if err != nil || back.Hostname() != "127.0.0.1" && back.Hostname() != "localhost" || q.Get("code_challenge_method") != "S256" {
		writeError(w, http.StatusBadRequest, "callback_url or code_challenge_method is wrong", "invalid_request")
		return
	}
	s.mu.Lock()
	code := fmt.Sprintf("code-%d", len(s.codes))
	s.codes[code] = q.Get("code_challenge")
	s.mu.Unlock()
	query := back.Query()
	query.Set("code", code)
	back.RawQuery = query.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

// redeem gives the key for a code, once, to whoever knows the verifier.
func (s *Server) redeem(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		writeError(w, http.StatusMethodNotAllowed, "use POST", "")
		return
	}
	var want struct {
		Code     string `json:"code"`
		Verifier string `json:"code_verifier"`
		Method   string `json:"code_challenge_method"`
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(body, &want) != nil || want.Method != "S256" {
		writeError(w, http.StatusBadRequest, "Invalid code_challenge_method", "invalid_request")
		return
	}
	sum := sha256.Sum256([]byte(want.Verifier))
	s.mu.Lock()
	challenge, ok := s.codes[want.Code]
	s.codes[want.Code] = "" // used
	key := s.Key
	s.mu.Unlock()
	if !ok || challenge != base64.RawURLEncoding.EncodeToString(sum[:]) {
		writeError(w, http.StatusForbidden, "Invalid code or code_verifier", "permission_denied")
		return
	}
	writeJSON(w, map[string]string{"key": key, "user_id": "user_1"})
}

// serveKey tells of the key.
func (s *Server) serveKey(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+s.Key {
		writeError(w, http.StatusUnauthorized, "No auth credentials found", "authentication")
		return
	}
	writeJSON(w, map[string]any{"data": map[string]any{
		"label": "sk-or-v1-abc...123", "limit": 10, "limit_remaining": 7.5, "limit_reset": "monthly", "usage": 2.5, "is_free_tier": false,
	}})
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}
