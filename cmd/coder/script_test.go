package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/openrouter/openroutertest"
	"github.com/coder-agent/coder/agent/store"
)

// TestMain lets the test binary be the command coder when a script, or coder itself, starts it under that name.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"coder": main})
}

// TestScripts plays the stories in testdata/script: each is what a user sees of the whole binary.
func TestScripts(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the stories use a POSIX shell and signals")
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		Setup:               setupScript,
		Condition: func(name string) (bool, error) {
			if name != "sandbox" {
				return false, fmt.Errorf("there is no condition %s", name)
			}
			return sandboxed(t), nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"model":     modelCmd,
			"exits":     exitsCmd,
			"jsonlines": jsonLinesCmd,
			"gone":      goneCmd,
			"killhost":  killHostCmd,
			"damage":    damageCmd,
			"newer":     newerCmd,
			"big":       bigCmd,
			"page":      pageCmd,
			"picture":   pictureCmd,
			"pdf":       pdfCmd,
			"age":       ageCmd,
			"absent":    absentCmd,
			"waitgone":  waitGoneCmd,
			"attached":  attachedCmd,
			"parked":    parkedCmd,
			"shows":     showsCmd,
			"browse":    browseCmd,
		},
	})
}

// sandboxed reports whether the whole sandbox works here.
func sandboxed(t *testing.T) bool {
	coder, err := exec.LookPath("coder")
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	cmd := exec.Command(coder, "serve", "--data-dir", home, "--addr", "127.0.0.1:0")
	cmd.Env = []string{"HOME=" + home, "OPENROUTER_BASE_URL=http://127.0.0.1:9/v1", "XDG_CACHE_HOME=" + home}
	log, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	full := false
	for lines := bufio.NewScanner(log); lines.Scan(); {
		full = full || strings.Contains(lines.Text(), "msg=sandbox level=3")
		if strings.Contains(lines.Text(), "msg=listening") {
			_ = cmd.Process.Signal(os.Interrupt)
		}
	}
	_ = cmd.Wait()
	return full
}

// setupScript gives the script a home of its own and makes sure that no host outlives it.
func setupScript(env *testscript.Env) error {
	for name, dir := range map[string]string{
		"HOME": "home", "XDG_DATA_HOME": "home/data", "XDG_CONFIG_HOME": "home/config", "XDG_RUNTIME_DIR": "home/run",
	} {
		path := filepath.Join(env.WorkDir, dir)
		if err := os.MkdirAll(path, 0o700); err != nil {
			return err
		}
		env.Setenv(name, path)
	}
	dataDir := filepath.Join(env.WorkDir, "home", "data", "coder")
	env.Setenv("DATA", dataDir)
	cache, err := goCache()
	if err != nil {
		return err
	}
	env.Setenv("GOCACHE", cache)
	env.Setenv("GORACE", os.Getenv("GORACE")) // how long a process under the race detector waits at its end
	env.Values[modelKey{}] = &scripted{}
	env.Defer(func() {
		if h, ok, err := readHostFile(dataDir); err == nil && ok && alive(h.PID) {
			if p, err := os.FindProcess(h.PID); err == nil {
				_ = p.Kill() // the script failed before it ended its host
			}
		}
	})
	return nil
}

// goCache is the build cache of whoever runs the tests: without it the demo compiles the standard library.
func goCache() (string, error) {
	if dir := os.Getenv("GOCACHE"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "go-build"), err
}

// A scripted is the model of one script.
type scripted struct {
	server *openroutertest.Server
	issues string // the key that logins get; "": there are none
	gates  []*openroutertest.Gate
	listed []openroutertest.Model
}

type modelKey struct{}

