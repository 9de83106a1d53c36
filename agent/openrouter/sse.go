package openrouter

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// mostEvent bounds one event of a stream, in bytes: a line without end must not eat the memory.
const mostEvent = 32 << 20

// Bounds of an event over several lines, which is checked anew with each of them. No server is known to send one.
const (
	mostLines  = 256
	mostJoined = 1 << 20 // bytes
)

var (
	errTruncated = errors.New("openrouter: the stream ended without [DONE]")
	errTooLarge  = errors.New("openrouter: an event of the stream is larger than 32 MiB, or 1 MiB over several lines")
)

// events reads server-sent events as they come and gives them out in the one form that go-openai's stream reader takes
// without loss: a line "data: …" for each event, nothing else. It drops comments, ids and event names, accepts a BOM,
// CRLF, "data:" without a space, events of several lines, events that no blank line parts, and bare JSON lines, and
// tells the end after [DONE] (io.EOF) from any other (errTruncated).
type events struct {
	source *bufio.Reader
	closer io.Closer
	most   int // bytes of an event

	out   []byte // events, then from ready on the one that is not complete
	read  int    // of out
	ready int    // of out
	bare  bool   // the incomplete event came without "data:"
	open  bool   // there is an incomplete event
	lines int    // of the incomplete event
	first bool   // no line was read yet
	err   error  // what Read returns when out is read
}

func newEvents(source *bufio.Reader, closer io.Closer) *events {
	return &events{source: source, closer: closer, most: mostEvent, first: true}
}

// Read gives out complete events only, as much of them as p holds.
func (e *events) Read(p []byte) (int, error) {
	for e.read == e.ready {
		if e.err != nil {
			return 0, e.err
		}
		e.out = append(e.out[:0], e.out[e.ready:]...)
		e.read, e.ready = 0, 0
		e.line()
	}
	n := copy(p, e.out[e.read:e.ready])
	e.read += n
	return n, nil
}

// Close ends the response.
func (e *events) Close() error { return e.closer.Close() }

// line takes in one line of the source.
func (e *events) line() {
	line, err := e.source.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line, err = e.longLine(line)
	}
	if e.first && len(line) > 0 {
		e.first = false
		line = bytes.TrimPrefix(line, []byte("\ufeff"))
	}
	switch {
	case err == nil || errors.Is(err, io.EOF) && len(line) > 0:
		e.take(bytes.TrimRight(line, "\r\n"))
	}
	if err != nil && e.err == nil {
		e.finish(err)
	}
}

// longLine reads on a line that is longer than the source's buffer.
func (e *events) longLine(head []byte) ([]byte, error) {
	line := bytes.Clone(head)
	for {
		more, err := e.source.ReadSlice('\n')
		line = append(line, more...)
		if len(line) > e.most {
			return nil, errTooLarge
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// take handles one line without its end.
func (e *events) take(line []byte) {
	switch {
	case len(line) == 0:
		e.end()
	case line[0] == ':': // a comment
	case bytes.HasPrefix(line, []byte("data:")):
		e.add(bytes.TrimSpace(line[len("data:"):]), false)
	case line[0] == '{':
		e.add(line, true)
		if json.Valid(e.payload()) {
			e.end()
		}
	case e.bare && e.open: // JSON over several lines, without "data:"
		e.add(bytes.TrimSpace(line), true)
		if json.Valid(e.payload()) {
			e.end()
		}
	}
}

const linePrefix = "data: "

// payload returns the incomplete event without its prefix.
func (e *events) payload() []byte { return e.out[e.ready+len(linePrefix):] }

// add begins an event or, if the open one is not complete, adds a line to it.
func (e *events) add(data []byte, bare bool) {
	if e.open && (e.bare != bare || complete(e.payload())) {
		e.end()
	}
	if e.err != nil {
		return
	}
	switch {
	case e.open && (e.lines == mostLines || len(e.payload()) > mostJoined):
		e.err, e.out = errTooLarge, e.out[:e.ready]
		return
	case e.open:
		e.lines++
		e.out = append(e.out, ' ')
	case len(data) == 0:
		return
	default:
		e.open, e.bare, e.lines = true, bare, 1
		e.out = append(e.out, linePrefix...)
		if data[0] == '{' {
			e.out = append(e.out, "{ "...) // the blank keeps the library from taking {"error": for itself
			data = data[1:]
		}
	}
	e.out = append(e.out, data...)
	if len(e.out)-e.ready > e.most {
		e.err, e.out = errTooLarge, e.out[:e.ready]
	}
}

func complete(payload []byte) bool {
	return string(payload) == "[DONE]" || json.Valid(payload)
}

// end completes the open event. The one that says [DONE] is the last, whatever comes after it.
func (e *events) end() {
	if !e.open {
		return
	}
	if string(e.payload()) == "[DONE]" {
		e.err = io.EOF
	}
	e.out = append(e.out, '\n')
	e.open, e.ready = false, len(e.out)
}

// finish handles the end of the source: an event that is complete but for its blank line counts.
func (e *events) finish(err error) {
	if e.open && complete(e.payload()) {
		e.end()
	}
	if errors.Is(err, io.EOF) {
		err = errTruncated
	}
	if e.err == nil {
		e.err = err
		e.out = e.out[:e.ready]
	}
}
