package tools

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/permission"
)

type writeArgs struct {
	Path    string `json:"path" jsonschema:"file to write; its folders are made"`
	Content string `json:"content" jsonschema:"the whole new content"`
}

func (a *writeArgs) UnmarshalJSON(data []byte) error { return fit(data, a) }

// Action says that the call writes the path.
func (a writeArgs) Action() agent.Action {
	return agent.Action{Summary: oneLine(a.Path), Writes: []string{a.Path}}
}

// Write returns the write tool: makes or replaces a file.
func Write() agent.Tool {
	t := tool("write", permission.Writes,
		"Create a file, or replace all of one that you have read. To change a part use edit.", write)
	t.Models = writesEdits
	return t
}

func write(ctx context.Context, s session, a writeArgs) (agent.Result, error) {
	p, err := locate(ctx, s, a.Path)
	if err != nil {
		return agent.Result{}, err
	}
	defer p.close()
	old, err := p.load()
	if errors.Is(err, fs.ErrNotExist) {
		return create(p, a)
	}
	if err == nil {
		err = known(ctx, s, p, old)
	}
	if err == nil {
		err = p.writable(old.info)
	}
	if err != nil {
		return agent.Result{}, err
	}
	data := dress([]byte(a.Content), old.data)
	if bytes.Equal(data, old.data) {
		return agent.Result{Text: p.shown + " already has this content; nothing was written", Files: p.seen(old.hash)}, nil
	}
	if err := elided(a.Content, string(old.data)); err != nil {
		return agent.Result{}, err
	}
	if err := p.save(data, version{info: old.info}); err != nil {
		return agent.Result{}, err
	}
	res := written(p, "wrote", old.data, data)
	res.Text += p.otherNames(old.info)
	return res, nil
}

// create makes a file that was not there, and its folders.
func create(p *place, a writeArgs) (agent.Result, error) {
	if err := elided(a.Content, ""); err != nil {
		return agent.Result{}, err
	}
	if err := p.makeDir(); err != nil {
		return agent.Result{}, err
	}
	data := []byte(a.Content)
	if err := p.save(data, version{}); err != nil {
		return agent.Result{}, err
	}
	return written(p, "created", nil, data), nil
}

// makeDir makes the folder of a file that is not there yet.
func (p *place) makeDir() error { return p.enter(true) }

func written(p *place, deed string, old, data []byte) agent.Result {
	return agent.Result{
		Text:    fmt.Sprintf("%s %s (%s, %s)", deed, p.shown, many(lineCount(data), "line"), byteCount(int64(len(data)))),
		Details: changed(p.shown, old, data),
		Files:   p.seen(hashOf(data)),
	}
}

// dress gives new content the line ends and the byte order mark of the old, unless it brings its own.
func dress(data, old []byte) []byte {
	if crlf(old) && !bytes.Contains(data, []byte("\r\n")) {
		data = toCRLF(data)
	}
	if bytes.HasPrefix(old, bom) && !bytes.HasPrefix(data, bom) {
		data = append(bytes.Clone(bom), data...)
	}
	return data
}

// known fails unless the model has seen the file as it is now: what it does not know it would destroy.
func known(ctx context.Context, s session, p *place, c content) error {
	hash, ok, err := s.Seen(ctx, p.abs)
	switch {
	case err != nil:
		return err
	case ok && hash == c.hash:
		return nil
	case ok:
		return fmt.Errorf("%s has changed since you last saw it; read it again, then repeat the change", p.shown)
	case isBinary(c.data):
		return fmt.Errorf("%s exists and is %s, which cannot be read; if it is meant to be replaced, remove it with bash first", p.shown, kindOfData(p.name, c.data))
	case len(c.data) == 0:
		return nil // nothing to know, nothing to lose
	}
	return fmt.Errorf("%s exists and has not been read in this session; read it first", p.shown)
}
