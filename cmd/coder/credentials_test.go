package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/adrg/xdg"

	"github.com/coder-agent/coder/agent/openrouter/openroutertest"
	"github.com/coder-agent/coder/agent/secret"
)

// A fakeRing is a keyring in memory that can refuse.
type fakeRing struct {
	values map[string]string
	err    error
	asked  int
}

func (r *fakeRing) meet() error {
	r.asked++
	return r.err
}

func (r *fakeRing) Get(account string) (string, error) {
	err := r.meet()
	value, ok := r.values[account]
	if err == nil && !ok {
		err = errNoEntry
	}
	return value, err
}

func (r *fakeRing) Set(account, value string) error {
	if err := r.meet(); err != nil {
		return err
	}
	r.values[account] = value
	return nil
}

func (r *fakeRing) Delete(account string) error {
	if err := r.meet(); err != nil {
		return err
	}
	delete(r.values, account)
	return nil
}

// user is somebody with a home, a keyring and an environment. It runs commands in this process.
type user struct {
	ring           *fakeRing
	env            map[string]string
	stdin          string
	stdout, stderr bytes.Buffer
}

func newUser(t *testing.T) *user {
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	t.Setenv("XDG_DATA_HOME", home)
	xdg.Reload()
	t.Cleanup(xdg.Reload)
	return &user{ring: &fakeRing{values: map[string]string{}}, env: map[string]string{}}
}

func (u *user) world() world {
	w := world{
		stdin: strings.NewReader(u.stdin), stdout: &u.stdout, stderr: &u.stderr, signals: make(chan os.Signal), exit: os.Exit,
		getenv: func(name string) string { return u.env[name] }, environ: func() []string { return nil },
	}
	if u.ring != nil {
		w.keyring = u.ring
	}
	return w
}

func (u *user) coder(t *testing.T, args ...string) int {
	t.Helper()
	u.stdout.Reset()
	u.stderr.Reset()
	return run(t.Context(), args, u.world())
}

func TestAKeyIsKeptInTheKeyring(t *testing.T) {
	const key = "sk-or-v1-issued-0123456789"
	u := newUser(t)
	s := openroutertest.New()
	s.Issue(key)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	u.env["OPENROUTER_BASE_URL"], u.stdin = s.URL(), key+"\n"
	if code := u.coder(t, "login", "--paste"); code != 0 || u.ring.values[s.URL()] != key {
		t.Fatalf("login exits with %d, and the keyring has %v: %s", code, u.ring.values, u.stderr.String())
	}
	data, err := os.ReadFile(credentialsFile())
	if err != nil || strings.Contains(string(data), key) {
		t.Errorf("the file has %s, %v", data, err)
	}

	asked := u.ring.asked
	if code := u.coder(t, "config"); code != 0 || !strings.Contains(u.stdout.String(), "set") || !strings.Contains(u.stdout.String(), keyringName) {
		t.Errorf("config exits with %d: %s", code, u.stdout.String())
	}
	u.env[keyVar] = "sk-or-v1-from-the-environment"
	a := &app{world: u.world(), secrets: &secret.Set{}}
	c := config{BaseURL: s.URL(), Key: u.env[keyVar]}
	if err := a.findKey(t.Context(), &c); err != nil || c.key() != u.env[keyVar] || u.ring.asked != asked {
		t.Errorf("with a key in the environment: %v, %d questions to the keyring", err, u.ring.asked-asked)
	}
	c = config{BaseURL: "https://models.example.com/v1"}
	if err := a.findKey(t.Context(), &c); err != nil || c.key() != "" || u.ring.asked != asked {
		t.Errorf("for another provider: %q, %v", c.key(), err)
	}
	c = config{BaseURL: s.URL()}
	if err := a.findKey(t.Context(), &c); err != nil || c.key() != key {
		t.Errorf("without: %q, %v", c.key(), err)
	}
	if got := a.secrets.Redact("the key is " + key); strings.Contains(got, key) {
		t.Errorf("a kept key is not redacted: %s", got)
	}

	if code := u.coder(t, "logout"); code != 0 || len(u.ring.values) != 0 {
		t.Errorf("logout exits with %d, and the keyring has %v", code, u.ring.values)
	}
	if _, err := os.Stat(credentialsFile()); !os.IsNotExist(err) {
		t.Errorf("the file is left: %v", err)
	}
}

func TestAKeyringThatDoesNotWork(t *testing.T) {
	const key = "sk-or-v1-issued-0123456789"
	u := newUser(t)
	s := openroutertest.New()
	s.Issue(key)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	u.env["OPENROUTER_BASE_URL"], u.stdin, u.ring.err = s.URL(), key, errors.New("locked, and "+key)
	if code := u.coder(t, "login", "--paste"); code != 0 {
		t.Fatalf("login exits with %d: %s", code, u.stderr.String())
	}
	if !strings.Contains(u.stderr.String(), "note: the keyring does not keep the key: locked") || !strings.Contains(u.stdout.String(), "kept in: "+credentialsFile()) || strings.Contains(u.stderr.String(), key) {
		t.Errorf("it says %s%s", u.stdout.String(), u.stderr.String())
	}
	info, err := os.Stat(credentialsFile())
	if err != nil || hasModes && info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info, err)
	}
}

