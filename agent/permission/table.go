package permission

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

//go:embed commands.txt
var commandsText string

// A kind is what a row of the table of commands says of the command.
type kind string

const (
	kindReads   kind = "reads"   // runs no program, writes nothing, opens only what its operands name
	kindProject kind = "project" // runs what the project holds, or writes inside the workdir
	kindAsks    kind = "asks"    // does what is hard to take back
	kindNetwork kind = "network" // fetches from the network
	kindSends   kind = "sends"   // uses the network and changes something there
	kindRoot    kind = "root"    // acts as somebody else
	kindWraps   kind = "wraps"   // runs the command that follows, and changes nothing about it
	kindHides   kind = "hides"   // runs the command that follows, otherwise than it stands there
	kindGlobal  kind = "global"  // no command: the options that may stand before a subcommand
)

// A commandRow is one line of commands.txt.
type commandRow struct {
	kind     kind
	name     []string // the words the command begins with: git stash list
	any      bool     // any option fits
	options  map[string]option
	must     []string // one of these has to be there
	numbers  bool     // -5
	words    bool     // options are whole words: -name, -run
	stop     bool     // options end at the first operand
	operands []string // kinds of operands
	why      string
}

// An option is one that a row knows.
type option struct {
	arg     string // what its value is, as an operand; "" takes none
	loose   bool   // the value is there only when attached
	instead bool   // it takes the place of the first operand
	code    bool   // its value is a program
}

// An arg is a word of a command with what it is to the command.
type arg struct {
	word word
	text string // without the name of the option
	kind string // as in operands
}

// commandTable gives the rows by the first word of their names, in the order of the file.
var commandTable = sync.OnceValue(func() map[string][]commandRow {
	table := make(map[string][]commandRow)
	for i, line := range strings.Split(commandsText, "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		row, err := parseRow(line)
		if err != nil {
			panic(fmt.Sprintf("permission: commands.txt, line %d: %v", i+1, err)) // our own file; a test reads it
		}
		table[row.name[0]] = append(table[row.name[0]], row)
	}
	return table
})

func parseRow(line string) (commandRow, error) {
	cols := strings.Split(line, "|")
	if len(cols) < 4 || len(cols) > 5 {
		return commandRow{}, fmt.Errorf("%q has %d columns, not 4 or 5", line, len(cols))
	}
	for i := range cols {
		cols[i] = strings.TrimSpace(cols[i])
	}
	r := commandRow{kind: kind(cols[0]), name: strings.Fields(cols[1]), operands: strings.Fields(cols[3]), options: make(map[string]option)}
	if len(cols) == 5 {
		r.why = cols[4]
	}
	if len(r.name) == 0 {
		return r, fmt.Errorf("%q names no command", line)
	}
	for o := range strings.FieldsSeq(cols[2]) {
		if err := r.addOption(o); err != nil {
			return r, err
		}
	}
	for _, o := range r.operands {
		if !slices.Contains(operandKinds, strings.TrimRight(o, "*?")) {
			return r, fmt.Errorf("%q has the unknown operand %q", line, o)
		}
	}
	return r, nil
}

var operandKinds = []string{"=", "<", ">", "@", "rev", "sed", "awk", "jq", "date", "printf", "prog", "cmd"}

// addOption reads one field of the options: see the head of commands.txt.
func (r *commandRow) addOption(field string) error {
	switch field {
	case "*":
		r.any = true
		return nil
	case "words":
		r.words = true
		return nil
	case "stop":
		r.stop = true
		return nil
	case "-#":
		r.numbers = true
		return nil
	}
	name, opt, must := field, option{}, false
	for cut := true; cut; {
		cut = true
		switch {
		case strings.HasSuffix(name, "!"):
			name, opt.instead = name[:len(name)-1], true
		case strings.HasSuffix(name, "+"):
			name, must = name[:len(name)-1], true
		case strings.HasSuffix(name, "?"):
			name, opt.loose, opt.arg = name[:len(name)-1], true, "="
		case strings.HasSuffix(name, "%"):
			name, opt.arg, opt.code = name[:len(name)-1], "=", true
		case strings.HasSuffix(name, ":sed"):
			name, opt.arg = strings.TrimSuffix(name, ":sed"), "sed"
		case len(name) > 1 && strings.ContainsRune("=<>@", rune(name[len(name)-1])):
			name, opt.arg = name[:len(name)-1], string(name[len(name)-1])
		default:
			cut = false
		}
	}
	names := []string{name}
	if !r.words && !strings.HasPrefix(name, "--") && len(name) > 2 {
		if opt != (option{}) {
			return fmt.Errorf("the letters of %q have a value: give each its own field", field)
		}
		names = names[:0]
		for _, letter := range name[1:] {
			names = append(names, "-"+string(letter))
		}
	}
	for _, name := range names {
		r.options[name] = opt
		if must {
			r.must = append(r.must, name)
		}
	}
	return nil
}

