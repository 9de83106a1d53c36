package tools

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/permission"
)

// maxColumns is how many characters of a line are shown.
const maxColumns = 2000

type readArgs struct {
	Path   string `json:"path" jsonschema:"file or folder, relative to the workdir or absolute"`
	Offset int    `json:"offset,omitempty" jsonschema:"first line to show, counted from 1"`
	Limit  int    `json:"limit,omitempty" jsonschema:"number of lines, at most 2000"`
}

func (a *readArgs) UnmarshalJSON(data []byte) error { return fit(data, a) }

// Action says that the call reads the path.
func (a readArgs) Action() agent.Action {
	return agent.Action{Summary: oneLine(a.Path) + a.lines(), Reads: []string{a.Path}}
}

// Show is the path and the lines, as in the summary, with nothing of them left out.
func (a readArgs) Show(func(string) string) string { return a.Path + a.lines() }

// lines says which lines are read, if not all.
func (a readArgs) lines() string {
	switch {
	case a.Limit > 0:
		return fmt.Sprintf(":%d-%d", max(a.Offset, 1), max(a.Offset, 1)+a.Limit-1)
	case a.Offset > 1:
		return fmt.Sprintf(":%d-", a.Offset)
	}
	return ""
}

// Read returns the read tool: numbered lines of a text file, or the tree of a folder.
func Read() agent.Tool {
	return tool("read", permission.Reads,
		"Read a text file as numbered lines (12:text), or list a folder as a tree. At most 2000 lines or 30 KB at once: go on with offset. The number and colon are not part of the file.", read)
}

// readDetails is for front-ends.
type readDetails struct {
	Path  string `json:"path"`
	From  int    `json:"from,omitempty"`  // first line shown
	To    int    `json:"to,omitempty"`    // last line shown
	Lines int    `json:"lines,omitempty"` // of the whole file; 0: not counted
}

func read(ctx context.Context, s session, a readArgs) (agent.Result, error) {
	p, err := locate(ctx, s, a.Path)
	if err != nil {
		return agent.Result{}, err
	}
	defer p.close()
	f, info, err := p.open()
	if errors.Is(err, fs.ErrNotExist) {
		return agent.Result{}, missing(ctx, s, p)
	}
	if err != nil {
		return agent.Result{}, err
	}
	defer f.Close()
	switch {
	case info.IsDir():
		text, err := tree(ctx, s, p)
		return agent.Result{Text: text, Details: readDetails{Path: p.shown}}, err
	case info.Size() > maxFile:
		return readHuge(ctx, p, f, info, a)
	}
	c, err := p.load()
	if err != nil {
		return agent.Result{}, err
	}
	if isBinary(c.data) || strings.HasPrefix(kindOfData(p.name, c.data), "image/") || bytes.HasPrefix(c.data, []byte("%PDF-")) {
		return agent.Result{}, notText(p, c.data, c.info.Size())
	}
	res, err := readText(p, c.data, a)
	res.Files = p.seen(c.hash)
	return res, err
}

// notText says what a file is that cannot be shown as lines.
func notText(p *place, head []byte, size int64) error {
	kind := kindOfData(p.name, head)
	fact := fmt.Sprintf("%s is %s, %s", p.shown, kind, byteCount(size))
	switch {
	case strings.HasPrefix(kind, "image/") || kind == "application/pdf":
		return fmt.Errorf("%s; this version of read shows text only, not images or PDF: ask the user what is in it, or look for a program that turns it into text", fact)
	case kind == "UTF-16 text":
		return fmt.Errorf("%s; convert it with bash: iconv -f UTF-16 -t UTF-8", fact)
	}
	return fmt.Errorf("%s: binary, so it has no lines to show; look at it with bash (file, xxd, strings)", fact)
}

