package openrouter

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent/openrouter/openroutertest"
)

const issued = "sk-or-v1-issued-0123456789abcdef"

// browse goes where the login sends the user and returns the code that the browser brings back.
func browse(t *testing.T, l *Login) string {
	t.Helper()
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := browser.Get(l.URL("http://127.0.0.1:1/callback/state", "coder"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	back, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || back.Path != "/callback/state" || back.Query().Get("code") == "" {
		t.Fatalf("the browser is sent to %v, %v", back, err)
	}
	return back.Query().Get("code")
}

func TestLogin(t *testing.T) {
	c, s := serve(t)
	s.Issue(issued)
	l, err := c.Login()
	if err != nil {
		t.Fatal(err)
	}
	code := browse(t, l)
	other, err := c.Login()
	if err != nil {
		t.Fatal(err)
	}
	if key, err := l.Redeem(t.Context(), code); err != nil || key != issued {
		t.Errorf("the key is %q, %v", key, err)
	}
	for name, redeem := range map[string]func() (string, error){
		"a code for the second time": func() (string, error) { return l.Redeem(t.Context(), code) },
		"the code of another login":  func() (string, error) { return other.Redeem(t.Context(), browse(t, l)) },
		"a made-up code":             func() (string, error) { return l.Redeem(t.Context(), "made-up") },
	} {
		key, err := redeem()
		if e, ok := errors.AsType[*Error](err); !ok || e.Status != http.StatusForbidden || key != "" {
			t.Errorf("%s gives %q, %v", name, key, err)
		}
	}
	if _, err := client(t, Options{BaseURL: "https://models.example.com/v1"}).Login(); !errors.Is(err, ErrNoLogin) {
		t.Errorf("another provider: %v", err)
	}
	u, err := url.Parse(l.URL("http://127.0.0.1:1/", "coder"))
	if err != nil || strings.Contains(u.String(), l.verifier) || len(u.Query().Get("code_challenge")) != 43 {
		t.Errorf("the page is %v, %v", u, err)
	}
	page, err := client(t, Options{}).Login()
	if err != nil || !strings.HasPrefix(page.URL("http://127.0.0.1:1/", "coder"), "https://openrouter.ai/auth?") {
		t.Errorf("OpenRouter's page is %s, %v", page.URL("http://127.0.0.1:1/", "coder"), err)
	}
}

func TestWhatAKeyMayDo(t *testing.T) {
	_, s := serve(t)
	s.Issue(issued)
	k, err := client(t, Options{Key: issued, BaseURL: s.URL()}).Key(t.Context())
	if err != nil || *k.Limit != 10 || *k.Remaining != 7.5 || k.Usage != 2.5 || k.Reset != "monthly" {
		t.Errorf("got %+v, %v", k, err)
	}
	for name, tt := range map[string]struct {
		serve  http.HandlerFunc
		status int
	}{
		"a key that is unknown":     {s.ServeHTTP, 401},
		"a server without the page": {openroutertest.New().ServeHTTP, 404},
		"a page of something else":  {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, 404},
		"JSON of something else":    {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }, 404},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, 307},
	} {
		other := httptest.NewServer(tt.serve)
		_, err := client(t, Options{BaseURL: other.URL + "/api/v1"}).Key(t.Context())
		if e, ok := errors.AsType[*Error](err); !ok || e.Status != tt.status {
			t.Errorf("%s: %v", name, err)
		}
		other.Close()
	}
}

// TestNoRequestWithTheKeyIsRedirected: each of our requests is answered with a redirect to the same server, and to
// another. Neither is followed.
func TestNoRequestWithTheKeyIsRedirected(t *testing.T) {
	for _, target := range []string{"/again", "http://localhost:1/elsewhere", "https://openrouter.ai/api/v1/models"} {
		var asked []string
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.URL.Path)
			http.Redirect(w, r, target, http.StatusTemporaryRedirect)
		}))
		c := client(t, Options{BaseURL: s.URL, Retries: 1})
		l, err := c.Login()
		if err != nil {
			t.Fatal(err)
		}
		_, chatErr := ask(t, c)
		_, modelsErr := c.Describe(t.Context(), "")
		_, keyErr := c.Key(t.Context())
		_, loginErr := l.Redeem(t.Context(), "code")
		for _, err := range []error{chatErr, modelsErr, keyErr, loginErr} {
			if err == nil || !strings.Contains(err.Error(), "307") {
				t.Errorf("to %s: %v", target, err)
			}
		}
		if got := strings.Join(asked, " "); got != "/chat/completions /models /key /auth/keys" {
			t.Errorf("to %s: asked for %s", target, got)
		}
		s.Close()
	}
}
