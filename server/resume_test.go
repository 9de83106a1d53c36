package server

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/server/wire"
)

func TestNothingToResume(t *testing.T) {
	h := simple(t)
	p := h.join("r0")
	p.put(wire.ResumeRequest{ProbeID: "p1"})
	p.put(wire.ResumeRequest{})
	p.expect("none idle p1", "none idle")
}

// [t: resume_second_tab] A second page joins in the middle of a turn.
func TestASecondPageGetsTheWholeTurn(t *testing.T) {
	reply, reached, release := held("word0 ", "word1 ")
	h := simple(t, reply)
	a := h.join("rs1?_pk=a")
	a.ask("q1", "slow please")
	<-reached
	a.until("q1 3 ")
	b := h.dial("rs1?_pk=b")
	b.expect("resuming q1", "identity", "state", "mcp")
	b.put(wire.ResumeRequest{ProbeID: "p1"})
	b.expect("resuming q1 p1")
	b.put(wire.ResumeAck{ID: "q1"})
	replay := b.until("q1 complete")
	if replay[0] != "q1 0 start replay" {
		t.Errorf("the replay is %q", replay)
	}
	close(release)
	liveA, liveB := a.until("q1 done"), b.until("q1 done")
	if got := liveB[len(liveB)-2]; !strings.HasPrefix(got, "messages ") {
		t.Errorf("before the last frame B got %q, want the transcript", got)
	}
	if want := slices.Concat(liveA[len(liveA)-3:len(liveA)-1], []string{}); !slices.Equal(liveB[len(liveB)-4:len(liveB)-2], want) {
		t.Errorf("A's stream ended with %q, B's with %q", liveA, liveB)
	}
	b.put(wire.ResumeRequest{ProbeID: "p2"})
	b.expect("none idle p2")
	b.put(wire.ResumeAck{ID: "q1"}) // late: all of it again, and the end
	late := b.until("q1 replay done")
	if late[0] != "q1 0 start replay" || late[len(late)-1] != "q1 replay done of u-q1" {
		t.Errorf("a late ack brought %q", late)
	}
}

// [t: clients/react.chat.resume-after-drop] The ack of the first offer passes the answer to the client's own request.
func TestAnOfferAfterTheAckStopsNothing(t *testing.T) {
	reply, reached, release := held("word0 ")
	h := simple(t, reply)
	a := h.join("rs2?_pk=a")
	a.ask("q1", "slow please")
	<-reached
	b := h.dial("rs2?_pk=b")
	b.expect("resuming q1")
	b.put(wire.ResumeAck{ID: "q1"})
	b.put(wire.ResumeRequest{ProbeID: "p1"})
	b.until("q1 complete")
	b.expect("resuming q1 p1")
	close(release)
	if got := b.until("q1 done"); !slices.ContainsFunc(got, func(s string) bool { return strings.HasSuffix(s, " finish") }) {
		t.Errorf("after the second offer came only %q", got)
	}
}

// [t: resume_never_acked]
func TestAnUnansweredOfferGetsNoChunkButTheEnd(t *testing.T) {
	reply, reached, release := held("word0 ")
	h := simple(t, reply, agenttest.Say("second"))
	a := h.join("rs3?_pk=a")
	a.ask("q1", "slow please")
	<-reached
	b := h.dial("rs3?_pk=b")
	b.expect("resuming q1", "identity", "state", "mcp")
	close(release)
	b.expect(`messages user("slow please") assistant(step "word0 the rest")`, "q1 done of u-q1")
	a.until("q1 done")
	a.ask("q2", "more") // and from then on it follows again
	b.until("q2 0 start")
	b.until("q2 done")
	b.put(wire.ResumeAck{ID: "q1"}) // one that answers after the end gets the turn, and the end again
	late := b.until("q1 replay done")
	if all := strings.Join(late, "\n"); !strings.Contains(all, "q1 0 start") || !strings.Contains(all, "word0") {
		t.Errorf("after a late ack came %q, want the whole turn", late)
	}
}

