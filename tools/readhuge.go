package tools

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/coder-agent/coder/agent"
)

// pieceSize is how much of a huge file is in memory at a time, in bytes.
const pieceSize = 256 << 10

// readHuge shows lines of a file that is not taken into memory, if the call says which.
func readHuge(ctx context.Context, p *place, f io.ReadSeeker, info fs.FileInfo, a readArgs) (agent.Result, error) {
	h := &huge{ctx: ctx, p: p, r: bufio.NewReaderSize(f, pieceSize)}
	head, err := h.r.Peek(sniff)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return agent.Result{}, p.explain("reading", err)
	case isBinary(head):
		return agent.Result{}, notText(p, head, info.Size())
	case a.Offset == 0 && a.Limit <= 0:
		return agent.Result{}, fmt.Errorf("%w; read a part of it with offset and limit, or find the lines with grep", &sizeError{p.shown, info.Size()})
	}
	first := max(a.Offset, 1)
	if a.Offset < 0 {
		total, err := h.count()
		if err != nil {
			return agent.Result{}, err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return agent.Result{}, p.explain("reading", err)
		}
		h.r.Reset(f)
		first = max(1, total+1+a.Offset)
	}
	w := newWindow(a, first)
	ended, err := h.fill(w)
	if err == nil && len(w.lines) == 0 {
		err = fmt.Errorf("%s has %s; offset %d is past its end", p.shown, many(w.at, "line"), first)
	}
	if err == nil {
		err = w.beyond(p)
	}
	if err != nil {
		return agent.Result{}, err
	}
	out := w.text()
	if ended {
		out += fmt.Sprintf("(end of file, %s, %s)\n", many(w.last(), "line"), byteCount(info.Size()))
	} else {
		out += fmt.Sprintf("(lines %d-%d; the file has %s; go on with offset=%d)\n", first, w.last(), byteCount(info.Size()), w.last()+1)
	}
	out = strings.TrimSuffix(strings.ToValidUTF8(out+w.more(), "\uFFFD"), "\n")
	return agent.Result{Text: out, Details: readDetails{Path: p.shown, From: first, To: w.last(), Column: w.column}}, nil
}

// A huge file is read in pieces.
type huge struct {
	ctx context.Context // of the one call
	p   *place
	r   *bufio.Reader
}

// piece returns the next piece: a line with its end, or a part of one that is longer than a piece.
func (h *huge) piece() (data []byte, err error) {
	if h.ctx.Err() != nil {
		return nil, context.Cause(h.ctx)
	}
	data, err = h.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		err = nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = h.p.explain("reading", err)
	}
	return data, err
}

// count counts the lines from here to the end; an unfinished last one counts.
func (h *huge) count() (lines int, err error) {
	buf, last := make([]byte, pieceSize), byte('\n')
	for {
		if h.ctx.Err() != nil {
			return 0, context.Cause(h.ctx)
		}
		n, err := h.r.Read(buf)
		lines += bytes.Count(buf[:n], []byte{'\n'})
		if n > 0 {
			last = buf[n-1]
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, h.p.explain("reading", err)
		}
	}
	if last != '\n' {
		lines++
	}
	return lines, nil
}

// fill reads lines into the window until it is full or the file has ended.
func (h *huge) fill(w *window) (ended bool, err error) {
	for {
		if len(w.lines) == w.most {
			_, err := h.r.Peek(1) // the next line may be a long one
			return errors.Is(err, io.EOF), nil
		}
		s, some, err := h.line(w.at+1 < w.first, w)
		if err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		if !some {
			return true, nil
		}
		if s == nil {
			w.at++
		} else if !w.take(s) {
			return false, nil
		}
	}
}

// line reads the next line; some is false when there is none. Of one that is skipped no strip is kept.
func (h *huge) line(skip bool, w *window) (s *strip, some bool, err error) {
	if !skip {
		s = w.strip()
	}
	for {
		data, err := h.piece()
		if some = some || len(data) > 0; s != nil {
			s.write(data)
		}
		if err != nil || data[len(data)-1] == '\n' {
			return s, some, err
		}
	}
}

// longLine reads a line and drops what is beyond 64 KB of it: it would not be shown.
func longLine(r *bufio.Reader) ([]byte, error) {
	const most = 64 << 10
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part[:min(len(part), max(0, most-len(line)))]...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}
