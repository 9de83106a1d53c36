package tools

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
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
		{"CR LF is not shown", "a\r\nb\r\n", `{"path":"f"}`, "1:a\n2:b\n(not shown: its lines end in CR LF; edit keeps that)"},
		{"CR LF here and there is counted", "a\r\nb\nc\n", `{"path":"f"}`, "1:a\n2:b\n3:c\n(not shown: 1 of its 3 lines end in CR LF, the others in LF; edit keeps that)"},
		{"a byte order mark is not shown", "\uFEFFa\n", `{"path":"f"}`, "1:a\n(not shown: it begins with a byte order mark; edit keeps that)"},
		{"only a byte order mark", "\uFEFF", `{"path":"f"}`, "(empty file)\n(not shown: it begins with a byte order mark; edit keeps that)"},
		{"a text that begins like a bitmap", "BMW\n", `{"path":"f"}`, "1:BMW"},
		{"a long line is cut", long + "\n", `{"path":"f"}`, "1:" + long[:2000] + " … (line cut: 2,500 characters)\n(more of line 1: offset=1, limit=1, column=2001)"},
		{"the rest of a long line", "a\n" + long + "\n", `{"path":"f","offset":2,"limit":1,"column":2001}`, "2:" + long[2000:] + "\n(end of file, 2 lines)\n(each line from its character 2001 on)"},
		{"a part of a very long line", strings.Repeat("é", 7000), `{"path":"f","column":2001}`, "1:" + strings.Repeat("é", 2000) + " … (line cut: 7,000 characters)\n(characters 2001-4000 of each line; more of line 1: offset=1, limit=1, column=4001)"},
		{"Latin-1 is shown as far as it goes", "caf\xe9\n", `{"path":"f"}`, "1:caf\uFFFD\n(not valid UTF-8: what could not be read is shown as \uFFFD)"},
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
	s.put(t, "pic", "\xff\xd8\xff\xe0")
	s.put(t, "prog.exe", "MZ\x90\x00")
	s.put(t, "wide.txt", "\xff\xfea\x00")
	s.put(t, "three", "1\n2\n3\n")
	tests := []struct{ name, input, want string }{
		{"a missing file has neighbours", `{"path":"dir/handlr.go"}`, "there is no file dir/handlr.go; is it one of these? dir/handler.go"},
		{"a missing file in the wrong folder", `{"path":"src/handler.go"}`, "dir/handler.go"},
		{"a missing file like no other", `{"path":"zzzzzzzzzz"}`, "there is no file zzzzzzzzzz; find it with glob"},
		{"an image", `{"path":"pic.png"}`, "pic.png begins like image/png but cannot be read"},
		{"a JPEG without a NUL", `{"path":"pic"}`, "pic begins like image/jpeg but cannot be read"},
		{"a PDF", `{"path":"doc.pdf"}`, "doc.pdf is a PDF, 9 bytes, but cannot be read ("},
		{"a program", `{"path":"prog.exe"}`, "prog.exe is Windows program or library"},
		{"a missing folder", `{"path":"dirs"}`, "is it one of these? dir/"},
		{"a column past the end", `{"path":"three","column":9}`, "lines 1-3 of three have at most 1 character; column 9 is past their end"},
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

// TestReadOfAHugeFileWantsARange and then takes a piece of it into memory at a time, however long it and its lines are.
func TestReadOfAHugeFileWantsARange(t *testing.T) {
	s := newSession(t)
	f, err := os.Create(filepath.Join(s.dir, "huge.log"))
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Repeat("x", 1<<20) + "end\r\n"
	for i := range 21 {
		fmt.Fprintf(f, "line %d\n%s", i, line)
	}
	fmt.Fprint(f, "last")
	f.Close()
	tests := []struct{ name, input, want string }{
		{"a range", `{"path":"huge.log","offset":41,"limit":1}`, "41:line 20\n(lines 41-41; the file has 21 MB; go on with offset=42)"},
		{"the end", `{"path":"huge.log","offset":43}`, "43:last\n(end of file, 43 lines, 21 MB)"},
		{"the last lines, counted from the end", `{"path":"huge.log","offset":-1}`, "43:last\n(end of file, 43 lines, 21 MB)"},
		{"the end of a long line", `{"path":"huge.log","offset":42,"limit":1,"column":1048570}`, "42:xxxxxxxend\n(lines 42-42; the file has 21 MB; go on with offset=43)\n(each line from its character 1048570 on)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := must(t, s, read, tt.input); got != tt.want {
				t.Errorf("read %s = %q, want %q", tt.input, got, tt.want)
			}
		})
	}
	contains(t, refused(t, s, read, `{"path":"huge.log"}`), "huge.log has 21 MB, more than the 20 MB", "offset and limit", "grep")
	contains(t, must(t, s, read, `{"path":"huge.log","offset":2,"limit":1}`), "xx … (line cut: 1,048,579 characters)\n", "(more of line 2: offset=2, limit=1, column=2001)")
	contains(t, refused(t, s, read, `{"path":"huge.log","offset":99}`), "huge.log has 43 lines; offset 99 is past its end")
	contains(t, refused(t, s, read, `{"path":"huge.log","offset":41,"limit":1,"column":99}`), "lines 41-41 of huge.log have at most 7 characters; column 99 is past their end")
}

