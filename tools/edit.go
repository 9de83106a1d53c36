package tools

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

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
	if len(a.Edits) == 0 {
		if flat.Old == nil || flat.New == nil {
			return errors.New(`the argument "edits" is missing`)
		}
		a.Edits = []replacement{{Old: *flat.Old, New: *flat.New, All: flat.All}}
	}
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
	return tool("edit", permission.Writes,
		"Replace pieces of text in a file that you have read. Edits that fit are made even if others do not: then send only the failed ones again.", edit)
}

func edit(ctx context.Context, s session, a editArgs) (agent.Result, error) {
	p, err := locate(ctx, s, a.Path)
	if err != nil {
		return agent.Result{}, err
	}
	defer p.close()
	c, err := p.load()
	if errors.Is(err, fs.ErrNotExist) {
		return agent.Result{}, missing(ctx, s, p)
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
	if err != nil {
		return agent.Result{}, err
	}
	d := draft{data: c.data}
	for i, r := range a.Edits {
		d.apply(i, r)
	}
	if len(d.regions) == 0 {
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

// A draft is a file's content while edits are applied to it.
type draft struct {
	data    []byte
	regions []region // what is new, by place in data
	loose   []string // how matches that were not exact were found
	failed  []failure
}

// A region is a piece of data, from its first byte up to its end.
type region struct{ from, to int }

type failure struct {
	edit int // counted from 1
	why  string
}

// apply makes one edit, or notes why it cannot be made.
func (d *draft) apply(i int, r replacement) {
	fail := func(format string, args ...any) {
		d.failed = append(d.failed, failure{i + 1, fmt.Sprintf(format, args...)})
	}
	switch {
	case r.Old == "":
		fail("old is empty: give the text to replace, or use write for the whole file")
		return
	case r.Old == r.New:
		fail("old and new are the same")
		return
	}
	if err := elided(r.New, r.Old); err != nil {
		fail("%v", err)
		return
	}
	m := find(d.data, []byte(r.Old), []byte(r.New))
	switch {
	case len(m.at) == 0:
		fail("%s", d.nearest(r.Old))
		return
	case len(m.at) > 1 && !r.All:
		fail("old is in the file %d times, at lines %s: take in more lines around the one that is meant, or set all", len(m.at), d.lineList(m.at))
		return
	}
	if !d.replace(m) {
		fail("the text already is as new says")
		return
	}
	if m.how != "" && !slices.Contains(d.loose, m.how) {
		d.loose = append(d.loose, m.how)
	}
}

// replace puts the new text into every place of the match, those that overlap an earlier one left out. It is false when
// that changes nothing.
func (d *draft) replace(m match) bool {
	var out []byte
	var made []region
	windows := crlf(d.data)
	done, same := 0, true
	for i, at := range m.at {
		if at.from < done {
			continue
		}
		out = append(out, d.data[done:at.from]...)
		old, text := d.data[at.from:at.to], m.text(i)
		if bytes.Contains(old, []byte{'\n'}) && crlf(old) || !bytes.Contains(old, []byte{'\n'}) && windows {
			text = toCRLF(text) // the line ends of what it replaces, else of the file
		}
		same = same && bytes.Equal(text, old)
		d.shift(region{len(out), len(out) + len(old)}, len(text)-len(old))
		made = append(made, region{len(out), len(out) + len(text)})
		out, done = append(out, text...), at.to
	}
	if same {
		return false
	}
	d.data = append(out, d.data[done:]...)
	d.regions = append(d.regions, made...)
	return true
}

// shift moves the regions of earlier edits when a place grows by n.
func (d *draft) shift(at region, n int) {
	for i, r := range d.regions {
		switch {
		case r.from >= at.to:
			d.regions[i] = region{r.from + n, r.to + n}
		case r.to > at.from:
			d.regions[i] = region{min(r.from, at.from), max(r.to, at.to) + n}
		}
	}
}

func (d *draft) report(shown string, asked int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "edited %s: %s, %s", shown, many(len(d.regions), "replacement"), d.changedLines())
	if len(d.loose) > 0 {
		fmt.Fprintf(&b, " (matched not exactly but %s)", strings.Join(d.loose, "; "))
	}
	if len(d.failed) > 0 {
		fmt.Fprintf(&b, "\n%d of %d edits could not be made; the others are done. %s", len(d.failed), asked, d.failures())
	}
	return b.String()
}

func (d *draft) failures() string {
	var b strings.Builder
	for i, f := range d.failed {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "Edit %d: %s", f.edit, f.why)
	}
	return b.String()
}

// changedLines says which lines of the result are new.
func (d *draft) changedLines() string {
	regions := slices.SortedFunc(slices.Values(d.regions), func(a, b region) int { return cmp.Compare(a.from, b.from) })
	var parts []string
	line, pos := 1, 0
	const most = 20
	for i, r := range regions {
		if i == most {
			parts = append(parts, "…")
			break
		}
		line += bytes.Count(d.data[pos:r.from], []byte{'\n'})
		pos = r.from
		last := line + bytes.Count(bytes.TrimSuffix(d.data[r.from:r.to], []byte{'\n'}), []byte{'\n'})
		part := fmt.Sprint(line)
		if last > line {
			part = fmt.Sprintf("%d-%d", line, last)
		}
		if n := len(parts); n == 0 || parts[n-1] != part {
			parts = append(parts, part)
		}
	}
	if len(parts) == 1 && !strings.Contains(parts[0], "-") {
		return "line " + parts[0]
	}
	return "lines " + strings.Join(parts, ", ")
}

func (d *draft) lineList(at []region) string {
	const most = 30
	parts := make([]string, 0, min(len(at), most)+1)
	line, pos := 1, 0
	for i, r := range at {
		if i == most {
			parts = append(parts, "…")
			break
		}
		line += bytes.Count(d.data[pos:r.from], []byte{'\n'})
		pos = r.from
		parts = append(parts, fmt.Sprint(line))
	}
	return strings.Join(parts, ", ")
}
