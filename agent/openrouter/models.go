package openrouter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coder-agent/coder/agent/chat"
)

// How long the list of models counts, and how long one that could not be had is not asked for again.
const (
	modelsFor   = time.Hour
	noModelsFor = 5 * time.Minute
	modelsWait  = 10 * time.Second
	mostModels  = 32 << 20 // bytes
)

// A catalog is the server's list of models, as it was last.
type catalog struct {
	turn   chan struct{} // a token for whoever asks or looks
	models map[string]chat.ModelInfo
	err    error
	until  time.Time
}

func newCatalog() *catalog {
	c := &catalog{turn: make(chan struct{}, 1)}
	c.turn <- struct{}{}
	return c
}

// Describe tells what the server's list says of a model; "" is the Client's own. It asks the server at most once an hour,
// and waits for it at most ten seconds. Only of OpenRouter it is certain that what is not in the list does not exist.
func (c *Client) Describe(ctx context.Context, id string) (chat.ModelInfo, error) {
	k := c.catalog
	select {
	case <-k.turn:
		defer func() { k.turn <- struct{}{} }()
	case <-ctx.Done():
		return chat.ModelInfo{}, context.Cause(ctx)
	}
	if now := c.opts.Now(); !now.Before(k.until) {
		k.models, k.err = c.listModels(ctx)
		k.until = now.Add(modelsFor)
		if k.err != nil {
			k.until = now.Add(noModelsFor)
		}
		if errors.Is(ctx.Err(), context.Canceled) {
			k.until = now // that was not the server's fault
		}
	}
	if k.err != nil {
		return chat.ModelInfo{}, k.err
	}
	return k.find(defaultTo(id, c.opts.Model), c.openrouter), nil
}

// find looks for the id, and without the variant behind a colon: lists name only some. Routers, presets and aliases are
// in no list.
func (k *catalog) find(id string, complete bool) chat.ModelInfo {
	info, ok := k.models[id]
	if !ok {
		plain, _, _ := strings.Cut(id, ":")
		info, ok = k.models[plain]
	}
	special := strings.HasPrefix(id, "~") || strings.HasPrefix(id, "@") || strings.HasPrefix(id, "openrouter/")
	info.Missing = !ok && complete && !special && len(k.models) > 0
	return info
}

type modelJSON struct {
	ID      string `json:"id"`
	Slug    string `json:"canonical_slug"`
	Context int    `json:"context_length"`
	Most    int    `json:"max_model_len"` // of vLLM
	Top     struct {
		Context int `json:"context_length"` // may be smaller: budget with that
	} `json:"top_provider"`
	Architecture struct {
		Inputs []string `json:"input_modalities"` // such as text, image, file; absent with other servers
	} `json:"architecture"`
}

// listModels asks for the list: of each model what it takes, as far as it says.
func (c *Client) listModels(ctx context.Context) (map[string]chat.ModelInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, modelsWait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.String()+"/models", nil)
	if err != nil {
		return nil, fmt.Errorf("openrouter: asking for the models: %w", err)
	}
	if c.opts.Key != "" {
		req.Header.Set("Authorization", "Bearer "+c.opts.Key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("openrouter: asking %s for its models: %w", c.base.Host, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("openrouter: asking %s for its models: %s", c.base.Host, resp.Status)
	}
	var list struct {
		Data []modelJSON `json:"data"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, mostModels)).Decode(&list); err != nil {
		return nil, fmt.Errorf("openrouter: reading the models of %s: %w", c.base.Host, err)
	}
	models := make(map[string]chat.ModelInfo, len(list.Data))
	for _, m := range list.Data {
		window := defaultTo(m.Context, m.Most)
		if m.Top.Context > 0 {
			window = min(defaultTo(window, m.Top.Context), m.Top.Context)
		}
		inputs := m.Architecture.Inputs
		info := chat.ModelInfo{Window: max(window, 0), Blind: len(inputs) > 0 && !slices.Contains(inputs, "image")}
		for _, id := range []string{m.Slug, m.ID} {
			if id != "" {
				models[id] = info
			}
		}
	}
	return models, nil
}