// readText shows lines of a file that is in memory.
func readText(p *place, data []byte, a readArgs) (agent.Result, error) {
	text := bytes.TrimPrefix(data, bom)
	total := lineCount(text)
	first, err := firstLine(p, a.Offset, total)
	if err != nil {
		return agent.Result{}, err
	}
	if total == 0 {
		return agent.Result{Text: "(empty file)", Details: readDetails{Path: p.shown}}, nil
	}
	w := window{first: first, most: lineLimit(a.Limit)}
	for line := range bytes.Lines(text) {
		if !w.add(line) {
			break
		}
	}
	out := w.text()
	if last := w.last(); last < total {
		out += fmt.Sprintf("(lines %d-%d of %s; go on with offset=%d)", first, last, thousands(total), last+1)
	} else if first > 1 {
		out += fmt.Sprintf("(end of file, %s)", many(total, "line"))
	}
	if !utf8.Valid(data) {
		out = strings.ToValidUTF8(out, "\uFFFD")
		out += "\n(not valid UTF-8: what could not be read is shown as \uFFFD)"
	}
	return agent.Result{Text: strings.TrimSuffix(out, "\n"), Details: readDetails{Path: p.shown, From: first, To: w.last(), Lines: total}}, nil
}

// readHuge shows lines of a file that is not taken into memory, if the call says which.
func readHuge(ctx context.Context, p *place, f io.Reader, info fs.FileInfo, a readArgs) (agent.Result, error) {
	if a.Offset <= 0 && a.Limit <= 0 {
		return agent.Result{}, fmt.Errorf("%w; read a part of it with offset and limit, or find the lines with grep", &sizeError{p.shown, info.Size()})
	}
	r := bufio.NewReaderSize(f, 256<<10)
	head, err := r.Peek(sniff)
	if err != nil && !errors.Is(err, io.EOF) {
		return agent.Result{}, p.explain("reading", err)
	}
	if isBinary(head) {
		return agent.Result{}, notText(p, head, info.Size())
	}
	w := window{first: max(a.Offset, 1), most: lineLimit(a.Limit)}
	for more := true; more; {
		if ctx.Err() != nil {
			return agent.Result{}, context.Cause(ctx)
		}
		line, err := longLine(r)
		if err != nil && !errors.Is(err, io.EOF) {
			return agent.Result{}, p.explain("reading", err)
		}
		if len(line) == 0 && err != nil {
			break
		}
		more = w.add(line) && err == nil
	}
	if len(w.lines) == 0 {
		return agent.Result{}, fmt.Errorf("%s has %s; offset %d is past its end", p.shown, many(w.at, "line"), w.first)
	}
	out := w.text() + fmt.Sprintf("(lines %d-%d; the file has %s)", w.first, w.last(), byteCount(info.Size()))
	return agent.Result{Text: strings.ToValidUTF8(out, "\uFFFD"), Details: readDetails{Path: p.shown, From: w.first, To: w.last()}}, nil
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

func firstLine(p *place, offset, total int) (int, error) {
	switch {
	case offset < 0:
		return max(1, total+1+offset), nil // -20: the last 20 lines, as some models write it
	case offset > max(total, 1):
		return 0, fmt.Errorf("%s has %s; offset %d is past its end", p.shown, many(total, "line"), offset)
	}
	return max(offset, 1), nil
}

func lineLimit(limit int) int {
	if limit <= 0 {
		return maxLines
	}
	return min(limit, maxLines)
}

// A window collects numbered lines from the first on until the limit.
type window struct {
	first, most int
	at          int // lines seen so far
	lines       []string
	size        int
}

// add takes the next line; false: the window is full.
func (w *window) add(line []byte) bool {
	w.at++
	if w.at < w.first {
		return true
	}
	text := strconv.Itoa(w.at) + ":" + cutLine(string(bytes.TrimRight(line, "\r\n")), maxColumns) + "\n"
	if len(w.lines) == w.most || w.size+len(text) > maxBytes && len(w.lines) > 0 {
		return false
	}
	w.lines, w.size = append(w.lines, text), w.size+len(text)
	return true
}

func (w *window) last() int { return w.first + len(w.lines) - 1 }

func (w *window) text() string { return strings.Join(w.lines, "") }
