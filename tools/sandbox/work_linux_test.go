package sandbox

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// goProject is a project whose test serves and asks on loopback.
var goProject = map[string]string{
	"go.mod":  "module example.com/work\n\ngo 1.22\n",
	"main.go": "package main\n\nfunc main() { println(\"built\") }\n",
	"main_test.go": `package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestServes(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	if resp, err := http.Get(s.URL); err != nil || resp.StatusCode != 404 {
		t.Fatal(resp, err)
	}
}
`,
	"Makefile":     "all: out\nout:\n\techo made > out\n",
	"package.json": `{"name":"work","scripts":{"test":"node serve.js"}}`,
	"serve.js": `const http = require('http')
const s = http.createServer((q, r) => r.end('served')).listen(0, '127.0.0.1', () =>
  http.get({ port: s.address().port }, r => r.on('data', d => { console.log(String(d)); s.close() })))
`,
	"hello.c": "int main(void) { return 3; }\n",
}

// TestOrdinaryWork: what developers do all day goes on in the box.
func TestOrdinaryWork(t *testing.T) {
	works(t, LevelFull)
	tests := []struct{ name, program, script, want string }{
		{"go build", "go", "go build -o app . && ./app && go vet .", "built"},
		{"go test with a server", "go", "go test ./...", "ok"},
		{"make", "make", "make && cat out", "made"},
		{"a C compiler", "gcc", "gcc -o hello hello.c; ./hello; echo $?", "3"},
		{"npm test with a server", "npm", "npm test --silent", "served"},
		{"python with processes that talk", "python3", `python3 -c 'import multiprocessing as m
p=m.Pool(2); print(sum(p.map(abs,[-1,-2])))'`, "3"},
		{"mktemp and a literal /tmp", "mktemp", "f=$(mktemp) && echo x > /tmp/literal && cat /tmp/literal && rm $f", "x"},
		{"a terminal of its own", "script", "script -qc 'test -t 0 && echo yes' /dev/null", "yes"},
		{"git in a repository", "git", `git init -q . && git config user.email a@b && git config user.name A && git add -A && git commit -qm one && git status --short && echo clean`, "clean"},
		{"git branches and stashes", "git", `git checkout -qb other && echo more >> Makefile && git stash -q && git stash pop -q && git commit -qam two && git switch -q - && git merge -q other && git log --oneline | wc -l`, "2"},
		{"git keeps its config", "git", `git config core.fsmonitor /tmp/x 2>&1; git config --get core.fsmonitor || echo refused`, "refused"},
	}
	x, o := newTarget(t)
	if err := os.RemoveAll(x.Work); err != nil {
		t.Fatal(err)
	}
	for name, text := range goProject {
		if err := os.MkdirAll(x.Work, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(x.Work, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	box := New(o, Report{Level: LevelFull, Overlay: overlays(t.Context(), o) == nil})
	env := append(slices.Clone(environ), "HOME="+x.Home, "GOFLAGS=-buildvcs=false", "GOTOOLCHAIN=local", "CGO_ENABLED=0")
	if out, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE").Output(); err == nil {
		env = append(env, "GOCACHE="+strings.TrimSpace(string(out))) // warm: the test takes seconds, not minutes
	}
	for _, tt := range tests {
		if tt.program == "go" && os.Getenv(unprivileged) != "" {
			continue // nobody has no build cache: compiling the standard library takes half a minute
		}
		t.Run(tt.name, func(t *testing.T) {
			if _, err := LookPath(environ, tt.program); err != nil {
				missing(t, "this work needs %s: %v", tt.program, err)
			}
			var said bytes.Buffer
			c := shell(t, tt.script, &said)
			c.Dir, c.Env = x.Work, env
			out, err := box.Run(t.Context(), c, Bounds{Workdir: x.Work, Scratch: x.Scratch})
			if lines := strings.Fields(said.String()); err != nil || out.Code != 0 || !slices.Contains(lines, tt.want) || len(out.Moved) > 0 {
				t.Errorf("%+v, %v: %s", out, err, said.String())
			}
		})
	}
}
