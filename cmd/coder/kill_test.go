package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/coder-agent/coder/agent/audit"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/openrouter/openroutertest"
)

// killPoints is how many random points a plain test run tries; CODER_KILL_POINTS sets another number, CODER_KILL_SEED
// the seed of the first.
const killPoints = 6

// TestKill kills the host with SIGKILL at random points of a turn with text, reads, writes and commands, starts it again
// and lets the turn finish. Then every frame that a client saw must still be true, no prompt, decision or result be
// lost, no command have run twice, and the transcript be one that a strict provider accepts.
func TestKill(t *testing.T) {
	points, seed, bin := killOptions(t)
	took := make(map[string]time.Duration)
	for _, mode := range []string{"auto", "edit"} { // in mode edit the commands wait for a decision
		k := newKill(t, bin, mode)
		begun := time.Now()
		k.play(time.Hour)
		took[mode] = time.Since(begun)
		k.check()
	}
	for i := range points {
		mode := []string{"auto", "edit"}[i%2]
		t.Run(fmt.Sprintf("seed %d in mode %s", seed+uint64(i), mode), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed+uint64(i), 0))
			k := newKill(t, bin, mode)
			k.play(time.Duration(rng.Float64() * float64(took[mode])))
			k.check()
		})
	}
}

// killOptions are how many points to try, the seed of the first, and the program.
func killOptions(t *testing.T) (points int, seed uint64, bin string) {
	t.Helper()
	points, seed = killPoints, 1
	if v := os.Getenv("CODER_KILL_POINTS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatalf("CODER_KILL_POINTS: %v", err)
		}
		points = n
	}
	if v := os.Getenv("CODER_KILL_SEED"); v != "" {
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			t.Fatalf("CODER_KILL_SEED: %v", err)
		}
		seed = n
	}
	bin = filepath.Join(t.TempDir(), "coder")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("building coder: %v\n%s", err, out)
	}
	return points, seed, bin
}

// A kill is one scenario: a data dir, a repository and what clients saw.
type kill struct {
	t     *testing.T
	bin   string
	mode  string
	model *openroutertest.Server
	data  string
	repo  string
	host  *exec.Cmd

	ended    <-chan error              // of the host
	seen     map[string]map[int]string // by turn and seq, the chunk
	turns    []string                  // in order of appearance
	decided  map[string]bool           // calls whose decision was acknowledged
	prompted bool                      // the first turn has ended: its request need not come again
	finished bool                      // the last turn has ended for good
	replies  map[string]frame          // RPC answers by id
	offered  bool                      // this connection was offered a stream
	asked    map[string]bool           // calls that this connection has decided
}

// A frame is what this test reads of any frame of the server.
type frame struct {
	Type         string          `json:"type"`
	ID           string          `json:"id"`
	Body         string          `json:"body"`
	Seq          *int            `json:"seq"`
	Done         bool            `json:"done"`
	Error        json.RawMessage `json:"error"`
	Success      bool            `json:"success"`
	Result       json.RawMessage `json:"result"`
	Continuation bool            `json:"continuation"`
	Event        json.RawMessage `json:"event"`
}

func newKill(t *testing.T, bin, mode string) *kill {
	t.Helper()
	return newKillOf(t, bin, mode, killScript)
}

