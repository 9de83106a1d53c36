//go:build linux

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// makeTree writes a tree like that of a big repository: files of source of 1 to 40 KiB, some 10 on average, a hundred in a
// folder, with ignored, hidden and binary ones among them. One in a thousand holds what is looked for. It is the same
// every time. It returns the bytes of all files.
func makeTree(ctx context.Context, dir string, files int) (size int64, err error) {
	random := rand.New(rand.NewPCG(1, 2))
	page := sourcePage(random)
	for i := range files {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		folder := filepath.Join(dir, fmt.Sprintf("part%02d/mod%03d", i/100%20, i/100))
		if i%100 == 0 {
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return 0, err
			}
			rules := fmt.Sprintf("*.o\n/gen%d/\n!keep.o\n*.tmp\nbuild/**/cache\n", i%7)
			if err := os.WriteFile(filepath.Join(folder, ".gitignore"), []byte(rules), 0o644); err != nil {
				return 0, err
			}
		}
		n := 1<<10 + int(random.ExpFloat64()*9500)
		n = min(n, 40<<10)
		from := random.IntN(len(page) - n)
		from += strings.IndexByte(page[from:], '\n') + 1
		text := page[from:min(from+n, len(page))]
		if i%1000 == 500 {
			text += fmt.Sprintf("\nfunc tryfrobnicate(id int) error { return nil } // 12345678%02d\n", i%100)
		}
		name := fmt.Sprintf("file%05d", i)
		switch {
		case i%50 == 7:
			name += ".o" // ignored
		case i%50 == 17:
			name = "." + name // hidden
		case i%50 == 27:
			name, text = name+".bin", "\x00\x01"+text
		case i%20 == 17:
			name += ".toml"
		default:
			name += ".go"
		}
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			return 0, err
		}
		size += int64(len(text))
	}
	return size, nil
}

// sourcePage makes a few megabytes of lines that look like source: every file is a piece of them.
func sourcePage(random *rand.Rand) string {
	words := strings.Fields("the func return if err nil range context string int error value name path file read write open close " +
		"buffer request response handler server client token session agent model turn step result option config default " +
		"Func Return Error Request FROM Frob nicate index offset length count total limit first last next begin end")
	marks := []string{" ", " ", " ", " := ", ".", ", ", "(", ")", " = ", " != ", "[", "]", " && ", " // ", `"`, "_"}
	var b strings.Builder
	for b.Len() < 4<<20 {
		b.WriteString(strings.Repeat("\t", random.IntN(4)))
		for range 2 + random.IntN(9) {
			b.WriteString(words[random.IntN(len(words))])
			b.WriteString(marks[random.IntN(len(marks))])
			if random.IntN(12) == 0 {
				fmt.Fprint(&b, random.IntN(100_000))
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}
