package tools

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/permission"
)

const (
	globLimit    = 200
	globMaxLimit = 2000
)

type globArgs struct {
	Pattern string `json:"pattern" jsonschema:"such as **/*.go or src/**/*.{ts,tsx}; without a slash it matches names at any depth"`
	Path    string `json:"path,omitempty" jsonschema:"folder to look in, the workdir unless given"`
	Limit   int    `json:"limit,omitempty" jsonschema:"files, 200 unless given"`
}

func (a *globArgs) UnmarshalJSON(data []byte) error { return fit(data, a) }

// Action says that the call reads below the folder that path and pattern name.
func (a globArgs) Action() agent.Action {
	summary := a.Pattern
	if a.Path != "" {
		summary += " in " + a.Path
	}
	dir, _ := a.split()
	return agent.Action{Summary: oneLine(summary), Reads: []string{dir}}
}

// split moves the fixed beginning of the pattern to the folder: what it leads to must be judged. "./" before what is
// left says that it begins in that folder, where a name alone would match at any depth.
func (a globArgs) split() (dir, pattern string) {
	given := filepath.ToSlash(a.Pattern)
	if strings.HasSuffix(given, "/") {
		given += "**"
	}
	if !strings.Contains(given, "/") {
		return orDot(a.Path), given
	}
	fixed, rest := doublestar.SplitPattern(given)
	switch {
	case path.IsAbs(fixed) || filepath.IsAbs(fixed):
		return fixed, "./" + rest
	case path.Clean(fixed) == ".":
		return orDot(a.Path), "./" + rest
	}
	return filepath.Join(orDot(a.Path), fixed), "./" + rest
}

// Glob returns the glob tool: finds files by name.
func Glob() agent.Tool {
	return looking(tool("glob", permission.Reads,
		"Find files by name, newest first. Ignored files are left out, hidden ones too unless the pattern names them.", glob))
}

// globDetails is for front-ends.
type globDetails struct {
	Files int `json:"files"` // that match, shown or not
}

func glob(ctx context.Context, s session, a globArgs) (agent.Result, error) {
	dir, pattern := a.split()
	if !doublestar.ValidatePattern(pattern) {
		return agent.Result{}, fmt.Errorf("the pattern %q is not valid; examples: **/*.go, src/**/*.{ts,tsx}", a.Pattern)
	}
	p, err := locate(ctx, s, dir)
	if err != nil {
		return agent.Result{}, err
	}
	defer p.close()
	info, err := p.root.Stat(p.name)
	if err != nil {
		return agent.Result{}, noSuch(ctx, s, p, err)
	}
	if !info.IsDir() {
		return agent.Result{}, fmt.Errorf("%s is a file; give a folder as path", p.shown)
	}
	l, err := list(ctx, s, p.abs)
	if err != nil {
		return agent.Result{}, err
	}
	match := matcher([]string{pattern})
	if strings.HasPrefix(pattern, "./") && !strings.Contains(pattern[2:], "/") {
		match = func(rel string) bool { return doublestar.MatchUnvalidated(pattern[2:], rel) }
	}
	if pattern == "*" || pattern == "./**/*" || pattern == "./**" { // what lists all needs no look at each name
		match = func(string) bool { return true }
	}
	names := keep(l.files, pattern, match)
	limit := globLimit
	if a.Limit > 0 {
		limit = min(a.Limit, globMaxLimit)
	}
	text := globText(p, names, limit)
	if len(names) == 0 {
		text = noFiles(a.Pattern, p, l, match)
	}
	if l.cut {
		text += fmt.Sprintf("\n(the folder has more than %s files; only those were looked at: name a path)", thousands(maxWalk))
	}
	text, err = bounded(ctx, s, "glob", text)
	return agent.Result{Text: text, Details: globDetails{Files: len(names)}}, err
}

func keep(files []string, pattern string, match func(string) bool) []string {
	withHidden := dotted(pattern)
	return keepIf(files, func(f string) bool { return (withHidden || !hidden(f)) && match(f) })
}

// noSuch says that there is nothing at a place, or why it cannot be looked at.
func noSuch(ctx context.Context, s session, p *place, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return missing(ctx, s, p)
	}
	return p.explain("looking at", err)
}

// globText lists the newest files first; those of the same time by name.
func globText(p *place, names []string, limit int) string {
	times := modTimes(p.abs, names)
	order := newest(times, limit+1)
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(times[b], times[a]) }) // names are sorted
	var b strings.Builder
	prefix, shown := dirPrefix(p.shown), 0
	for _, i := range order {
		if shown == limit {
			fmt.Fprintf(&b, "(the newest %s of %s; narrow the pattern, or raise limit up to %s)\n", thousands(limit), many(len(names), "file"), thousands(globMaxLimit))
			break
		}
		shown++
		b.WriteString(prefix + names[i] + "\n")
	}
	if shown == 0 {
		return "no file matches"
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// newest returns the places of the n latest times, in order of place, with all that are equal to the last of them. A time of 0
// is none: that file is in git's index, but not on disk.
func newest(times []int64, n int) (at []int) {
	oldest := int64(1)
	if len(times) > n {
		oldest = max(oldest, latest(times, n))
	}
	for i, t := range times {
		if t >= oldest {
			at = append(at, i)
		}
	}
	return at
}

// latest returns the n-th latest of more than n times. Of many it keeps only those that may be it, and so need not sort them all.
func latest(times []int64, n int) int64 {
	const room = 4
	best, least := make([]int64, 0, room*n), int64(math.MinInt64)
	for _, t := range times {
		if t < least {
			continue
		}
		if best = append(best, t); len(best) == room*n {
			slices.Sort(best)
			best = append(best[:0], best[len(best)-n:]...)
			least = best[0]
		}
	}
	slices.Sort(best)
	return best[len(best)-n]
}

// modTimes looks up when each file changed last, in nanoseconds; 0: it is not there.
func modTimes(root string, names []string) []int64 {
	times := make([]int64, len(names))
	dir, err := openDir(root)
	if err != nil {
		return times
	}
	defer dir.close()
	const piece = 1024 // names next to each other are mostly in one folder
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (len(names)+piece-1)/piece) {
		wg.Go(func() {
			for {
				from := int(next.Add(piece)) - piece
				if from >= len(names) {
					return
				}
				to := min(from+piece, len(names))
				dir.modTimes(names[from:to], times[from:to])
			}
		})
	}
	wg.Wait()
	return times
}

// noFiles says what was looked at in vain, and names folders that match.
func noFiles(pattern string, p *place, l listing, match func(string) bool) string {
	text := fmt.Sprintf("no file matches %s among %s in %s", pattern, many(len(l.files), "file"), p.shown)
	var dirs []string
	seen := map[string]bool{}
	for _, f := range l.files {
		for d := path.Dir(f); d != "." && !seen[d]; d = path.Dir(d) {
			seen[d] = true
			if match(d) && len(dirs) < 20 {
				dirs = append(dirs, dirPrefix(p.shown)+d+"/")
			}
		}
	}
	if len(dirs) > 0 {
		slices.Sort(dirs)
		text += "; folders that match: " + strings.Join(dirs, ", ")
	} else {
		text += "; ignored files are not looked at, hidden ones only if the pattern names them"
	}
	return text
}