// candidates are the rows of the longest name with which the words begin, and the words behind it. Options that may
// stand before a subcommand are taken out first; odd is one that is not known there.
func candidates(words []word) (rows []commandRow, rest []word, odd string) {
	all := commandTable()[base(words[0].value)]
	rest = words[1:]
	for _, r := range all {
		if r.kind == kindGlobal {
			args, problem := r.leading(rest)
			if problem != "" {
				return nil, rest, problem
			}
			rest = rest[args:]
		}
	}
	longest := 0
	for _, r := range all {
		n := len(r.name)
		if r.kind == kindGlobal || n < longest || n-1 > len(rest) || !begins(rest, r.name[1:]) {
			continue
		}
		if n > longest {
			rows, longest = nil, n
		}
		rows = append(rows, r)
	}
	if longest > 0 {
		rest = rest[longest-1:]
	}
	return rows, rest, ""
}

// leading counts the words that are options before a subcommand.
func (r commandRow) leading(words []word) (n int, odd string) {
	for n < len(words) && strings.HasPrefix(words[n].value, "-") {
		switch words[n].value {
		case "--version", "--help", "-h", "-v":
			return n, ""
		}
		if _, ok := r.options[words[n].value]; !ok || !words[n].plain {
			return n, words[n].src
		}
		n++
	}
	return n, ""
}

func begins(words []word, names []string) bool {
	for i, name := range names {
		if !words[i].known || words[i].value != name {
			return false
		}
	}
	return true
}

// fit sorts the words behind a command's name by what the row says they are. The problem, if any, is why the row is
// not about this command.
func (r commandRow) fit(words []word) (args []arg, problem string) {
	kinds := slices.Clone(r.operands)
	command := slices.Index(kinds, "cmd") // its options are its own
	var operands []word
	met := len(r.must) == 0
	ended, instead := false, false
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case ended || len(w.value) < 2 || w.value[0] != '-':
			if r.stop || len(operands) == command {
				ended = true
			}
			operands = append(operands, w)
			continue
		case w.value == "--":
			ended = true
			continue
		case r.any:
			args = append(args, arg{w, w.value, "?"})
			continue
		case r.numbers && isNumber(w.value[1:]):
			continue
		}
		used, taken, names, bad := r.option(words[i:])
		if bad != "" {
			return nil, bad
		}
		for _, name := range names {
			met = met || slices.Contains(r.must, name)
			if r.options[name].instead && !instead && len(kinds) > 0 {
				kinds, instead = kinds[1:], true
			}
		}
		args = append(args, used...)
		i += taken - 1
	}
	if !met {
		return nil, "without " + strings.Join(r.must, " or ")
	}
	placed, ok := place(kinds, operands)
	if !ok {
		return nil, "operands"
	}
	return append(args, placed...), ""
}

// option reads the option at the head of words. It returns what it names, how many words it takes, and the names it has.
func (r commandRow) option(words []word) (args []arg, taken int, names []string, bad string) {
	w := words[0]
	name, value, attached := strings.Cut(w.value, "=")
	if r.words || strings.HasPrefix(w.value, "--") {
		o, ok := r.options[name]
		switch {
		case !ok || attached && o.arg == "":
			return nil, 0, nil, name
		case attached || o.arg == "" || o.loose:
			if attached {
				args = []arg{{w, value, o.kind()}}
			}
			return args, 1, []string{name}, ""
		case len(words) < 2:
			return nil, 0, nil, name
		}
		return []arg{{words[1], words[1].value, o.kind()}}, 2, []string{name}, ""
	}
	for i := 1; i < len(w.value); i++ { // letters, the last perhaps with a value
		name := "-" + string(w.value[i])
		o, ok := r.options[name]
		if !ok {
			return nil, 0, nil, name
		}
		names = append(names, name)
		rest := w.value[i+1:]
		switch {
		case o.arg == "":
		case rest != "" || o.loose:
			if rest != "" {
				args = append(args, arg{w, rest, o.kind()})
			}
			return args, 1, names, ""
		case len(words) < 2:
			return nil, 0, nil, name
		default:
			return append(args, arg{words[1], words[1].value, o.kind()}), 2, names, ""
		}
	}
	return args, 1, names, ""
}

func (o option) kind() string {
	if o.code {
		return "code"
	}
	return o.arg
}

// place gives each operand its kind. One of the kinds may end with * (any number), any may end with ? (may be missing).
func place(kinds []string, words []word) (args []arg, ok bool) {
	star := slices.IndexFunc(kinds, func(k string) bool { return strings.HasSuffix(k, "*") })
	command := slices.Index(kinds, "cmd")
	if command >= 0 { // everything from there on is one
		star = command
	}
	before, after := kinds, []string(nil)
	if star >= 0 {
		before, after = kinds[:star], kinds[star+1:]
	}
	add := func(w word, kind string) { args = append(args, arg{w, w.value, strings.TrimRight(kind, "*?")}) }
	for _, k := range before {
		if len(words) == 0 {
			if !strings.HasSuffix(k, "?") {
				return nil, false
			}
			continue
		}
		add(words[0], k)
		words = words[1:]
	}
	if star < 0 {
		return args, len(words) == 0
	}
	if len(words) < len(after) {
		return nil, false
	}
	for _, w := range words[:len(words)-len(after)] {
		add(w, kinds[star])
	}
	for i, w := range words[len(words)-len(after):] {
		add(w, after[i])
	}
	return args, true
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// base is a program's name without its folder.
func base(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }
