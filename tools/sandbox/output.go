package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"unicode/utf8"
)

// An Output takes what a command writes, made plain, and keeps a bounded excerpt: all of it if that is short, else the
// beginning and the end, with the whole in a file. It is an io.Writer for one goroutine.
type Output struct {
	MaxBytes int                      // of an excerpt
	MaxLines int                      // of an excerpt
	Keep     int64                    // most bytes in the file
	Open     func() (*os.File, error) // makes the file when it is needed; called at most once

	clean cleaner
	early []byte // the beginning of the text: all of it before there is a file
	tail  []byte // at least the last MaxBytes of it
	at    Cursor // its end

	file    *os.File // nil until it is needed
	kept    int64
	fileErr error
	ended   bool
}

// A Cursor is a place in an output.
type Cursor struct {
	Bytes int64 `json:"bytes"`
	Lines int64 `json:"lines"` // line ends before it
}

// An Excerpt is what an Output shows of a part of itself.
type Excerpt struct {
	Head, Tail string // when nothing was left out, all is in Head
	Cut        bool
	CutLines   int64
	CutBytes   int64

	Lines, Bytes int64  // all that was written
	Log          string // the file with all of it, when Cut
	LogBytes     int64  // bytes in it; less than Bytes when there were more than Keep
	LogErr       error  // why there is no file
}

// earlyBytes is how much is held in memory before a file is made: output that is short needs none.
const earlyBytes = 64 << 10

func (o *Output) Write(p []byte) (int, error) {
	if o.clean.emit == nil {
		o.clean.emit = o.add
	}
	return o.clean.Write(p)
}

// add takes text that has been cleaned.
func (o *Output) add(p []byte) {
	o.at.Bytes += int64(len(p))
	o.at.Lines += int64(bytes.Count(p, []byte{'\n'}))
	o.tail = append(o.tail, p...)
	if n := o.MaxBytes; len(o.tail) > 4*n {
		o.tail = append(o.tail[:0], o.tail[len(o.tail)-n:]...)
	}
	if o.file != nil || o.fileErr != nil {
		o.keep(p)
		return
	}
	if o.early = append(o.early, p...); len(o.early) > earlyBytes {
		o.Spill()
	}
}

// Spill makes the file, and moves to it what is in memory.
func (o *Output) Spill() {
	if o.file != nil || o.fileErr != nil {
		return
	}
	if o.file, o.fileErr = o.Open(); o.fileErr == nil {
		o.keep(o.early)
	}
	o.early = o.early[:min(len(o.early), o.MaxBytes)]
}

func (o *Output) keep(p []byte) {
	if o.fileErr != nil || o.kept >= o.Keep {
		return
	}
	n, err := o.file.Write(p[:min(int64(len(p)), o.Keep-o.kept)])
	o.kept += int64(n)
	o.fileErr = err
}

// At is the place that the output has come to. A line that is not finished counts: who looks at a program that asks a
// question sees the question.
func (o *Output) At() Cursor {
	o.clean.give()
	return o.at
}

// End returns the end of the output so far, at most n bytes. What is cut off ends with a line if there is one.
func (o *Output) End(n int) string {
	if len(o.tail) <= n {
		return string(o.tail)
	}
	tail := o.tail[len(o.tail)-n:]
	return string(lastLines(tail, len(tail)+1))
}

// Since returns what came behind a place that At has told.
func (o *Output) Since(from Cursor) Excerpt {
	part := int(o.at.Bytes - from.Bytes)
	lines := o.at.Lines - from.Lines
	x := Excerpt{Lines: o.at.Lines, Bytes: o.at.Bytes}
	if n := len(o.tail); part > 0 && o.tail[n-1] != '\n' {
		lines++ // an unfinished last line is one too
	}
	if part <= o.MaxBytes && lines <= int64(o.MaxLines) {
		x.Head = string(o.tail[len(o.tail)-part:])
		return x
	}
	x.Cut = true
	tail := o.tail[len(o.tail)-min(part, o.MaxBytes-o.MaxBytes*4/10):]
	tail = lastLines(tail, o.MaxLines-o.MaxLines*4/10)
	head := firstLines(o.beginning(from.Bytes, o.MaxBytes*4/10), o.MaxLines*4/10)
	x.Head, x.Tail = string(head), string(tail)
	x.CutBytes = int64(part) - int64(len(head)+len(tail))
	x.CutLines = lines - countLines(head) - countLines(tail)
	x.Log, x.LogErr = o.log()
	x.LogBytes = o.kept
	return x
}

