package editor

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// A paste with so many lines, or more bytes, is folded.
const (
	foldLines = 10
	foldBytes = 1500
)

// A TooLongError says that a paste does not fit.
type TooLongError struct{ Bytes int }

func (e *TooLongError) Error() string {
	return fmt.Sprintf("pasting %d MB: a prompt has at most %d MB", e.Bytes>>20, MaxText>>20)
}

// Hint says how to go on.
func (e *TooLongError) Hint() string { return "save it to a file and name that" }

// paste inserts what was pasted, never as keys: paths of images as these, what is long folded.
func (e *Editor) paste(pasted string) tea.Cmd {
	if e.search != nil {
		e.searchFor(pasted)
		return nil
	}
	text := clean(pasted)
	if text == "" {
		return nil
	}
	if !e.room(len(text)) {
		return e.notice(&TooLongError{len(text)})
	}
	if e.vim.on {
		e.vim.normal = false
	}
	if paths := imagePaths(text, e.opts.Home); paths != nil {
		return e.attach(text, paths)
	}
	if len(text) > foldBytes || lineCount(text) >= foldLines {
		if code, ok := e.chips.foldPaste(text); ok {
			text = code
		}
	}
	e.buf.together(func() { e.buf.insert(text) })
	return nil
}

// attach puts images into the text. When one cannot be read, all remain text.
func (e *Editor) attach(text string, paths []string) tea.Cmd {
	var b strings.Builder
	total := e.attached()
	for _, path := range paths {
		a, err := ReadImage(path)
		if err == nil {
			if total += len(a.Data); total > MaxImages {
				err = &ImageError{path, fmt.Errorf("with the others it is %s", kilobytes(total))}
			}
		}
		code, ok := "", false
		if err == nil {
			code, ok = e.chips.addImage(a)
		}
		if !ok {
			e.buf.together(func() { e.buf.insert(text) })
			return e.notice(err)
		}
		b.WriteString(code + " ")
	}
	e.buf.together(func() { e.buf.insert(b.String()) })
	return nil
}

// attached is how many bytes the images of the text have.
func (e *Editor) attached() (n int) {
	e.chips.split(e.buf.text, func(_ string, c *chip) {
		if c != nil && c.image != nil {
			n += len(c.image.Data)
		}
	})
	return n
}