// The turn outlives its connection, and the client that returns gets the rest exactly once.
func TestAClientThatReturnsGetsTheRestOnce(t *testing.T) {
	reply, reached, release := held("word0 ", "word1 ")
	h := simple(t, reply)
	a := h.join("rd1?_pk=a")
	a.ask("q1", "slow please")
	<-reached
	before := a.until("q1 3 ")
	_ = a.ws.CloseNow()
	again := h.dial("rd1?_pk=a")
	again.expect("resuming q1")
	again.put(wire.ResumeAck{ID: "q1"})
	replay := again.until("q1 complete")
	close(release)
	rest := again.until("q1 done")
	for i, s := range before {
		if got := strings.TrimSuffix(replay[i+3], " replay"); got != s { // identity, state and mcp come first
			if got = strings.TrimSuffix(replay[i+2], " replay"); got != s {
				t.Errorf("frame %d was %q and is replayed as %q", i, s, replay[i+3])
			}
		}
	}
	if got := rest[len(rest)-1]; got != "q1 done of u-q1" {
		t.Errorf("the last frame is %q", got)
	}
	if got := rest[len(rest)-2]; !strings.HasSuffix(got, " finish") {
		t.Errorf("before the last frame came %q: the asker gets no transcript", got)
	}
	seq := sequence(t, slices.Concat(replay, rest))
	for i, n := range seq {
		if i != n {
			t.Fatalf("chunks came as %v", seq)
		}
	}
}

// sequence returns the seq of every chunk.
func sequence(t *testing.T, shapes []string) []int {
	t.Helper()
	var seq []int
	for _, s := range shapes {
		var id, kind string
		var n int
		if _, err := fmt.Sscanf(s, "%s %d %s", &id, &n, &kind); err == nil {
			seq = append(seq, n)
		}
	}
	return seq
}

// gated is a tool that needs approval in mode ask.
func gated() agent.Tool {
	type args struct {
		Command string `json:"command"`
	}
	return agent.NewTool("run_shell", permission.Runs, "Run.", gatedRun[args])
}

func gatedRun[Args any](context.Context, Args) (agent.Result, error) {
	return agent.Result{Text: "ran"}, nil
}

func asking(t *testing.T, replies ...agenttest.Reply) *house {
	t.Helper()
	opts := agenttest.Options(t, agenttest.NewModel(replies...), gated())
	opts.Mode = permission.ModeAsk
	return serve(t, opts, nil)
}

var shell = agenttest.Call(agenttest.Use{ID: "call_1", Tool: "run_shell", Args: map[string]string{"command": "rm -rf x"}})

// [t: chat_approval_accept]
func TestAnApprovedCallContinuesTheMessage(t *testing.T) {
	reply, _, release := held()
	h := asking(t, shell, reply)
	a, b := h.join("ap1?_pk=a"), h.join("ap1?_pk=b")
	a.ask("q1", "approve this")
	got := a.until("q1 done")
	want := []string{
		"tool-input-start", "tool-input-delta", "tool-input-available", "tool-approval-request", "finish-step", "finish",
	}
	for i, w := range want {
		if g := got[len(got)-1-len(want)+i]; !strings.HasSuffix(g, w) {
			t.Errorf("the asker's stream is %q, want it to end with %q", got, want)
			break
		}
	}
	b.until("messages user(\"approve this\") assistant(step run_shell:approval-requested)")
	b.until("q1 done")
	a.put(wire.Approve{ToolCallID: "call_1", Approved: true, AutoContinue: true})
	a.expect("updated assistant(step run_shell:approval-responded)")
	b.expect("updated assistant(step run_shell:approval-responded)")
	offer, ok := recvResuming(a)
	if !ok {
		t.Fatal("the deciding connection got no offer")
	}
	a.put(wire.ResumeAck{ID: offer})
	replay, live := a.until(offer+" complete"), b.until(offer+" ")
	if replay[0] != offer+" 0 start replay cont" || live[0] != offer+" 0 start cont" {
		t.Errorf("A got %q, B got %q", replay, live)
	}
	close(release)
	gotA, gotB := a.until(offer+" cont done"), b.until(offer+" cont done")
	final := `messages user("approve this") assistant(step run_shell:output-available step "the rest")`
	if gotA[len(gotA)-2] != final || gotB[len(gotB)-2] != final {
		t.Errorf("before the end came %q and %q, want %q", gotA[len(gotA)-2], gotB[len(gotB)-2], final)
	}
	all := strings.Join(slices.Concat(replay, gotA), "\n")
	call, output := strings.Index(all, "tool-input-available"), strings.Index(all, "tool-output-available")
	if call < 0 || output < call {
		t.Errorf("a continuation must name the call before its output:\n%s", all)
	}
	seqA, seqB := sequence(t, slices.Concat(replay, gotA)), sequence(t, slices.Concat(live, gotB))
	if !slices.Equal(seqA, seqB) || seqA[len(seqA)-1] != len(seqA)-1 {
		t.Errorf("A got chunks %v, B %v", seqA, seqB)
	}
}

