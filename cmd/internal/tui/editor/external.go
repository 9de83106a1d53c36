package editor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// An External asks the program to give the terminal to a command until it ends, and then to hand Update what Done makes of its end.
type External struct {
	Command *exec.Cmd
	Done    func(error) tea.Msg
}

// edited says that the external editor has ended.
type edited struct {
	path string
	err  error
}

// An ExternalError says that there is no external editor, or what went wrong with it.
type ExternalError struct{ Err error }

func (e *ExternalError) Error() string {
	return fmt.Sprintf("writing in the external editor: %v", e.Err)
}
func (e *ExternalError) Unwrap() error { return e.Err }

// Hint says how to choose another.
func (e *ExternalError) Hint() string {
	return "the draft is kept as it was; the editor is what $VISUAL or $EDITOR names, such as: export VISUAL=vim"
}

// ExternalCommand makes an Options.External of the value of $VISUAL or $EDITOR: a program with arguments, quoted as in a shell.
// It ends with ctx.
func ExternalCommand(ctx context.Context, value string) func(path string) (*exec.Cmd, error) {
	return func(path string) (*exec.Cmd, error) {
		argv := words(value)
		if len(argv) == 0 {
			return nil, errors.New("neither $VISUAL nor $EDITOR names one")
		}
		return exec.CommandContext(ctx, argv[0], append(argv[1:], path)...), nil
	}
}

// external hands the text to the external editor, with pastes unfolded.
func (e *Editor) external() tea.Cmd {
	if e.opts.External == nil {
		return e.notice(&ExternalError{errors.New("there is none")})
	}
	path, err := e.writeTemp()
	if err != nil {
		return e.notice(&ExternalError{err})
	}
	command, err := e.opts.External(path)
	if err != nil {
		return e.notice(&ExternalError{errors.Join(err, os.Remove(path))})
	}
	return e.emit(External{Command: command, Done: func(err error) tea.Msg { return edited{path, err} }})
}

// writeTemp writes the text to a new file that nobody else can read.
func (e *Editor) writeTemp() (path string, err error) {
	if err := os.MkdirAll(e.opts.Dir, 0o700); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(e.opts.Dir, "prompt-*.md") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(e.Value())
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// edited takes what the external editor has left. When it failed, the draft stays as it was.
func (e *Editor) edited(msg edited) tea.Cmd {
	text, err := readBounded(msg.path)
	err = errors.Join(msg.err, err, os.Remove(msg.path))
	if err != nil {
		return e.notice(&ExternalError{err})
	}
	text = strings.TrimSuffix(clean(text), "\n")
	if text != strings.TrimSuffix(e.Value(), "\n") {
		e.setText(e.refold(text))
	}
	return nil
}

func readBounded(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxText+1))
	if err == nil && len(data) > MaxText {
		err = fmt.Errorf("it has left more than %d MB", MaxText>>20)
	}
	return string(data), err
}

// refold folds again what was folded before and still stands in the text as it was.
func (e *Editor) refold(text string) string {
	for rest := e.buf.text; ; {
		i := strings.IndexByte(rest, chipMark)
		if i < 0 {
			return text
		}
		code := rest[i : i+chipLen]
		c := e.chips.list[chipID(code)]
		shown := c.paste
		if c.image != nil {
			shown = c.label
		}
		text = strings.Replace(text, shown, code, 1)
		rest = rest[i+chipLen:]
	}
}
