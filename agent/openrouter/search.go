package openrouter

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/coder-agent/coder/agent/chat"
)

const (
	searchWait       = 60 * time.Second // for the results
	mostSearchAnswer = 4 << 20          // bytes
	// searchOutput is how many tokens the model may answer: it is the results that are wanted. Some providers take no less.
	searchOutput = 16
)

// A Found is a page that a search has found.
type Found struct{ URL, Title, Text string }

// Search has the provider search the web, once, for the words of the query, and returns at most n pages and what all of it
// cost. It is a request of its own, with the plugin "web" and the engine named, because that alone searches once, for just these words, and
// bills them in the usage of its answer; a server tool in the model's own requests would search unasked, unjudged and as often as
// the model likes. model answers in a few tokens; "" is the Client's. An error is an *Error; nothing is sent again.
//
// Source: OpenRouter's documentation, guides/features/plugins/web-search: results come as url_citation annotations.
func (c *Client) Search(ctx context.Context, model, query string, n int) ([]Found, chat.Usage, error) {
	ctx, cancel := context.WithTimeout(ctx, searchWait)
	defer cancel()
	body, err := json.Marshal(searchRequest{
		Model: defaultTo(model, c.opts.Model), Messages: []searchMessage{{"user", query}}, MaxTokens: searchOutput,
		Plugins: []searchPlugin{{ID: "web", Engine: "exa", Results: n, Prompt: "Results of a web search. Answer with the word done."}},
	})
	if err != nil {
		return nil, chat.Usage{}, fmt.Errorf("openrouter: asking for a search: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base.String()+"/chat/completions", bytes.NewReader(body))
	if err != nil {
		return nil, chat.Usage{}, fmt.Errorf("openrouter: asking for a search: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if c.opts.Key != "" {
		req.Header.Set("Authorization", "Bearer "+c.opts.Key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, chat.Usage{}, c.unreachable(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, chat.Usage{}, c.refused(resp, resp.Body)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, mostSearchAnswer))
	if err != nil {
		return nil, chat.Usage{}, c.unreachable(ctx, err)
	}
	return c.found(resp, raw, n)
}

type searchRequest struct {
	Model     string          `json:"model"`
	Messages  []searchMessage `json:"messages"`
	MaxTokens int             `json:"max_tokens"`
	Plugins   []searchPlugin  `json:"plugins"`
}

type searchMessage struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type searchPlugin struct {
	ID      string `json:"id"`
	Engine  string `json:"engine"`
	Results int    `json:"max_results"`
	Prompt  string `json:"search_prompt"`
}

// found reads the answer to a search.
func (c *Client) found(resp *http.Response, raw []byte, n int) ([]Found, chat.Usage, error) {
	var answer struct {
		Error   json.RawMessage `json:"error"`
		Usage   *usage          `json:"usage"`
		Choices []struct {
			Error   json.RawMessage `json:"error"`
			Message struct {
				Annotations []annotation `json:"annotations"`
			} `json:"message"`
		} `json:"choices"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		e := c.failure(unstreamed, c.base.Host+" answers a search without JSON")
		e.cause = err
		return nil, chat.Usage{}, e
	}
	var spent chat.Usage
	if answer.Usage != nil {
		spent = answer.Usage.chat()
	}
	if len(present(answer.Error)) > 0 {
		return nil, spent, c.refused(resp, bytes.NewReader(raw))
	}
	var pages []Found
	seen := map[string]bool{}
	for _, choice := range answer.Choices {
		for _, a := range choice.Message.Annotations {
			if where := a.Citation.URL; a.Type == "url_citation" && webPage(where) && !seen[where] && len(pages) < n {
				seen[where] = true
				pages = append(pages, Found{URL: where, Title: a.Citation.Title, Text: a.Citation.Content})
			}
		}
	}
	return pages, spent, nil
}