func recvResuming(p *peer) (string, bool) {
	for {
		switch f := p.recv().(type) {
		case wire.State, wire.CoderEvent:
		case wire.Resuming:
			return f.ID, true
		default:
			return "", false
		}
	}
}

// [t: chat_approval_deny]
func TestADeniedCallContinuesToo(t *testing.T) {
	reply, _, release := held()
	h := asking(t, shell, reply)
	a := h.join("ap2?_pk=a")
	a.ask("q1", "approve this")
	a.until("q1 done")
	a.put(wire.Approve{ToolCallID: "call_1", Reason: "too risky"})
	a.expect("updated assistant(step run_shell:output-denied)")
	offer, ok := recvResuming(a)
	if !ok {
		t.Fatal("the deciding connection got no offer")
	}
	a.put(wire.ResumeAck{ID: offer})
	a.until(offer + " complete")
	close(release)
	got := a.until(offer + " cont done")
	if want := `messages user("approve this") assistant(step run_shell:output-denied step "the rest")`; got[len(got)-2] != want {
		t.Errorf("before the end came %q, want %q", got[len(got)-2], want)
	}
	a.put(wire.Approve{ToolCallID: "call_1", Approved: true}) // too late
	a.quiet()
}

// However often and wherever a client breaks off, what it keeps is the stream, each chunk once.
func TestWhateverBreaksTheStreamIsWhole(t *testing.T) {
	const words = 60
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 1))
		step := make(chan struct{})
		h := simple(t, func(ctx context.Context, _ chat.Request, yield func(chat.Event) bool) error {
			for i := range words {
				select {
				case <-step:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
				yield(chat.TextDelta{Delta: fmt.Sprintf("w%d ", i)})
			}
			yield(chat.Answered{Model: "test", Reason: chat.ModelStop})
			return nil
		})
		a := h.join("p?_pk=a")
		a.ask("q1", "go")
		go func() {
			for range words {
				step <- struct{}{}
			}
		}()
		var kept []string // the chunks, as a client keeps them: a replay begins anew
		for done := false; !done; {
			for range 1 + rng.IntN(20) {
				f := a.recv()
				r, ok := f.(wire.ChatResponse)
				if _, offered := f.(wire.Resuming); offered {
					a.put(wire.ResumeAck{ID: "q1"})
				}
				if !ok || r.ID != "q1" {
					continue
				}
				if r.Seq != nil {
					if r.Replay && *r.Seq == 0 {
						kept = kept[:0]
					}
					if *r.Seq != len(kept) {
						t.Fatalf("seed %d: chunk %d came after %d chunks", seed, *r.Seq, len(kept))
					}
					kept = append(kept, r.Body)
				}
				if done = r.Done && !r.Unstreamed; done { // a turn that ends between offer and answer is replayed for the answer
					break
				}
			}
			if !done {
				_ = a.ws.CloseNow()
				a = h.dial("p?_pk=a")
				a.put(wire.ResumeAck{ID: "q1"}) // also right for a turn that has ended meanwhile
				kept = kept[:0]
			}
		}
		var said strings.Builder
		for _, body := range kept {
			e, err := wire.ChatResponse{Body: body}.Event()
			if d, ok := e.(chat.TextDelta); ok && err == nil {
				said.WriteString(d.Delta)
			}
		}
		var want strings.Builder
		for i := range words {
			fmt.Fprintf(&want, "w%d ", i)
		}
		if said.String() != want.String() {
			t.Errorf("seed %d: kept %q, want %q", seed, said.String(), want.String())
		}
		if err := h.stop(); err != nil {
			t.Error(err)
		}
	}
}
