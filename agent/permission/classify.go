package permission

import (
	"fmt"
	"slices"
	"strings"
)

// classify finds out what a simple command does, and reads the commands that it runs.
func (r *reading) classify(s *simple) {
	name := s.words[0]
	if !name.known {
		s.add(finding{unknown, bounded, false, false, "runs a command whose name is only known when it runs: " + excerpt(name.src)})
		r.strays(s, s.words[1:])
		return
	}
	switch {
	case !name.bare || !ascii(name.value):
		s.add(finding{unknown, bounded, false, false, "writes the name of its command in an unusual way: " + excerpt(name.src)})
	case strings.Contains(name.value, "/"):
		s.add(finding{class: unknown, why: "runs a program by its path: " + excerpt(name.src)})
	}
	if r.runsScript(s) || r.runsFound(s) {
		return
	}
	rows, rest, odd := candidates(s.words)
	if base(name.value) == "git" && odd != "" {
		s.add(finding{sensitive, firm, false, false, fmt.Sprintf("runs `git %s`, which changes what git trusts", odd)})
		r.strays(s, rest)
		r.suffixes(s)
		return
	}
	s.looks = len(rows) > 0 && !slices.ContainsFunc(rows, func(row commandRow) bool { return row.kind != kindReads })
	loose := slices.ContainsFunc(rest, func(w word) bool { return !w.plain })
	if loose {
		i := slices.IndexFunc(rest, func(w word) bool { return !w.plain })
		s.add(finding{unknown, bounded, false, false, "has a part that is only known when it runs: " + excerpt(rest[i].src)})
		r.strays(s, rest) // which word is what to the command is not certain
	}
	problem := ""
	for _, row := range rows {
		if loose && row.kind != kindAsks && row.kind != kindNetwork && row.kind != kindSends && row.kind != kindRoot && row.kind != kindHides && row.kind != kindWraps {
			continue
		}
		args, why := row.fit(rest)
		if why == "" {
			why = scripts(args)
		}
		if why == "" {
			r.apply(s, row, args)
			return
		}
		problem = why
		if row.kind == kindHides || row.kind == kindWraps {
			r.suffixes(s)
		}
	}
	r.strange(s, rows, problem, loose)
	if !loose {
		r.strays(s, rest)
	}
	if loose && slices.Contains(deepReaders, base(name.value)) {
		args := []arg{{text: ".", kind: "<"}}
		for _, w := range rest {
			if w.known && !strings.HasPrefix(w.value, "-") {
				args = append(args, arg{w, w.value, "<"})
			}
		}
		r.deep(s, base(name.value), args)
	}
}

// strange says what is not known about a command.
func (r *reading) strange(s *simple, rows []commandRow, problem string, loose bool) {
	shown := commandName(s.words, rows)
	switch {
	case len(rows) == 0:
		s.add(finding{class: unknown, why: fmt.Sprintf("runs `%s`, which is not known here", shown)})
	case loose: // said already
	case strings.HasPrefix(problem, "-"):
		s.add(finding{class: unknown, why: fmt.Sprintf("runs `%s` with `%s`, an option that is not known here", shown, problem)})
	case strings.HasPrefix(problem, "a "):
		s.add(finding{class: unknown, why: fmt.Sprintf("runs `%s` with %s", shown, problem)})
	default:
		s.add(finding{class: unknown, why: fmt.Sprintf("runs `%s` otherwise than is known here", shown)})
	}
	for _, row := range rows {
		if row.kind == kindProject && slices.Contains(row.operands, "prog") {
			s.found[len(s.found)-1].hold = bounded
			s.found[len(s.found)-1].why = fmt.Sprintf("runs `%s` with code that does not stand in a file", shown)
		}
	}
}

func commandName(words []word, rows []commandRow) string {
	name := words[0].value
	if len(rows) > 0 {
		name = strings.Join(rows[0].name, " ")
	} else if _, sub := commandTable()[base(name)]; sub && len(words) > 1 && words[1].known {
		name += " " + words[1].value
	}
	return strings.Trim(excerpt(name), "`")
}

func scripts(args []arg) string {
	for _, a := range args {
		if why := scriptProblem(a.kind, a.text); why != "" {
			return why
		}
	}
	return ""
}

