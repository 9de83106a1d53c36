package tools

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
	"sync"
)

// A sectionKind is what a section of a patch does with its file, as a word.
type sectionKind string

const (
	adds     sectionKind = "add"
	updates  sectionKind = "update"
	deletes  sectionKind = "delete"
	replaces sectionKind = "replace" // deleted and added in the same patch
)

// A section is what a patch does with one file.
type section struct {
	kind    sectionKind
	path    string
	to      string // where it moves; "" if it stays
	content string // of a file that is added
	hunks   []hunk
	line    int // of its header in the patch, from 1
}

// A hunk is one change: lines of context and lines that go or come.
type hunk struct {
	headers []string // its @@ lines, from the outermost on
	lines   []hunkLine
	last    bool // its lines are the last of the file
}

// A hunkLine is one of a hunk. op is ' ', '-' or '+'.
type hunkLine struct {
	op   byte
	text string
}

// sides are the lines that the file has before and after.
func (h hunk) sides() (old, text []string) {
	for _, l := range h.lines {
		if l.op != '+' {
			old = append(old, l.text)
		}
		if l.op != '-' {
			text = append(text, l.text)
		}
	}
	return old, text
}

// blankLine marks a line of a hunk without anything, also without the blank of context.
const blankLine = 0

// trim takes such lines from both ends, where they may only separate hunks; between others they are context.
func (h *hunk) trim() {
	isBlank := func(l hunkLine) bool { return l.op == blankLine }
	for len(h.lines) > 0 && isBlank(h.lines[0]) {
		h.lines = h.lines[1:]
	}
	for len(h.lines) > 0 && isBlank(h.lines[len(h.lines)-1]) {
		h.lines = h.lines[:len(h.lines)-1]
	}
	for i, l := range h.lines {
		if isBlank(l) {
			h.lines[i].op = ' '
		}
	}
}

// changes reports whether it takes anything out or puts anything in.
func (h hunk) changes() bool {
	for _, l := range h.lines {
		if l.op != ' ' {
			return true
		}
	}
	return false
}

// name is how an answer calls the hunk.
func (h hunk) name(path string, i, of int) string {
	name := path
	if of > 1 {
		name += fmt.Sprintf(", hunk %d", i+1)
	}
	if len(h.headers) > 0 {
		name += " (@@ " + oneLine(h.headers[len(h.headers)-1]) + ")"
	}
	return name
}

// A patchReader goes through the lines of a patch.
type patchReader struct {
	lines []string
	at    int
}

func (r *patchReader) more() bool { return r.at < len(r.lines) }

func (r *patchReader) wrong(format string, args ...any) error {
	return fmt.Errorf("line %d: "+format, append([]any{r.at + 1}, args...)...)
}

const (
	patchBegin = "*** Begin Patch"
	patchEnd   = "*** End Patch"
	fileEnd    = "*** End of File"
)

// parsePatch reads a patch in the grammar of OpenAI's Codex. What stands around it (a fence, a here-document) does not
// count, and a missing first line is no matter; a missing last one is: then nobody knows whether all of it has come.
func parsePatch(text string) ([]section, error) {
	r := patchReader{lines: unwrapped(text)}
	var sections []section
	ended := false
	for r.more() {
		line := strings.TrimRight(r.lines[r.at], " \t")
		switch kind, name := header(line); {
		case line == patchBegin:
			ended = false
			r.at++
		case line == patchEnd:
			ended = true
			r.at++
		case line == "":
			r.at++
		case kind != "":
			s, err := r.section(kind, name)
			if err != nil {
				return nil, err
			}
			if sections, err = join(sections, s); err != nil {
				return nil, err
			}
			ended = false
		case len(sections) == 0 && !strings.HasPrefix(line, "***"):
			return nil, r.wrong("%q is no part of a patch: it begins with %q, then *** Add File: PATH, *** Update File: PATH or *** Delete File: PATH", oneLine(line), patchBegin)
		default:
			return nil, r.wrong("%q stands where %q or the next *** Add File:, *** Update File: or *** Delete File: is expected", oneLine(line), patchEnd)
		}
	}
	switch {
	case len(sections) == 0:
		return nil, errors.New("it names no file; a section begins with *** Add File: PATH, *** Update File: PATH or *** Delete File: PATH")
	case !ended:
		return nil, fmt.Errorf("it does not end with %q, so that a part of it may be missing; send all of it again", patchEnd)
	}
	return sections, nil
}

// unwrapped returns the lines of a patch without a fence or here-document around them.
func unwrapped(text string) []string {
	lines := bare([]byte(strings.TrimSpace(text)))
	first := strings.TrimSpace(lines[0])
	if len(lines) > 1 && (strings.HasPrefix(first, "```") || strings.Contains(first, "<<") && !strings.HasPrefix(first, "***")) {
		last := strings.Trim(lines[len(lines)-1], " \t`)")
		lines = lines[1:]
		if last == "" || strings.Trim(first[strings.LastIndex(first, "<")+1:], ` "'-`) == last {
			lines = lines[:len(lines)-1]
		}
	}
	return lines
}

