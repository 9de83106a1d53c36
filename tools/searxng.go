package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/plain"
)

const (
	searxngTime = 30 * time.Second // for all of it
	maxSearxng  = 4 << 20          // bytes
)

// SearXNG returns a search by a SearXNG server, whose base URL the user's config names: it may be of this machine, which nothing else
// that a model says can make coder dial. No redirect is followed, and nothing but the query is sent.
//
// Source: docs.searxng.org/dev/search_api.
func SearXNG(base string) *Search {
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, TLSHandshakeTimeout: 10 * time.Second, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	base = strings.TrimRight(base, "/")
	return &Search{URL: base, Run: func(ctx context.Context, query string, n int) ([]Found, chat.Usage, error) {
		found, err := searxng(ctx, client, base, query)
		return found[:min(len(found), n)], chat.Usage{}, err
	}}
}

func searxng(ctx context.Context, client *http.Client, base, query string) ([]Found, error) {
	ctx, cancel := context.WithTimeout(ctx, searxngTime)
	defer cancel()
	where := base + "/search?" + url.Values{"q": {query}, "format": {"json"}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", base, err)
	}
	req.Header.Set("User-Agent", "coder")
	resp, err := client.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // without the URL
		}
		return nil, fmt.Errorf("%s could not be reached (%s): is it running? webSearch in the config names it", base, plain.VisibleLine(err.Error(), 200))
	}
	defer resp.Body.Close()
	if err := searxngRefusal(base, resp); err != nil {
		return nil, err
	}
	var answer struct {
		Results []struct{ URL, Title, Content string } `json:"results"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxSearxng)).Decode(&answer); err != nil {
		return nil, fmt.Errorf("%s does not answer as a SearXNG server does: webSearch in the config names it", base)
	}
	var found []Found
	for _, r := range answer.Results {
		if u, err := url.Parse(r.URL); err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") {
			found = append(found, Found{URL: r.URL, Title: r.Title, Text: r.Content})
		}
	}
	return found, nil
}

// searxngRefusal says what to do about a status that is no answer.
func searxngRefusal(base string, resp *http.Response) error {
	switch resp.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusForbidden:
		return fmt.Errorf(`%s answers 403: its settings.yml must allow "json" under search.formats`, base)
	case http.StatusTooManyRequests:
		wait := "a moment"
		if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
			wait = many(s, "second")
		}
		return fmt.Errorf("%s answers 429, too many searches: wait %s before the next", base, wait)
	}
	return fmt.Errorf("%s answers %s: look at its log", base, status(resp.StatusCode))
}
