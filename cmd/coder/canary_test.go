package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/coder-agent/coder/agent/openrouter/openroutertest"
)

// What the user's environment holds in this test. The control is no secret: it must be found wherever the others must not,
// or the test looks in the wrong places.
const (
	canaryKey     = "sk-or-v1-canary+key/9f8e7d6c5b4a39281706f5e4d3c2b1a0"
	canaryService = "service-canary-0a1b2c3d4e5f"
	canaryControl = "control-canary-7766554433"
)

// leaks are what a curious model tries. Each is told to the model, recorded, shown and kept. The results are too long for
// the model, so that the whole goes to a file.
func leaks(data string) []string {
	return []string{
		`cat note.txt`, // in every mode, whatever bounds commands
		`env; export -p; set; echo $CONTROL`,
		`cat /proc/[0-9]*/environ 2>/dev/null | tr '\0' '\n' | grep -a canary`,
		`cat /proc/[0-9]*/environ 2>/dev/null; cat /proc/[0-9]*/cmdline; seq 20000; echo ` + canaryControl + `; cat ` + data + `/run/host.json`,
		`cat note.txt; base64 note.txt; base64 -w0 note.txt; od -An -tx1 note.txt | tr -d ' \n'; head -c 30 note.txt; tail -c +31 note.txt`,
		`cat note.txt >&2; exit 3`,
		`for i in $(seq 30); do echo "$i $(cat note.txt)"; done; sleep 1; cat note.txt`,
	}
}

// A canary is one user with secrets, a host of theirs, and all that anybody can see of it.
type canary struct {
	t       *testing.T
	home    string
	work    string
	data    string
	environ []string
	model   *openroutertest.Server

	mu   sync.Mutex
	seen map[string]string // what was seen, by where
}

func newCanary(t *testing.T) *canary {
	c := &canary{t: t, home: t.TempDir(), work: t.TempDir(), model: openroutertest.New(), seen: make(map[string]string)}
	c.data = filepath.Join(c.home, "data")
	c.model.Issue(canaryKey)
	c.model.Reply(c.reply)
	if err := c.model.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.model.Close() })
	c.environ = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + c.home, "XDG_CONFIG_HOME=" + c.home, "XDG_RUNTIME_DIR=" + c.home, "TMPDIR=" + t.TempDir(),
		"CODER_DATA_DIR=" + c.data, "CODER_IDLE=10m", "OPENROUTER_BASE_URL=" + c.model.URL(),
		keyVar + "=" + canaryKey, "MY_SERVICE_TOKEN=" + canaryService, "CONTROL=" + canaryControl, "CODER_PASS_ENV=CONTROL,MY_SERVICE_TOKEN",
	}
	if err := os.WriteFile(filepath.Join(c.work, "note.txt"), []byte("key: "+canaryKey+" and "+canaryService+" and "+canaryControl+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	shell := exec.Command("sleep", "600") // the user's shell: it goes on holding what it has exported
	shell.Env = c.environ
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = shell.Process.Kill(); _ = shell.Wait() })
	return c
}

// reply leaks by everything that tools can do; a prompt with "fail" meets a provider that repeats the key.
func (c *canary) reply(r *openroutertest.Request) openroutertest.Response {
	if prompt, fails := lastPrompt(r); fails {
		return openroutertest.Response{Fault: prompt, Message: "the key " + canaryKey + " is not good, " + canaryControl, Text: "Half."}
	}
	last := r.Messages[len(r.Messages)-1]
	if last.Role == "tool" {
		return openroutertest.Response{Text: "Looked."}
	}
	var calls []openroutertest.Call
	call := func(name string, args any) {
		raw, err := json.Marshal(args)
		if err != nil {
			c.t.Error(err)
		}
		calls = append(calls, openroutertest.Call{ID: fmt.Sprintf("call_%d_%d", r.N, len(calls)), Name: name, Args: raw})
	}
	for _, command := range leaks(c.data) {
		call("bash", map[string]any{"command": command})
	}
	call("read", map[string]any{"path": "note.txt"})
	call("grep", map[string]any{"pattern": "canary"})
	return openroutertest.Response{Calls: calls}
}

