package tui

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/cmd/internal/headless"
	"github.com/coder-agent/coder/server/client"
)

func raw(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

// say is a text of the model as events.
func say(id string, pieces ...string) []chat.Event {
	events := []chat.Event{chat.TextStarted{ID: id}}
	for _, p := range pieces {
		events = append(events, chat.TextDelta{ID: id, Delta: p})
	}
	return append(events, chat.TextEnded{ID: id})
}

func user(id, text string) chat.Message {
	return chat.Message{ID: id, Role: chat.User, Parts: []chat.Part{chat.Text{Text: text}}}
}

func TestPromptAndAnswer(t *testing.T) {
	s := newStage(t, 60, 16, nil)
	s.press(`"hello`, "enter")
	s.events("ours-1", chat.TurnStarted{MessageID: "m1"}, chat.StepStarted{}, chat.TextStarted{ID: "1"},
		chat.TextDelta{ID: "1", Delta: "The first line.\n\nThe sec"})
	s.golden("streaming")
	s.events("ours-1", chat.TextDelta{ID: "1", Delta: "ond."}, chat.TextEnded{ID: "1"}, chat.Answered{Reason: chat.ModelStop}, chat.StepFinished{},
		chat.TurnFinished{Reason: chat.FinishStop})
	s.golden("answered")
	if want := []string{"prompt hello"}; !slices.Equal(s.f.asked, want) {
		t.Errorf("the session was asked %q, want %q", s.f.asked, want)
	}
}

func TestCards(t *testing.T) {
	s := newStage(t, 70, 30, nil)
	s.press(`"work`, "enter")
	s.events("ours-1", chat.TurnStarted{MessageID: "m1"}, chat.StepStarted{},
		chat.ReasoningStarted{ID: "r"}, chat.ReasoningDelta{ID: "r", Delta: "I must look first.\nThen act."}, chat.ReasoningEnded{ID: "r"},
		chat.ToolCalled{ToolCallID: "c1", ToolName: "read", Input: raw(map[string]string{"path": "a.go"})},
		chat.ToolCalled{ToolCallID: "c2", ToolName: "bash", Input: raw(map[string]string{"command": "go test ./..."})},
		chat.ToolCalled{ToolCallID: "c3", ToolName: "edit", Input: raw(map[string]string{"path": "a.go"})},
		chat.ToolStarted{ToolCallID: "c1"}, chat.ToolStarted{ToolCallID: "c2"},
		chat.ToolProgress{ToolCallID: "c2", Output: chat.Output{Text: "one\ntwo\nthree\nfour\nfive\nsix\n"}})
	s.now = s.now.Add(3 * time.Second)
	s.golden("cards_running")
	s.events("ours-1", chat.ToolFinished{ToolCallID: "c1", Output: chat.Output{Text: "x", Details: raw(map[string]int{"from": 1, "to": 40})}},
		chat.ToolFinished{ToolCallID: "c2", Output: chat.Output{Text: "--- FAIL: TestX\nFAIL\n", Details: raw(map[string]int{"exitCode": 1, "durationMs": 2300})}},
		chat.ToolFinished{ToolCallID: "c3", Output: chat.Output{Text: "ok", Details: raw(map[string]any{
			"path": "a.go", "added": 1, "removed": 1, "diff": "--- a/a.go\n+++ b/a.go\n@@ -1,2 +1,2 @@\n package a\n-var x = 1\n+var x = 2\n",
		})}},
		chat.StepFinished{}, chat.StepStarted{})
	s.events("ours-1", say("2", "Done.")...)
	s.events("ours-1", chat.TurnFinished{Reason: chat.FinishStop})
	s.golden("cards_finished")
}

func question(id, command string, more headless.Approval) headless.Approval {
	more.ToolCallID, more.ToolName, more.Summary, more.Text = id, "bash", command, command
	more.Workdir, more.Sandbox = "/work", "box"
	return more
}

// park has the turn wait for the calls.
func (s *stage) park(list ...headless.Approval) {
	s.press(`"do it`, "enter")
	s.events("ours-1", chat.TurnStarted{MessageID: "m1"}, chat.StepStarted{})
	for _, a := range list {
		s.events("ours-1", chat.ToolCalled{ToolCallID: a.ToolCallID, ToolName: "bash", Input: raw(map[string]string{"command": a.Summary})},
			chat.ApprovalAsked{ToolCallID: a.ToolCallID, ApprovalID: "a-" + a.ToolCallID})
	}
	s.events("ours-1", chat.TurnFinished{Reason: chat.FinishApproval})
	s.tell(client.TurnEnded{Turn: "ours-1"})
	s.f.answers["approvals"] = list
	s.state(map[string]any{"status": "waiting", "pending": list})
}

func TestApproval(t *testing.T) {
	s := newStage(t, 70, 24, nil)
	s.park(question("c1", "rm -rf build", headless.Approval{Reason: "it runs `rm`, which deletes"}), question("c2", "ls", headless.Approval{}))
	s.press("y") // meant for something else
	if len(s.f.asked) != 1 {
		t.Errorf("a key at once was taken for an answer: %q", s.f.asked)
	}
	s.now = s.now.Add(time.Second)
	s.golden("approval")
	s.press("y")
	if got, want := s.f.asked[len(s.f.asked)-1], "decide c1 approved=true always=false "; got != want {
		t.Errorf("y asked %q, want %q", got, want)
	}
}

func TestApprovalIsReadFirst(t *testing.T) {
	var script strings.Builder
	for i := range 60 {
		fmt.Fprintf(&script, "echo line %d\n", i)
	}
	s := newStage(t, 70, 24, nil)
	s.park(question("c1", script.String(), headless.Approval{}))
	s.screen()
	s.now = s.now.Add(time.Second)
	s.press("end") // what was jumped over was not seen
	s.screen()
	for pages := 0; len(s.f.asked) == 1; pages++ {
		if pages > 10 {
			t.Fatal("y never counts")
		}
		s.press("y", "y", "y") // without a drawing in between they are one
		s.screen()
		if pages == 0 {
			s.golden("approval_long")
		}
		if pages < 3 && len(s.f.asked) > 1 {
			t.Fatalf("after %d pages y counted", pages+1)
		}
	}
}

// TestApprovalWithoutRoom: where a question does not fit on the screen, no key says yes to it.
func TestApprovalWithoutRoom(t *testing.T) {
	for _, size := range []struct{ width, height int }{{60, 8}, {60, 4}, {10, 24}} {
		s := newStage(t, size.width, size.height, nil)
		s.park(question("c1", "rm -rf build", headless.Approval{}))
		s.now = s.now.Add(time.Second)
		s.screen()
		s.press("y", "y")
		if got := s.f.asked[len(s.f.asked)-1]; strings.HasPrefix(got, "decide") {
			t.Errorf("%v: a question that was not shown: %s", size, got)
		}
		s.take(tea.WindowSizeMsg{Width: 60, Height: 24})
		s.screen()
		s.press("y")
		if got, want := s.f.asked[len(s.f.asked)-1], "decide c1 approved=true always=false "; got != want {
			t.Errorf("%v: with room y asked %q, want %q", size, got, want)
		}
	}
}

// TestApprovalOfWideText: a terminal that counts each character of an emoji or a syllable by itself shows all of a command, too.
func TestApprovalOfWideText(t *testing.T) {
	for _, sign := range []string{"👍🏽", "👨‍👩‍👧", "🇩🇪", "☁️", "क्षि", "각", "漢", "e\u0301"} {
		command := "echo " + strings.Repeat(sign, 14) + "; rm -rf ~"
		s := newStage(t, 60, 24, nil)
		s.park(question("c1", command, headless.Approval{Reason: strings.Repeat(sign, 40)}))
		frame, _ := s.m.frame()
		var got strings.Builder
		for _, line := range frame {
			if widest(line) > 60 {
				t.Errorf("%s: the line %q may take %d cells", sign, line, widest(line))
			}
			if body, ok := strings.CutPrefix(line, "│ "); ok {
				got.WriteString(body)
			}
		}
		if !strings.Contains(got.String(), command) {
			t.Errorf("%s: the question shows %q, want %q in it", sign, got.String(), command)
		}
	}
}

// TestNarrowLines: a line that some terminal finds too long is made to fit on it.
func TestNarrowLines(t *testing.T) {
	s := newScreen(nil, 20, 5, true)
	for _, line := range []string{strings.Repeat("👍🏽", 8), strings.Repeat("☁️", 15), "\x1b[31m" + strings.Repeat("👨‍👩‍👧", 9) + "\x1b[m", strings.Repeat("x", 50)} {
		got := s.narrow([]string{line})[0]
		if widest(got) > 20 || !strings.Contains(got, "…") {
			t.Errorf("%q became %q of %d cells", line, got, widest(got))
		}
	}
}

// TestPasteIntoPicker: what is pasted into a list is text, and one line.
func TestPasteIntoPicker(t *testing.T) {
	s := newStage(t, 60, 16, nil)
	s.press(`"/model`, "enter")
	s.take(tea.PasteMsg{Content: "gpt\x1b[2J\x1b]52;c;aGk=\x07\n\u009b1;1H-new"})
	frame, _ := s.m.frame()
	for _, line := range frame {
		if strings.ContainsAny(sgr.ReplaceAllString(line, ""), "\x1b\x07\u009b\r\n") {
			t.Errorf("the terminal would obey %q", line)
		}
	}
	s.press("enter")
	if got, want := s.f.asked[len(s.f.asked)-1], "call setModel [gpt -new]"; got != want {
		t.Errorf("the session was asked %q, want %q", got, want)
	}
}

func TestApprovalInstead(t *testing.T) {
	s := newStage(t, 70, 24, nil)
	s.park(question("c1", "rm -rf build", headless.Approval{}))
	s.now = s.now.Add(time.Second)
	s.press("e", `"use make clean`)
	s.golden("approval_instead")
	s.press("enter")
	if got, want := s.f.asked[len(s.f.asked)-1], "decide c1 approved=false always=false use make clean"; got != want {
		t.Errorf("it asked %q, want %q", got, want)
	}
}

func TestApprovalAlwaysOffersItsRule(t *testing.T) {
	q := question("c1", "make test", headless.Approval{})
	q.Always = "allow bash(make test)"
	s := newStage(t, 70, 24, nil)
	s.park(q)
	s.now = s.now.Add(time.Second)
	s.golden("approval_always")
	s.press("a")
	if got, want := s.f.asked[len(s.f.asked)-1], "decide c1 approved=true always=true "; got != want {
		t.Errorf("it asked %q, want %q", got, want)
	}
}

// Somebody who types when a question comes up must not answer it with a letter of their word.
func TestTypingIsNoAnswer(t *testing.T) {
	s := newStage(t, 70, 24, nil)
	s.press(`"do it`, "enter", `"wh`)
	q := question("c1", "make", headless.Approval{})
	s.f.answers["approvals"] = []headless.Approval{q}
	s.events("ours-1", chat.TurnStarted{MessageID: "m1"}, chat.StepStarted{},
		chat.ToolCalled{ToolCallID: "c1", ToolName: "bash", Input: raw(map[string]string{"command": "make"})},
		chat.ApprovalAsked{ToolCallID: "c1", ApprovalID: "a"}, chat.TurnFinished{Reason: chat.FinishApproval})
	s.state(map[string]any{"status": "waiting", "pending": []headless.Approval{q}})
	s.now = s.now.Add(time.Second)
	s.press(`"y`)
	if len(s.f.asked) != 1 || s.m.input.Value() != "why" {
		t.Errorf("typing asked %q, and the input holds %q", s.f.asked, s.m.input.Value())
	}
	s.golden("approval_away")
}

// A word that begins at a question is a text, not the answer that one of its letters would be.
func TestWordsAtAQuestion(t *testing.T) {
	for _, word := range []string{"what", "look", "do any"} {
		s := newStage(t, 70, 24, nil)
		q := question("c1", "make", headless.Approval{})
		q.Always = "allow bash(make)"
		s.park(q)
		s.now = s.now.Add(time.Second)
		s.screen()
		s.press(`"` + word)
		if len(s.f.asked) != 1 || s.m.input.Value() != word {
			t.Errorf("%q asked %q, and the input holds %q", word, s.f.asked, s.m.input.Value())
		}
	}
}

// Whoever types while the question comes up, and goes on, has not answered it, however long they take for the word.
func TestTypingThroughAQuestion(t *testing.T) {
	s := newStage(t, 70, 24, nil)
	q := question("c1", "make", headless.Approval{})
	q.Always = "allow bash(make)"
	s.park(q)
	s.screen()
	for _, letter := range []string{"a", "n", "y", " ", "j", "o", "y"} {
		s.press(`"` + letter)
		s.now = s.now.Add(startle / 2)
		s.screen()
	}
	if len(s.f.asked) != 1 || s.m.input.Value() != "any joy" {
		t.Errorf("typing asked %q, and the input holds %q", s.f.asked, s.m.input.Value())
	}
}

// A question that came up behind a page, or a list, is as new as any when that goes.
func TestQuestionBehindAPage(t *testing.T) {
	for _, cover := range []struct{ command, leave string }{{"/help", "q"}, {"/model", "esc"}, {"/help", "ctrl+c"}} {
		s := newStage(t, 70, 24, nil)
		s.park(question("c1", "make", headless.Approval{}))
		s.press("tab", `"`+cover.command, "enter", "tab")
		s.m.decision.away = false
		s.now = s.now.Add(time.Minute)
		s.press(cover.leave)
		s.screen()
		s.press("y")
		if got := s.f.asked[len(s.f.asked)-1]; strings.HasPrefix(got, "decide") {
			t.Errorf("%s: a key that was meant for the page: %s", cover.command, got)
		}
		s.now = s.now.Add(time.Second)
		s.press("y")
		if got := s.f.asked[len(s.f.asked)-1]; !strings.HasPrefix(got, "decide c1 approved=true") {
			t.Errorf("%s: y asked %q", cover.command, got)
		}
	}
}

// What to do instead stays in the input when the user goes back from it.
func TestInsteadIsKept(t *testing.T) {
	s := newStage(t, 70, 24, nil)
	s.park(question("c1", "make", headless.Approval{}))
	s.now = s.now.Add(time.Second)
	s.press("tab", `"a draft`, "tab", "e", `" and more`, "esc")
	if got := s.m.input.Value(); got != "a draft and more" {
		t.Errorf("the input holds %q", got)
	}
}

func TestApprovalAnsweredElsewhere(t *testing.T) {
	s := newStage(t, 70, 24, nil)
	s.park(question("c1", "make", headless.Approval{}))
	yes := true
	s.tell(client.MessageUpdated{Client: "approve-123", Message: chat.Message{ID: "m1", Role: chat.Assistant, Parts: []chat.Part{
		chat.StepStart{}, chat.ToolCall{ID: "c1", Name: "bash", Input: raw(map[string]string{"command": "make"}), State: chat.ApprovalResponded, Approval: &chat.Approval{ID: "a-c1", Approved: &yes}},
	}}})
	s.state(map[string]any{"status": "running"})
	s.events("t2", chat.TurnStarted{}, chat.ToolCalled{ToolCallID: "c1", ToolName: "bash", Input: raw(map[string]string{"command": "make"})},
		chat.ToolStarted{ToolCallID: "c1"}, chat.ToolFinished{ToolCallID: "c1", Output: chat.Output{Text: "ok", Details: raw(map[string]int{"exitCode": 0})}},
		chat.TurnFinished{Reason: chat.FinishStop})
	s.golden("approval_elsewhere")
}

func TestSteeringAndQueue(t *testing.T) {
	s := newStage(t, 70, 24, nil)
	s.press(`"go`, "enter")
	s.events("ours-1", chat.TurnStarted{MessageID: "m1"}, chat.StepStarted{}, chat.TextStarted{ID: "1"}, chat.TextDelta{ID: "1", Delta: "Working"})
	s.press(`"mind the gap`, "enter", `"next thing`, "alt+enter", `"third thing`, "alt+enter")
	s.golden("queue")
	if want := []string{"prompt go", "call steer [mind the gap]", "prompt next thing", "prompt third thing"}; !slices.Equal(s.f.asked, want) {
		t.Errorf("the session was asked %q, want %q", s.f.asked, want)
	}
	s.press("alt+up")
	s.golden("queue_edited")
	s.press(`" now`, "enter")
	if got, want := s.f.asked[4:], []string{"cancel ours-3", "prompt third thing now"}; !slices.Equal(got, want) {
		t.Errorf("the session was asked %q, want %q", got, want)
	}
	s.tell(client.TurnEnded{Turn: "ours-3", Cancelled: true})
	s.events("ours-1", chat.Steered{ID: "s", Text: "mind the gap"}, chat.TextDelta{ID: "1", Delta: " on and on."}, chat.TextEnded{ID: "1"},
		chat.StepFinished{}, chat.StepStarted{})
	s.events("ours-1", say("2", "I see.")...)
	s.events("ours-1", chat.TurnFinished{Reason: chat.FinishStop})
	s.events("ours-2", chat.TurnStarted{MessageID: "m2"}, chat.StepStarted{})
	s.golden("queue_moves")
}

func TestErrors(t *testing.T) {
	s := newStage(t, 70, 24, nil)
	s.press(`"one`, "enter")
	s.events("ours-1", chat.TurnStarted{MessageID: "m1"}, chat.StepStarted{},
		chat.Retrying{Attempt: 2, Of: 5, Wait: 2 * time.Second, Reason: "429 Too Many Requests"})
	s.golden("retrying")
	s.events("ours-1", chat.TurnFinished{Reason: chat.FinishError, Error: "401 Unauthorized: no such key", Hint: "make a new key at https://openrouter.ai/keys"})
	s.press(`"two`, "enter")
	s.tell(client.TurnEnded{Turn: "ours-2", Error: "the disk is full", Hint: "make room"})
	s.golden("errors")
	if s.m.input.Value() != "two" {
		t.Errorf("a prompt that was not taken is gone from the input: %q", s.m.input.Value())
	}
}

func TestConnectionLost(t *testing.T) {
	s := newStage(t, 70, 24, nil)
	s.tell(client.Disconnected{Err: fmt.Errorf("EOF"), Wait: 3 * time.Second})
	s.press(`"while away`, "enter")
	s.golden("lost")
	s.tell(client.Connected{})
	s.golden("connected")
}

// TestConnectedAgain: what others said while the connection was down is shown, once, whether the turn is over or goes on.
func TestConnectedAgain(t *testing.T) {
	for _, status := range []string{"idle", "running"} {
		s := newStage(t, 70, 24, nil)
		s.press(`"first`, "enter")
		s.events("ours-1", append([]chat.Event{chat.TurnStarted{MessageID: "m1"}, chat.StepStarted{}}, say("1", "Answer one.")...)...)
		s.events("ours-1", chat.StepFinished{}, chat.TurnFinished{Reason: chat.FinishStop})
		mine := s.m.script.Snapshot()
		s.tell(client.Disconnected{Err: fmt.Errorf("EOF"), Wait: time.Second})
		missed := chat.Message{ID: "m2", Role: chat.Assistant, Parts: []chat.Part{chat.StepStart{}, chat.Text{Text: "Answer two."}}}
		s.f.answers["recentMessages"] = map[string]any{"messages": append(mine, user("u2", "from elsewhere"), missed)}
		s.state(map[string]any{"status": status})
		s.tell(client.Connected{})
		if status == "running" {
			s.events("t2", append([]chat.Event{chat.TurnStarted{MessageID: "m2"}, chat.StepStarted{}}, say("2", "Answer two.")...)...)
			s.events("t2", chat.StepFinished{}, chat.TurnFinished{Reason: chat.FinishStop})
			s.state(nil)
		}
		got := s.screen()
		for _, text := range []string{"first", "Answer one.", "from elsewhere", "Answer two."} {
			if n := strings.Count(got, text); n != 1 {
				t.Errorf("%s: %q stands there %d times:\n%s", status, text, n, got)
			}
		}
	}
}

func TestOthersPrompts(t *testing.T) {
	s := newStage(t, 70, 24, nil)
	s.tell(client.Messages{Client: "page-1", Messages: []chat.Message{user("u1", "from a page")}})
	s.events("t1", chat.TurnStarted{MessageID: "m1"}, chat.StepStarted{})
	s.tell(client.Messages{Client: "run-1", Messages: []chat.Message{user("u1", "from a page"), user("u2", "from a script")}})
	s.events("t1", say("1", "Hello page.")...)
	s.events("t1", chat.TurnFinished{Reason: chat.FinishStop})
	s.tell(client.Event{Turn: "t2", Client: "run-1", Event: chat.TurnStarted{MessageID: "m2"}})
	s.events("t2", append([]chat.Event{chat.StepStarted{}}, say("2", "Hello script.")...)...)
	s.events("t2", chat.TurnFinished{Reason: chat.FinishStop})
	s.golden("others")
}

func TestReopening(t *testing.T) {
	var messages []chat.Message
	for i := range 1000 {
		messages = append(messages, user(fmt.Sprintf("u%d", i), fmt.Sprintf("prompt %d", i)), chat.Message{
			ID: fmt.Sprintf("a%d", i), Role: chat.Assistant, Parts: []chat.Part{chat.StepStart{}, chat.Text{Text: fmt.Sprintf("answer %d", i), State: chat.PartDone}},
		})
	}
	s := newStage(t, 70, 24, nil)
	s.m.enter(s.m.opts.First)
	s.f.answers["recentMessages"] = map[string]any{"before": 1940, "messages": messages[1940:]}
	began := time.Now()
	s.run(s.m.load())
	s.golden("reopened")
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("opening 2,000 messages took %s", took)
	}
}

