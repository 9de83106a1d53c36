package tools

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/permission"
)

const (
	grepLimit    = 100
	grepMaxLimit = 2000
	grepTime     = 20 * time.Second // a pattern without any literal text in a huge tree may take longer
	afterTime    = 300 * time.Millisecond
)

type grepArgs struct {
	Pattern    string `json:"pattern" jsonschema:"regular expression (RE2), matched line by line"`
	Path       string `json:"path,omitempty" jsonschema:"folder or file to search, the workdir unless given"`
	Glob       string `json:"glob,omitempty" jsonschema:"only files that match, such as *.go or src/**/*.{ts,tsx}"`
	Mode       string `json:"mode,omitempty" jsonschema:"content (default), files or count"`
	Context    int    `json:"context,omitempty" jsonschema:"lines to show around each match"`
	IgnoreCase bool   `json:"ignore_case,omitempty"`
	Literal    bool   `json:"literal,omitempty" jsonschema:"pattern is plain text"`
	Limit      int    `json:"limit,omitempty" jsonschema:"matches, 100 unless given"`
}

func (a *grepArgs) UnmarshalJSON(data []byte) error { return fit(data, a) }

// Action says that the call reads below the path.
func (a grepArgs) Action() agent.Action {
	summary := a.Pattern
	if a.Path != "" {
		summary += " in " + a.Path
	}
	if a.Glob != "" {
		summary += " (" + a.Glob + ")"
	}
	return agent.Action{Summary: oneLine(summary), Reads: []string{orDot(a.Path)}}
}

func orDot(path string) string {
	if path == "" {
		return "."
	}
	return path
}

// Grep returns the grep tool: searches in files.
func Grep() agent.Tool {
	return looking(tool("grep", permission.Reads,
		"Search file contents. Ignored, hidden and binary files are left out unless path names them. Matches are grouped by file as 12:text.", grep))
}

// grepDetails is for front-ends.
type grepDetails struct {
	Matches  int  `json:"matches"` // those shown
	Files    int  `json:"files"`   // with matches
	Searched int  `json:"searched"`
	More     bool `json:"more,omitempty"` // there are more than shown
}

// A search is one call of grep, with what it needs.
type search struct {
	args   grepArgs
	expr   *expression
	root   string // absolute folder
	prefix string // of root for the model, "" or with a slash at its end
	notes  []string
	limit  int
}

func grep(ctx context.Context, s session, a grepArgs) (agent.Result, error) {
	g, err := newSearch(ctx, s, a)
	if err != nil {
		return agent.Result{}, err
	}
	l, err := g.files(ctx, s)
	if err != nil {
		return agent.Result{}, err
	}
	timed, cancel := context.WithTimeoutCause(ctx, grepTime, errLate)
	defer cancel()
	f, err := g.scan(timed, l.files)
	if ctx.Err() != nil {
		return agent.Result{}, context.Cause(ctx)
	}
	if errors.Is(err, errLate) {
		g.note("stopped after %v, with %s of %s files searched: name a path or a glob, or give the pattern some plain text", grepTime, thousands(f.searched), thousands(len(l.files)))
	} else if err != nil {
		return agent.Result{}, err
	}
	if l.cut {
		g.note("the folder has more than %s files; only those were searched: name a path", thousands(maxWalk))
	}
	if f.matches == 0 {
		g.none(ctx, s, f, l)
	}
	text, err := g.text(f)
	if err != nil {
		return agent.Result{}, err
	}
	text, err = bounded(ctx, s, "grep", text)
	return agent.Result{Text: text, Details: grepDetails{Matches: f.matches, Files: len(f.files), Searched: f.searched, More: f.more}}, err
}

var errLate = errors.New("the time for the search is up")

func newSearch(ctx context.Context, s session, a grepArgs) (*search, error) {
	if a.Pattern == "" {
		return nil, errors.New("the pattern is empty; to list files use glob")
	}
	if !slices.Contains([]string{"", "content", "files", "count", "files_with_matches"}, a.Mode) {
		return nil, fmt.Errorf("there is no mode %q; modes are content, files and count", a.Mode)
	}
	g := &search{args: a, limit: grepLimit}
	if a.Limit > 0 {
		g.limit = min(a.Limit, grepMaxLimit)
	}
	if g.args.Mode == "files_with_matches" {
		g.args.Mode = "files"
	}
	g.args.Context = min(max(a.Context, 0), 20)
	expr, err := compile(a.Pattern, a.Literal, a.IgnoreCase)
	if errors.Is(err, errMultiline) {
		return nil, err
	}
	if err != nil {
		g.note("the pattern is not a valid regular expression (%v), so it was searched for as plain text", err)
		if expr, err = compile(a.Pattern, true, a.IgnoreCase); err != nil {
			return nil, fmt.Errorf("the pattern cannot be searched for: %w", err)
		}
	}
	g.expr = expr
	for _, glob := range globs(a.Glob) {
		if !doublestar.ValidatePattern(strings.TrimPrefix(glob, "!")) {
			return nil, fmt.Errorf("the glob %q is not valid; examples: *.go, src/**/*.{ts,tsx}, !*_test.go", glob)
		}
	}
	return g, nil
}

func (g *search) note(format string, args ...any) {
	g.notes = append(g.notes, fmt.Sprintf(format, args...))
}

