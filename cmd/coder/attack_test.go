package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/coder/websocket"

	"github.com/coder-agent/coder/agent/openrouter/openroutertest"
)

// Bounds of what an attack may cost the host. Memory is what the process has at its peak, whatever comes in.
const (
	attackMemory = 384 // MiB, with two frames of 32 MiB at work beside 4,096 sockets
	attackFiles  = 8   // open files more than before, once it is over

	attackRoutines = 40 // goroutines of the whole program in the end, those of the runtime included
)

// TestAttacks attacks the whole program over loopback, one class after the other, with the token in the attacker's hands
// where that is worse. After each the host answers, a session that streams meanwhile is whole, memory is bounded, and
// sockets and files are gone. go test -run TestAttacks -v prints the figures.
func TestAttacks(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the figures come from /proc")
	}
	s := newSiege(t)
	for _, class := range []struct {
		name   string
		attack func(*siege)
	}{
		{"token", (*siege).tokens},
		{"origin, host, fetch metadata", (*siege).origins},
		{"cross-site requests", (*siege).crossSite},
		{"names", (*siege).names},
		{"host routes", (*siege).hostRoutes},
		{"rpc", (*siege).rpc},
		{"broken frames", (*siege).brokenFrames},
		{"compression", (*siege).compression},
		{"json", (*siege).hostileJSON},
		{"huge frames", (*siege).hugeFrames},
		{"fragments and control frames", (*siege).fragments},
		{"flood of small frames", (*siege).flood},
		{"slow clients", (*siege).slowClients},
		{"readers that stop", (*siege).deafReaders},
		{"half-open sockets", (*siege).halfOpen},
		{"too many sockets", (*siege).manySockets},
		{"too many sessions", (*siege).manySessions},
		{"forged history", (*siege).forgedHistory},
		{"approval races", (*siege).approvalRaces},
	} {
		s.besiege(class.name, class.attack)
	}
	s.report()
}

// A siege is a host under attack.
type siege struct {
	t     *testing.T
	class string
	model *openroutertest.Server
	data  string
	work  string
	addr  string
	token string
	pid   int
	log   *bytes.Buffer
	ended chan error
	host  *exec.Cmd

	watched chan chan struct{} // what ends the stream that begins next
	files   int                // open when nothing went on
	rows    []siegeRow
}

// A siegeRow is a line of figures: what a class of attacks took, and what it cost the host.
type siegeRow struct {
	class     string
	took      time.Duration
	words     int           // streamed to the session that was not attacked
	gap       time.Duration // the longest between two of them
	peak, rss int           // MiB
	files     int           // open files afterwards
}

func newSiege(t *testing.T) *siege {
	s := &siege{t: t, model: openroutertest.New(), data: t.TempDir(), work: t.TempDir(), log: &bytes.Buffer{}, watched: make(chan chan struct{}, 1)}
	s.model.Reply(s.act)
	provider := httptest.NewServer(http.HandlerFunc(s.provide))
	t.Cleanup(provider.Close)
	s.host = exec.CommandContext(t.Context(), "coder", "serve", "--data-dir", s.data, "--mode", "ask", "--model", "test/model")
	s.host.Dir = s.work
	s.host.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.data, "OPENROUTER_BASE_URL=" + provider.URL + "/api/v1"}
	s.host.Stderr = s.log
	out, err := s.host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.host.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); err != nil || !strings.HasPrefix(line, "listening on ") {
		t.Fatalf("the host said %q (%v)\n%s", line, err, s.log)
	}
	s.ended = make(chan error, 1)
	go func() {
		_, _ = io.Copy(io.Discard, lines)
		s.ended <- s.host.Wait()
		close(s.ended)
	}()
	t.Cleanup(func() { _ = s.host.Process.Kill(); <-s.ended })
	file, ok, err := readHostFile(s.data)
	if err != nil || !ok {
		t.Fatalf("the host file: %t, %v", ok, err)
	}
	s.addr, s.token, s.pid = file.Addr, file.Token, file.PID
	s.answers()
	s.files = s.openFiles()
	return s
}