// TestALockedKeyringIsNotWaitedFor: it asks a user who may not be there.
func TestALockedKeyringIsNotWaitedFor(t *testing.T) {
	u := newUser(t)
	c := credentials{}.with("https://openrouter.ai/api/v1", credential{BaseURL: "https://openrouter.ai/api/v1"})
	if err := c.write(); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		begun := time.Now()
		_, err := bounded(t.Context(), keyringWait, func() (string, error) { <-release; return "", nil })
		if took := time.Since(begun); err == nil || took != keyringWait {
			t.Errorf("after %v: %v", took, err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errInterrupted)
		if _, err := bounded(ctx, keyringWait, func() (string, error) { <-release; return "", nil }); !errors.Is(err, errInterrupted) {
			t.Errorf("interrupted: %v", err)
		}
		close(release)
	})
	u.ring.err = errors.New("it is locked")
	if code := u.coder(t, "run", "--data-dir", t.TempDir(), "hello"); code != exitFailed || !strings.Contains(u.stderr.String(), "is in the keyring of the system: it is locked") ||
		!strings.Contains(u.stderr.String(), "hint: unlock it, or: coder login --file") {
		t.Errorf("run exits with %d: %s", code, u.stderr.String())
	}
}

func TestACallbackTakesOneCodeFromOnePlace(t *testing.T) {
	c, err := listenForCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.close(t.Context())
	other, err := listenForCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer other.close(t.Context())
	get := func(method, url, host string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host // "": that of the URL
		resp, err := loopback.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if csp := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") {
			t.Errorf("%s: the policy is %q", url, csp)
		}
		return resp.StatusCode, string(body)
	}
	for _, tt := range []struct {
		name, method, url, host string
		status                  int
	}{
		{"another login's path", "GET", "http://" + c.addr() + other.path + "?code=x", "", 404},
		{"a rebound name", "GET", c.url() + "?code=x", "evil.example.com", 404},
		{"another method", "POST", c.url() + "?code=x", "", 405},
		{"no code", "GET", c.url(), "", 400},
		{"the code", "GET", c.url() + "?code=%3Cscript%3E", "", 200},
		{"a second code", "GET", c.url() + "?code=y", "", 410},
	} {
		status, body := get(tt.method, tt.url, tt.host)
		if status != tt.status || strings.Contains(body, "<") {
			t.Errorf("%s: %d, %s", tt.name, status, body)
		}
	}
	if code, err := c.wait(t.Context(), time.Minute); err != nil || code != "<script>" {
		t.Errorf("the code is %q, %v", code, err)
	}
	if status, _ := get("GET", other.url()+"?error=access_denied", ""); status != 200 {
		t.Errorf("a no: %d", status)
	}
	if _, err := other.wait(t.Context(), time.Minute); err == nil || !strings.Contains(err.Error(), "access_denied") {
		t.Errorf("a no: %v", err)
	}
	if _, err := other.wait(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "no browser came back") {
		t.Errorf("nobody: %v", err)
	}
}

func TestSecretVariables(t *testing.T) {
	environ := []string{
		"PATH=/bin", "MY_SERVICE_TOKEN=abc-123-def-456", "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", "POSTGRES_PASSWORD=postgres",
		"DATABASE_URL=postgres://bob:hunter-22-hunter@db/x", "PGPASSWORD=long-enough-1", "EDITOR=vi", "PWD=/home/bob/project", "GITHUB_TOKEN=", "LISTED_TOKEN=never-passed-on-1",
		"LISTED_PASSWORD=passed-on-to-commands",
	}
	s := &secret.Set{}
	learnSecrets(s, environ, []string{"LISTED_*"})
	for text, want := range map[string]string{
		"abc-123-def-456":           "[redacted: MY_SERVICE_TOKEN]",
		"wJalrXUtnFEMI/K7MDENG":     "[redacted: AWS_SECRET_ACCESS_KEY]",
		"role postgres in postgres": "role postgres in postgres",
		"psql -W hunter-22-hunter":  "psql -W [redacted: DATABASE_URL]",
		"long-enough-1":             "[redacted: PGPASSWORD]",
		"/home/bob/project/main.go": "/home/bob/project/main.go",
		"never-passed-on-1":         "[redacted: LISTED_TOKEN]",
		"passed-on-to-commands":     "passed-on-to-commands",
	} {
		if got := s.Redact(text); got != want {
			t.Errorf("Redact(%q) = %q, want %q", text, got, want)
		}
	}
	if got := strings.Join(withoutSecrets(environ), " "); got != "PATH=/bin EDITOR=vi PWD=/home/bob/project GITHUB_TOKEN=" {
		t.Errorf("a browser gets %s", got)
	}
}

// A project cannot choose to whom the key goes, in whatever file it tries.
func TestAProjectCannotChooseTheProvider(t *testing.T) {
	u := newUser(t)
	dir := t.TempDir()
	t.Chdir(dir)
	for path, text := range map[string]string{
		".coder/config.json": `{"baseURL": "http://127.0.0.1:1/v1", "key": "x", "addr": "0.0.0.0:1"}`,
		"coder/config.json":  `{"baseURL": "http://127.0.0.1:1/v1"}`,
		"config.json":        `{"baseURL": "http://127.0.0.1:1/v1"}`,
		".env":               "OPENROUTER_BASE_URL=http://127.0.0.1:1/v1\nHTTPS_PROXY=http://127.0.0.1:1\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if code := u.coder(t, "config"); code != 0 || !strings.Contains(u.stdout.String(), defaultBaseURL) || strings.Contains(u.stdout.String(), ":1/v1") || strings.Contains(u.stdout.String(), "0.0.0.0") {
		t.Errorf("config exits with %d: %s%s", code, u.stdout.String(), u.stderr.String())
	}
}