// newKillOf is newKill with another script.
func newKillOf(t *testing.T, bin, mode string, script func(*openroutertest.Request) openroutertest.Response) *kill {
	t.Helper()
	k := &kill{
		t: t, bin: bin, mode: mode, model: openroutertest.New(), data: t.TempDir(), repo: t.TempDir(),
		seen: make(map[string]map[int]string), decided: make(map[string]bool), replies: make(map[string]frame),
	}
	for name, text := range map[string]string{"a.txt": "alpha\nbeta\n", "b.txt": "gamma\n"} {
		if err := os.WriteFile(filepath.Join(k.repo, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	k.model.Reply(script)
	if err := k.model.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.model.Close() })
	return k
}

// killScript answers by how many results the transcript holds, so that it goes on where the transcript is.
func killScript(r *openroutertest.Request) openroutertest.Response {
	results := 0
	for _, m := range r.Messages {
		if m.Role == "tool" {
			results++
		}
	}
	call := func(id, name, args string) openroutertest.Call {
		return openroutertest.Call{ID: id, Name: name, Args: json.RawMessage(args)}
	}
	effect := func(id, word string) openroutertest.Call {
		return call(id, "bash", `{"command":"echo `+word+` >> effects.log; sleep 0.03"}`)
	}
	answer := openroutertest.Response{Delay: 1, Fragments: true}
	switch results {
	case 0:
		answer.Reasoning, answer.Text = "First I look around a little.", "Let me look at the first file now."
		answer.Calls = []openroutertest.Call{call("r1", "read", `{"path":"a.txt"}`)}
	case 1:
		answer.Calls = []openroutertest.Call{call("r2", "read", `{"path":"a.txt"}`), call("r3", "read", `{"path":"b.txt"}`)}
	case 3:
		answer.Text, answer.Calls = "Now a command.", []openroutertest.Call{effect("x1", "one")}
	case 4:
		answer.Calls = []openroutertest.Call{call("w1", "write", `{"path":"out.txt","content":"made\n"}`)}
	case 5:
		answer.Calls = []openroutertest.Call{call("e1", "edit", `{"path":"a.txt","edits":[{"old":"beta","new":"delta"}]}`)}
	case 6:
		answer.Calls = []openroutertest.Call{effect("x2", "two"), call("r4", "read", `{"path":"b.txt"}`), effect("x3", "three")}
	default:
		answer.Text = strings.Repeat("All of it is done and said. ", 8)
	}
	return answer
}

// play lets the turn run, kills the host after a while, and goes on with a new host until nothing is left to do.
func (k *kill) play(after time.Duration) {
	k.t.Helper()
	k.serve()
	ctx, cancel := context.WithTimeout(k.t.Context(), time.Minute)
	defer cancel()
	killed := time.AfterFunc(after, func() { _ = k.host.Process.Kill() })
	err := k.follow(ctx)
	if killed.Stop() {
		if err != nil {
			k.t.Fatalf("following the turn: %v", err)
		}
		return // it was over first
	}
	<-k.ended
	k.serve()
	k.finished = false
	if err := k.follow(ctx); err != nil {
		k.t.Fatalf("following the turn at the second host: %v", err)
	}
}

// serve starts a host and waits until it is ready.
func (k *kill) serve() {
	k.t.Helper()
	cmd := exec.CommandContext(k.t.Context(), k.bin, "serve", "--data-dir", k.data, "--mode", k.mode, "--model", "test/model")
	cmd.Dir = k.repo
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + k.data, "OPENROUTER_BASE_URL=" + k.model.URL()}
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	ended := make(chan error, 1)
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "listening on http://") {
		_ = cmd.Wait()
		k.t.Fatalf("the host said %q (%v)\n%s", line, err, log.String())
	}
	go func() {
		_, _ = io.Copy(io.Discard, lines)
		ended <- cmd.Wait()
		close(ended)
	}()
	k.host, k.ended = cmd, ended
	k.t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
}

func (k *kill) dial(ctx context.Context) (*websocket.Conn, error) {
	host, ok, err := readHostFile(k.data)
	if err != nil || !ok {
		return nil, fmt.Errorf("reading the host file: %t, %w", ok, err)
	}
	conn, _, err := websocket.Dial(ctx, "ws://"+host.Addr+"/agents/coder-agent/kill?_pk=tester&token="+host.Token, nil)
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(-1)
	return conn, nil
}

// follow talks to the host like a client does: it sets up the session, prompts (again, if need be), takes up the stream
// that runs and decides what waits. It ends when the turn is over or the socket breaks.
func (k *kill) follow(ctx context.Context) error {
	conn, err := k.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	k.offered, k.asked = false, make(map[string]bool)
	send := func(v any) error {
		data, err := json.Marshal(v)
		if err != nil {
			return err
		}
		return conn.Write(ctx, websocket.MessageText, data)
	}
	call := func(id, method string, args ...any) error {
		return send(map[string]any{"type": "rpc", "id": id, "method": method, "args": append([]any{}, args...)})
	}
	if err := call("setup", "setup", map[string]any{"workdir": k.repo, "mode": k.mode}); err != nil {
		return err
	}
	for !k.finished {
		_, data, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		var f frame
		if err := json.Unmarshal(data, &f); err != nil {
			return fmt.Errorf("frame %s: %w", data, err)
		}
		if err := k.take(f, send, call); err != nil {
			return err
		}
	}
	return nil
}

