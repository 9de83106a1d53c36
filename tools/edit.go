package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/permission"
)

type editArgs struct {
	Path  string        `json:"path" jsonschema:"file to change; read it first"`
	Edits []replacement `json:"edits" jsonschema:"applied in order"`
}

type replacement struct {
	Old string `json:"old" jsonschema:"text to replace, exactly as in the file and only there: take in lines around it until it is"`
	New string `json:"new" jsonschema:"text to put there"`
	All bool   `json:"all,omitempty" jsonschema:"replace every occurrence"`
}

func (r *replacement) UnmarshalJSON(data []byte) error { return fit(data, r) }

// UnmarshalJSON also takes a single replacement beside the path, as other agents have it.
func (a *editArgs) UnmarshalJSON(data []byte) error {
	var flat struct {
		Path  string        `json:"path"`
		Edits []replacement `json:"edits,omitempty"`
		Old   *string       `json:"old,omitempty"`
		New   *string       `json:"new,omitempty"`
		All   bool          `json:"all,omitempty"`
	}
	if err := fit(data, &flat); err != nil {
		return err
	}
	a.Path, a.Edits = flat.Path, flat.Edits
	text := func(s *string) bool { return s != nil && *s != "" }
	switch {
	case len(a.Edits) > 0 && (text(flat.Old) || text(flat.New)):
		return errors.New(`give either "edits" or "old" and "new", not both`)
	case len(a.Edits) > 0:
		return nil
	case flat.Old == nil && flat.New == nil:
		return errors.New(`the argument "edits" is missing`)
	case flat.Old == nil:
		return errors.New(`the argument "old" is missing`)
	case flat.New == nil:
		return errors.New(`the argument "new" is missing`)
	}
	a.Edits = []replacement{{Old: *flat.Old, New: *flat.New, All: flat.All}}
	return nil
}

// MarshalJSON gives the arguments as the schema has them.
func (a editArgs) MarshalJSON() ([]byte, error) {
	type plain editArgs
	return json.Marshal(plain(a))
}

// Action says that the call writes the path.
func (a editArgs) Action() agent.Action {
	return agent.Action{Summary: oneLine(a.Path), Writes: []string{a.Path}}
}

// Edit returns the edit tool: replaces pieces of a file.
func Edit() agent.Tool {
	t := tool("edit", permission.Writes,
		"Replace pieces of text in a file that you have read. Edits that fit are made even if others do not: then send only the failed ones again.", edit)
	t.Models = writesEdits
	return t
}

func edit(ctx context.Context, s session, a editArgs) (agent.Result, error) {
	p, err := locate(ctx, s, a.Path)
	if err != nil {
		return agent.Result{}, err
	}
	defer p.close()
	c, err := editable(ctx, s, p)
	if err != nil {
		return agent.Result{}, err
	}
	d := draft{data: c.data}
	for i, r := range a.Edits {
		d.apply(fmt.Sprint("Edit ", i+1), r)
	}
	if !d.changed {
		return agent.Result{}, fmt.Errorf("%s was not changed. %s", p.shown, d.failures())
	}
	if err := p.save(d.data, version{info: c.info}); err != nil {
		return agent.Result{}, err
	}
	return agent.Result{
		Text:    d.report(p.shown, len(a.Edits)) + p.otherNames(c.info),
		Details: changed(p.shown, c.data, d.data),
		Files:   p.seen(hashOf(d.data)),
	}, nil
}

// editable loads a text file that the model knows as it is now and may change.
func editable(ctx context.Context, s session, p *place) (content, error) {
	c, err := p.load()
	if errors.Is(err, fs.ErrNotExist) {
		return c, missing(ctx, s, p)
	}
	if err == nil && isBinary(c.data) {
		err = notText(p, c.data, c.info.Size())
	}
	if err == nil {
		err = known(ctx, s, p, c)
	}
	if err == nil {
		err = p.writable(c.info)
	}
	return c, err
}