// provide is the model: it streams to the witness until that has enough, and acts for the others.
func (s *siege) provide(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || !bytes.Contains(body, []byte("count for the witness")) {
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.model.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	say := func(delta, finish string) {
		fmt.Fprintf(w, `data: {"id":"gen-w","object":"chat.completion.chunk","model":"test/model","choices":[{"index":0,"delta":{"role":"assistant","content":%q},"finish_reason":%s}]}`+"\n\n", delta, finish)
		_ = http.NewResponseController(w).Flush()
	}
	enough, tick := <-s.watched, time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		say(strconv.Itoa(n)+" ", "null")
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		case <-enough:
			say("end", `"stop"`)
			fmt.Fprint(w, "data: [DONE]\n\n")
			return
		}
	}
}

// act answers a prompt that holds "act" with a command that leaves a line in the workdir, all else with a word.
func (s *siege) act(r *openroutertest.Request) openroutertest.Response {
	if last := r.Messages[len(r.Messages)-1]; last.Role == "user" && strings.Contains(last.Text(), "act") {
		args, _ := json.Marshal(map[string]string{"command": "echo ran >> " + filepath.Join(s.work, "ran.log") + " && rm -f nothing"})
		return openroutertest.Response{Calls: []openroutertest.Call{{ID: fmt.Sprintf("call-%d", r.N), Name: "bash", Args: args}}}
	}
	return openroutertest.Response{Text: "done"}
}

// besiege runs one class of attacks beside a session that streams, and checks what is left of the host.
func (s *siege) besiege(class string, attack func(*siege)) {
	s.t.Helper()
	s.class = class
	err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.pid), []byte("5"), 0) // the peak begins anew
	if err != nil && !errors.Is(err, os.ErrPermission) {
		s.t.Fatal(err)
	}
	w := s.witness()
	begun := time.Now()
	attack(s)
	row := siegeRow{class: class, took: time.Since(begun)}
	s.answers()
	row.words, row.gap = w.finish()
	row.peak, row.rss = s.memory("VmHWM:"), s.memory("VmRSS:")
	s.settled()
	row.files = s.openFiles()
	s.rows = append(s.rows, row)
	if row.peak > attackMemory && !underRace() {
		s.errorf("the host needed %d MiB, want at most %d", row.peak, attackMemory)
	}
	if s.t.Failed() {
		s.t.FailNow()
	}
}

func (s *siege) errorf(format string, args ...any) {
	s.t.Helper()
	s.t.Errorf(s.class+": "+format, args...)
}

func (s *siege) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("%s: %v", s.class, err)
	}
}

// answers checks that the host still does what it is there for, soon.
func (s *siege) answers() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Second)
	defer cancel()
	status, _, _ := s.request(ctx, "GET", "/healthz", nil, "")
	if status != 200 {
		s.errorf("/healthz answers %d", status)
	}
	p := s.join("healthy", nil)
	defer p.close()
	if f := p.call("approvals"); !f.Success {
		s.errorf("a new session is answered %s", f.Error)
	}
}

// settled waits until no socket and no file is left of what was attacked with.
func (s *siege) settled() {
	s.t.Helper()
	patience := time.After(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var status struct {
			Connections struct{ Sockets int }
		}
		_, body, _ := s.request(s.t.Context(), "GET", "/host/status", s.bearer(), "")
		if err := json.Unmarshal(body, &status); err == nil && status.Connections.Sockets == 0 && s.openFiles() <= s.files+attackFiles {
			return
		}
		select {
		case <-tick.C:
		case <-patience:
			s.errorf("%d sockets and %d files are open, %d were", status.Connections.Sockets, s.openFiles(), s.files)
			return
		}
	}
}

// openFiles counts the host's. Only root sees them: the host closes itself to others of the same user. For these it is 0.
func (s *siege) openFiles() int {
	s.t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.pid))
	if errors.Is(err, os.ErrPermission) {
		return 0
	}
	s.must(err)
	return len(list)
}

// memory reads a line of the host's status, in MiB.
func (s *siege) memory(line string) int {
	s.t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	s.must(err)
	for l := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(l, line); ok {
			kib, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			s.must(err)
			return kib >> 10
		}
	}
	s.t.Fatalf("process %d has no %s", s.pid, line)
	return 0
}

