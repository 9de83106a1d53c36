package tools

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWriteMakesAFileAndItsFolders(t *testing.T) {
	s := newSession(t)
	res, err := do(t, s, write, `{"path":"a/b/c.txt","content":"one\ntwo\n"}`)
	if err != nil {
		t.Fatal(err)
	}
	if res.Text != "created a/b/c.txt (2 lines, 8 bytes)" || s.get(t, "a/b/c.txt") != "one\ntwo\n" {
		t.Errorf("write said %q and wrote %q", res.Text, s.get(t, "a/b/c.txt"))
	}
	d := res.Details.(changeDetails)
	if d.Added != 2 || d.Removed != 0 || d.Diff != "--- /dev/null\n+++ b/a/b/c.txt\n@@ -0,0 +1,2 @@\n+one\n+two\n" {
		t.Errorf("details are %+v", d)
	}
	contains(t, must(t, s, write, `{"path":"a/b/c.txt","content":"three\n"}`), "wrote a/b/c.txt") // it is known now
	names, err := os.ReadDir(filepath.Join(s.dir, "a/b"))
	if err != nil || len(names) != 1 {
		t.Errorf("the folder holds %v, %v", names, err)
	}
}

func TestWriteKeepsWhatIsNotItsOwn(t *testing.T) {
	tests := []struct{ name, before, content, want string }{
		{"CR LF", "a\r\nb\r\n", `x\ny\n`, "x\r\ny\r\n"},
		{"CR LF that it brings itself", "a\r\nb\r\n", `x\r\ny\n`, "x\r\ny\n"},
		{"a byte order mark", "\uFEFFa\n", `x\n`, "\uFEFFx\n"},
		{"LF", "a\n", `x\n`, "x\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSession(t)
			path := s.put(t, "f", tt.before)
			if err := os.Chmod(path, 0o750); err != nil {
				t.Fatal(err)
			}
			must(t, s, read, `{"path":"f"}`)
			must(t, s, write, `{"path":"f","content":"`+tt.content+`"}`)
			if got := s.get(t, "f"); got != tt.want {
				t.Errorf("%q over %q = %q, want %q", tt.content, tt.before, got, tt.want)
			}
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != 0o750 {
				t.Errorf("the mode is %v, %v", info.Mode(), err)
			}
		})
	}
}

func TestWriteRefuses(t *testing.T) {
	tests := []struct {
		name, input, want string
		before            func(*testing.T, *fakeSession)
	}{
		{"a file that was not read", `{"path":"f","content":"x"}`, "f exists and has not been read in this session; read it first", nil},
		{"a file that changed", `{"path":"f","content":"x"}`, "f has changed since you last saw it", func(t *testing.T, s *fakeSession) {
			must(t, s, read, `{"path":"f"}`)
			s.put(t, "f", "other\n")
		}},
		{"a folder", `{"path":"d","content":"x"}`, "d is a folder", nil},
		{"a file as a folder", `{"path":"f/g","content":"x"}`, "not a directory", nil},
		{"a binary file", `{"path":"bin","content":"x"}`, "remove it with bash first", nil},
		{"text left out", `{"path":"new","content":"func a() {}\n// ... rest of the code unchanged\n"}`, `line 2 of the new text stands for text left out`, nil},
		{"a read-only file", `{"path":"ro","content":"x"}`, "ro is read-only (mode 0444)", func(t *testing.T, s *fakeSession) {
			path := s.put(t, "ro", "a")
			if err := os.Chmod(path, 0o444); err != nil {
				t.Fatal(err)
			}
			must(t, s, read, `{"path":"ro"}`)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSession(t)
			s.put(t, "f", "content\n")
			s.put(t, "d/x", "")
			s.put(t, "bin", "\x00\x01")
			if tt.before != nil {
				tt.before(t, s)
			}
			contains(t, refused(t, s, write, tt.input), tt.want)
		})
	}
}

func TestWriteOfTheSameContentSaysSo(t *testing.T) {
	s := newSession(t)
	path := s.put(t, "f", "a\n")
	stamp(t, path, 1)
	must(t, s, read, `{"path":"f"}`)
	contains(t, must(t, s, write, `{"path":"f","content":"a\n"}`), "f already has this content; nothing was written")
	info, err := os.Stat(path)
	if err != nil || info.ModTime().Unix() != 1_700_000_001 {
		t.Errorf("the file was touched: %v, %v", info.ModTime(), err)
	}
}

func TestWriteGoesThroughALink(t *testing.T) {
	s := newSession(t)
	s.put(t, "real", "a\n")
	if err := os.Symlink("real", filepath.Join(s.dir, "link")); err != nil {
		t.Fatal(err)
	}
	must(t, s, read, `{"path":"link"}`)
	contains(t, must(t, s, write, `{"path":"link","content":"b\n"}`), "wrote real")
	info, err := os.Lstat(filepath.Join(s.dir, "link"))
	if err != nil || info.Mode()&os.ModeSymlink == 0 || s.get(t, "real") != "b\n" {
		t.Errorf("the link is %v, %v; its target holds %q", info.Mode(), err, s.get(t, "real"))
	}
}

func TestLinesThatStandForTextLeftOutAreFound(t *testing.T) {
	tests := []struct {
		line string
		want bool
	}{
		{"// ... rest of the code", true},
		{"  # ... existing code ...", true},
		{"/* ... unchanged ... */", true},
		{"<!-- ... remaining markup ... -->", true},
		{"... (rest unchanged)", true},
		{"// rest of the file remains the same", true},
		{"[... previous content ...]", true},
		{"// existing code...", true},
		{"…other methods omitted", true},
		{"// existing code", true},
		{"    # rest of the function here", true},
		{"/* unchanged code */", true},
		{"<!-- remaining content -->", true},
		{"// existing imports", true},
		{"// existing code paths must keep working", false},
		{"# other methods are slower", false},
		{"// previous implementation used a map", false},
		{"// the rest of the items are sorted first", false},
		{`fmt.Println("...")`, false},
		{"func f(args ...string) {", false},
		{"x = [...rest]", false},
		{"const {a, ...rest} = props", false},
		{"// Wait for the other goroutines to end.", false},
		{"...rest,", false},
		{"...", false},
	}
	for _, tt := range tests {
		if got := elided(tt.line, "") != nil; got != tt.want {
			t.Errorf("elided(%q) = %v, want %v", tt.line, got, tt.want)
		}
	}
	if err := elided("// ... rest of the code", "a\n// ... rest of the code\n"); err != nil {
		t.Errorf("a line that the file has already: %v", err)
	}
}
