package openrouter

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// A Login gets a key with the user's yes in a browser: OAuth with PKCE, as OpenRouter has it. The code that the browser
// brings back is of no use to anybody without the verifier, which does not leave this process until then.
type Login struct {
	client   *Client
	verifier string
}

// ErrNoLogin says that the provider has no login in a browser.
var ErrNoLogin = errors.New("openrouter: this provider has no login in a browser")

// Login begins a login. The Client needs no key. For a server that is neither OpenRouter nor on this machine it is
// ErrNoLogin.
func (c *Client) Login() (*Login, error) {
	if !c.openrouter && !local(c.base.Hostname()) {
		return nil, ErrNoLogin
	}
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // never fails
	return &Login{client: c, verifier: base64.RawURLEncoding.EncodeToString(secret[:])}, nil
}

// URL is the page on which the user says yes; label names the key there. The browser then goes to callback, with the
// code in its query.
func (l *Login) URL(callback, label string) string {
	sum := sha256.Sum256([]byte(l.verifier))
	page := url.URL{Scheme: l.client.base.Scheme, Host: l.client.base.Host, Path: "/auth"}
	page.RawQuery = url.Values{
		"callback_url":          {callback},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(sum[:])},
		"code_challenge_method": {"S256"},
		"key_label":             {label},
	}.Encode()
	return page.String()
}

// Redeem gives the code for a key. A code works once and for ten minutes.
func (l *Login) Redeem(ctx context.Context, code string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, keyWait)
	defer cancel()
	body, err := json.Marshal(struct {
		Code     string `json:"code"`
		Verifier string `json:"code_verifier"`
		Method   string `json:"code_challenge_method"`
	}{code, l.verifier, "S256"})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.client.base.String()+"/auth/keys", bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("openrouter: asking for the key: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	var answer struct {
		Key string `json:"key"`
	}
	if err := l.client.exchange(req, &answer); err != nil {
		return "", err
	}
	if answer.Key == "" {
		return "", l.client.failure(unstreamed, l.client.base.Host+" gives no key for the code")
	}
	return answer.Key, nil
}
