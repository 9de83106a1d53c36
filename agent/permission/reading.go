package permission

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// A class says how much of a command is known, and what it does.
type class int

const (
	looks     class = iota // reads inside the workdir
	project                // runs what the project holds, or writes inside the workdir
	unknown                // nobody has said what it does
	sensitive              // hard to take back
)

// A hold is what keeps a command from running without a person, whatever the rules say.
type hold int

const (
	free    hold = iota // the class decides, and rules may
	bounded             // no rule; where the mode lets the sandbox decide, the sandbox bounds it
	firm                // no rule and no sandbox
	guarded             // no mode either: it touches what is protected or secret
	own                 // denied: it touches what belongs to coder itself
)

// A finding is one thing about a command that somebody may have to know.
type finding struct {
	class   class
	hold    hold
	network bool // it needs the network
	sends   bool // and changes something there
	why     string
}

// A simple is a simple command, wherever in the command it stands.
type simple struct {
	words   []word
	in      folders // where it may run
	perhaps bool    // it may be none: what stands behind a wrapper that is not understood
	looks   bool    // whatever it does, it only looks
	found   []finding
	at      []touch // the paths that it names
}

// A touch is a path with what is done to it: reads, writes, or only names.
type touch struct {
	spot
	what string
}

// A reading is all that one parse finds in a command. Rules and the verdict are made from it.
type reading struct {
	loopback bool // a command has one of its own, which leads nowhere
	place    Place
	src      string
	simple   []*simple
	found    []finding // about the command as a whole, and what no simple command of it does
	at       []touch   // the paths of redirections
	searched []string  // the folders in which files are opened whose names do not stand in the command
	depth    int       // of commands in the words of others
	guessing bool      // what is read may be no command at all
}

const maxScripts = 8 // commands in words of commands in words …

// read finds out what a command does that runs in dir.
func (p Policy) read(command string, dir string) *reading {
	r := &reading{place: p.Place, loopback: p.Level == 3}
	r.script(command, folders{list: []string{dir}})
	return r
}

func (s *simple) add(f finding)  { s.found = append(s.found, f) }
func (r *reading) add(f finding) { r.found = append(r.found, f) }

// script reads a whole script; r.src is its text while that lasts.
func (r *reading) script(command string, in folders) {
	if why := screen(command); why != "" {
		r.add(finding{unknown, firm, false, false, why})
		return
	}
	if r.depth == maxScripts {
		r.add(finding{unknown, firm, false, false, "has scripts inside scripts, too deep to look into"})
		return
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(command), "")
	if err != nil {
		r.add(finding{unknown, firm, false, false, "cannot be read as a shell command (" + err.Error() + ")"})
		return
	}
	outer := r.src
	r.src = command
	r.depth++
	r.stmts(file.Stmts, in)
	r.depth--
	r.src = outer
}

// folders are those in which a command may run. None, unless they are lost: it cannot come to that.
type folders struct {
	list []string
	lost bool // nobody knows
}

func (a folders) or(b folders) folders {
	both := append(slices.Clone(a.list), b.list...)
	slices.Sort(both)
	return folders{slices.Compact(both), a.lost || b.lost}
}

// some are the folders to look at: "" stands for none that is known.
func (a folders) some() []string {
	if len(a.list) == 0 {
		return []string{""}
	}
	return a.list
}

// reached gives the folders, or instead those of a command that will not run and is judged all the same.
func (a folders) reached(instead folders) folders {
	if len(a.list) == 0 && !a.lost {
		return instead
	}
	return a
}

// A way is where a command leaves the shell: after success, and after failure.
type way struct{ ok, bad folders }

func stay(in folders) way { return way{in, in} }

func (r *reading) stmts(list []*syntax.Stmt, in folders) way {
	w := stay(in)
	for i, s := range list {
		if i > 0 {
			in = w.ok.or(w.bad).reached(in)
		}
		w = r.stmt(s, in)
	}
	return w
}

func (r *reading) stmt(s *syntax.Stmt, in folders) way {
	r.redirects(s, in)
	if s.Background || s.Coprocess || s.Disown {
		r.shape(s, "goes on in the background")
	}
	w := r.command(s.Cmd, in)
	if s.Negated {
		w.ok, w.bad = w.bad, w.ok
	}
	return w
}

// shape notes a part of a command that is not made of plain words.
func (r *reading) shape(n syntax.Node, what string) {
	r.add(finding{unknown, bounded, false, false, fmt.Sprintf("%s: %s", what, excerpt(source(r.src, n)))})
}

func excerpt(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > 80 {
		s = string(runes[:79]) + "…"
	}
	return "`" + s + "`"
}

func (r *reading) command(c syntax.Command, in folders) way {
	switch c := c.(type) {
	case nil:
		return stay(in)
	case *syntax.CallExpr:
		return r.call(c, in)
	case *syntax.Block:
		return r.stmts(c.Stmts, in)
	case *syntax.BinaryCmd:
		return r.binary(c, in)
	case *syntax.Subshell:
		r.shape(c, "runs commands in a subshell")
		r.stmts(c.Stmts, in)
		return stay(in)
	}
	r.shape(c, "is more than plain commands")
	if moves(c) {
		in.lost = true
	}
	r.inside(c, in)
	return stay(in)
}

