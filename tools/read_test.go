package tools

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadShowsNumberedLines(t *testing.T) {
	long := strings.Repeat("x", 2500)
	tests := []struct{ name, content, input, want string }{
		{"a whole file", "one\ntwo\n", `{"path":"f"}`, "1:one\n2:two"},
		{"a last line without a line end", "one\ntwo", `{"path":"f"}`, "1:one\n2:two"},
		{"an empty file", "", `{"path":"f"}`, "(empty file)"},
		{"a range", "a\nb\nc\nd\n", `{"path":"f","offset":2,"limit":2}`, "2:b\n3:c\n(lines 2-3 of 4; go on with offset=4)"},
		{"the rest", "a\nb\nc\n", `{"path":"f","offset":3}`, "3:c\n(end of file, 3 lines)"},
		{"the last lines, counted from the end", "a\nb\nc\n", `{"path":"f","offset":-1}`, "3:c\n(end of file, 3 lines)"},
		{"CR LF is not shown", "a\r\nb\r\n", `{"path":"f"}`, "1:a\n2:b"},
		{"a byte order mark is not shown", "\uFEFFa\n", `{"path":"f"}`, "1:a"},
		{"a long line is cut", long + "\n", `{"path":"f"}`, "1:" + long[:2000] + " … (line cut: 2,500 characters)"},
		{"Latin-1 is shown as far as it goes", "caf\xe9\n", `{"path":"f"}`, "1:caf\uFFFD\n\n(not valid UTF-8: what could not be read is shown as \uFFFD)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSession(t)
			s.put(t, "f", tt.content)
			if got := must(t, s, read, tt.input); got != tt.want {
				t.Errorf("read %s of %q = %q, want %q", tt.input, tt.content, got, tt.want)
			}
		})
	}
}

func TestReadStopsAtTheLimitAndSaysHowToGoOn(t *testing.T) {
	s := newSession(t)
	s.put(t, "lines", strings.Repeat("x\n", 2500))
	contains(t, must(t, s, read, `{"path":"lines"}`), "2000:x\n(lines 1-2000 of 2,500; go on with offset=2001)")
	s.put(t, "bytes", strings.Repeat(strings.Repeat("x", 99)+"\n", 1000))
	got := must(t, s, read, `{"path":"bytes"}`)
	if len(got) > maxBytes+100 {
		t.Errorf("a read gave %d bytes", len(got))
	}
	contains(t, got, "of 1,000; go on with offset=")
}

func TestReadRemembersTheWholeFile(t *testing.T) {
	s := newSession(t)
	path := s.put(t, "f", "a\nb\n")
	res, err := do(t, s, read, `{"path":"f","limit":1}`)
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Files) != 1 || res.Files[0].Path != path || res.Files[0].Hash != hashOf([]byte("a\nb\n")) {
		t.Errorf("a part of the file was read, and seen was %+v", res.Files)
	}
}

func TestReadExplainsWhatItCannotShow(t *testing.T) {
	s := newSession(t)
	s.put(t, "dir/handler.go", "package dir\n")
	s.put(t, "dir/handler_test.go", "package dir\n")
	s.put(t, "pic.png", "\x89PNG\r\n\x1a\n\x00\x00")
	s.put(t, "doc.pdf", "%PDF-1.7\n")
	s.put(t, "blob", "a\x00b")
	s.put(t, "wide.txt", "\xff\xfea\x00")
	s.put(t, "three", "1\n2\n3\n")
	tests := []struct{ name, input, want string }{
		{"a missing file has neighbours", `{"path":"dir/handlr.go"}`, "there is no file dir/handlr.go; is it one of these? dir/handler.go"},
		{"a missing file in the wrong folder", `{"path":"src/handler.go"}`, "dir/handler.go"},
		{"a missing file like no other", `{"path":"zzzzzzzzzz"}`, "there is no file zzzzzzzzzz; find it with glob"},
		{"an image", `{"path":"pic.png"}`, "pic.png is image/png, 10 bytes; this version of read shows text only"},
		{"a PDF", `{"path":"doc.pdf"}`, "application/pdf"},
		{"binary data", `{"path":"blob"}`, "binary"},
		{"UTF-16", `{"path":"wide.txt"}`, "iconv -f UTF-16"},
		{"an offset past the end", `{"path":"three","offset":9}`, "three has 3 lines; offset 9 is past its end"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			contains(t, refused(t, s, read, tt.input), tt.want)
		})
	}
}

func TestReadOfAHugeFileWantsARange(t *testing.T) {
	s := newSession(t)
	f, err := os.Create(filepath.Join(s.dir, "huge.log"))
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Repeat("x", 1<<20) + "\n"
	for i := range 21 {
		fmt.Fprintf(f, "line %d\n%s", i, line)
	}
	f.Close()
	contains(t, refused(t, s, read, `{"path":"huge.log"}`), "huge.log has 21 MB, more than the 20 MB", "offset and limit", "grep")
	got := must(t, s, read, `{"path":"huge.log","offset":41,"limit":1}`)
	contains(t, got, "41:line 20\n(lines 41-41; the file has 21 MB)")
	contains(t, refused(t, s, read, `{"path":"huge.log","offset":99}`), "huge.log has 42 lines; offset 99 is past its end")
}

func TestReadOfAFolderIsATree(t *testing.T) {
	s := newSession(t)
	s.put(t, ".gitignore", "out/\n*.log\n")
	s.put(t, "cmd/app/main.go", "")
	s.put(t, "cmd/app/x.log", "")
	s.put(t, "cmd/doc.go", "")
	s.put(t, "out/bin", "")
	s.put(t, "go.mod", "")
	if err := os.Symlink("go.mod", filepath.Join(s.dir, "link")); err != nil {
		t.Fatal(err)
	}
	want := "cmd/\n  app/ (1 entry)\n  doc.go\n.gitignore\ngo.mod\nlink -> go.mod"
	if got := must(t, s, read, `{"path":"."}`); got != want {
		t.Errorf("the tree is\n%s\nwant\n%s", got, want)
	}
	if got := must(t, s, read, `{"path":"out"}`); got != "bin" {
		t.Errorf("the tree of an ignored folder is %q", got)
	}
	for i := range 400 {
		s.put(t, fmt.Sprintf("many/%03d", i), "")
	}
	contains(t, must(t, s, read, `{"path":"many"}`), "299\n(100 entries more; read a folder further down, or use glob)")
}
