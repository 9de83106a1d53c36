package trust

import (
	"bytes"
	"errors"
)

// maxDepth bounds how deep lists and objects of a file may stand in each other: a parser's stack grows with it.
const maxDepth = 64

var errDeep = errors.New("it is nested too deep")

// checkDepth refuses JSON, with comments, that is nested deeper than maxDepth. What is no JSON the parser refuses.
func checkDepth(data []byte) error {
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '[', '{':
			if depth++; depth > maxDepth {
				return errDeep
			}
		case ']', '}':
			depth--
		case '"':
			i += stringEnd(data[i+1:])
		case '/':
			i += commentEnd(data[i+1:])
		}
	}
	return nil
}

// stringEnd returns how many bytes a string has behind its first quote, the last one included.
func stringEnd(rest []byte) int {
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(rest)
}

// commentEnd returns how many bytes a comment has behind its first slash.
func commentEnd(rest []byte) int {
	end := "\n"
	switch {
	case bytes.HasPrefix(rest, []byte("*")):
		end = "*/"
	case !bytes.HasPrefix(rest, []byte("/")):
		return 0
	}
	if i := bytes.Index(rest[1:], []byte(end)); i >= 0 {
		return 1 + i + len(end)
	}
	return len(rest)
}