func (r *reading) binary(c *syntax.BinaryCmd, in folders) way {
	x := stay(in)
	switch c.Op {
	case syntax.AndStmt:
		x = r.stmt(c.X, in)
		y := r.stmt(c.Y, x.ok.reached(in))
		return way{y.ok, x.bad.or(y.bad)}
	case syntax.OrStmt:
		x = r.stmt(c.X, in)
		y := r.stmt(c.Y, x.bad.reached(in))
		if len(x.bad.list) == 0 && !x.bad.lost {
			return way{x.ok, folders{}}
		}
		return way{x.ok.or(y.ok), y.bad}
	case syntax.PipeAll:
		r.shape(c, "pipes its errors too")
	}
	r.stmt(c.X, in) // each side of a pipe has a shell of its own
	r.stmt(c.Y, in)
	return x
}

// inside reads every command at any depth below a node that is not one itself.
func (r *reading) inside(n syntax.Node, in folders) {
	syntax.Walk(n, func(child syntax.Node) bool {
		s, ok := child.(*syntax.Stmt)
		if !ok {
			return true
		}
		r.stmt(s, in)
		return false
	})
}

// moves reports whether a command at any depth changes the folder.
func moves(n syntax.Node) (found bool) {
	syntax.Walk(n, func(child syntax.Node) bool {
		if call, ok := child.(*syntax.CallExpr); ok && len(call.Args) > 0 {
			switch call.Args[0].Lit() {
			case "cd", "pushd", "popd", "":
				found = true
			}
		}
		return !found
	})
	return found
}

// words reads the words of a call, and the commands inside them.
func (r *reading) words(list []*syntax.Word, in folders) (words []word) {
	for _, w := range list {
		words = append(words, readWord(r.src, r.place.Home, w))
		r.inside(w, in)
	}
	return words
}

func (r *reading) call(c *syntax.CallExpr, in folders) way {
	for _, a := range c.Assigns {
		f := finding{unknown, bounded, false, false, "sets a variable: " + excerpt(source(r.src, a))}
		if a.Name != nil && strings.HasPrefix(a.Name.Value, "GIT_") {
			f.hold, f.why = firm, "changes what git is told: "+excerpt(source(r.src, a))
		}
		r.add(f)
		r.inside(a, in)
	}
	if len(c.Args) == 0 {
		return stay(in)
	}
	s := r.newSimple(r.words(c.Args, in), in)
	switch name := s.words[0]; {
	case name.plain && name.value == "cd":
		return r.cd(s)
	case name.known && (name.value == "pushd" || name.value == "popd"):
		in.lost = true
	}
	r.classify(s)
	return stay(in)
}

func (r *reading) newSimple(words []word, in folders) *simple {
	s := &simple{words: words, in: in}
	r.simple = append(r.simple, s)
	return s
}

// cd judges a change of folder. To one that is there it cannot fail.
func (r *reading) cd(s *simple) way {
	lost := stay(folders{s.in.list, true})
	if len(s.words) != 2 || !s.words[1].plain || strings.HasPrefix(s.words[1].value, "-") || s.words[1].value == "" {
		s.add(finding{unknown, bounded, false, false, "changes to a folder that is only known when it runs"})
		for _, w := range s.words[1:] {
			r.stray(s, w, w.value)
		}
		return lost
	}
	w := way{}
	w.ok.lost, w.bad.lost = s.in.lost, s.in.lost
	for _, dir := range s.in.list {
		to := r.place.spot(dir, s.words[1].value)
		r.spot(s, to, looks, "names")
		w.ok.list = append(w.ok.list, to.real)
		if info, err := os.Stat(to.real); err != nil || !info.IsDir() {
			w.bad = w.bad.or(s.in)
		}
	}
	return w
}

// redirects judges where a command's input comes from and its output goes.
func (r *reading) redirects(st *syntax.Stmt, in folders) {
	for _, redir := range st.Redirs {
		r.redirect(redir, in)
	}
}

func (r *reading) redirect(redir *syntax.Redirect, in folders) {
	s := &simple{in: in} // no command that a rule could name
	defer func() {
		r.found = append(r.found, s.found...)
		r.at = append(r.at, s.at...)
	}()
	if redir.Hdoc != nil {
		r.inside(redir.Hdoc, in)
	}
	r.inside(redir.Word, in)
	w := readWord(r.src, r.place.Home, redir.Word)
	if redir.N != nil && !isNumber(redir.N.Value) {
		r.shape(redir, "redirects to a variable")
	}
	switch redir.Op {
	case syntax.DplOut, syntax.DplIn:
		if w.bare && isNumber(w.value) && redir.Op == syntax.DplOut {
			return // 2>&1
		}
		if w.bare && (isNumber(w.value) || w.value == "-") {
			r.shape(redir, "redirects its input")
			return
		}
	case syntax.Hdoc, syntax.DashHdoc, syntax.WordHdoc:
		r.shape(redir, "has its input in the command")
		return
	}
	if !w.plain {
		r.shape(redir, "redirects to a file that is only known when it runs")
		r.stray(s, w, w.value)
		return
	}
	if w.value == os.DevNull {
		return
	}
	if strings.HasPrefix(w.value, "/dev/tcp/") || strings.HasPrefix(w.value, "/dev/udp/") {
		s.add(finding{sensitive, firm, true, true, "opens a connection: " + excerpt(source(r.src, redir))})
		return
	}
	what := "writes"
	if redir.Op == syntax.RdrIn {
		what = "reads"
	}
	s.add(finding{class: project, why: what + " " + excerpt(w.value)})
	r.path(s, w, w.value, project, what)
}
