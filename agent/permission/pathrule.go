package permission

import (
	"errors"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// ruleSet is rules about paths.
type ruleSet []Rule

// rulesFor are the rules about the paths of a call.
func (p Policy) rulesFor(c Call) (set ruleSet) {
	for _, r := range p.Rules {
		if r.Tool == c.Tool || r.Tool == "read" && c.Effect == Reads && len(c.Reads) > 0 || r.Tool == "edit" && len(c.Writes) > 0 {
			set = append(set, r)
		}
	}
	return set
}

// match finds the first rule of a decision, ask or deny, that is about one of the spots. A rule about a folder is about
// all that is in it, and one about a call without paths is about the call.
func (set ruleSet) match(d Decision, p Place, spots []spot) (Rule, bool) {
	for _, r := range set {
		if r.Decision != d {
			continue
		}
		if len(spots) == 0 && anything(r.Pattern) || slices.ContainsFunc(spots, func(s spot) bool { return r.about(p, s) }) {
			return r, true
		}
	}
	return Rule{}, false
}

// Withheld reports whether a rule keeps a file from a tool that reads, for good or until somebody is asked: a search of a
// folder above it leaves it out. The path is absolute and free of
// links.
func (p Policy) Withheld(tool, path string) bool {
	rules := p.rulesFor(Call{Tool: tool, Effect: Reads, Reads: []string{path}})
	at := []spot{{given: path, clean: path, real: path}}
	_, denied := rules.match(Deny, p.Place, at)
	_, asked := rules.match(Ask, p.Place, at)
	return denied || asked
}

// below reports whether a rule may be about something in a folder.
func (r Rule) below(p Place, dir string) bool {
	if !strings.Contains(r.Pattern, "/") {
		return true // a name, anywhere
	}
	base, _ := doublestar.SplitPattern(filepath.ToSlash(r.Pattern))
	switch {
	case strings.HasPrefix(base, "~"):
		base = p.Home + base[1:]
	case !path.IsAbs(base) && !filepath.IsAbs(base):
		base = filepath.Join(p.Workdir, base)
	}
	base, dir = strings.ToLower(filepath.Clean(base)), strings.ToLower(dir)
	return inside(dir, base) || inside(base, dir)
}

// covers reports whether allow rules are about every one of the spots.
func (set ruleSet) covers(p Place, spots []spot) bool {
	allowed := slices.DeleteFunc(slices.Clone(set), func(r Rule) bool { return r.Decision != Allow })
	if len(spots) == 0 {
		return slices.ContainsFunc(allowed, func(r Rule) bool { return anything(r.Pattern) })
	}
	for _, s := range spots {
		if !slices.ContainsFunc(allowed, func(r Rule) bool { return matchPath(r.Pattern, p, s.real) }) {
			return false
		}
	}
	return true
}

func anything(pattern string) bool { return pattern == "*" || pattern == "**" }

// about is how ask and deny rules match: the path as written or as it is, in any case, or a folder above it.
func (r Rule) about(p Place, s spot) bool {
	for _, name := range []string{s.real, s.clean} {
		for {
			if matchPath(r.Pattern, p, name) || matchPath(strings.ToLower(r.Pattern), p.lower(), strings.ToLower(name)) {
				return true
			}
			parent := filepath.Dir(name)
			if parent == name || name == p.Workdir {
				break
			}
			name = parent
		}
	}
	return false
}

func (p Place) lower() Place {
	return Place{Workdir: strings.ToLower(p.Workdir), Home: strings.ToLower(p.Home)}
}

// matchPath matches a pattern with an absolute path. A pattern without a slash is about a name anywhere in the workdir.
func matchPath(pattern string, p Place, name string) bool {
	name = filepath.ToSlash(name)
	base := filepath.ToSlash(p.Workdir)
	switch {
	case strings.HasPrefix(pattern, "~/"):
		if p.Home == "" {
			return false
		}
		pattern = path.Join(literal(filepath.ToSlash(p.Home)), pattern[2:])
	case path.IsAbs(pattern) || filepath.IsAbs(pattern):
		pattern = path.Clean(pattern)
	case !strings.Contains(pattern, "/"):
		pattern = path.Join(literal(base), "**", pattern)
	default:
		pattern = path.Join(literal(base), pattern)
	}
	ok, err := doublestar.Match(pattern, name)
	return ok && err == nil // ParseRule has refused what is no pattern
}

// literal writes a path so that a pattern means it as it is.
func literal(name string) string {
	var b strings.Builder
	for _, r := range name {
		if strings.ContainsRune(`*?[]{}\`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// quotePath makes the pattern of one path in the workdir.
func quotePath(rel string) string {
	if !strings.Contains(rel, "/") {
		rel = "./" + rel
	}
	return literal(rel)
}

func checkPath(pattern string) error {
	switch {
	case !doublestar.ValidatePattern(pattern):
		return errors.New("the path pattern cannot be read; * ? [ ] { } and ** have a meaning, a backslash takes it away")
	case pattern == "..", strings.HasPrefix(pattern, "../"), strings.Contains(pattern, "/../"), strings.HasSuffix(pattern, "/.."):
		return errors.New("a path pattern with .. would match nothing; write it from the workdir, from / or from ~/")
	case strings.HasPrefix(pattern, "~") && !strings.HasPrefix(pattern, "~/"):
		return errors.New("the home of others cannot be named; write ~/ or a path from /")
	}
	return nil
}