// apply draws the conclusions of a row that fits.
func (r *reading) apply(s *simple, row commandRow, args []arg) {
	name := strings.Join(row.name, " ")
	because := func(text string) string {
		if row.why != "" {
			text = row.why
		}
		return fmt.Sprintf("runs `%s`, which %s", name, text)
	}
	switch row.kind {
	case kindReads, kindWraps:
	case kindProject:
		s.add(finding{class: project, why: because("runs code of the project or writes in the workdir")})
	case kindAsks:
		s.add(finding{class: sensitive, why: because("is hard to take back")})
	case kindHides:
		s.add(finding{class: unknown, hold: bounded, why: because("runs another command its own way")})
	case kindNetwork:
		if r.loopback && asksLoopback(row, args) {
			s.add(finding{class: project, why: fmt.Sprintf("runs `%s`, which asks a server of this session", name)})
			break
		}
		s.add(finding{class: sensitive, network: true, why: because("uses the network")})
	case kindSends:
		s.add(finding{class: sensitive, network: true, sends: true, why: because("uses the network and changes something elsewhere")})
	case kindRoot:
		s.add(finding{class: sensitive, hold: firm, why: because("acts as somebody else")})
	}
	if row.kind == kindReads && row.name[0] == "git" {
		r.gitPrograms(s, name)
	}
	for i, a := range args {
		switch a.kind {
		case "<", "prog":
			if a.kind == "prog" && a.text == "-" {
				s.add(finding{unknown, bounded, false, false, fmt.Sprintf("runs `%s` with code that comes by its input", name)})
				continue
			}
			if name == "strings" && strings.HasPrefix(a.text, "@") {
				s.add(finding{class: unknown, why: "runs `strings` with words that stand in a file: " + excerpt(a.text)})
			}
			if a.text != "-" {
				r.path(s, a.word, a.text, looks, "reads")
			}
		case ">":
			r.path(s, a.word, a.text, project, "writes")
		case "@":
			r.path(s, a.word, a.text, looks, "names")
		case "rev":
			r.revision(s, a)
		case "code":
			s.add(finding{unknown, bounded, false, false, fmt.Sprintf("runs `%s` with code as an argument", name)})
		case "cmd":
			var inner []word
			for _, b := range args[i:] {
				inner = append(inner, b.word)
			}
			if name == "xargs" || name == "parallel" {
				inner = append(inner, word{src: "what it reads"})
			}
			r.runs(s, inner)
			return
		case "sed", "awk", "jq", "date", "printf":
		default: // = and options that nobody looks into
			if row.kind != kindReads {
				r.stray(s, a.word, a.text)
			}
		}
	}
	if row.kind == kindReads && slices.Contains(deepReaders, name) {
		r.deep(s, name, args)
	}
}

// runs reads the command that stands in the words of another.
func (r *reading) runs(outer *simple, words []word) {
	for len(words) > 0 && assignment(words[0].value) { // env A=b cmd
		hold := bounded
		if strings.HasPrefix(words[0].value, "GIT_") {
			hold = firm
		}
		outer.add(finding{unknown, hold, false, false, "sets a variable: " + excerpt(words[0].src)})
		words = words[1:]
	}
	if len(words) == 0 {
		return
	}
	inner := r.newSimple(words, outer.in)
	if r.depth >= maxScripts {
		inner.add(finding{unknown, firm, false, false, "has commands inside commands, too deep to look into"})
		return
	}
	r.depth++
	r.classify(inner)
	r.depth--
}

