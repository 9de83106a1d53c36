package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/openrouter"
	"github.com/coder-agent/coder/tools"
)

// searchByProvider is what webSearch says for a search by the provider; a model that answers it may follow behind a colon.
const searchByProvider = "openrouter"

// setWebSearch reads where searches go: nowhere, to the provider, or to a SearXNG server by its URL.
func setWebSearch(c *config, s string) error {
	c.WebSearch = ""
	if name, model, given := strings.Cut(s, ":"); s != "" && !(name == searchByProvider && (!given || model != "")) {
		if err := checkBaseURL(s); err != nil {
			return &hintedError{err, `write "openrouter", "openrouter:MODEL", or the URL of a SearXNG server, such as http://127.0.0.1:8888`}
		}
	}
	c.WebSearch = s
	return nil
}

// search is where web_search asks; nil: there is no such tool.
func (c config) search(provider *openrouter.Client) *tools.Search {
	name, model, _ := strings.Cut(c.WebSearch, ":")
	switch {
	case c.WebSearch == "":
		return nil
	case name != searchByProvider:
		return tools.SearXNG(c.WebSearch)
	}
	return &tools.Search{URL: c.BaseURL, Run: func(ctx context.Context, query string, n int) ([]tools.Found, chat.Usage, error) {
		pages, cost, err := provider.Search(ctx, model, query, n)
		found := make([]tools.Found, len(pages))
		for i, p := range pages {
			found[i] = tools.Found(p)
		}
		if refused, ok := errors.AsType[*openrouter.Error](err); ok && refused.Hint() != "" {
			err = fmt.Errorf("%w (%s)", err, refused.Hint())
		}
		return found, cost, err
	}}
}
