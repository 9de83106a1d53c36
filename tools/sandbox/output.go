package sandbox

import (
	"bytes"
	"fmt"
	"os"
	"unicode/utf8"
)

// An Output takes what a command writes and keeps a bounded excerpt: all of it if that is short, else the beginning and
// the end, with the whole in a file. It is an io.Writer for one goroutine.
type Output struct {
	MaxBytes int                      // of the excerpt
	MaxLines int                      // of the excerpt
	Keep     int64                    // most bytes in the file
	Open     func() (*os.File, error) // makes the file when it is needed; called at most once

	clean cleaner
	head  []byte // the first MaxBytes of the text
	tail  []byte // at least the last MaxBytes*6/10 of it
	bytes int64  // of the text
	lines int64

	raw     int64 // bytes written
	rawNL   int64
	early   []byte   // what was written before there was a file
	file    *os.File // nil until it is needed
	kept    int64
	fileErr error
}

// An Excerpt is what an Output has kept.
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

// earlyBytes is how much is held in memory before a file is made: output that cleaning makes short needs none.
const earlyBytes = 64 << 10

func (o *Output) Write(p []byte) (int, error) {
	if o.clean.emit == nil {
		o.clean.emit = o.add
	}
	o.raw += int64(len(p))
	o.rawNL += int64(bytes.Count(p, []byte{'\n'}))
	o.store(p)
	return o.clean.Write(p)
}

// add takes text that has been cleaned.
func (o *Output) add(p []byte) {
	o.bytes += int64(len(p))
	o.lines += int64(bytes.Count(p, []byte{'\n'}))
	if room := o.MaxBytes - len(o.head); room > 0 {
		o.head = append(o.head, p[:min(room, len(p))]...)
	}
	o.tail = append(o.tail, p...)
	if n := o.tailBytes(); len(o.tail) > 4*n {
		o.tail = append(o.tail[:0], o.tail[len(o.tail)-n:]...)
	}
}

func (o *Output) tailBytes() int { return o.MaxBytes - o.MaxBytes*4/10 }

func (o *Output) store(p []byte) {
	if o.file == nil && o.fileErr == nil {
		o.early = append(o.early, p...)
		if len(o.early) > earlyBytes {
			o.spill()
		}
		return
	}
	o.keep(p)
}

// spill makes the file and moves to it what is in memory.
func (o *Output) spill() {
	if o.file, o.fileErr = o.Open(); o.fileErr == nil {
		o.keep(o.early)
	}
	o.early = nil
}

func (o *Output) keep(p []byte) {
	if o.fileErr != nil || o.kept >= o.Keep {
		return
	}
	n, err := o.file.Write(p[:min(int64(len(p)), o.Keep-o.kept)])
	o.kept += int64(n)
	o.fileErr = err
}

// End returns the end of the output so far, at most n bytes. What is cut off ends with a line if there is one.
func (o *Output) End(n int) string {
	if len(o.tail) <= n {
		return string(o.tail)
	}
	tail := o.tail[len(o.tail)-n:]
	return string(lastLines(tail, len(tail)+1))
}

// Finish ends the output and returns what is kept of it.
func (o *Output) Finish() Excerpt {
	o.clean.flush()
	lines := o.lines
	if n := len(o.tail); n > 0 && o.tail[n-1] != '\n' {
		lines++ // an unfinished last line is one too
	}
	x := Excerpt{Lines: o.rawNL, Bytes: o.raw}
	if x.Cut = o.bytes > int64(o.MaxBytes) || lines > int64(o.MaxLines); !x.Cut {
		x.Head = string(o.head)
		o.Discard()
		return x
	}
	head := firstLines(o.head[:min(len(o.head), o.MaxBytes*4/10)], o.MaxLines*4/10)
	tail := lastLines(o.tail[max(0, len(o.tail)-o.tailBytes()):], o.MaxLines-o.MaxLines*4/10)
	x.Head, x.Tail = string(head), string(tail)
	x.CutBytes = o.bytes - int64(len(head)+len(tail))
	x.CutLines = lines - countLines(head) - countLines(tail)
	x.Log, x.LogErr = o.closeFile()
	x.LogBytes = o.kept
	return x
}

// closeFile ends the file that holds the whole and returns its name.
func (o *Output) closeFile() (string, error) {
	if o.file == nil && o.fileErr == nil {
		o.spill()
	}
	if o.file == nil {
		return "", fmt.Errorf("making a file for the output: %w", o.fileErr)
	}
	err := o.file.Close()
	if o.fileErr != nil {
		err = o.fileErr
	}
	if err != nil {
		return o.file.Name(), fmt.Errorf("keeping the output in %s: %w", o.file.Name(), err)
	}
	return o.file.Name(), nil
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