// modelCmd starts a scripted model or steers it:
//
//	model FILE               serves the script in FILE
//	model issue KEY FILE     the same, and gives the key to whoever logs in; requests with another it refuses
//	model hold CHUNK FILE    the same, but holds each answer before its chunk
//	model add FILE           puts more at the end of the script; add hold CHUNK FILE holds it
//	model reached            waits until each held answer was asked for
//	model release            lets them go on
//	model used               fails if an answer was not asked for
//	model extended [FROM]    fails unless each request (after the FROMth, from 0) repeats the one before, byte for byte, and adds to it
//	model unheard WORD       fails if a request held the word
//	model told WORD          fails unless the last request held the word
//	model untold WORD        fails if the last request held the word
//	model unsent WORD        fails if the headers of a request held the word
//	model offered N TOOL…    fails unless request N, from 0, offers these tools in this order
//	model window TOKENS      says in the list of models how much the default model takes
//	model takes MODEL KIND…  says in it which kinds of input a model takes
func modelCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: model FILE | hold CHUNK FILE | add FILE | reached | release | used | extended | unheard | told | offered N TOOL… | window | takes MODEL KIND…")
	}
	m := ts.Value(modelKey{}).(*scripted)
	switch args[0] {
	case "reached":
		for _, gate := range m.gates {
			<-gate.Reached()
		}
	case "release":
		for _, gate := range m.gates {
			gate.Release()
		}
	case "used":
		if n := m.server.Left(); n > 0 {
			ts.Fatalf("%d answers of the script were not asked for", n)
		}
	case "extended":
		from := 0
		if len(args) > 1 {
			var err error
			from, err = strconv.Atoi(args[1])
			ts.Check(err)
		}
		ts.Check(m.extended(from))
	case "unheard":
		for _, r := range m.server.Requests() {
			if bytes.Contains(r.Body, []byte(args[1])) {
				ts.Fatalf("the model was told %q: %s", args[1], r.Body)
			}
		}
	case "told":
		requests := m.server.Requests()
		if last := requests[len(requests)-1].Body; !bytes.Contains(last, []byte(args[1])) {
			ts.Fatalf("the model was not told %q: %s", args[1], last)
		}
	case "untold":
		requests := m.server.Requests()
		if last := requests[len(requests)-1].Body; bytes.Contains(last, []byte(args[1])) {
			ts.Fatalf("the model was told %q: %s", args[1], last)
		}
	case "unsent":
		for _, r := range m.server.Requests() {
			if strings.Contains(fmt.Sprint(r.Header), args[1]) {
				ts.Fatalf("the model was sent %q: %v", args[1], r.Header)
			}
		}
	case "offered":
		n, err := strconv.Atoi(args[1])
		ts.Check(err)
		got, err := offered(m.server.Requests()[n].Body)
		ts.Check(err)
		if !slices.Equal(got, args[2:]) {
			ts.Fatalf("request %d offers the tools %q, want %q", n, got, args[2:])
		}
	case "window":
		tokens, err := strconv.Atoi(args[1])
		ts.Check(err)
		m.server.List(openroutertest.Model{ID: defaultModel, Context: tokens})
	case "takes":
		m.listed = append(m.listed, openroutertest.Model{ID: args[1], Architecture: openroutertest.Architecture{Inputs: args[2:]}})
		m.server.List(m.listed...)
	case "add":
		if args[1] == "hold" {
			chunk, err := strconv.Atoi(args[2])
			ts.Check(err)
			m.server.Add(m.hold(chunk, load(ts, args[3]))...)
			return
		}
		m.server.Add(load(ts, args[1])...)
	case "issue":
		m.issues = args[1]
		m.start(ts, load(ts, args[2]))
	case "hold":
		chunk, err := strconv.Atoi(args[1])
		ts.Check(err)
		m.start(ts, m.hold(chunk, load(ts, args[2])))
	default:
		m.start(ts, load(ts, args[0]))
	}
}

func load(ts *testscript.TestScript, file string) []openroutertest.Response {
	script, err := openroutertest.Load(strings.NewReader(ts.ReadFile(file)))
	ts.Check(err)
	return script
}

func (m *scripted) hold(chunk int, script []openroutertest.Response) []openroutertest.Response {
	for i := range script {
		gate := openroutertest.NewGate(chunk)
		m.gates = append(m.gates, gate)
		script[i].Gate = gate
	}
	return script
}

// extended compares the requests as they came. What closes a request's list of messages is the only thing it may drop.
func (m *scripted) extended(from int) error {
	requests := m.server.Requests()
	requests = requests[min(from, len(requests)):]
	if len(requests) < 2 {
		return fmt.Errorf("%d requests came: nothing to compare", len(requests))
	}
	for i, r := range requests[1:] {
		before := bytes.TrimSuffix(requests[i].Body, []byte("]}"))
		if !bytes.HasPrefix(r.Body, before) || len(r.Body) <= len(requests[i].Body) {
			return fmt.Errorf("request %d does not extend the one before:\n%s\n%s", i+1, requests[i].Body, r.Body)
		}
	}
	return nil
}