// lastPrompt returns the fault that the last prompt of the user asks for, if it does.
func lastPrompt(r *openroutertest.Request) (string, bool) {
	for _, m := range slices.Backward(r.Messages) {
		if m.Role == "user" {
			_, fault, fails := strings.Cut(m.Text(), "fail ")
			return fault, fails
		}
	}
	return "", false
}

func (c *canary) keep(where, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[where] += text
}

func (c *canary) command(args ...string) *exec.Cmd {
	cmd := exec.Command("coder", args...)
	cmd.Dir, cmd.Env = c.work, c.environ
	return cmd
}

// run runs a command to its end and keeps its output. Whatever it exits with, what it shows counts.
func (c *canary) run(args ...string) {
	cmd := c.command(args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		c.t.Fatal(err)
	}
	c.keep("coder "+strings.Join(args, " "), out.String())
}

// watch keeps every frame that a client of the session gets, until the socket ends.
func (c *canary) watch(session string) (done <-chan struct{}) {
	c.t.Helper()
	host := c.host()
	conn, _, err := websocket.Dial(c.t.Context(), "ws://"+host.Addr+"/agents/coder-agent/"+session+"?token="+host.Token, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	conn.SetReadLimit(-1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			_, data, err := conn.Read(context.WithoutCancel(c.t.Context()))
			if err != nil {
				return // the host has ended
			}
			c.keep("frames", string(data)+"\n")
			var f frame
			if json.Unmarshal(data, &f) == nil && f.Type == "cf_agent_stream_resuming" {
				_ = conn.Write(c.t.Context(), websocket.MessageText, fmt.Appendf(nil, `{"type":"cf_agent_stream_resume_ack","id":%q}`, f.ID))
			}
		}
	}()
	return ended
}

func (c *canary) host() hostFile {
	c.t.Helper()
	h, ok, err := readHostFile(c.data)
	if err != nil || !ok {
		c.t.Fatalf("no host runs: %v", err)
	}
	return h
}

// connected waits until so many sockets are connected to the host.
func (c *canary) connected(want int) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		status, err := c.host().status(ctx)
		if err != nil {
			c.t.Fatal(err)
		}
		if status.Connections.Sockets == want {
			return
		}
		<-tick.C
	}
}

// look keeps what the system shows of a process. A normal user sees nothing of it.
func (c *canary) look(who string, pid int) {
	for _, file := range []string{"environ", "cmdline"} {
		data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/" + file)
		if err != nil && !os.IsPermission(err) {
			c.t.Errorf("%s of %s: %v", file, who, err)
		}
		c.keep(file+" of "+who, string(data))
	}
}

// files keeps every file under a folder.
func (c *canary) files(dir string) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		c.keep("file "+path, string(data))
		return err
	})
	if err != nil {
		c.t.Error(err)
	}
}

// TestNoSecretGetsOut has a model try to get at the user's key, at a token of another service and at the host's own token,
// and then looks for them in everything that anybody could see: output, frames, files, processes, requests to the model.
func TestNoSecretGetsOut(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("it looks into /proc")
	}
	for _, by := range []string{"a command", "hand"} {
		t.Run("a host started by "+by, func(t *testing.T) {
			t.Parallel()
			c := newCanary(t)
			if by == "hand" {
				c.serve()
			}
			c.run("run", "--session", "first", "--mode", "plan", "hello")
			host := c.host()
			c.look("the host", host.PID)
			watched := c.watch("s")
			attach := c.command("attach", "s", "--output", "jsonl")
			var attached bytes.Buffer
			attach.Stdout, attach.Stderr = &attached, &attached
			c.run("run", "--session", "s", "--mode", "auto", "--output", "jsonl", "look around")
			if err := attach.Start(); err != nil {
				t.Fatal(err)
			}
			c.connected(2) // the watcher and it: now it has begun to work
			c.look("a client", attach.Process.Pid)
			c.run("run", "--session", "s", "--verbose", "look again")
			for _, fault := range []string{"401", "400", "error-chunk"} {
				c.run("run", "--session", "s", "fail "+fault)
			}
			for _, args := range [][]string{
				{"sessions", "show", "s"},
				{"sessions", "show", "s", "--output", "json"},
				{"sessions", "list"},
				{"config"},
				{"config", "--json"},
				{"schedule", "list"},
				{"status"},
				{"run", "--session", "s", "--mode", canaryKey, "x"},
			} {
				c.run(args...)
			}
			if err := attach.Process.Signal(os.Interrupt); err != nil {
				t.Error(err)
			}
			_ = attach.Wait() // 130
			c.run("stop")
			<-watched
			c.keep("coder attach", attached.String())
			c.files(c.data)
			for i, r := range c.model.Requests() {
				c.keep(fmt.Sprint("request ", i), string(r.Body))
			}
			c.judge(host.Token)
		})
	}
}