func (k *kill) take(f frame, send func(any) error, call func(string, string, ...any) error) error {
	switch f.Type {
	case "cf_agent_stream_resuming":
		k.offered = true
		return send(map[string]any{"type": "cf_agent_stream_resume_ack", "id": f.ID})
	case "cf_agent_use_chat_response":
		if f.Seq != nil {
			k.chunk(f)
		}
		if !f.Done {
			return nil
		}
		if len(f.Error) > 0 {
			return fmt.Errorf("turn %s failed: %s", f.ID, f.Body)
		}
		k.prompted = k.prompted || f.ID == "turn1"
		return call("approvals", "approvals")
	case "rpc":
		return k.answered(f, send, call)
	}
	return nil
}

// answered goes on after an RPC answer.
func (k *kill) answered(f frame, send func(any) error, call func(string, string, ...any) error) error {
	if !f.Success {
		return fmt.Errorf("call %s was refused: %s", f.ID, f.Error)
	}
	switch {
	case f.ID == "setup":
		if !k.prompted {
			err := send(map[string]any{"type": "cf_agent_use_chat_request", "id": "turn1", "init": map[string]any{
				"method": "POST",
				"body":   `{"messages":[{"id":"user1","role":"user","parts":[{"type":"text","text":"do the work"}]}],"trigger":"submit-message"}`,
			}})
			if err != nil {
				return err
			}
		}
		if k.offered || len(k.turns) == 0 {
			return nil
		}
		return send(map[string]any{"type": "cf_agent_stream_resume_ack", "id": k.turns[len(k.turns)-1]}) // did it end?
	case f.ID == "approvals":
		var waiting []struct {
			ToolCallID string `json:"toolCallId"`
		}
		if err := json.Unmarshal(f.Result, &waiting); err != nil {
			return err
		}
		if len(waiting) == 0 {
			return call("messages", "getMessages")
		}
		for _, w := range waiting {
			if k.asked[w.ToolCallID] {
				continue // two streams have ended on this connection, and each asked what waits
			}
			k.asked[w.ToolCallID] = true
			if k.decided[w.ToolCallID] {
				return fmt.Errorf("the decision on %s was acknowledged and is asked for again", w.ToolCallID)
			}
			if err := call("decide "+w.ToolCallID, "decide", w.ToolCallID, true); err != nil {
				return err
			}
		}
	case strings.HasPrefix(f.ID, "decide "):
		k.decided[strings.TrimPrefix(f.ID, "decide ")] = true
	case f.ID == "messages":
		k.replies["messages"] = f
		var messages []chat.Message
		if err := json.Unmarshal(f.Result, &messages); err != nil {
			return err
		}
		k.finished = len(messages) > 0 && strings.Contains(messages[len(messages)-1].Text(), "done and said")
	}
	return nil
}

// chunk notes a chunk. The same turn and number must be the same chunk, whenever it comes.
func (k *kill) chunk(f frame) {
	if k.seen[f.ID] == nil {
		k.seen[f.ID] = make(map[int]string)
		k.turns = append(k.turns, f.ID)
	}
	if old, ok := k.seen[f.ID][*f.Seq]; ok && old != f.Body {
		k.t.Errorf("turn %s: chunk %d was %s and became %s", f.ID, *f.Seq, old, f.Body)
	}
	k.seen[f.ID][*f.Seq] = f.Body
}

// check holds what the clients saw against what is on disk, in the repository and in the requests.
func (k *kill) check() {
	k.t.Helper()
	var stored []json.RawMessage
	if err := json.Unmarshal(k.replies["messages"].Result, &stored); err != nil || len(stored) != 2 {
		k.t.Fatalf("the transcript is %s (%v), want the prompt and one answer", k.replies["messages"].Result, err)
	}
	k.checkReplays(stored[1])
	k.checkEffects(stored[1])
	if report, err := audit.Verify(k.t.Context(), audit.Dir(k.data)); err != nil || report.Break != nil || report.Lines < 10 {
		k.t.Errorf("the audit log: %+v, %v", report, err)
	}
	for i, r := range k.model.Requests() {
		if err := openroutertest.Check(r.Body); err != nil {
			k.t.Errorf("request %d: %v", i, err)
		}
	}
}