// What is put into a turn that has just ended comes back as a prompt of no connection: to who has typed it it is theirs, and to others
// somebody's, but never the agent's.
func TestSteeringTooLate(t *testing.T) {
	for who, typed := range map[string]bool{"": true, "another client:": false} {
		s := newStage(t, 70, 24, nil)
		s.press(`"go`, "enter")
		s.events("ours-1", chat.TurnStarted{MessageID: "m"}, chat.StepStarted{}, chat.TextStarted{ID: "t"}, chat.TextDelta{ID: "t", Delta: "Gone."})
		if typed {
			s.press(`"in French`, "enter")
		}
		s.events("ours-1", chat.TextEnded{ID: "t"}, chat.TurnFinished{Reason: chat.FinishStop})
		s.tell(client.Messages{Messages: []chat.Message{user("u2", "in French")}})
		screen := s.screen()
		if strings.Count(screen, "in French") != 1 || strings.Contains(screen, "itself") || strings.Contains(screen, "another client") != !typed {
			t.Errorf("it must be said by %q:\n%s", who, screen)
		}
	}
}

// A turn that ran before we came is told from its beginning; what of it is in the transcript must not stand there twice.
func TestJoiningARunningTurn(t *testing.T) {
	messages := []chat.Message{user("u1", "go"), {ID: "m1", Role: chat.Assistant, Parts: []chat.Part{chat.StepStart{}, chat.Text{Text: "Half an ans", State: chat.PartStreaming}}}}
	s := newStage(t, 70, 24, nil)
	s.m.enter(s.m.opts.First)
	s.f.answers["recentMessages"] = map[string]any{"messages": messages}
	s.state(map[string]any{"status": "running"})
	s.run(s.m.load())
	s.events("t1", chat.TurnStarted{MessageID: "m1"}, chat.StepStarted{}, chat.TextStarted{ID: "1"}, chat.TextDelta{ID: "1", Delta: "Half an answer, "})
	s.golden("joined")
	s.events("t1", chat.TextDelta{ID: "1", Delta: "and the rest."}, chat.TextEnded{ID: "1"}, chat.TurnFinished{Reason: chat.FinishStop})
	if got := s.screen(); strings.Count(got, "Half an answer, and the rest.") != 1 || strings.Count(got, "Half") != 1 {
		t.Errorf("the answer must stand there once:\n%s", got)
	}
}

func TestLeaving(t *testing.T) {
	s := newStage(t, 70, 24, nil)
	s.press(`"go`, "enter")
	s.events("ours-1", chat.TurnStarted{MessageID: "m1"}, chat.StepStarted{}, chat.TextStarted{ID: "1"}, chat.TextDelta{ID: "1", Delta: "Working"})
	s.press("ctrl+c")
	s.golden("leaving")
	s.now = s.now.Add(again + time.Second)
	s.press("ctrl+c")
	if s.m.quits {
		t.Fatal("two presses far apart left")
	}
	s.press("ctrl+c")
	if !s.m.quits {
		t.Fatal("two presses did not leave")
	}
	if got := strings.Join(s.m.farewell(), "\n"); !strings.Contains(got, "the turn goes on") || !strings.Contains(got, "Working") {
		t.Errorf("the last words are %q", got)
	}
	if len(s.f.asked) != 1 {
		t.Errorf("leaving asked for %q", s.f.asked)
	}
}

func TestFullModeIsLoud(t *testing.T) {
	s := newStage(t, 70, 24, map[string]any{"mode": "full", "sandbox": "none"})
	s.golden("full")
}

// What comes from outside obeys nobody: not in prose, not in a call, not in a result, not in a title.
func TestHostileText(t *testing.T) {
	evil := "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x1b]52;c;aGk=\x07 \u202eright to left\u2066 \x00\x9b1mnul\r\nnext"
	s := newStage(t, 70, 30, map[string]any{"title": evil, "todo": []chat.Todo{{Text: evil, Status: chat.TodoActive}}})
	s.press(`"go`, "enter")
	s.events("ours-1", chat.TurnStarted{MessageID: "m1"}, chat.StepStarted{}, chat.ReasoningStarted{ID: "r"}, chat.ReasoningDelta{ID: "r", Delta: evil}, chat.ReasoningEnded{ID: "r"})
	s.events("ours-1", say("1", evil[:5], evil[5:12], evil[12:])...)
	s.events("ours-1", chat.ToolCalled{ToolCallID: "c1", ToolName: evil, Input: raw(map[string]string{"command": evil})},
		chat.ToolStarted{ToolCallID: "c1"}, chat.ToolProgress{ToolCallID: "c1", Output: chat.Output{Text: evil}})
	check := func(where, got string) {
		t.Helper()
		for _, bad := range []string{"\x1b", "\x00", "\x07", "\u009b", "\u202e", "\u2066", "\r"} {
			if strings.Contains(got, bad) {
				t.Errorf("%s holds %q:\n%q", where, bad, got)
			}
		}
	}
	s.golden("hostile")
	check("the screen", s.screen())
	check("the title", s.m.title())
	s.events("ours-1", chat.ToolFailed{ToolCallID: "c1", ErrorText: evil}, chat.TurnFinished{Reason: chat.FinishError, Error: evil, Hint: evil})
	check("the screen", s.screen())
	check("the export", s.m.asMarkdown(s.m.script.Snapshot()))
}

// ask has the turn wait for the user's answers.
func (s *stage) ask(list ...headless.Questions) {
	s.press(`"do it`, "enter")
	s.events("ours-1", chat.TurnStarted{MessageID: "m1"}, chat.StepStarted{},
		chat.ToolCalled{ToolCallID: "c1", ToolName: "ask_user", Input: raw(map[string]string{})}, chat.Delegated{ToolCallID: "c1"},
		chat.TurnFinished{Reason: chat.FinishQuestion})
	s.state(map[string]any{"status": "asking", "questions": list})
	s.now = s.now.Add(time.Second)
}

func someQuestions() headless.Questions {
	var q headless.Questions
	if err := json.Unmarshal([]byte(`{"toolCallId":"c1","questions":[
		{"header":"Database","text":"Which database shall it be? It must run on a laptop.","options":["SQLite","Postgres","a file"]},
		{"header":"Systems","text":"Where must it run?","options":["linux","darwin"],"multi":true},
		{"header":"Name","text":"What is it called?"}]}`), &q); err != nil {
		panic(err)
	}
	return q
}

func TestQuestionsOfTheAgent(t *testing.T) {
	s := newStage(t, 70, 24, nil)
	s.ask(someQuestions())
	s.golden("asked")
	s.press("down", "enter")
	s.golden("asked_several")
	s.press("space", "down", "space", "enter")
	s.press(`"my tool`, "enter")
	if got, want := s.f.asked[len(s.f.asked)-1], "call answer [c1 [[Postgres] [linux darwin] [my tool]]]"; got != want {
		t.Errorf("it asked %q, want %q", got, want)
	}
	s.state(map[string]any{"status": "running"})
	s.events("t2", chat.TurnStarted{}, chat.ToolCalled{ToolCallID: "c1", ToolName: "ask_user", Input: raw(map[string]string{})},
		chat.ClientAnswered{ToolCallID: "c1", Output: raw("Database: Postgres")}, chat.StepFinished{}, chat.StepStarted{})
	s.golden("asked_answered")
}

