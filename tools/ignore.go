package tools

import (
	"bytes"
	"slices"
	"strings"
)

// This file reads .gitignore files and matches paths against them, by the rules of gitignore(5). Inside a repository
// git itself is asked which files there are; this is for everywhere else, and for trees as read shows them.

// An ignoreRule is one line of a .gitignore file.
type ignoreRule struct {
	negated  bool     // "!": the path is not ignored after all
	dirOnly  bool     // it ended in "/"
	anchored bool     // it is matched against the path from the folder of its file, else against the last name
	prefix   string   // of an anchored pattern: what comes before its first special character
	segments []string // the rest between slashes; "**" is one of its own
}

// An ignoreFile is the rules of one .gitignore file, for paths relative to its folder.
type ignoreFile []ignoreRule

func parseIgnore(data []byte) ignoreFile {
	var rules ignoreFile
	for line := range bytes.Lines(bytes.TrimPrefix(data, bom)) {
		text := string(bytes.TrimSuffix(bytes.TrimSuffix(line, []byte{'\n'}), []byte{'\r'}))
		if rule, ok := parseRule(text); ok {
			rules = append(rules, rule)
		}
	}
	return rules
}

func parseRule(text string) (ignoreRule, bool) {
	var r ignoreRule
	if strings.HasPrefix(text, "#") {
		return r, false
	}
	text = trimSpaces(text)
	if text, r.negated = strings.CutPrefix(text, "!"); text == "" {
		return r, false
	}
	text, r.dirOnly = strings.CutSuffix(text, "/")
	r.anchored = strings.Contains(text, "/")
	text = strings.TrimPrefix(text, "/")
	if text == "" {
		return r, false
	}
	if r.anchored {
		// As git: the prefix is compared first, so that stars behind it count as stars at the beginning.
		n := strings.IndexAny(text+"*", `*?[\`)
		r.prefix, text = text[:n], text[n:]
	}
	segments, ok := splitSegments(text)
	r.segments = segments
	return r, ok
}

// trimSpaces takes trailing spaces away, but not one that a backslash protects.
func trimSpaces(text string) string {
	end := 0 // of what must stay
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case ' ':
			continue
		case '\\':
			i++
		}
		end = min(i+1, len(text))
	}
	return text[:end]
}

// splitSegments cuts a pattern at its slashes, not at those inside brackets or behind a backslash. It is false for a
// bracket that is never closed: such a pattern matches nothing.
func splitSegments(pattern string) ([]string, bool) {
	var segments []string
	begin := 0
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '\\':
			if i+1 < len(pattern) && pattern[i+1] != '/' {
				i++
			}
		case '[':
			n := classLen(pattern[i:])
			if n == 0 {
				return nil, false
			}
			i += n - 1
		case '/':
			segments = append(segments, strings.TrimSuffix(pattern[begin:i], "\\"))
			begin = i + 1
		}
	}
	return append(segments, pattern[begin:]), true
}

// ignored says what the file's rules say of a path, relative and with slashes: the last rule that matches counts.
// decided is false when none does. With fold, the case of ASCII letters does not count.
func (f ignoreFile) ignored(path string, dir, fold bool) (ignored, decided bool) {
	m := segmentMatcher{fold: fold}
	name := path[strings.LastIndexByte(path, '/')+1:]
	for _, r := range slices.Backward(f) {
		if r.dirOnly && !dir {
			continue
		}
		if m.matches(r, path, name) {
			return !r.negated, true
		}
	}
	return false, false
}

// A segmentMatcher matches patterns, with or without case.
type segmentMatcher struct{ fold bool }

func (m segmentMatcher) matches(r ignoreRule, path, name string) bool {
	if !r.anchored {
		return m.matchSegment(r.segments[0], name)
	}
	if len(path) < len(r.prefix) || path[:len(r.prefix)] != r.prefix && !(m.fold && lowerASCII(path[:len(r.prefix)]) == lowerASCII(r.prefix)) {
		return false
	}
	return m.matchSegments(r.segments, path[len(r.prefix):])
}

// matchSegments matches a whole path. "**" stands for any number of folders, at the end for everything below one.
func (m segmentMatcher) matchSegments(pattern []string, path string) bool {
	for len(pattern) > 0 {
		if isStars(pattern[0]) {
			rest := pattern[1:]
			if len(rest) == 0 {
				return true
			}
			for {
				if m.matchSegments(rest, path) {
					return true
				}
				_, after, more := strings.Cut(path, "/")
				if !more {
					return false
				}
				path = after
			}
		}
		name, rest, more := strings.Cut(path, "/")
		if !m.matchSegment(pattern[0], name) {
			return false
		}
		pattern = pattern[1:]
		if !more {
			return len(pattern) == 0
		}
		path = rest
	}
	return false // the path goes on
}

func isStars(segment string) bool {
	return len(segment) >= 2 && strings.Trim(segment, "*") == ""
}

// matchSegment matches one name, byte by byte: "*", "?", "[…]" and "\".
func (m segmentMatcher) matchSegment(pattern, name string) bool {
	p, n := 0, 0
	star, from := -1, 0 // the last "*", and where the name goes on if it takes more
	for n < len(name) {
		if p < len(pattern) && pattern[p] == '*' {
			star, from = p, n
			p++
			continue
		}
		if size, ok := m.matchByte(pattern[p:], name[n]); ok {
			p += size
			n++
			continue
		}
		if star < 0 {
			return false
		}
		from++
		p, n = star+1, from
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// matchByte matches the first element of a pattern, which is not "*", and returns its length.
func (m segmentMatcher) matchByte(pattern string, b byte) (int, bool) {
	if pattern == "" {
		return 0, false
	}
	switch pattern[0] {
	case '?':
		return 1, true
	case '\\':
		return 2, len(pattern) > 1 && m.same(pattern[1], b)
	case '[':
		n := classLen(pattern)
		return n, n > 0 && m.classHas(pattern[1:n-1], b)
	}
	return 1, m.same(pattern[0], b)
}

func (m segmentMatcher) same(a, b byte) bool { return a == b || m.fold && lower(a) == lower(b) }

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		b += 'a' - 'A'
	}
	return b
}

func lowerASCII(s string) string {
	b := []byte(s)
	for i := range b {
		b[i] = lower(b[i])
	}
	return string(b)
}

// classLen returns the length of the bracket expression at the beginning of a pattern, 0 if it is not closed. A "]" that
// comes first is a member.
func classLen(pattern string) int {
	i := 1
	if i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^') {
		i++
	}
	for first := true; i < len(pattern); first = false {
		switch {
		case pattern[i] == ']' && !first:
			return i + 1
		case pattern[i] == '\\':
			i += 2
		case strings.HasPrefix(pattern[i:], "[:"):
			end := strings.IndexByte(pattern[i+2:], ']') // as git: the name ends at the next bracket
			if end < 1 || pattern[i+2+end-1] != ':' {
				i++
				continue
			}
			i += 2 + end + 1
		default:
			i++
		}
	}
	return 0
}

// classHas reports whether the inside of a bracket expression has the byte.
func (m segmentMatcher) classHas(class string, b byte) bool {
	negated := class != "" && (class[0] == '!' || class[0] == '^')
	if negated {
		class = class[1:]
	}
	if m.fold {
		b = lower(b)
	}
	return m.inClass(class, b) != negated
}

// inClass reports whether the members of a bracket expression have the byte, which is in lower case when case does not
// count: then, as with git, ranges and [:upper:] take it for either, and a single member does not.
func (m segmentMatcher) inClass(class string, b byte) bool {
	has, up := false, b
	if m.fold && 'a' <= b && b <= 'z' {
		up -= 'a' - 'A'
	}
	for i := 0; i < len(class); {
		if strings.HasPrefix(class[i:], "[:") {
			if end := strings.Index(class[i:], ":]"); end > 0 {
				name := class[i+2 : i+end]
				has = has || namedClass(name, b) || name == "upper" && namedClass(name, up)
				i += end + 2
				continue
			}
		}
		lo, n := classByte(class[i:])
		i += n
		if i+1 >= len(class) || class[i] != '-' {
			has = has || lo == b
			continue
		}
		hi, n := classByte(class[i+1:])
		i += 1 + n
		has = has || lo <= b && b <= hi || lo <= up && up <= hi
	}
	return has
}

func classByte(class string) (byte, int) {
	if class[0] == '\\' && len(class) > 1 {
		return class[1], 2
	}
	return class[0], 1
}

func namedClass(name string, b byte) bool {
	lower, upper, digit := 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9'
	graph := b > ' ' && b < 0x7f
	switch name {
	case "alnum":
		return lower || upper || digit
	case "alpha":
		return lower || upper
	case "blank":
		return b == ' ' || b == '\t'
	case "cntrl":
		return b < ' ' || b == 0x7f
	case "digit":
		return digit
	case "graph":
		return graph
	case "lower":
		return lower
	case "print":
		return graph || b == ' '
	case "punct":
		return graph && !lower && !upper && !digit
	case "space":
		return b == ' ' || '\t' <= b && b <= '\r'
	case "upper":
		return upper
	case "xdigit":
		return digit || 'a' <= b && b <= 'f' || 'A' <= b && b <= 'F'
	}
	return false
}
