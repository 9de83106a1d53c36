package tools

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
)

type patchArgs struct {
	Input string `json:"input" jsonschema:"the patch, from *** Begin Patch to *** End Patch"`

	sections []section
}

// UnmarshalJSON also parses the patch: what cannot be parsed is answered like arguments that do not fit.
func (a *patchArgs) UnmarshalJSON(data []byte) error {
	var given struct {
		Input string `json:"input"`
	}
	if err := fit(data, &given); err != nil {
		return err
	}
	sections, err := parsePatch(given.Input)
	if err != nil {
		return fmt.Errorf("the patch cannot be read: %w", err)
	}
	a.Input, a.sections = given.Input, sections
	return nil
}

// Action says that the call writes all paths of the patch, those that it deletes or moves files from and to included.
func (a patchArgs) Action() agent.Action {
	var paths, deeds []string
	for _, s := range a.sections {
		paths = append(paths, s.path)
		deed := s.path
		switch {
		case s.to != "":
			paths = append(paths, s.to)
			deed = "move " + s.path + " to " + s.to
		case s.kind != updates:
			deed = string(s.kind) + " " + s.path
		}
		deeds = append(deeds, deed)
	}
	return agent.Action{Summary: oneLine(strings.Join(deeds, ", ")), Writes: paths}
}

// ApplyPatch returns the apply_patch tool, which changes files as edit and write do, for models that were trained to use
// it. The grammar is that of OpenAI's Codex.
func ApplyPatch() agent.Tool {
	t := tool("apply_patch", permission.Writes, patchDescription, applyPatch)
	t.Models = writesPatches
	return t
}

const patchDescription = `Create, change, move or delete files. A file must have been read before it is changed. Format:
*** Begin Patch
*** Add File: path
+each line of the new file
*** Update File: path
*** Move to: new path (optional)
@@ class or function that the lines are in (optional)
 line of context
-line to take out
+line to put in
*** Delete File: path
*** End Patch
Show 3 lines of context above and below each change, exactly as in the file; they must be there only once, else name the class and function with @@ lines. Hunks that fit are made even if others do not: then send only the failed ones again.`

func applyPatch(ctx context.Context, s session, a patchArgs) (agent.Result, error) {
	if _, err := s.Workdir(ctx); err != nil {
		return agent.Result{}, err // not a failure of each file
	}
	done := outcome{total: hunks(a.sections)}
	for _, sec := range a.sections {
		if err := done.apply(ctx, s, sec); err != nil && ctx.Err() != nil {
			return agent.Result{}, err
		} else if err != nil {
			done.failed = append(done.failed, failure{sec.path, err.Error()})
		}
	}
	return done.result()
}

// hunks counts what can fail on its own.
func hunks(sections []section) (n int) {
	for _, s := range sections {
		n += max(1, len(s.hunks))
	}
	return n
}

// An outcome gathers what the sections of a patch have done.
type outcome struct {
	total   int
	said    []string
	failed  []failure
	changes []changeDetails
	seen    []chat.FileSeen
}

func (o *outcome) result() (agent.Result, error) {
	failures := (&draft{failed: o.failed}).failures()
	if len(o.said) == 0 && len(o.failed) > 0 {
		return agent.Result{}, errors.New("nothing was changed. " + failures)
	}
	text := strings.Join(o.said, "\n")
	if len(o.failed) > 0 {
		text += fmt.Sprintf("\n%d of %d parts of the patch could not be applied; the others are done. %s", len(o.failed), o.total, failures)
	}
	return agent.Result{Text: text, Details: together(o.changes), Files: o.seen}, nil
}

func (o *outcome) add(r agent.Result) {
	o.said = append(o.said, r.Text)
	o.seen = append(o.seen, r.Files...)
	if c, ok := r.Details.(changeDetails); ok {
		o.changes = append(o.changes, c)
	}
}

// together makes one change of those to several files.
func together(changes []changeDetails) changeDetails {
	var all changeDetails
	var paths []string
	for _, c := range changes {
		paths = append(paths, c.Path)
		all.Added, all.Removed, all.Cut = all.Added+c.Added, all.Removed+c.Removed, all.Cut || c.Cut
		if len(all.Diff)+len(c.Diff) > maxDiff {
			all.Cut = true
			continue
		}
		all.Diff += c.Diff
	}
	all.Path = strings.Join(paths, ", ")
	return all
}

