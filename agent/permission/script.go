package permission

import (
	"regexp"
	"strings"
)

// Little languages inside commands can run programs and write files. Only what these know is taken for reading.

// sedStep is one step of a sed script: an address or none, and a command that neither runs, reads nor writes.
var (
	sedAddress = `(?:\d+|\$|/(?:[^/\\\n]|\\.)*/I?)`
	sedStep    = regexp.MustCompile(`^\s*(?:` + sedAddress + `(?:,\+?` + sedAddress + `)?)?\s*!?\s*(?:[pdDPNnqQ=lhHgGx]|` +
		`s/(?:[^/\\\n]|\\.)*/(?:[^/\\\n]|\\.)*/[gpiIm0-9]*|` +
		`s\|(?:[^|\\\n]|\\.)*\|(?:[^|\\\n]|\\.)*\|[gpiIm0-9]*|` +
		`s,(?:[^,\\\n]|\\.)*,(?:[^,\\\n]|\\.)*,[gpiIm0-9]*|` +
		`s#(?:[^#\\\n]|\\.)*#(?:[^#\\\n]|\\.)*#[gpiIm0-9]*)\s*(?:[;\n]|$)`)
)

func plainSed(script string) bool {
	for script != "" {
		loc := sedStep.FindStringIndex(script)
		if loc == nil || loc[1] == 0 {
			return false
		}
		script = script[loc[1]:]
	}
	return true
}

// awkReach is what lets an awk program act, or open what its operands do not name.
var awkReach = regexp.MustCompile(`system|getline|ARGV|ARGIND|ENVIRON|SYMTAB|FUNCTAB|PROCINFO|printf?\s*\(?.*>|[|<>@\\]`)

func plainAwk(program string) bool { return !awkReach.MatchString(program) }

var jqReach = regexp.MustCompile(`\benv\b|\$ENV|\bimport\b|\binclude\b|\binput_filename\b|\$__loc__|\bmodulemeta\b`)

func plainJq(program string) bool { return !jqReach.MatchString(program) }

// printfSets is what makes printf set a variable: PATH, then what the next command is.
var printfSets = regexp.MustCompile(`%[^%A-Za-z\\(]*[hjlLqtwz]*n`)

func plainPrintf(format string) bool { return !printfSets.MatchString(format) }

// scriptProblem says what is wrong with a script that stands in a command, or "".
func scriptProblem(language, script string) string {
	ok := true
	switch language {
	case "sed":
		ok = plainSed(script)
	case "awk":
		ok = plainAwk(script)
	case "jq":
		ok = plainJq(script)
	case "printf":
		ok = plainPrintf(script)
	case "date":
		ok = strings.HasPrefix(script, "+") // without it is a time to set
	}
	if ok {
		return ""
	}
	return "a " + language + " script that may run programs or open other files: " + strings.TrimSpace(script)
}
