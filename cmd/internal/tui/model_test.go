package tui

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/server/client"
)

var update = flag.Bool("update", false, "write the golden files anew")

// A fake session notes what it is asked and tells what the test says.
type fake struct {
	answers map[string]any
	asked   []string
	prompts int
}

func newFake() *fake {
	return &fake{answers: map[string]any{"recentMessages": map[string]any{"messages": []chat.Message{}}, "approvals": []any{}}}
}

func (f *fake) Next(ctx context.Context) (client.Update, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

func (f *fake) note(format string, args ...any) {
	f.asked = append(f.asked, fmt.Sprintf(format, args...))
}

func (f *fake) Prompt(messages ...chat.Message) string {
	f.prompts++
	f.note("prompt %s", messages[0].Text())
	return fmt.Sprintf("ours-%d", f.prompts)
}
func (f *fake) Flush(context.Context) error { return nil }

func (f *fake) Cancel(id string) { f.note("cancel %s", id) }
func (f *fake) Close()           { f.note("close") }

func (f *fake) Decide(_ context.Context, id string, d client.Decision) error {
	f.note("decide %s approved=%v always=%v %s", id, d.Approved, d.Always, d.Reason)
	return nil
}

func (f *fake) Call(_ context.Context, method string, result any, args ...any) error {
	if method != "recentMessages" && method != "approvals" {
		f.note("call %s %v", method, args)
	}
	answer, ok := f.answers[method]
	if !ok || result == nil {
		return nil
	}
	if err, ok := answer.(error); ok {
		return err
	}
	raw, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, result)
}

// A stage is a model with a fake session and a clock that stands still until it is told otherwise.
type stage struct {
	t   testing.TB
	m   *model
	f   *fake
	now time.Time
	out []string
}

func newStage(t testing.TB, width, height int, state map[string]any) *stage {
	s := &stage{t: t, f: newFake(), now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
	opts := Options{
		Version: "test", Now: func() time.Time { return s.now },
		First: Opened{Session: s.f, Client: "chat-us", Name: "demo", Workdir: "/work", Model: "maker/model", Mode: "ask", Sandbox: "box", Notes: []string{"sandbox: box"}},
		Show: func(name string, input json.RawMessage) (string, bool) {
			var a struct{ Command string }
			_ = json.Unmarshal(input, &a)
			return a.Command, true
		},
		Summary: func(c chat.ToolCall) string {
			var a struct{ Command, Path string }
			_ = json.Unmarshal(c.Input, &a)
			return strings.TrimSpace(a.Command + a.Path)
		},
	}
	s.m = newModel(t.Context(), opts, newPalette(true, colorprofile.NoTTY), width, height)
	s.state(state)
	s.run(s.m.start())
	return s
}

// run runs what the model wants done, and what comes of that; nothing that waits.
func (s *stage) run(cmd tea.Cmd) {
	if !s.waits(cmd) {
		s.take(cmd())
	}
}

func (s *stage) take(msg tea.Msg) {
	switch msg := msg.(type) {
	case nil:
	case tea.BatchMsg:
		for _, cmd := range msg {
			s.run(cmd)
		}
	default:
		s.run(s.m.update(msg))
	}
}

// waits reports whether the command waits for a clock or for the session: the test is both.
func (s *stage) waits(cmd tea.Cmd) bool {
	return cmd == nil || clock.MatchString(runtime.FuncForPC(reflect.ValueOf(cmd).Pointer()).Name())
}

// sgr are the sequences that lines may hold.
var sgr = regexp.MustCompile(`\x1b\[[0-9;]*m`)

var clock = regexp.MustCompile(`\b(next|Tick)\.func\d+$`)

func (s *stage) state(fields map[string]any) {
	doc := map[string]any{
		"workdir": "/work", "model": "maker/model", "mode": "ask", "sandbox": "box", "status": "idle",
		"context": map[string]any{"tokens": 0}, "usage": map[string]any{}, "pending": []any{}, "todo": []any{},
	}
	maps.Copy(doc, fields)
	raw, err := json.Marshal(doc)
	if err != nil {
		s.t.Fatal(err)
	}
	s.tell(client.State{State: raw})
}

// tell is what the session tells.
func (s *stage) tell(updates ...client.Update) {
	s.run(s.m.told(told{by: s.m.session, updates: updates}))
}

// events are events of a turn.
func (s *stage) events(turn string, events ...chat.Event) {
	for _, e := range events {
		s.tell(client.Event{Turn: turn, Event: e})
	}
}

// press presses keys, by Bubble Tea's names, or types text that begins with ".
func (s *stage) press(keys ...string) {
	for _, k := range keys {
		if text, ok := strings.CutPrefix(k, `"`); ok {
			for _, r := range text {
				s.take(tea.KeyPressMsg{Code: r, Text: string(r)})
			}
			continue
		}
		s.take(named(k))
	}
}

func named(name string) tea.KeyPressMsg {
	var k tea.KeyPressMsg
	for {
		mod, rest, ok := strings.Cut(name, "+")
		if !ok {
			break
		}
		k.Mod |= map[string]tea.KeyMod{"ctrl": tea.ModCtrl, "alt": tea.ModAlt, "shift": tea.ModShift}[mod]
		name = rest
	}
	codes := map[string]rune{
		"enter": tea.KeyEnter, "esc": tea.KeyEscape, "tab": tea.KeyTab, "up": tea.KeyUp, "down": tea.KeyDown, "pgdown": tea.KeyPgDown,
		"pgup": tea.KeyPgUp, "space": tea.KeySpace, "backspace": tea.KeyBackspace, "home": tea.KeyHome, "end": tea.KeyEnd,
	}
	if code, ok := codes[name]; ok {
		k.Code = code
	} else {
		k.Code = rune(name[0])
		if k.Mod == 0 {
			k.Text = name
		}
	}
	return k
}

// screen is all that was printed, and below a line of dots the frame; a ¦ stands at the cursor.
func (s *stage) screen() string {
	s.out = append(s.out, s.m.take()...)
	var b strings.Builder
	for _, l := range s.out {
		b.WriteString(strings.TrimRight(ansi.Strip(l), " ") + "\n")
	}
	b.WriteString("·····\n")
	frame, cursor := s.m.frame()
	if len(frame) > max(s.m.height, leastHeight) {
		s.t.Errorf("the frame has %d lines on a terminal of %d", len(frame), s.m.height)
	}
	for i, l := range frame {
		if w := ansi.StringWidth(l); w > s.m.width {
			s.t.Errorf("a line of the frame has %d cells of %d: %q", w, s.m.width, l)
		}
		l = strings.TrimRight(ansi.Strip(l), " ")
		if cursor != nil && cursor.Y == i {
			l += strings.Repeat(" ", max(0, cursor.X-ansi.StringWidth(l)))
			l = ansi.Truncate(l, cursor.X, "") + "¦" + ansi.TruncateLeft(l, cursor.X, "")
		}
		b.WriteString(l + "\n")
	}
	return b.String()
}

// golden compares the screen with a file.
func (s *stage) golden(name string) {
	s.t.Helper()
	compareGolden(s.t, name, s.screen())
}

func compareGolden(t testing.TB, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test ./cmd/internal/tui -update writes it", err)
	}
	if got != string(want) {
		t.Errorf("%s is another now (-update writes it):\n%s", path, got)
	}
}