func assignment(s string) bool {
	name, _, ok := strings.Cut(s, "=")
	return ok && name != "" && strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// suffixes reads every command that may stand behind words that are not understood: for the rules that forbid, and for
// what is never automatic.
func (r *reading) suffixes(s *simple) {
	if r.guessing {
		return // the outer one has them all
	}
	r.guessing = true
	defer func() { r.guessing = false }()
	for i := 1; i < len(s.words) && i < 32; i++ {
		before := len(r.simple)
		inner := r.newSimple(s.words[i:], s.in)
		r.classify(inner)
		for _, guess := range r.simple[before:] {
			guess.perhaps = true
			guess.found = slices.DeleteFunc(guess.found, func(f finding) bool { return f.hold < firm && !f.network })
		}
	}
}

var shells = []string{"sh", "bash", "dash", "zsh", "ksh", "ash", "fish", "mksh", "csh", "tcsh", "pwsh"}

// runsScript judges shells, eval and what else takes a script in a word.
func (r *reading) runsScript(s *simple) bool {
	name := base(s.words[0].value)
	rest := s.words[1:]
	inner, found := word{}, false
	switch {
	case slices.Contains(shells, name):
		for i, w := range rest {
			if strings.HasPrefix(w.value, "-") && !strings.HasPrefix(w.value, "--") && strings.Contains(w.value, "c") && i+1 < len(rest) {
				inner, found = rest[i+1], true
				break
			}
		}
		switch {
		case found:
			s.add(finding{unknown, bounded, false, false, fmt.Sprintf("runs `%s -c` with a script as an argument", name)})
		case len(rest) > 0 && rest[0].plain && !strings.HasPrefix(rest[0].value, "-"):
			s.add(finding{class: project, why: fmt.Sprintf("runs the script %s", excerpt(rest[0].value))})
			r.path(s, rest[0], rest[0].value, looks, "reads")
		default:
			s.add(finding{unknown, bounded, false, false, fmt.Sprintf("runs `%s` with a script that comes by its input", name)})
		}
	case name == "eval":
		s.add(finding{unknown, bounded, false, false, "runs `eval`, which takes its words for a script"})
		text := make([]string, 0, len(rest))
		for _, w := range rest {
			if !w.known {
				w.value = "$unknown"
			}
			text = append(text, w.value)
		}
		inner, found = word{value: strings.Join(text, " "), known: true}, len(rest) > 0
	case name == "source", name == ".":
		s.add(finding{unknown, bounded, false, false, fmt.Sprintf("runs `%s`, which takes a file for a script", name)})
	case name == "trap" && len(rest) > 1:
		s.add(finding{unknown, bounded, false, false, "runs `trap`, which runs a script later"})
		inner, found = rest[0], true
	case name == "su" || name == "script" || name == "flock" || name == "watch":
		if i := slices.IndexFunc(rest, func(w word) bool { return w.value == "-c" || w.value == "--command" }); i >= 0 && i+1 < len(rest) {
			r.script(rest[i+1].value, s.in)
		}
		return false // the table has its row
	default:
		return false
	}
	r.strays(s, rest)
	if found && inner.known {
		r.script(inner.value, s.in)
	} else if found {
		r.simple = append(r.simple, &simple{words: []word{{src: inner.src}}, in: s.in, perhaps: true})
	}
	return true
}

// runsFound judges find, which runs commands that end with a semicolon.
func (r *reading) runsFound(s *simple) bool {
	if base(s.words[0].value) != "find" {
		return false
	}
	runs := false
	for i, w := range s.words {
		switch w.value {
		case "-exec", "-execdir", "-ok", "-okdir":
			end := len(s.words)
			for j, x := range s.words[i+1:] {
				if x.value == ";" || x.value == "+" {
					end = i + 1 + j
					break
				}
			}
			runs = true
			s.add(finding{unknown, bounded, false, false, fmt.Sprintf("runs `find %s`, which runs a command for what it finds", w.value)})
			r.runs(s, unsure(s.words[i+1:end]))
		case "-delete":
			runs = true
			s.add(finding{class: sensitive, why: "runs `find -delete`, which deletes what it finds"})
		case "-fprint", "-fprint0", "-fls", "-fprintf":
			runs = true
			s.add(finding{class: unknown, why: fmt.Sprintf("runs `find %s`, which writes a file", w.value)})
		}
	}
	if runs {
		r.strays(s, s.words[1:])
	}
	return runs
}

// unsure is a command in which {} stands for names nobody knows before.
func unsure(words []word) []word {
	words = slices.Clone(words)
	for i, w := range words {
		if strings.Contains(w.value, "{}") {
			words[i].known, words[i].plain, words[i].bare = false, false, false
		}
	}
	return words
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > 0x7e || r < 0x21 })
}

// revision judges a word of git's that may be a path, or name one behind a colon.
func (r *reading) revision(s *simple, a arg) {
	for at, c := range a.text { // HEAD:.env, :0:.env, HEAD^{/a:b}:.env
		if behind := a.text[at:]; c == ':' && Secret(behind[1:]) {
			s.add(finding{looks, guarded, false, false, fmt.Sprintf("reads %s, which may hold secrets", excerpt(behind[1:]))})
			return
		}
	}
	ok := strings.Contains(a.text, ":")
	if ok && !strings.HasPrefix(a.text, ":") {
		return // a path in a commit
	}
	r.path(s, a.word, a.text, looks, "reads")
}