func (m *scripted) start(ts *testscript.TestScript, script []openroutertest.Response) {
	m.server = openroutertest.New(script...)
	if m.issues != "" {
		m.server.Issue(m.issues)
		m.issues = ""
	}
	ts.Check(m.server.Start())
	ts.Defer(func() { _ = m.server.Close() })
	ts.Setenv("OPENROUTER_BASE_URL", m.server.URL())
}

// exitsCmd runs a command that must end with the code: exits CODE PROGRAM ARG...
func exitsCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if args[0] != strconv.Itoa(code) {
		ts.Fatalf("%s exits with %d, want %s", strings.Join(args[1:], " "), code, args[0])
	}
}

// jsonLinesCmd checks that each line of a file (or stdout) is a JSON object with the fields: jsonlines FILE FIELD...
func jsonLinesCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: jsonlines FILE FIELD...")
	}
	for i, line := range strings.Split(strings.TrimSpace(ts.ReadFile(args[0])), "\n") {
		var object map[string]json.RawMessage
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			ts.Fatalf("line %d: %v: %s", i+1, err, line)
		}
		for _, field := range args[1:] {
			if _, ok := object[field]; !ok {
				ts.Fatalf("line %d has no %s: %s", i+1, field, line)
			}
		}
	}
}

// goneCmd waits until no host serves the data dir: none may be left running.
func goneCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: gone")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := waitHostless(ctx, ts.Getenv("DATA")); err != nil {
		ts.Fatalf("a host is left: %v", err)
	}
}

// killHostCmd kills the host as a crash would.
func killHostCmd(ts *testscript.TestScript, neg bool, args []string) {
	h, ok, err := readHostFile(ts.Getenv("DATA"))
	ts.Check(err)
	if !ok || neg || len(args) > 0 {
		ts.Fatalf("no host to kill")
	}
	p, err := os.FindProcess(h.PID)
	ts.Check(err)
	ts.Check(p.Kill())
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	ts.Check(waitGone(ctx, h.PID))
}

// damageCmd makes the store of the data dir garbage.
func damageCmd(ts *testscript.TestScript, neg bool, args []string) {
	path := store.Path(ts.Getenv("DATA"))
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o700))
	ts.Check(os.WriteFile(path, []byte(strings.Repeat("garbage ", 1000)), 0o600))
}

// newerCmd lets the store look as if a newer version had written it: SQLite keeps the user version, big-endian, at
// offset 60 of the file.
func newerCmd(ts *testscript.TestScript, neg bool, args []string) {
	f, err := os.OpenFile(store.Path(ts.Getenv("DATA")), os.O_WRONLY, 0)
	ts.Check(err)
	_, err = f.WriteAt(binary.BigEndian.AppendUint32(nil, 99), 60)
	ts.Check(errors.Join(err, f.Close()))
}

// bigCmd writes a file of the size in MiB: big FILE MIB
func bigCmd(ts *testscript.TestScript, neg bool, args []string) {
	mib, err := strconv.Atoi(args[1])
	ts.Check(err)
	line := strings.Repeat("word ", 12) + "end\n" // 64 bytes
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Repeat(line, mib<<20/len(line))), 0o600))
}

// waitHostless waits until no host holds the data dir.
func waitHostless(ctx context.Context, dataDir string) error {
	h, ok, err := readHostFile(dataDir)
	if err != nil || !ok {
		return err
	}
	if err := waitGone(ctx, h.PID); err != nil {
		return fmt.Errorf("process %d: %w", h.PID, err)
	}
	return nil
}

// ageCmd lets a session look as if nobody had used it for so many days: age NAME DAYS. No host must run.
func ageCmd(ts *testscript.TestScript, neg bool, args []string) {
	days, err := strconv.Atoi(args[1])
	ts.Check(err)
	ctx := context.Background()
	s, err := store.Open(ctx, ts.Getenv("DATA"))
	ts.Check(err)
	row, ok, err := s.Session(ctx, strings.ToLower(args[0]))
	if err == nil && !ok {
		err = fmt.Errorf("there is no session %s", args[0])
	}
	row.Updated = time.Now().Add(-time.Duration(days) * 24 * time.Hour)
	if err == nil {
		err = s.Write(ctx, store.Safe, func(tx *store.Tx) error { return tx.PutSession(row) })
	}
	ts.Check(errors.Join(err, s.Close()))
}

