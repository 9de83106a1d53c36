package permission

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A Place is where a session works, and what is around it. All paths are absolute, with links resolved.
type Place struct {
	Workdir string
	Roots   []string // further folders that the user has added to the workdir
	Scratch string   // the session's own folder: what results name there may be read
	Temp    string   // TMPDIR of its commands; "" when they have none of their own
	Home    string   // what ~ means; "" when nobody knows
	Private []string // what belongs to coder itself: the data dir with the token and all sessions, the config dir
}

// A spot is where a path leads.
type spot struct {
	given string
	clean string // absolute, as it is written
	real  string // with links followed
}

// spot gives the file that a path means, from a folder.
func (p Place) spot(dir, path string) spot {
	clean := path
	if !filepath.IsAbs(clean) {
		clean = filepath.Join(dir, clean)
	}
	clean = filepath.Clean(clean)
	return spot{given: path, clean: clean, real: follow(clean, 40)}
}

// Resolve gives the file that a path means: relative to dir, links followed as far as the path exists.
func Resolve(dir, path string) string { return Place{}.spot(dir, path).real }

// follow resolves links as far as the path exists; a link to a file that is not there yet counts as its target.
func follow(path string, links int) string {
	resolved, err := filepath.EvalSymlinks(path)
	if err == nil {
		return resolved
	}
	if target, err := os.Readlink(path); err == nil && links > 0 {
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		return follow(filepath.Clean(target), links-1)
	}
	parent := filepath.Dir(path)
	if parent == path || !errors.Is(err, fs.ErrNotExist) && links == 0 {
		return path
	}
	return filepath.Join(follow(parent, links), filepath.Base(path))
}

func inside(dir, path string) bool {
	if dir == "" {
		return false
	}
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// within reports whether a spot is where the session works.
func (p Place) within(s spot) bool {
	if s.clean == os.DevNull || inside(p.Workdir, s.real) || inside(p.Temp, s.real) {
		return true
	}
	for _, root := range p.Roots {
		if inside(root, s.real) {
			return true
		}
	}
	return false
}

// readable reports whether a spot may be read without a question, as far as its place goes.
func (p Place) readable(s spot) bool { return p.within(s) || inside(p.Scratch, s.real) }

// private reports whether a spot belongs to coder itself. Case does not count: on some file systems it does not.
func (p Place) private(s spot) bool {
	if inside(p.Temp, s.real) {
		return false
	}
	for _, dir := range p.Private {
		if dir == "" {
			continue
		}
		for _, path := range []string{s.real, s.clean} {
			if inside(dir, path) || inside(strings.ToLower(dir), strings.ToLower(path)) {
				return true
			}
		}
	}
	return false
}

// device reports whether a spot is no file but a door to the machine: /proc holds the environment of every process,
// and a device may never end.
func (s spot) device() bool {
	if s.clean == os.DevNull {
		return false
	}
	for _, path := range []string{s.clean, s.real} {
		switch first, _, _ := strings.Cut(strings.TrimPrefix(filepath.ToSlash(path), "/"), "/"); first {
		case "proc", "sys", "dev":
			return strings.HasPrefix(filepath.ToSlash(path), "/")
		}
	}
	return false
}