func (o *outcome) apply(ctx context.Context, s session, sec section) error {
	switch sec.kind {
	case replaces:
		r, err := write(ctx, s, writeArgs{Path: sec.path, Content: sec.content})
		if err == nil {
			o.add(r)
		}
		return err
	case adds:
		return o.addFile(ctx, s, sec)
	}
	if err := noLink(ctx, s, sec); err != nil {
		return err
	}
	p, err := locate(ctx, s, sec.path)
	if err != nil {
		return err
	}
	defer p.close()
	if sec.kind == deletes {
		return o.deleteFile(ctx, s, p)
	}
	c, err := editable(ctx, s, p)
	if err != nil {
		return err
	}
	return o.updateFile(ctx, s, p, c, sec)
}

func (o *outcome) addFile(ctx context.Context, s session, sec section) error {
	p, err := locate(ctx, s, sec.path)
	if err != nil {
		return err
	}
	defer p.close()
	if err := vacant(p, "change it with *** Update File, or replace it with *** Delete File and then *** Add File"); err != nil {
		return err
	}
	r, err := create(p, writeArgs{Path: sec.path, Content: sec.content})
	if err == nil {
		o.add(r)
	}
	return err
}

// vacant fails when something is at the place.
func vacant(p *place, instead string) error {
	_, err := p.root.Lstat(p.name)
	switch {
	case err == nil:
		return fmt.Errorf("%s exists already; %s", p.shown, instead)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return p.explain("looking at", err)
}

// noLink refuses to delete or move what a link points to: the link was named.
func noLink(ctx context.Context, s session, sec section) error {
	if sec.kind != deletes && sec.to == "" {
		return nil
	}
	path := sec.path
	if !filepath.IsAbs(path) {
		workdir, err := s.Workdir(ctx)
		if err != nil {
			return err
		}
		path = filepath.Join(workdir, path)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return fmt.Errorf("%s is a link; delete or move links with bash", sec.path)
	}
	return nil // what else is wrong with it the next look will say
}

func (o *outcome) deleteFile(ctx context.Context, s session, p *place) error {
	c, err := p.load()
	if errors.Is(err, fs.ErrNotExist) {
		return missing(ctx, s, p)
	}
	if err == nil {
		err = known(ctx, s, p, c)
	}
	if err == nil {
		err = p.writable(c.info)
	}
	if err == nil {
		err = p.remove(version{info: c.info})
	}
	if err == nil {
		o.add(agent.Result{Text: "deleted " + p.shown, Details: compared(p.shown, c.data, "", nil)})
	}
	return err
}

// remove takes a file away, durably, unless it is no longer the one that was looked at.
func (p *place) remove(was version) error {
	err := p.enter(false)
	if err != nil {
		return err
	}
	if err = p.unchanged(was); err == nil {
		err = p.root.Remove(p.name)
	}
	if err != nil {
		return p.explain("deleting", err)
	}
	return p.syncDir(".")
}

func (o *outcome) updateFile(ctx context.Context, s session, p *place, c content, sec section) error {
	d := draft{data: c.data}
	for i, h := range sec.hunks {
		d.hunk(h.name(sec.path, i, len(sec.hunks)), h)
	}
	o.failed = append(o.failed, d.failed...)
	if sec.to != "" && len(d.failed) == 0 {
		return o.moveFile(ctx, s, p, c, d, sec)
	}
	if sec.to != "" {
		o.failed = append(o.failed, failure{sec.path, "it was not moved to " + sec.to + ", as not all of its hunks fit"})
	}
	if !d.changed {
		return nil // its hunks have said why
	}
	if err := p.save(d.data, version{info: c.info}); err != nil {
		return err
	}
	d.failed = nil // the outcome has them
	o.add(agent.Result{Text: d.report(p.shown, len(sec.hunks)) + p.otherNames(c.info), Details: changed(p.shown, c.data, d.data), Files: p.seen(hashOf(d.data))})
	return nil
}

// moveFile writes the new file before it deletes the old one: a crash between leaves both.
func (o *outcome) moveFile(ctx context.Context, s session, p *place, c content, d draft, sec section) error {
	to, err := locate(ctx, s, sec.to)
	if err != nil {
		return err
	}
	defer to.close()
	if err := vacant(to, "move it to another path, or delete that file first"); err != nil {
		return err
	}
	if err := to.makeDir(); err != nil {
		return err
	}
	if err := to.save(d.data, version{like: c.info}); err != nil {
		return err
	}
	text := "moved " + p.shown + " to " + to.shown
	if d.changed {
		text += "; " + d.report(to.shown, len(sec.hunks))
	}
	o.add(agent.Result{Text: text, Details: compared(p.shown, c.data, to.shown, d.data), Files: to.seen(hashOf(d.data))})
	if err := p.remove(version{info: c.info}); err != nil {
		return fmt.Errorf("%s was made, but the old file is still there: %w", to.shown, err)
	}
	return nil
}