// absentCmd checks that a text is in no file of the data dir but the log: absent TEXT. With ! it must be in one.
func absentCmd(ts *testscript.TestScript, neg bool, args []string) {
	var found []string
	ts.Check(filepath.WalkDir(ts.Getenv("DATA"), func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || filepath.Ext(path) == ".log" {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), args[0]) {
			found = append(found, path)
		}
		return err
	}))
	if (len(found) > 0) != neg {
		ts.Fatalf("%q is in %q", args[0], found)
	}
}

// waitGoneCmd waits until there is no session of that name any more: waitgone NAME. A host tells nobody what it deletes
// by itself, so this looks again and again.
func waitGoneCmd(ts *testscript.TestScript, neg bool, args []string) {
	waitHostSays(ts, func(ctx context.Context, h hostFile) (bool, error) {
		list, err := h.sessions(ctx)
		return !known(list, args[0]), err
	})
}

// attachedCmd waits until so many sockets are connected to the host: attached NUMBER.
func attachedCmd(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	waitHostSays(ts, func(ctx context.Context, h hostFile) (bool, error) {
		status, err := h.status(ctx)
		return status.Connections.Sockets == want, err
	})
}

// showsCmd waits until a file that a command in the background writes has a text: shows FILE TEXT.
func showsCmd(ts *testscript.TestScript, neg bool, args []string) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for {
		data, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && strings.Contains(string(data), args[1]) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			ts.Fatalf("%s does not show %q but:\n%s", args[0], args[1], data)
		}
	}
}

// browseCmd is the browser of a login: it opens the page that the output of coder login names, goes where the provider
// sends it, and writes what it is shown there to a file: browse OUTPUT FILE. With forged it brings a code of its own to the
// wrong path first: that must be refused.
func browseCmd(ts *testscript.TestScript, neg bool, args []string) {
	showsCmd(ts, false, []string{args[0], "/auth?"})
	_, rest, _ := strings.Cut(ts.ReadFile(args[0]), "  http")
	page, _, _ := strings.Cut("http"+rest, "\n")
	if len(args) > 2 {
		u, err := url.Parse(page)
		ts.Check(err)
		back, err := url.Parse(u.Query().Get("callback_url"))
		ts.Check(err)
		for _, forged := range []string{"/callback?code=forged", "/callback/x?code=forged", back.Path} {
			resp, err := http.Get("http://" + back.Host + forged)
			ts.Check(err)
			ts.Check(resp.Body.Close())
			if resp.StatusCode < 400 {
				ts.Fatalf("%s: %s", forged, resp.Status)
			}
		}
	}
	resp, err := http.Get(page)
	ts.Check(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), fmt.Appendf(nil, "%s\n%s\n%s", resp.Status, resp.Header.Get("Content-Security-Policy"), text), 0o600))
}

// parkedCmd waits until a session waits for a decision: parked NAME.
func parkedCmd(ts *testscript.TestScript, neg bool, args []string) {
	waitHostSays(ts, func(ctx context.Context, h hostFile) (bool, error) {
		list, err := h.sessions(ctx)
		return nameOf(list, agent.Waiting) == args[0], err
	})
}

// waitHostSays asks the host again and again.
func waitHostSays(ts *testscript.TestScript, said func(context.Context, hostFile) (bool, error)) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		h, _, err := readHostFile(ts.Getenv("DATA"))
		ts.Check(err)
		done, err := said(ctx, h)
		ts.Check(err)
		if done {
			return
		}
		<-tick.C
	}
}

// offered are the names of the tools of a request, in their order.
func offered(body []byte) (names []string, err error) {
	var request struct {
		Tools []struct {
			Function struct {
				Name string `json:"name"`
			} `json:"function"`
		} `json:"tools"`
	}
	err = json.Unmarshal(body, &request)
	for _, t := range request.Tools {
		names = append(names, t.Function.Name)
	}
	return names, err
}
