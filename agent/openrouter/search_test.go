package openrouter

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/openrouter/openroutertest"
)

func TestASearchIsOneRequestOfItsOwn(t *testing.T) {
	c, s := serve(t, openroutertest.Response{
		Text: "done", Cost: 0.012, Usage: &openroutertest.Usage{Prompt: 900, Completion: 2},
		Sources: []openroutertest.Source{
			{URL: "https://example.com/a", Title: "A", Content: "one"},
			{URL: "https://example.com/a", Title: "again"},
			{URL: "file:///x"},
			{URL: "https://example.com/b"},
			{URL: "https://example.com/c"},
		},
	})
	got, cost, err := c.Search(t.Context(), "small/model", "gophers", 2)
	want := []Found{{"https://example.com/a", "A", "one"}, {"https://example.com/b", "", ""}}
	if err != nil || !reflect.DeepEqual(got, want) || cost != (chat.Usage{Input: 900, Output: 2, Cost: 0.012}) {
		t.Errorf("Search gives %+v, %+v, %v", got, cost, err)
	}
	r := s.Requests()[0]
	if r.Model != "small/model" || r.Last() != "gophers" || len(r.Messages) != 1 || !reflect.DeepEqual(r.Plugins, []openroutertest.Plugin{{ID: "web", Engine: "exa", Results: 2}}) {
		t.Errorf("the request is %s", r.Body)
	}
	if got := r.Header.Get("Authorization"); got != "Bearer sk-or-v1-secret" || strings.Contains(string(r.Body), "secret") {
		t.Errorf("the key goes out as %q, with %s", got, r.Body)
	}
}

func TestASearchThatIsRefusedSaysWhy(t *testing.T) {
	for fault, status := range map[string]int{"401": 401, "402": 402, "429": 429, "500": 500, "html": 0} {
		c, s := serve(t, openroutertest.Response{Fault: fault, RetryAfter: 7})
		_, _, err := c.Search(t.Context(), "", "gophers", 2)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Status != status || len(s.Requests()) != 1 {
			t.Errorf("%s gives %v after %d requests", fault, err, len(s.Requests()))
		}
		if fault == "429" && !strings.Contains(e.Hint(), "7s") {
			t.Errorf("429 hints %q", e.Hint())
		}
	}
	c, _ := serve(t)
	ended, stop := context.WithCancelCause(t.Context())
	stop(errStopped)
	if _, _, err := c.Search(ended, "", "gophers", 2); !errors.Is(err, errStopped) {
		t.Errorf("a search that was stopped gives %v", err)
	}
}
