package audit

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// The files of a log are numbered in their order. Nothing else in the folder counts.
func filePath(dir string, number int) string {
	return filepath.Join(dir, fmt.Sprintf("audit-%06d.jsonl", number))
}

// numbers lists the files that are there, in their order.
func numbers(dir string) ([]int, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []int
	for _, e := range entries {
		var number int
		if n, _ := fmt.Sscanf(e.Name(), "audit-%d.jsonl", &number); n == 1 && filepath.Base(filePath(dir, number)) == e.Name() {
			list = append(list, number)
		}
	}
	slices.Sort(list)
	return list, nil
}

// mostLine bounds a line that is read, in bytes: those that we write are far shorter.
const mostLine = 1 << 20

// A raw is a line as it stands in its file.
type raw struct {
	text  []byte // without the line break
	whole bool   // it has one
	size  int64  // with the line break, in bytes
}

// scan calls take with the lines of a file from an offset on, until it returns false.
func scan(path string, offset int64, take func(raw) bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	r := bufio.NewReaderSize(f, 64<<10)
	for {
		text, err := readLine(r)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if len(text) == 0 {
			return nil
		}
		line := raw{text: text, size: int64(len(text))}
		if text[len(text)-1] == '\n' {
			line.text, line.whole = text[:len(text)-1], true
		}
		if !take(line) || err != nil {
			return nil
		}
	}
}

// readLine reads to the line break, or to where the line is too long to be one of ours.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		piece, err := r.ReadSlice('\n')
		line = append(line, piece...)
		if !errors.Is(err, bufio.ErrBufferFull) || len(line) > mostLine {
			return line, err
		}
	}
}

// parse reads a line back. It is false when it is none of ours.
func (l raw) parse() (line Line, ok bool) {
	return line, l.whole && json.Unmarshal(l.text, &line) == nil && line.N > 0 && line.What != ""
}

// follows reports whether the line is the one behind the numbered one with the hash.
func (l Line) follows(n uint64, hash string) bool { return l.N == n+1 && l.Prev == hash }

func fileName(number int) string { return filepath.Base(filePath("", number)) }
