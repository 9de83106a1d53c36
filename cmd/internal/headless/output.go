package headless

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/coder-agent/coder/server/client"
)

// An OutputError says that Out takes nothing more: whoever read it has gone, or a disk is full.
type OutputError struct{ Err error }

func (e *OutputError) Error() string { return fmt.Sprintf("the output is lost (%v)", e.Err) }
func (e *OutputError) Unwrap() error { return e.Err }

// Hint says what the user can do. With a reader that has gone there is nothing to mend.
func (e *OutputError) Hint() string {
	if errors.Is(e.Err, syscall.ENOSPC) {
		return "make room on the disk that stdout goes to; the session keeps the answer as far as it came: coder sessions show NAME"
	}
	return ""
}

// printJSON prints v as one document.
func printJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return &OutputError{err}
	}
	return nil
}

// jsonLine prints the event with the names of session and turn at its end, and before them who caused the turn, unless
// that is us.
func (f *follower) jsonLine(u client.Event) error {
	if !f.options.watch {
		u.Client = ""
	}
	names, err := json.Marshal(struct {
		Client  string `json:"client,omitempty"`
		Session string `json:"session"`
		Turn    string `json:"turn"`
	}{u.Client, f.result.Session, u.Turn})
	if err != nil {
		return err
	}
	return f.join(u.Body, names)
}

// line prints a line of our own: the type, the fields, and the names.
func (f *follower) line(kind string, fields any) error {
	head, err := json.Marshal(struct {
		Type string `json:"type"`
	}{kind})
	if err != nil {
		return err
	}
	body, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	return f.jsonLine(client.Event{Turn: f.result.Turn, Body: joinObjects(head, body)})
}

func (f *follower) join(a, b []byte) error {
	if _, err := f.options.Out.Write(append(joinObjects(a, b), '\n')); err != nil {
		return &OutputError{err}
	}
	return nil
}

// errorLine ends JSONL when there is no event that could: the prompt was refused, or the end of the turn is not recorded.
func (f *follower) errorLine() {
	if f.options.Format != JSONL || f.broken != nil {
		return
	}
	f.broken = f.line("error", struct {
		ErrorText string `json:"errorText"`
		Hint      string `json:"hint,omitempty"`
	}{f.result.Error, f.result.Hint})
}

// joinObjects makes one JSON object of two that are not empty.
func joinObjects(a, b []byte) []byte {
	out := append([]byte(nil), a[:len(a)-1]...)
	out = append(out, ',')
	return append(out, b[1:]...)
}