func TestQuestionInOwnWords(t *testing.T) {
	s := newStage(t, 70, 24, nil)
	q := someQuestions()
	q.Questions = q.Questions[:1]
	s.ask(q)
	s.press("o", `"none of them`)
	s.golden("asked_own_words")
	s.press("enter")
	if got, want := s.f.asked[len(s.f.asked)-1], "call answer [c1 [[none of them]]]"; got != want {
		t.Errorf("it asked %q, want %q", got, want)
	}
}

// Who looks elsewhere is told that a turn has ended, or waits; who looks is not.
func TestNotification(t *testing.T) {
	for _, blurred := range []bool{true, false} {
		s := newStage(t, 70, 24, nil)
		if blurred {
			s.take(tea.BlurMsg{})
		}
		s.park(question("c1", "make\x1b]52;c;aGk=\x07", headless.Approval{}))
		raw := s.m.takeRaw()
		if told := strings.HasPrefix(raw, "\x1b]9;coder: waits for you: bash make"); told != blurred || strings.Count(raw, "\x1b") > 1 {
			t.Errorf("blurred %v: the terminal was told %q", blurred, raw)
		}
	}
}

// Without colours there are none, and signs say the same.
func TestNoColour(t *testing.T) {
	s := newStage(t, 70, 24, map[string]any{"mode": "full"})
	s.m.recolour(newPalette(true, colorprofile.ASCII))
	s.press(`"go`, "enter")
	s.events("ours-1", chat.TurnStarted{MessageID: "m1"}, chat.StepStarted{}, chat.ToolCalled{ToolCallID: "c1", ToolName: "bash", Input: raw(map[string]string{"command": "make"})},
		chat.ToolFailed{ToolCallID: "c1", ErrorText: "no"})
	frame, _ := s.m.frame()
	for _, l := range append(s.m.take(), frame...) {
		if colour.MatchString(l) {
			t.Errorf("a line has a colour: %q", l)
		}
	}
}

var colour = regexp.MustCompile(`\x1b\[(\d+;)*([349][0-7]|10[0-7]|[34]8;)`)

// What a sub-agent does is asked for where its parent is looked at, and says whose it is.
func TestSubAgents(t *testing.T) {
	s := newStage(t, 70, 24, nil)
	s.press(`"go`, "enter")
	s.events("ours-1", chat.TurnStarted{MessageID: "m1"}, chat.StepStarted{},
		chat.ToolCalled{ToolCallID: "c1", ToolName: "task", Input: raw(map[string]string{"command": "general: remove it"})},
		chat.ToolStarted{ToolCallID: "c1"}, chat.TaskGiven{ToolCallID: "c1", Session: "demo/sub/task/1", Agent: "general"}, chat.TurnFinished{Reason: chat.FinishApproval})
	q := question("sub/task/1/c9", "rm -rf build", headless.Approval{Session: "demo/sub/task/1"})
	s.f.answers["approvals"] = []headless.Approval{q}
	children := []child{{Session: "demo/sub/task/1", Agent: "general", Status: "waiting", Usage: chat.Usage{Cost: 0.0021}}}
	s.state(map[string]any{"status": "waiting", "pending": []headless.Approval{q}, "children": children})
	s.now = s.now.Add(time.Second)
	s.golden("subagent")
	s.press("y")
	if got, want := s.f.asked[len(s.f.asked)-1], "decide sub/task/1/c9 approved=true always=false "; got != want {
		t.Errorf("y asked %q, want %q", got, want)
	}
}

// Words that are typed at a question with options are the answer in the user's own words.
func TestOwnWordsAtOnce(t *testing.T) {
	for _, wait := range []time.Duration{0, time.Second} {
		s := newStage(t, 70, 24, nil)
		s.ask(someQuestions())
		s.now = s.now.Add(wait)
		s.press(`"use 2`)
		if got := s.m.input.Value(); got != "use 2" || len(s.f.asked) != 1 {
			t.Errorf("after %s the input holds %q, and the session was asked %q", wait, got, s.f.asked)
		}
	}
}

// A folder's commands are there in its own sessions only, and take the name of none of ours and of the user's own.
func TestCommandsOfAFolder(t *testing.T) {
	s := newStage(t, 70, 24, nil)
	s.m.opts.Custom = []Custom{NewCustom("greet", "own.md", "Own: $1")}
	first := s.m.about
	first.Custom = []Custom{NewCustom("greet", "a.md", "Theirs: $1"), NewCustom("cost", "b.md", "Pay"), NewCustom("ship", "c.md", "Ship $2 to $1, $ARGUMENTS")}
	s.m.enter(first)
	s.run(s.m.load())
	s.press(`"/greet Ada`, "enter", `"/cost`, "enter", `"/ship Bonn it`, "enter")
	if want := []string{"prompt Own: Ada", "prompt Ship it to Bonn, Bonn it"}; !slices.Equal(s.f.asked, want) {
		t.Errorf("asked %q, want %q", s.f.asked, want)
	}
	first.Custom = nil
	s.m.enter(first)
	s.run(s.m.load())
	s.f.asked = nil
	s.press(`"/ship Bonn it`, "enter")
	if len(s.f.asked) > 0 || !strings.Contains(s.screen(), "there is no command /ship") {
		t.Errorf("in another folder it asked %q:\n%s", s.f.asked, s.screen())
	}
}
