package openrouter

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	keyWait       = 30 * time.Second // for an answer about a key
	mostKeyAnswer = 64 << 10         // bytes
)

// A Key is what the provider says of the key that a Client uses. Amounts are US dollars.
type Key struct {
	Label     string    `json:"label"`
	Limit     *float64  `json:"limit"` // nil: none of the key's own
	Remaining *float64  `json:"limit_remaining"`
	Reset     string    `json:"limit_reset"` // when the limit begins anew, such as "monthly"; "" never
	Usage     float64   `json:"usage"`
	FreeTier  bool      `json:"is_free_tier"` // the account has never bought credits
	Expires   time.Time `json:"expires_at,omitzero"`
}

// Key asks what the key may do. An *Error with status 401 says that the provider does not know it, one with 404 or 405
// that it tells nothing of keys: that is OpenRouter's own.
func (c *Client) Key(ctx context.Context) (Key, error) {
	ctx, cancel := context.WithTimeout(ctx, keyWait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.String()+"/key", nil)
	if err != nil {
		return Key{}, fmt.Errorf("openrouter: asking about the key: %w", err)
	}
	if c.opts.Key != "" {
		req.Header.Set("Authorization", "Bearer "+c.opts.Key)
	}
	var answer struct {
		Data *Key `json:"data"`
	}
	if err := c.exchange(req, &answer); err != nil {
		return Key{}, err
	}
	if answer.Data == nil {
		e := c.failure(unstreamed, c.base.Host+" says nothing of the key")
		e.Status = http.StatusNotFound // as from a server without such a page
		return Key{}, e
	}
	return *answer.Data, nil
}

// exchange sends the request and decodes the answer, which is JSON.
func (c *Client) exchange(req *http.Request, answer any) error {
	resp, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(req.Context(), err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return c.refused(resp, resp.Body)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, mostKeyAnswer)).Decode(answer); err != nil {
		e := c.failure(unstreamed, c.base.Host+" answers without JSON")
		e.Status, e.cause = http.StatusNotFound, err
		return e
	}
	return nil
}

// KeyPage is where OpenRouter lets the owner of a key change and revoke it. It names the key by its hash.
func KeyPage(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "https://openrouter.ai/keys/" + hex.EncodeToString(sum[:])
}