// checkReplays asks a fresh connection for all turns: what was seen must be a part of what is kept, and folding what is
// kept must give the stored message.
func (k *kill) checkReplays(stored json.RawMessage) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), time.Minute)
	defer cancel()
	conn, err := k.dial(ctx)
	if err != nil {
		k.t.Fatal(err)
	}
	defer conn.CloseNow()
	script := chat.NewTranscript(nil)
	for _, turn := range k.turns {
		for _, c := range script.Waiting() { // a decision on a finished turn is no event of a turn
			script.Apply(chat.Decided{ToolCallID: c.ID, Approved: true, By: "tester"})
		}
		ack := fmt.Sprintf(`{"type":"cf_agent_stream_resume_ack","id":%q}`, turn)
		if err := conn.Write(ctx, websocket.MessageText, []byte(ack)); err != nil {
			k.t.Fatal(err)
		}
		kept := make(map[int]string)
		for done := false; !done; {
			_, data, err := conn.Read(ctx)
			if err != nil {
				k.t.Fatal(err)
			}
			var f frame
			if err := json.Unmarshal(data, &f); err != nil {
				k.t.Fatal(err)
			}
			switch {
			case f.Type == "cf_agent_use_chat_response" && f.ID == turn:
				if done = f.Done; f.Seq != nil {
					kept[*f.Seq] = f.Body
					k.fold(script, []byte(f.Body))
				}
			case f.Type == "coder_event" && f.ID == turn:
				k.fold(script, f.Event)
			}
		}
		for seq, body := range k.seen[turn] {
			if kept[seq] != body {
				k.t.Errorf("turn %s: a client saw chunk %d as %s; kept is %q", turn, seq, body, kept[seq])
			}
		}
	}
	messages := script.Snapshot()
	if len(messages) != 1 {
		k.t.Fatalf("the kept events make %d messages, want 1", len(messages))
	}
	folded, err := json.Marshal(messages[0])
	if err != nil {
		k.t.Fatal(err)
	}
	if diff := cmp.Diff(string(stored), string(folded)); diff != "" {
		k.t.Errorf("the stored message and the fold of the kept events differ (-stored +folded):\n%s", diff)
	}
}

func (k *kill) fold(script *chat.Transcript, body []byte) {
	e, err := chat.DecodeEvent(body)
	if err != nil {
		var end struct{ Type string }
		if json.Unmarshal(body, &end) == nil && end.Type == "finish" {
			return // made for the page; the TurnFinished beside it is the event
		}
		k.t.Errorf("a kept event: %v", err)
		return
	}
	script.Apply(e)
}

// checkEffects holds each command's result against what the command left behind.
func (k *kill) checkEffects(stored json.RawMessage) {
	k.t.Helper()
	log, err := os.ReadFile(filepath.Join(k.repo, "effects.log"))
	if err != nil && !os.IsNotExist(err) {
		k.t.Fatal(err)
	}
	var message chat.Message
	if err := json.Unmarshal(stored, &message); err != nil {
		k.t.Fatal(err)
	}
	for _, p := range message.Parts {
		c, ok := p.(chat.ToolCall)
		if !ok {
			continue
		}
		if !c.Finished() {
			k.t.Errorf("call %s is left in state %s", c.ID, c.State)
		}
		_, command, ok := strings.Cut(string(c.Input), `"echo `) // a call that broke off has no arguments
		if !ok {
			continue
		}
		word, _, _ := strings.Cut(command, " ")
		ran := strings.Count(string(log), word+"\n")
		interrupted := c.State == chat.OutputError && strings.Contains(c.Error, "interrupted")
		if ran > 1 || ran == 0 && !interrupted || !interrupted && c.State != chat.OutputAvailable {
			k.t.Errorf("command %s ran %d times and its result is %s %q", word, ran, c.State, c.Result())
		}
	}
	if got, err := os.ReadFile(filepath.Join(k.repo, "out.txt")); err == nil && string(got) != "made\n" {
		k.t.Errorf("out.txt holds %q", got)
	}
	a, err := os.ReadFile(filepath.Join(k.repo, "a.txt"))
	if err != nil || string(a) != "alpha\nbeta\n" && string(a) != "alpha\ndelta\n" {
		k.t.Errorf("a.txt holds %q (%v)", a, err)
	}
}