// TestReadOfTwoGigabytesTakesAPieceAtATime: the file has holes, so that it costs no room on the disk.
func TestReadOfTwoGigabytesTakesAPieceAtATime(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 2 GB")
	}
	s := newSession(t)
	path := s.put(t, "huge", strings.Repeat("text before the hole\n", 1000))
	if err := os.Truncate(path, 2<<30); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, "\nlast")
	f.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := must(t, s, read, `{"path":"huge","offset":-1}`)
	runtime.ReadMemStats(&after)
	if want := "1002:last\n(end of file, 1,002 lines, 2048 MB)"; got != want {
		t.Errorf("the last line of 2 GB is %q, want %q", got, want)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
		t.Errorf("reading it has taken %d bytes of memory", used)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := read(ctx, s, readArgs{Path: "huge", Offset: -1}); !errors.Is(err, context.Canceled) {
		t.Errorf("a read that was cancelled ends with %v", err)
	}
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
	contains(t, must(t, s, read, `{"path":"cmd/app"}`), "main.go")
	s.put(t, "logs/a.log", "")
	if got := must(t, s, read, `{"path":"logs"}`); got != "(nothing but 1 entry that ignore rules name)" {
		t.Errorf("the tree of a folder with nothing but what is ignored is %q", got)
	}
	for i := range 400 {
		s.put(t, fmt.Sprintf("many/%03d", i), "")
	}
	want = "cmd/\n  app/ (1 entry)\n  doc.go\nlogs/ (0 entries)\nmany/ (400 entries)\n.gitignore\ngo.mod\nlink -> go.mod"
	if got := must(t, s, read, `{"path":"."}`); got != want {
		t.Errorf("a large folder takes the room of the others:\n%s\nwant\n%s", got, want)
	}
	contains(t, must(t, s, read, `{"path":"many"}`), "299\n(100 entries more; read a folder further down, or use glob)")
}

// TestWhatIsDeletedIsNotOffered though git lists it until the deletion is staged.
func TestWhatIsDeletedIsNotOffered(t *testing.T) {
	needGit(t)
	s := newSession(t)
	repo(t, s, ".")
	s.put(t, "old/gone.go", "package old\n")
	s.put(t, "new/gone.go", "package new\n")
	index := exec.Command("git", "add", ".")
	index.Dir, index.Env = s.dir, s.environ
	if out, err := index.CombinedOutput(); err != nil {
		t.Fatalf("git add: %v: %s", err, out)
	}
	if err := os.Remove(filepath.Join(s.dir, "old/gone.go")); err != nil {
		t.Fatal(err)
	}
	if got, want := refused(t, s, read, `{"path":"old/gone.go"}`), "there is no file old/gone.go; is it one of these? new/gone.go"; got != want {
		t.Errorf("the answer is %q, want %q", got, want)
	}
}
