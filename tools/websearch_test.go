package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/secret"
)

// searxngServer is a SearXNG server of this machine that answers by the query.
func searxngServer(t *testing.T) *Search {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/sub/search" || r.URL.Query().Get("format") != "json" || len(r.Header["Cookie"])+len(r.Header["Authorization"]) > 0 {
			t.Errorf("asked %s with %v", r.URL, r.Header)
		}
		switch q := r.URL.Query().Get("q"); q {
		case "is sk-secret-value-1 a key":
			t.Error("a secret was sent")
		case "forbidden":
			w.WriteHeader(http.StatusForbidden)
		case "limit":
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
		case "redirect":
			http.Redirect(w, r, "http://example.com/", http.StatusFound)
		case "html":
			fmt.Fprint(w, "<html>")
		case "empty":
			fmt.Fprint(w, `{"results":[]}`)
		case "many":
			var list []string
			for i := range 50 {
				list = append(list, fmt.Sprintf(`{"url":"https://example.com/%d","title":"%s","content":"%s"}`, i, strings.Repeat("t", 5000), strings.Repeat("c ", 5000)))
			}
			fmt.Fprintf(w, `{"results":[%s]}`, strings.Join(list, ","))
		default:
			fmt.Fprint(w, `{"results":[{"url":"javascript:alert(1)","title":"x"},{"url":"https://example.com/a","title":"A\u202eB","content":"one\n\ntwo sk-secret-value-1"},{"url":"https://example.com/b","title":" "}]}`)
		}
	}))
	t.Cleanup(server.Close)
	return SearXNG(server.URL + "/sub/")
}

func TestASearchOfSearXNG(t *testing.T) {
	s, where := newSession(t), searxngServer(t)
	s.secrets = new(secret.Set)
	s.secrets.AddKey("key", "sk-secret-value-1")
	for query, want := range map[string]string{
		"go":    "1. A\\u202eB\n   https://example.com/a\n   one two [redacted: key]\n2. (no title)\n   https://example.com/b",
		"empty": `nothing was found for "empty"; try fewer or other words`,
	} {
		if got := must(t, s, where.search, `{"query":" `+query+` "}`); got != want {
			t.Errorf("%s gives %q, want %q", query, got, want)
		}
	}
	must(t, s, where.search, `{"query":"is sk-secret-value-1 a key"}`)
	if got := must(t, s, where.search, `{"query":"many","n":"20"}`); len(got) > 20*600 || strings.Count(got, "https://") != 20 {
		t.Errorf("many results take %d bytes: %.300s", len(got), got)
	}
	for query, want := range map[string]string{
		"forbidden": `answers 403: its settings.yml must allow "json" under search.formats`,
		"limit":     "answers 429, too many searches: wait 7 seconds before the next",
		"redirect":  "answers 302 Found: look at its log",
		"html":      "does not answer as a SearXNG server does",
	} {
		if _, err := do(t, s, where.search, `{"query":"`+query+`"}`); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gives %v, want %q", query, err, want)
		}
	}
	gone := SearXNG("http://127.0.0.1:1")
	if _, err := do(t, s, gone.search, `{"query":"go"}`); err == nil || !strings.Contains(err.Error(), "http://127.0.0.1:1 could not be reached") {
		t.Errorf("a server that is not there gives %v", err)
	}
	for input, want := range map[string]string{
		`{"query":" "}`: `the argument "query" is empty`,
		`{"query":"` + strings.Repeat("x", 401) + `"}`: "longer than 400 characters",
		`{}`: `"query"`,
	} {
		if _, err := do(t, s, where.search, input); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s gives %v, want %q", input, err, want)
		}
	}
}

// TestASearchIsJudgedByItsHost: the user's config names it, so it may be of this machine, and nothing a model says leads elsewhere.
func TestASearchIsJudgedByItsHost(t *testing.T) {
	tool := WebSearch(&Search{URL: "http://127.0.0.1:8888"})
	input := json.RawMessage(`{"query":"go","url":"http://169.254.169.254/"}`)
	judge := func(mode permission.Mode, rules ...string) permission.Verdict {
		t.Helper()
		p := permission.Policy{Mode: mode, Level: 3}
		for _, text := range rules {
			r, err := permission.ParseRule(text, "test")
			if err != nil {
				t.Fatal(err)
			}
			p.Rules = append(p.Rules, r)
		}
		return tool.Judge(input, p)
	}
	if v := judge(permission.ModeAuto); v.Decision != permission.Ask || v.Always != "allow web_search(127.0.0.1:8888)" || v.Reason != "what it asks goes to 127.0.0.1:8888" {
		t.Errorf("in mode auto: %+v", v)
	}
	for _, tt := range []struct {
		mode  permission.Mode
		rules []string
		want  permission.Decision
	}{
		{permission.ModeAuto, []string{"allow web_search(127.0.0.1:8888)"}, permission.Allow},
		{permission.ModeAuto, []string{"allow web_search(127.0.0.1:8888)", "deny web_search(127.0.0.1:8888)"}, permission.Deny},
		{permission.ModeAuto, []string{"allow web_search(openrouter.ai)", "allow fetch(example.com)"}, permission.Ask},
		{permission.ModePlan, []string{"allow web_search(127.0.0.1:8888)"}, permission.Deny},
		{permission.ModeFull, nil, permission.Allow},
	} {
		if v := judge(tt.mode, tt.rules...); v.Decision != tt.want {
			t.Errorf("in mode %s with %q: %+v, want %s", tt.mode, tt.rules, v, tt.want)
		}
	}
	fetch := json.RawMessage(`{"url":"http://127.0.0.1:8888/search?q=x"}`)
	if v := Fetch(nil).Judge(fetch, permission.Policy{Mode: permission.ModeFull, Level: 3}); v.Decision != permission.Deny {
		t.Errorf("fetch may go where searches go: %+v", v)
	}
}

// TestASearchThatFailsTellsWhatToDo: and what one has cost comes with its result.
func TestASearchThatFailsTellsWhatToDo(t *testing.T) {
	s := newSession(t)
	where := &Search{URL: "https://openrouter.ai/api/v1", Run: func(_ context.Context, query string, n int) ([]Found, chat.Usage, error) {
		if query == "fail" {
			return nil, chat.Usage{}, errors.New("402: no credit (add some)")
		}
		return make([]Found, n+3), chat.Usage{Cost: 0.5}, nil
	}}
	if _, err := do(t, s, where.search, `{"query":"fail"}`); err == nil || err.Error() != "the search failed: 402: no credit (add some); go on without it, or tell the user" {
		t.Errorf("a failed search gives %v", err)
	}
	got, err := do(t, s, where.search, `{"query":"x","n":2}`)
	if err != nil || got.Usage.Cost != 0.5 || strings.Contains(got.Text, "3.") {
		t.Errorf("a search gives %+v, %v", got, err)
	}
}