// report prints the figures, and has the host's runtime list the goroutines that are left.
func (s *siege) report() {
	s.t.Helper()
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "attack\ttook\twords beside it\tlongest gap\tpeak MiB\tafter MiB\tfiles")
	for _, r := range s.rows {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%d\t%d\t%d\n", r.class, r.took.Round(time.Millisecond), r.words, r.gap.Round(time.Millisecond), r.peak, r.rss, r.files)
	}
	s.must(w.Flush())
	s.class = "afterwards"
	s.must(s.host.Process.Signal(syscall.SIGQUIT))
	<-s.ended // now the log is whole, and nobody writes to it
	log, dump, quit := strings.Cut(s.log.String(), "SIGQUIT: quit")
	if !quit {
		s.t.Fatalf("the host lists no goroutines: %s", log)
	}
	for _, word := range []string{"panic", s.token, "token=", "access_token"} {
		if strings.Contains(log, word) {
			s.errorf("the log holds %q", word)
		}
	}
	asleep, left := 0, 0
	var stacks strings.Builder
	for i, g := range strings.Split(dump, "\ngoroutine ") {
		switch {
		case i == 0: // what stands before the first
		case strings.Contains(g, "(*CoderAgent).loop("):
			asleep++ // a session that nobody uses: it stays in memory for ten minutes
		default:
			left++
			stacks.WriteString(g + "\n")
		}
	}
	s.t.Logf("%d files were open at first; %d goroutines are left, and %d sessions in memory\n%s", s.files, left, asleep, &b)
	if left == 0 || left > attackRoutines || asleep > 1024 {
		s.errorf("%d goroutines and %d sessions are left, want 1 to %d and at most 1024\n%s", left, asleep, attackRoutines, &stacks)
	}
}

// request sends one plain request on a connection of its own and returns the answer.
func (s *siege) request(ctx context.Context, method, path string, header http.Header, body string) (int, []byte, http.Header) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.addr+path, strings.NewReader(body))
	s.must(err)
	for name, values := range header {
		if name == "Host" {
			req.Host = values[0]
			continue
		}
		req.Header[name] = values
	}
	resp, err := loopback.Do(req)
	s.must(err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	s.must(err)
	return resp.StatusCode, data, resp.Header
}

