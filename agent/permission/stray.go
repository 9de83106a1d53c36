package permission

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// path judges a word that names a path.
func (r *reading) path(s *simple, w word, text string, c class, what string) {
	if !w.plain {
		r.stray(s, w, text)
		return
	}
	if s.in.lost && !filepath.IsAbs(text) {
		s.add(finding{unknown, bounded, false, false, "works in a folder that is only known when it runs"})
	}
	for _, dir := range s.in.some() {
		if dir != "" || filepath.IsAbs(text) {
			r.spot(s, r.place.spot(dir, text), c, what)
		}
	}
}

// spot judges a place that a command reads, writes or names.
func (r *reading) spot(s *simple, at spot, c class, what string) {
	s.at = append(s.at, touch{at, what})
	shown := excerpt(at.given)
	switch {
	case r.place.private(at) && !(what != "writes" && inside(r.place.Scratch, at.real)):
		s.add(finding{c, own, false, false, fmt.Sprintf("%s %s, which belongs to coder itself", what, shown)})
	case what == "writes" && at.protected():
		s.add(finding{c, guarded, false, false, fmt.Sprintf("writes %s, which decides what runs later", shown)})
	case what == "writes" && !r.place.within(at), what != "writes" && !r.place.readable(at):
		h := firm
		if r.ephemeral(at) {
			h = bounded
		}
		s.add(finding{c, h, false, false, fmt.Sprintf("%s %s, which is outside the workdir", what, shown)})
	case what == "reads" && at.secret():
		s.add(finding{c, guarded, false, false, fmt.Sprintf("reads %s, which may hold secrets", shown)})
	case what == "writes" && at.real == r.place.Workdir:
		s.add(finding{c, firm, false, false, "changes the workdir itself"})
	}
}

// ephemeral reports whether a path leads where a sandbox has something of its own: a device without a file behind it,
// or a name in /tmp that the machine does not have.
func (r *reading) ephemeral(at spot) bool {
	switch name := filepath.ToSlash(at.clean); {
	case name == "/dev/stdin", name == "/dev/stdout", name == "/dev/stderr", name == "/dev/zero", name == "/dev/full",
		name == "/dev/random", name == "/dev/urandom", name == "/dev/tty":
		return true
	case strings.HasPrefix(name, "/tmp/") && at.real == at.clean:
		top, _, _ := strings.Cut(strings.TrimPrefix(name, "/tmp/"), "/")
		_, err := os.Lstat(filepath.Join("/tmp", top))
		return os.IsNotExist(err)
	}
	return false
}

func (r *reading) strays(s *simple, words []word) {
	for _, w := range words {
		r.stray(s, w, w.value)
	}
}

// stray judges a word of which nobody knows what it is to the command: it may be a path, or end in one.
func (r *reading) stray(s *simple, w word, text string) {
	if w.path != "" {
		r.straySpot(s, r.place.spot("/", w.path))
	}
	if !w.known || text == "" {
		return
	}
	tries := []string{text}
	if _, value, ok := strings.Cut(text, "="); ok {
		tries = append(tries, value)
	}
	if before, behind, ok := strings.Cut(text, ":"); ok && !strings.Contains(text, "://") { // HEAD:.env, -v /etc:/x
		tries = append(tries, before, behind)
	}
	if len(text) > 2 && text[0] == '-' && text[1] != '-' {
		tries = append(tries, text[2:])
	}
	if text[0] == '@' {
		tries = append(tries, text[1:])
	}
	for _, try := range tries {
		if rest, ok := strings.CutPrefix(try, "~/"); ok && r.place.Home != "" {
			try = filepath.Join(r.place.Home, rest)
		}
		if try == "" || strings.Contains(try, "://") || filepath.IsAbs(try) && !rooted(try) {
			continue
		}
		for _, dir := range s.in.some() {
			if dir != "" || filepath.IsAbs(try) {
				r.straySpot(s, r.place.spot(dir, try))
			}
		}
	}
}

// rooted reports whether an absolute path begins with a folder that there is: /foo/ in a pattern does not.
func rooted(path string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(filepath.ToSlash(filepath.Clean(path)), "/"), "/")
	if first == "" {
		return true
	}
	_, err := os.Lstat(filepath.Join(string(filepath.Separator), first))
	return err == nil
}

func (r *reading) straySpot(s *simple, at spot) {
	s.at = append(s.at, touch{at, "names"})
	shown := excerpt(at.given)
	f := finding{class: unknown}
	switch {
	case r.place.private(at) && !inside(r.place.Scratch, at.real):
		f.hold, f.why = own, fmt.Sprintf("names %s, which belongs to coder itself", shown)
	case at.protected() && !s.looks:
		f.hold, f.why = guarded, fmt.Sprintf("may write %s, which decides what runs later", shown)
	case !r.place.readable(at):
		f.hold, f.why = firm, fmt.Sprintf("names %s, which is outside the workdir", shown)
		if r.ephemeral(at) {
			f.hold = bounded
		}
	case at.secret():
		f.hold, f.why = guarded, fmt.Sprintf("may read %s, which may hold secrets", shown)
	default:
		return
	}
	s.add(f)
}