// beginning returns at most n bytes from a place on; fewer, or none, where they are no longer kept.
func (o *Output) beginning(from int64, n int) []byte {
	o.Spill()
	if from < int64(len(o.early)) {
		return o.early[from:min(from+int64(n), int64(len(o.early)))]
	}
	if o.file == nil {
		return nil
	}
	f, err := os.Open(o.file.Name())
	if err != nil {
		return nil // somebody has removed it: log says what there is
	}
	defer f.Close()
	head := make([]byte, n)
	n, _ = f.ReadAt(head, from) // at its end: what there is counts
	return head[:n]
}

// Finish ends the output and returns what is kept of it. The file stays only if it is needed.
func (o *Output) Finish() Excerpt {
	o.Close()
	x := o.Since(Cursor{})
	if !x.Cut {
		o.Discard()
	}
	return x
}

// Close ends the output. The file stays, and what Since answers.
func (o *Output) Close() {
	if o.ended {
		return
	}
	o.ended = true
	o.clean.flush()
	if o.file != nil {
		o.fileErr = errors.Join(o.fileErr, o.file.Close())
	}
}

// log names the file that holds the whole, or says why it does not.
func (o *Output) log() (string, error) {
	switch {
	case o.file == nil:
		return "", fmt.Errorf("making a file for the output: %w", o.fileErr)
	case o.fileErr != nil:
		return o.file.Name(), fmt.Errorf("keeping the output in %s: %w", o.file.Name(), o.fileErr)
	}
	return o.file.Name(), nil
}

// Log is the name of the file, "" when there is none.
func (o *Output) Log() string {
	if o.file == nil {
		return ""
	}
	return o.file.Name()
}

// Discard removes the file: all is in the excerpt, or nobody wants it.
func (o *Output) Discard() {
	if o.file != nil {
		o.file.Close()
		_ = os.Remove(o.file.Name()) // an unneeded file at worst: the session's folder is cleared with it
	}
}

// firstLines returns at most n whole lines from the beginning; when there is no line end in the second half, the last
// line is cut between characters.
func firstLines(b []byte, n int) []byte {
	end := 0
	for range n {
		i := bytes.IndexByte(b[end:], '\n')
		if i < 0 {
			break
		}
		end += i + 1
	}
	if end >= len(b)/2 || countLines(b[:end]) >= int64(n) {
		return b[:end]
	}
	end = len(b)
	for end > 0 && !utf8.Valid(b[:end]) && len(b)-end < utf8.UTFMax {
		end--
	}
	return b[:end]
}

// lastLines returns at most n lines from the end, the first of them whole unless it is very long.
func lastLines(b []byte, n int) []byte {
	if i := bytes.IndexByte(b, '\n'); i >= 0 && i < len(b)/2 {
		b = b[i+1:]
	}
	for len(b) > 0 && !utf8.RuneStart(b[0]) {
		b = b[1:]
	}
	end := len(b)
	if end > 0 && b[end-1] == '\n' {
		end--
	}
	for range n {
		i := bytes.LastIndexByte(b[:end], '\n')
		if i < 0 {
			return b
		}
		end = i
	}
	return b[end+1:]
}

func countLines(b []byte) int64 {
	n := int64(bytes.Count(b, []byte{'\n'}))
	if len(b) > 0 && b[len(b)-1] != '\n' {
		n++
	}
	return n
}