// files lists what is to be searched, and sets root.
func (g *search) files(ctx context.Context, s session) (listing, error) {
	p, err := locate(ctx, s, orDot(g.args.Path))
	if err != nil {
		return listing{}, err
	}
	defer p.close()
	info, err := p.root.Stat(p.name)
	if err != nil {
		return listing{}, noSuch(ctx, s, p, err)
	}
	if !info.IsDir() {
		g.root, g.prefix = filepath.Dir(p.abs), dirPrefix(filepath.ToSlash(filepath.Dir(p.shown)))
		return listing{files: []string{filepath.Base(p.abs)}, one: true}, nil
	}
	g.root, g.prefix = p.abs, dirPrefix(p.shown)
	l, err := list(ctx, s, p.abs)
	if err != nil {
		return listing{}, err
	}
	l.files, l.hidden = g.wanted(l.files, dotted(g.args.Glob))
	var left int
	if l.files, left = withoutSecrets(ctx, g.root, l.files); left > 0 {
		g.note("%s that may hold secrets, or that a rule is about, not searched; name one as path to be asked for it", many(left, "file"))
	}
	return l, nil
}

// wanted keeps the files that the glob names. Hidden ones are set apart, unless the glob speaks of them.
func (g *search) wanted(files []string, withHidden bool) (kept, hid []string) {
	if list := globs(g.args.Glob); len(list) > 0 {
		files = keepIf(files, matcher(list))
	}
	if withHidden || !slices.ContainsFunc(files, hidden) {
		return files, nil
	}
	kept = make([]string, 0, len(files))
	for _, f := range files {
		if hidden(f) {
			hid = append(hid, f)
		} else {
			kept = append(kept, f)
		}
	}
	return kept, hid
}

func dirPrefix(shown string) string {
	if shown == "." {
		return ""
	}
	return strings.TrimSuffix(shown, "/") + "/"
}

// none says how much was searched in vain, and whether the files that were left out would have matched.
func (g *search) none(ctx context.Context, s session, f found, l listing) {
	note := fmt.Sprintf("no match in %s", many(f.searched, "file"))
	if f.binary > 0 {
		note += fmt.Sprintf(" (and %s not searched: binary or unreadable)", many(f.binary, "file"))
	}
	g.notes = append([]string{note}, g.notes...)
	if l.one {
		return
	}
	timed, cancel := context.WithTimeoutCause(ctx, afterTime, errLate)
	defer cancel()
	rest, whole := g.leftOut(timed, s, l)
	again := *g
	again.limit, again.args.Mode = 3, "files"
	hit, err := again.scan(timed, rest)
	switch {
	case len(hit.files) > 0:
		names := make([]string, 0, 3)
		for _, m := range hit.files {
			names = append(names, g.prefix+m.path)
		}
		g.note("ignored or hidden files match: %s; name one as path to search it", strings.Join(names, ", "))
	case err != nil || !whole:
		g.note("ignored and hidden files were looked at for %v only, %s: name a folder of them as path to search it", afterTime, many(hit.searched, "file"))
	case len(rest) > 0:
		g.note("nor in %s left out because they are ignored or hidden", many(hit.searched, "file"))
	}
}

// leftOut lists the files that were not searched because they are ignored or hidden. whole is false when the time did not
// do to find them all.
func (g *search) leftOut(ctx context.Context, s session, l listing) (rest []string, whole bool) {
	held, whole := l.held, true
	if !l.walked && !l.all {
		rules, err := newIgnores(ctx, s, g.root)
		if err != nil {
			return nil, false
		}
		w, err := walk(ctx, g.root, rules, maxWalk)
		held, whole = w.held, err == nil && !w.cut
	}
	tracked := make(map[string]bool)
	if len(held) > 0 && !l.walked {
		for _, f := range slices.Concat(l.files, l.hidden) {
			tracked[f] = true // git lists them although a rule ignores them
		}
	}
	for _, h := range held {
		dir, isDir := strings.CutSuffix(h, "/")
		if !isDir {
			rest = append(rest, h)
			continue
		}
		w, err := walk(ctx, filepath.Join(g.root, filepath.FromSlash(dir)), nil, maxWalk)
		for _, f := range w.files {
			rest = append(rest, h+f)
		}
		if err != nil || w.cut {
			whole = false
			break
		}
	}
	rest = slices.DeleteFunc(rest, func(f string) bool { return tracked[f] })
	rest, _ = g.wanted(rest, true)
	rest, _ = withoutSecrets(ctx, g.root, slices.Concat(l.hidden, rest))
	slices.Sort(rest)
	return rest, whole && len(held) < maxHeld
}

// globs splits a list of globs at its commas, not at those inside braces.
func globs(list string) []string {
	var out []string
	depth, begin := 0, 0
	for i, r := range list + "," {
		switch r {
		case '{':
			depth++
		case '}':
			depth--
		case ',':
			if depth > 0 && i < len(list) {
				continue
			}
			if g := strings.TrimSpace(list[begin:i]); g != "" {
				out = append(out, g)
			}
			begin = i + 1
		}
	}
	return out
}

// matcher makes one function of globs: a path must match one of those without "!", if there are any, and none of the
// others. A glob without a slash is matched against the name alone.
func matcher(globs []string) func(rel string) bool {
	one := func(glob, rel string) bool {
		glob = strings.TrimPrefix(glob, "./")
		if !strings.Contains(strings.TrimPrefix(glob, "/"), "/") {
			return doublestar.MatchUnvalidated(strings.TrimPrefix(glob, "/"), base(rel))
		}
		return doublestar.MatchUnvalidated(strings.TrimPrefix(glob, "/"), rel)
	}
	return func(rel string) bool {
		in, asked := false, false
		for _, g := range globs {
			if not, ok := strings.CutPrefix(g, "!"); ok {
				if one(not, rel) {
					return false
				}
				continue
			}
			asked = true
			in = in || one(g, rel)
		}
		return in || !asked
	}
}

// dotted reports whether a glob names hidden files.
func dotted(glob string) bool {
	for _, g := range globs(glob) {
		if !strings.HasPrefix(g, "!") && hidden(strings.TrimPrefix(g, "./")) || strings.Contains(g, "{.") {
			return true
		}
	}
	return false
}