var sectionHeader = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\*\*\* (Add|Create|Update|Modify|Delete|Remove) [Ff]ile: *(.+)$`)
})

// header reads the first line of a section; kind is "" for any other line.
func header(line string) (kind sectionKind, name string) {
	m := sectionHeader().FindStringSubmatch(line)
	if m == nil {
		return "", ""
	}
	switch m[1] {
	case "Add", "Create":
		kind = adds
	case "Update", "Modify":
		kind = updates
	default:
		kind = deletes
	}
	return kind, strings.TrimSpace(m[2])
}

// section reads a section from its header on.
func (r *patchReader) section(kind sectionKind, name string) (s section, err error) {
	s = section{kind: kind, path: name, line: r.at + 1}
	r.at++
	switch kind {
	case adds:
		s.content, err = r.added()
	case updates:
		if to, ok := strings.CutPrefix(r.peek(), "*** Move to:"); ok {
			s.to = strings.TrimSpace(to)
			r.at++
		}
		s.hunks, err = r.hunks()
		if err == nil && len(s.hunks) == 0 && s.to == "" {
			err = fmt.Errorf("line %d: *** Update File: %s has no hunk; one begins with @@ and has lines with -, + or a blank in front", s.line, name)
		}
	}
	return s, err
}

func (r *patchReader) peek() string {
	if !r.more() {
		return ""
	}
	return r.lines[r.at]
}

// atSection reports whether the section has ended here.
func (r *patchReader) atSection() bool {
	line := strings.TrimRight(r.peek(), " \t")
	kind, _ := header(line)
	return !r.more() || kind != "" || line == patchEnd || line == patchBegin
}

// added reads the lines of a new file.
func (r *patchReader) added() (string, error) {
	var b strings.Builder
	blank := 0
	for ; !r.atSection(); r.at++ {
		line := r.lines[r.at]
		text, ok := strings.CutPrefix(line, "+")
		switch {
		case ok:
			b.WriteString(strings.Repeat("\n", blank) + text + "\n")
			blank = 0
		case strings.TrimSpace(line) == "":
			blank++ // a line of the file if more follow
		case strings.TrimRight(line, " \t") == fileEnd:
		default:
			return "", r.wrong("%q: each line of an added file begins with +", oneLine(line))
		}
	}
	return b.String(), nil
}

// hunks reads those of a section.
func (r *patchReader) hunks() ([]hunk, error) {
	var all []hunk
	var h hunk
	begin := r.at
	end := func() error {
		h.trim()
		switch {
		case len(h.lines) == 0 && !h.last:
		case !h.changes():
			return fmt.Errorf("line %d: the hunk has no line that begins with - or +, so it changes nothing", begin+1)
		default:
			all = append(all, h)
		}
		h = hunk{}
		return nil
	}
	for ; !r.atSection(); r.at++ {
		line := r.lines[r.at]
		switch name, isHeader := hunkHeader(line); {
		case isHeader:
			if len(h.lines) > 0 {
				if err := end(); err != nil {
					return nil, err
				}
			}
			if len(h.headers) == 0 {
				begin = r.at
			}
			if name != "" {
				h.headers = append(h.headers, name)
			}
		case strings.TrimRight(line, " \t") == fileEnd:
			h.last = true
			if err := end(); err != nil {
				return nil, err
			}
		case line == "":
			h.lines = append(h.lines, hunkLine{op: blankLine})
		case line[0] == ' ' || line[0] == '-' || line[0] == '+':
			h.lines = append(h.lines, hunkLine{line[0], line[1:]})
		case line[0] == '\t':
			h.lines = append(h.lines, hunkLine{' ', line}) // a line of context that lacks its blank: it can be nothing else
		case strings.HasPrefix(line, `\ No newline`):
		default:
			return nil, r.wrong("%q begins neither with @@ nor with -, + or a blank (which stands before a line of context)", oneLine(line))
		}
	}
	return all, end()
}

var lineNumbers = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[-+,\d\s.]*@@ ?`) })

// hunkHeader reads an @@ line. Line numbers in it do not count: the text says where the lines are.
func hunkHeader(line string) (name string, ok bool) {
	name, ok = strings.CutPrefix(line, "@@")
	if !ok {
		return "", false
	}
	name = strings.TrimPrefix(name, " ")
	if numbers := lineNumbers().FindString(name); numbers != "" {
		name = name[len(numbers):]
	}
	name = strings.TrimRight(strings.TrimSuffix(strings.TrimRight(name, " \t"), " @@"), " \t")
	return name, true
}

// join adds a section. Several for one file become one, if it is clear what they mean together.
func join(sections []section, s section) ([]section, error) {
	for i := range sections {
		was := &sections[i]
		if path.Clean(was.path) != path.Clean(s.path) {
			continue
		}
		switch {
		case was.kind == updates && s.kind == updates && was.to == "" && s.to == "":
			was.hunks = append(was.hunks, s.hunks...)
		case was.kind == deletes && s.kind == adds:
			was.kind, was.content = replaces, s.content
		default:
			return nil, fmt.Errorf("line %d: %s is in the patch already, at line %d; a file may be there once", s.line, s.path, was.line)
		}
		return sections, nil
	}
	return append(sections, s), nil
}
