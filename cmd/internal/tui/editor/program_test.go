package editor

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
)

// A program is an editor in a Bubble Tea program that ends with the first prompt.
type program struct {
	*Editor
	got Submit
}

func (p *program) Init() tea.Cmd { return nil }

func (p *program) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if s, ok := msg.(Submit); ok {
		p.got = s
		return p, tea.Quit
	}
	return p, p.Editor.Update(msg)
}

func (p *program) View() tea.View { return tea.NewView("") }

// TestBytesOfTerminals: what terminals really send, read by Bubble Tea, does what its key is said to do.
func TestBytesOfTerminals(t *testing.T) {
	const enter = "\r"
	for _, tt := range []struct{ name, bytes, want string }{
		{"Ctrl+J", "a\nb" + enter, "a\nb"},
		{"Shift+Enter of kitty", "a\x1b[13;2ub" + enter, "a\nb"},
		{"Shift+Enter of xterm", "a\x1b[27;2;13~b" + enter, "a\nb"},
		{"Enter of kitty", "ab\x1b[13u", "ab"},
		{"a backslash and Enter", "a\\" + enter + "b" + enter, "a\nb"},
		{"Alt+B", "one two\x1bbx" + enter, "one xtwo"},
		{"Ctrl+Left", "one two\x1b[1;5Dx" + enter, "one xtwo"},
		{"Alt+Backspace", "one two\x1b\x7fx" + enter, "one x"},
		{"Ctrl+H", "ab\x08" + enter, "a"},
		{"Backspace", "ab\x7f" + enter, "a"},
		{"Ctrl+W of kitty", "one two\x1b[119;5ux" + enter, "one x"},
		{"Ctrl+_", "one two\x1fx" + enter, "one x"},
		{"Home and End", "b\x1b[Ha\x1b[Fc" + enter, "abc"},
		{"Delete", "ab\x01\x1b[3~" + enter, "b"},
		{"Ctrl+Y", "ab\x15\x19\x19" + enter, "abab"},
		{"a pasted text", "a\x1b[200~b\rc\x1b[Dd\x1b[201~e" + enter, "ab\ncde"},
		{"a paste that holds Enter and Ctrl+C", "\x1b[200~rm\r\x03\x15\x1b[201~x" + enter, "rm\nx"},
		{"wide characters", "日本👨\u200d👩\u200d👧\x7f" + enter, "日本"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e, err := New(Options{})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			p := &program{Editor: e}
			_, err = tea.NewProgram(p, tea.WithContext(ctx), tea.WithInput(bytes.NewReader([]byte(tt.bytes))), tea.WithOutput(io.Discard), tea.WithoutSignals(), tea.WithWindowSize(80, 24)).Run()
			if err != nil || p.got.Text != tt.want {
				t.Errorf("%q sends %q (%v), want %q", tt.bytes, p.got.Text, err, tt.want)
			}
		})
	}
}
