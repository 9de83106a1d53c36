package permission

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// deepReaders open every file below their operands, when told to.
var deepReaders = []string{"grep", "egrep", "fgrep", "rg", "diff", "git grep"}

// digs reports whether a command opens files below its operands.
func (r *reading) digs(s *simple, name string, args []arg) bool {
	switch name {
	case "rg":
		return true
	case "diff":
		return slices.ContainsFunc(args, func(a arg) bool {
			return a.kind == "<" && slices.ContainsFunc(s.in.list, func(dir string) bool {
				info, err := os.Stat(r.place.spot(dir, a.text).real)
				return err == nil && info.IsDir()
			})
		})
	case "git grep":
		return s.says("", "--untracked", "--no-exclude-standard")
	}
	return s.says("r", "--recursive")
}

// says reports whether a command has one of the letters as an option, or one of the long options.
func (s *simple) says(letters string, long ...string) bool {
	return slices.ContainsFunc(s.words, func(w word) bool {
		if strings.HasPrefix(w.value, "--") {
			name, _, _ := strings.Cut(w.value, "=")
			return slices.Contains(long, name)
		}
		return strings.HasPrefix(w.value, "-") && strings.ContainsAny(w.value, letters)
	})
}

// deep asks about a search of a tree that has secret files in it.
func (r *reading) deep(s *simple, name string, args []arg) {
	tops, any := []string(nil), false
	for _, dir := range s.in.list {
		for _, a := range args {
			if a.kind == "<" {
				any = true
				tops = append(tops, r.place.spot(dir, a.text).real)
			}
		}
		if !any {
			tops = append(tops, dir)
		}
	}
	digs := r.digs(s, name, args)
	if digs || name == "git grep" {
		r.searched = append(r.searched, tops...)
	}
	if !digs {
		return
	}
	if name == "diff" {
		s.add(finding{class: unknown, why: "compares folders, with what links in them lead to"})
	}
	open := name != "rg" || !s.says("", "--files") && s.says("u")
	var globs []string
	if name == "rg" {
		globs = s.globs()
	}
	for _, top := range tops {
		for _, dir := range r.place.Private {
			if inside(top, dir) {
				s.add(finding{looks, guarded, false, false, fmt.Sprintf("searches %s, which belongs to coder itself", dir)})
			}
		}
		if found, whole := secretBelow(top, open, globs); found != "" {
			s.add(finding{looks, guarded, false, false, fmt.Sprintf("searches %s, which may hold secrets", found)})
			return
		} else if !whole {
			s.add(finding{looks, firm, false, false, "searches more files than can be looked through for secrets; the grep tool may do it, or a smaller folder"})
			return
		}
	}
}

const maxBelow = 30_000 // names that are looked at below a folder

// globs are the names that a search with rg is told to look at: that goes before the rule that hidden files are none of
// its business.
func (s *simple) globs() (list []string) {
	for i, w := range s.words {
		name, value, attached := strings.Cut(w.value, "=")
		short := strings.HasPrefix(w.value, "-") && !strings.HasPrefix(w.value, "--")
		at := strings.IndexAny(w.value, "gt")
		switch {
		case short && at > 0 && at+1 < len(w.value):
			value = strings.TrimPrefix(w.value[at+1:], "=")
		case short && at > 0, !attached && slices.Contains([]string{"--glob", "--iglob", "--type"}, name):
			if i+1 < len(s.words) {
				value = s.words[i+1].value
			}
		case !slices.Contains([]string{"--glob", "--iglob", "--type"}, name):
			continue
		}
		if value == "all" || value == "sh" { // types that hold names such as .env in some versions
			value = "*"
		}
		list = append(list, value)
	}
	return list
}

// secretBelow finds a secret file that a search of a folder would open. Unless it is open to them, it passes over hidden
// files that no glob names and that no file of the repository takes out of what is ignored.
func secretBelow(top string, open bool, globs []string) (found string, whole bool) {
	n := 0
	if !open {
		globs = append(globs, revealed(top)...)
	}
	named := func(name string) bool {
		return open || !strings.HasPrefix(name, ".") || slices.ContainsFunc(globs, func(g string) bool {
			ok, err := filepath.Match(strings.ToLower(g), strings.ToLower(name))
			return ok || err != nil || strings.ContainsAny(g, `/\{[`)
		})
	}
	whole = true
	_ = filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		n++
		switch {
		case err != nil:
			return nil // what cannot be read here, the search cannot read
		case n > maxBelow:
			whole = false
			return filepath.SkipAll
		case path != top && d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules"):
			return filepath.SkipDir
		case path != top && !named(d.Name()):
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case path != top && (d.Type().IsRegular() || d.IsDir()) && Secret(path[len(top):]):
			found = path
			return filepath.SkipAll
		}
		return nil
	})
	return found, whole
}

// revealed are the patterns that the files which say what rg passes over, in a folder and above it, take out again.
func revealed(dir string) (patterns []string) {
	for {
		for _, name := range []string{".ignore", ".rgignore", ".gitignore"} {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				continue // rg has nothing to read either
			}
			for line := range strings.Lines(string(data)) {
				if pattern, found := strings.CutPrefix(strings.TrimSpace(line), "!"); found {
					patterns = append(patterns, strings.TrimPrefix(strings.TrimPrefix(pattern, "**"), "/"))
				}
			}
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return patterns
		}
		dir = parent
	}
}