// exchange sends bytes as they are and returns the status of the answer; 0: the connection ended without one.
func (s *siege) exchange(raw string) int {
	s.t.Helper()
	conn := s.dial()
	defer conn.Close()
	s.must(conn.SetDeadline(time.Now().Add(20 * time.Second)))
	if _, err := io.WriteString(conn, raw); err != nil {
		return 0
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

func (s *siege) dial() net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	s.must(err)
	return conn
}

func (s *siege) bearer(more ...string) http.Header {
	h := http.Header{"Authorization": {"Bearer " + s.token}}
	for i := 0; i+1 < len(more); i += 2 {
		h[more[i]] = []string{more[i+1]}
	}
	return h
}

// A rival is a client that speaks the protocol, and not always well.
type rival struct {
	*siege
	conn *websocket.Conn
	ctx  context.Context
	end  context.CancelFunc
	ids  int
}

// join opens a socket on a session.
func (s *siege) join(session string, header http.Header) *rival {
	s.t.Helper()
	r := &rival{siege: s}
	r.ctx, r.end = context.WithTimeout(s.t.Context(), 30*time.Second)
	var err error
	r.conn, _, err = websocket.Dial(r.ctx, "ws://"+s.addr+"/agents/coder-agent/"+session+"?token="+s.token, &websocket.DialOptions{HTTPHeader: header})
	s.must(err)
	r.conn.SetReadLimit(-1)
	return r
}

func (r *rival) close() {
	_ = r.conn.CloseNow()
	r.end()
}

func (r *rival) send(text string) {
	r.t.Helper()
	r.must(r.conn.Write(r.ctx, websocket.MessageText, []byte(text)))
}

// call calls a method and waits for its answer.
func (r *rival) call(method string, args ...any) frame {
	r.t.Helper()
	r.ids++
	id := fmt.Sprintf("%s-%d", method, r.ids)
	data, err := json.Marshal(map[string]any{"type": "rpc", "id": id, "method": method, "args": append([]any{}, args...)})
	r.must(err)
	r.send(string(data))
	return r.until(func(f frame) bool { return f.Type == "rpc" && f.ID == id })
}

// until reads frames up to the one that fits.
func (r *rival) until(fits func(frame) bool) frame {
	r.t.Helper()
	for {
		_, data, err := r.conn.Read(r.ctx)
		if err != nil {
			r.t.Fatalf("%s: waiting for a frame: %v", r.class, err)
		}
		var f frame
		if json.Unmarshal(data, &f) == nil && fits(f) {
			return f
		}
	}
}

// prompt asks and waits for the end of the turn.
func (r *rival) prompt(id, text string) frame {
	r.t.Helper()
	r.send(promptFrame(id, fmt.Sprintf(`[{"id":"u-%s","role":"user","parts":[{"type":"text","text":%q}]}]`, id, text)))
	return r.ends(id)
}

func (r *rival) ends(id string) frame {
	r.t.Helper()
	return r.until(func(f frame) bool { return f.Type == "cf_agent_use_chat_response" && f.ID == id && f.Done })
}

func promptFrame(id, messages string) string {
	data, _ := json.Marshal(map[string]any{"type": "cf_agent_use_chat_request", "id": id, "init": map[string]any{
		"method": "POST", "body": `{"messages":` + messages + `,"trigger":"submit-message"}`,
	}})
	return string(data)
}

// A witness is a session whose answer streams while others are attacked.
type witness struct {
	*rival
	enough chan struct{}
	ended  chan error
	text   strings.Builder
	gap    time.Duration
}

func (s *siege) witness() *witness {
	s.t.Helper()
	w := &witness{rival: s.join("witness-"+strconv.Itoa(len(s.rows)), nil), enough: make(chan struct{}), ended: make(chan error, 1)}
	w.end()
	w.ctx, w.end = context.WithTimeout(s.t.Context(), 2*time.Minute)
	s.watched <- w.enough
	first := make(chan struct{})
	w.send(promptFrame("w", `[{"id":"u-w","role":"user","parts":[{"type":"text","text":"count for the witness"}]}]`))
	go func() { w.ended <- w.watch(first) }()
	select {
	case <-first:
	case err := <-w.ended:
		s.t.Fatalf("%s: the witness ended before the attack: %v", s.class, err)
	}
	return w
}

// watch reads the answer to its end.
func (w *witness) watch(first chan struct{}) error {
	last := time.Now()
	for {
		_, data, err := w.conn.Read(w.ctx)
		if err != nil {
			return err
		}
		var f frame
		var chunk struct{ Type, Delta string }
		if json.Unmarshal(data, &f) != nil || f.Type != "cf_agent_use_chat_response" {
			continue
		}
		if f.Done {
			return nil
		}
		if json.Unmarshal([]byte(f.Body), &chunk) == nil && chunk.Type == "text-delta" {
			if w.text.Len() == 0 {
				close(first)
			} else {
				w.gap = max(w.gap, time.Since(last))
			}
			last = time.Now()
			w.text.WriteString(chunk.Delta)
		}
	}
}

// finish ends the stream and checks that no word of it is missing, twice or out of order.
func (w *witness) finish() (words int, gap time.Duration) {
	w.t.Helper()
	defer w.close()
	close(w.enough)
	if err := <-w.ended; err != nil {
		w.errorf("the session beside was disturbed: %v", err)
	}
	got := strings.Fields(w.text.String())
	want := make([]string, 0, len(got))
	for i := range max(len(got)-1, 0) {
		want = append(want, strconv.Itoa(i))
	}
	if want = append(want, "end"); !slices.Equal(got, want) {
		w.errorf("the session beside got %d words that are not what was said", len(got))
	}
	return len(got), w.gap
}

// refusedWith dials a socket that must not come to be, and returns the status.
func (s *siege) refusedWith(path string, header http.Header) int {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	host := header.Get("Host")
	header = header.Clone()
	header.Del("Host")
	conn, resp, err := websocket.Dial(ctx, "ws://"+s.addr+path, &websocket.DialOptions{HTTPHeader: header, Host: host})
	if err == nil {
		_ = conn.CloseNow()
		return http.StatusSwitchingProtocols
	}
	if resp == nil {
		s.must(errors.Join(errors.New("no answer at all"), err))
	}
	return resp.StatusCode
}
