package tools

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/permission"
)

type readArgs struct {
	Path   string `json:"path" jsonschema:"file or folder, relative to the workdir or absolute"`
	Offset int    `json:"offset,omitempty" jsonschema:"first line to show, counted from 1; -20 is the last 20"`
	Limit  int    `json:"limit,omitempty" jsonschema:"number of lines, at most 2000"`
	Column int    `json:"column,omitempty" jsonschema:"first character of each line to show, to see more of one that was cut"`
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
	case a.Limit > 0 && a.Offset >= 0:
		return fmt.Sprintf(":%d-%d", max(a.Offset, 1), max(a.Offset, 1)+a.Limit-1)
	case a.Offset > 1 || a.Offset < 0:
		return fmt.Sprintf(":%d-", a.Offset)
	}
	return ""
}

// Read returns the read tool: numbered lines of a text file, a picture, the pages of a PDF, or the tree of a folder.
func Read() agent.Tool {
	return looking(tool("read", permission.Reads,
		"Read a text file as numbered lines (12:text), a picture or the text of a PDF (offset and limit count pages), or list a folder as a tree. At most 2000 lines or 30 KB at once: go on with offset. The number and colon are not part of the file.", read))
}

// readDetails is for front-ends, and tells a later call what this one has shown.
type readDetails struct {
	Path      string `json:"path"`
	From      int    `json:"from,omitempty"`      // first line shown
	To        int    `json:"to,omitempty"`        // last line shown
	Column    int    `json:"column,omitempty"`    // first character shown of each; 0: the first
	Lines     int    `json:"lines,omitempty"`     // of the whole file; 0: not counted
	Unchanged int    `json:"unchanged,omitempty"` // the step whose result has the text; 0: this one has
	Hash      string `json:"hash,omitempty"`      // of the content, with Unchanged
}

func read(ctx context.Context, s session, a readArgs) (agent.Result, error) {
	p, err := locate(ctx, s, a.Path)
	if err != nil {
		return agent.Result{}, err
	}
	defer p.close()
	f, info, err := p.open()
	if errors.Is(err, fs.ErrNotExist) {
		return agent.Result{}, absent(ctx, s, p)
	}
	if err != nil {
		return agent.Result{}, err
	}
	defer f.Close()
	if info.IsDir() {
		text, err := tree(ctx, s, p)
		return agent.Result{Text: text, Details: readDetails{Path: p.shown}}, err
	}
	switch head := headOf(f); {
	case isPicture(head):
		return readPicture(ctx, s, p, f, info)
	case bytes.HasPrefix(head, pdf):
		return readPDF(ctx, s, p, f, info, a)
	case info.Size() > maxFile:
		return readHuge(ctx, p, f, info, a)
	}
	c, err := p.load()
	if err != nil {
		return agent.Result{}, err
	}
	if isBinary(c.data) {
		return agent.Result{}, notText(p, c.data, c.info.Size())
	}
	res, err := readText(p, c.data, a)
	if err != nil {
		return agent.Result{}, err
	}
	res.Files = p.seen(c.hash)
	if res, err = unlessShown(ctx, s, p, res); err != nil {
		return agent.Result{}, err
	}
	return noteInstructions(ctx, s, p, res)
}

// isPicture reports a picture of a kind that need not hold a NUL. A text may begin like others: "BM" is a bitmap.
func isPicture(data []byte) bool {
	switch http.DetectContentType(data) {
	case "image/png", "image/jpeg", "image/gif", "image/webp":
		return true
	}
	return false
}

// notText says what a file is that cannot be shown as lines.
func notText(p *place, head []byte, size int64) error {
	kind := kindOfData(p.name, head)
	fact := fmt.Sprintf("%s is %s, %s", p.shown, kind, byteCount(size))
	switch {
	case strings.HasPrefix(kind, "image/"):
		return fmt.Errorf("%s; of pictures read shows PNG, JPEG, GIF and WebP: turn it into one of these with bash (convert, sips), if that is there", fact)
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
		return agent.Result{Text: "(empty file)" + lineEnds(data), Details: readDetails{Path: p.shown}}, nil
	}
	w := newWindow(a, first)
	for line := range bytes.Lines(text) {
		if !w.add(line) {
			break
		}
	}
	if err := w.beyond(p); err != nil {
		return agent.Result{}, err
	}
	out := w.text()
	if last := w.last(); last < total {
		out += fmt.Sprintf("(lines %d-%d of %s; go on with offset=%d)\n", first, last, thousands(total), last+1)
	} else if first > 1 {
		out += fmt.Sprintf("(end of file, %s)\n", many(total, "line"))
	}
	out += w.more()
	if !utf8.Valid(data) {
		out = strings.ToValidUTF8(out, "\uFFFD") + "(not valid UTF-8: what could not be read is shown as \uFFFD)\n"
	}
	out = strings.TrimSuffix(out, "\n") + lineEnds(data)
	return agent.Result{Text: out, Details: readDetails{Path: p.shown, From: first, To: w.last(), Column: w.column, Lines: total}}, nil
}

// lineEnds says what of a file's bytes its lines do not show: a note for the end of a result, or "".
func lineEnds(data []byte) string {
	var facts []string
	if bytes.HasPrefix(data, bom) {
		facts = append(facts, "it begins with a byte order mark")
	}
	pairs, ends := bytes.Count(data, []byte("\r\n")), bytes.Count(data, []byte{'\n'})
	switch {
	case pairs > 0 && pairs == ends:
		facts = append(facts, "its lines end in CR LF")
	case pairs > 0:
		facts = append(facts, fmt.Sprintf("%s of its %s end in CR LF, the others in LF", thousands(pairs), many(ends, "line")))
	}
	if len(facts) == 0 {
		return ""
	}
	return "\n(not shown: " + strings.Join(facts, "; ") + "; edit keeps that)"
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