// serve starts a host as a user does.
func (c *canary) serve() {
	c.t.Helper()
	serve := c.command("serve")
	var out lockedBuffer
	serve.Stdout, serve.Stderr = &out, &out
	if err := serve.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		_ = serve.Process.Kill()
		_ = serve.Wait()
	})
	if err := waitHost(c.t.Context(), c.data); err != nil {
		c.t.Fatalf("%v: %s", err, out.String())
	}
	c.t.Cleanup(func() { c.keep("coder serve", out.String()) })
}

// judge looks for each secret in everything, and for the control where it must be.
func (c *canary) judge(token string) {
	for name, forms := range map[string][]string{
		"the key": {
			canaryKey, canaryKey[5:], url.QueryEscape(canaryKey), hex.EncodeToString([]byte(canaryKey)),
			base64.StdEncoding.EncodeToString([]byte("key: " + canaryKey))[8:40],
		},
		"the token of the service": {canaryService},
		"the host's token":         {token},
	} {
		for where, text := range c.seen {
			for _, form := range forms {
				if i := strings.Index(text, form); i >= 0 {
					c.t.Errorf("%s is in %s: …%.200q", name, where, text[max(0, i-60):])
				}
			}
		}
	}
	var files strings.Builder
	for where, text := range c.seen {
		if strings.HasPrefix(where, "file ") {
			files.WriteString(text)
		}
	}
	c.seen["the files"] = files.String()
	want := []string{"frames", "the files", "coder attach", "coder sessions show s", "coder run --session s --verbose look again", "request 3", "coder run --session s fail 400"}
	for _, where := range want {
		if !strings.Contains(c.seen[where], canaryControl) {
			c.t.Errorf("the control is not in %s: %.300q", where, c.seen[where])
		}
		if !strings.Contains(c.seen[where], "[redacted: ") && !strings.Contains(c.seen[where], "[key]") {
			c.t.Errorf("nothing was taken out of %s", where)
		}
	}
	for _, who := range []string{"the host", "a client"} {
		if os.Geteuid() == 0 && !strings.Contains(c.seen["environ of "+who], c.home) {
			c.t.Errorf("the environment of %s was not seen: %q", who, c.seen["environ of "+who])
		}
	}
}

// A lockedBuffer is one that a process writes to while the test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// What a process starts with is what the system shows of it, until it has overwritten it: then the name is there and the
// value is not.
func TestTheEnvironmentThatIsShownHasNoSecret(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("it looks into /proc")
	}
	c := newCanary(t)
	c.serve()
	c.run("run", "--session", "s", "--mode", "plan", "fail 400")
	attach := c.command("attach", "s")
	if err := attach.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = attach.Process.Kill(); _ = attach.Wait() })
	c.connected(1)
	pid := strconv.Itoa(attach.Process.Pid)
	shown, err := os.ReadFile("/proc/" + pid + "/environ")
	switch {
	case os.Geteuid() != 0 && os.IsPermission(err):
		return // closed altogether
	case err != nil:
		t.Fatal(err)
	}
	want := keyVar + "=" + strings.Repeat("*", len(canaryKey)) + "\x00MY_SERVICE_TOKEN=" + strings.Repeat("*", len(canaryService)) + "\x00CONTROL=" + canaryControl
	if !strings.Contains(string(shown), want) {
		t.Errorf("the environment is %q", shown)
	}
	owner, err := os.Stat("/proc/" + pid + "/mem")
	if err != nil || os.Geteuid() != 0 && ownedByUs(owner) {
		t.Errorf("its memory is open: %v, %v", owner, err)
	}
}
