package tools

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func searchTree(t *testing.T) *fakeSession {
	t.Helper()
	s := newSession(t)
	s.put(t, ".gitignore", "out/\n")
	s.put(t, "a.go", "package a\n\nfunc Alpha() {\n\tbeta()\n}\n")
	s.put(t, "b/b.go", "package b\r\n\r\nfunc Beta() {}\r\n")
	s.put(t, "b/b_test.go", "package b\n\nfunc TestBeta() { Beta(); Beta() }\n")
	s.put(t, "doc.md", "Alpha and Beta.\n")
	s.put(t, "out/gen.go", "func Generated() {}\n")
	s.put(t, ".hidden/x.go", "func Hidden() {}\n")
	s.put(t, "bin", "func Binary\x00\n")
	return s
}

func TestGrep(t *testing.T) {
	tests := []struct{ name, input, want string }{
		{"groups by file, in order", `{"pattern":"func .*eta"}`, "b/b.go\n3:func Beta() {}\n\nb/b_test.go\n3:func TestBeta() { Beta(); Beta() }"},
		{"below a folder", `{"pattern":"package","path":"b"}`, "b/b.go\n1:package b\n\nb/b_test.go\n1:package b"},
		{"in one file", `{"pattern":"beta","path":"a.go"}`, "a.go\n4:\tbeta()"},
		{"in files that a glob names", `{"pattern":"Beta","glob":"*.md"}`, "doc.md\n1:Alpha and Beta."},
		{"not in files that a glob excludes", `{"pattern":"Beta","glob":"*.go,!*_test.go"}`, "b/b.go\n3:func Beta() {}"},
		{"in files that a glob with folders names", `{"pattern":"Beta","glob":"b/**/*.{go,md}"}`, "b/b.go\n3:func Beta() {}\n\nb/b_test.go\n3:func TestBeta() { Beta(); Beta() }"},
		{"naming only the files", `{"pattern":"Beta","mode":"files"}`, "b/b.go\nb/b_test.go\ndoc.md"},
		{"counting lines", `{"pattern":"Beta","mode":"count"}`, "b/b.go:1\nb/b_test.go:1\ndoc.md:1\n3 lines in 3 files"},
		{"with context", `{"pattern":"Alpha\\(","context":1}`, "a.go\n2-\n3:func Alpha() {\n4-\tbeta()"},
		{"ignoring case", `{"pattern":"ALPHA","ignore_case":true}`, "a.go\n3:func Alpha() {\n\ndoc.md\n1:Alpha and Beta."},
		{"for plain text", `{"pattern":"Alpha()","literal":true}`, "a.go\n3:func Alpha() {"},
		{"with an invalid expression, as plain text", `{"pattern":"Alpha("}`, "a.go\n3:func Alpha() {\n(the pattern is not a valid regular expression (error parsing regexp: missing closing ): `Alpha(`), so it was searched for as plain text)"},
		{"at a line end before CR LF", `{"pattern":"Beta\\(\\) \\{\\}$"}`, "b/b.go\n3:func Beta() {}"},
		{"up to the limit", `{"pattern":"package","limit":2}`, "a.go\n1:package a\n\nb/b.go\n1:package b\n(the first 2 matches; there are more: narrow pattern, path or glob, or raise limit (at most 2,000))"},
		{"in vain, with what was left out", `{"pattern":"func (Generated|Hidden)"}`, "no match in 4 files (and 1 file not searched: binary or unreadable)\nignored or hidden files match: .hidden/x.go, out/gen.go; name one as path to search it"},
		{"in vain", `{"pattern":"nowhere"}`, "no match in 4 files (and 1 file not searched: binary or unreadable)\nnor in 3 files left out because they are ignored or hidden"},
		{"in an ignored folder that is named", `{"pattern":"Generated","path":"out"}`, "out/gen.go\n1:func Generated() {}"},
		{"in a hidden folder that is named", `{"pattern":"Hidden","path":".hidden"}`, ".hidden/x.go\n1:func Hidden() {}"},
		{"in hidden files that a glob names", `{"pattern":"Hidden","glob":".hidden/*"}`, ".hidden/x.go\n1:func Hidden() {}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := searchTree(t)
			if got := must(t, s, grep, tt.input); got != tt.want {
				t.Errorf("grep %s =\n%s\nwant\n%s", tt.input, got, tt.want)
			}
			needGit(t)
			repo(t, s, ".")
			if got := must(t, s, grep, tt.input); got != tt.want {
				t.Errorf("in a repository, grep %s =\n%s\nwant\n%s", tt.input, got, tt.want)
			}
		})
	}
}

func TestGrepRefuses(t *testing.T) {
	tests := []struct{ name, input, want string }{
		{"a pattern over several lines", `{"pattern":"a\nb"}`, "matched line by line"},
		{"an escaped line end", `{"pattern":"a\\nb"}`, "matched line by line"},
		{"an empty pattern", `{"pattern":""}`, "to list files use glob"},
		{"an unknown mode", `{"pattern":"a","mode":"lines"}`, `there is no mode "lines"; modes are content, files and count`},
		{"a path that is not there", `{"pattern":"a","path":"aa.go"}`, "there is no file aa.go; is it one of these? a.go"},
		{"a glob that is none", `{"pattern":"a","glob":"[a"}`, `the glob "[a" is not valid`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			contains(t, refused(t, searchTree(t), grep, tt.input), tt.want)
		})
	}
}

func TestGrepCutsLongLinesAroundTheMatch(t *testing.T) {
	s := newSession(t)
	s.put(t, "min.js", strings.Repeat("é", 5000)+"needle"+strings.Repeat("é", 5000)+"\n")
	got := must(t, s, grep, `{"pattern":"needle"}`)
	if !strings.HasPrefix(got, "min.js\n1:…") || !strings.HasSuffix(got, "…") || len([]rune(got)) > 330 {
		t.Errorf("a long line became %q", got)
	}
	contains(t, got, "éneedleé")
}

func TestGrepFindsMatchesAcrossReads(t *testing.T) {
	s := newSession(t)
	var b strings.Builder
	for b.Len() < 3*firstRead {
		b.WriteString(strings.Repeat("filler ", 20) + "\n")
	}
	line := strings.Count(b.String(), "\n") + 1
	b.WriteString(strings.Repeat("y", 2*firstRead) + "needle\nbehind\n")
	s.put(t, "big.txt", b.String())
	contains(t, must(t, s, grep, `{"pattern":"needle"}`), fmt.Sprintf("big.txt\n%d:…", line))
	contains(t, must(t, s, grep, `{"pattern":"^behind$","context":1}`), fmt.Sprintf("%d:behind", line+1))
}

func TestALongResultGoesToAFile(t *testing.T) {
	s := newSession(t)
	s.put(t, "f", strings.Repeat(strings.Repeat("x", 200)+"\n", 1000))
	got := must(t, s, grep, `{"pattern":"x","limit":1000}`)
	if len(got) > maxBytes+300 {
		t.Errorf("the result has %d bytes", len(got))
	}
	_, file, ok := strings.Cut(got, " are in ")
	data, err := os.ReadFile(strings.TrimSuffix(file, ")"))
	if !ok || err != nil || strings.Count(string(data), "\n") != 1000 {
		t.Errorf("the result ends in %q, and its file has %d bytes (%v)", got[len(got)-200:], len(data), err)
	}
}

func TestGrepFollowsNoLink(t *testing.T) {
	s := newSession(t)
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("needle\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.put(t, "f", "x\n")
	for _, link := range [][2]string{{outside, "file"}, {filepath.Dir(outside), "folder"}} {
		if err := os.Symlink(link[0], filepath.Join(s.dir, link[1])); err != nil {
			t.Fatal(err)
		}
	}
	contains(t, must(t, s, grep, `{"pattern":"needle"}`), "no match in 1 file")
}

// TestThePrefilterHidesNoMatch: with and without looking for literals first, the same lines match.
func TestThePrefilterHidesNoMatch(t *testing.T) {
	piece := rapid.SampledFrom([]string{"task", "Task", "K", "k", "\u212A", "s", "\u017F", "x", "é", "É", "(a|b)", "(foo|bar)+", "a*", "[xy]", ".", "(?:task){2}", "(?i:Ab)", "foo", "bar", "\\.", "^", "$", "\\b", "q?", "|", "[xyq]{3}", "\\w{4,}", "[^a]{2}", "[é-ü]+", "\\s{2,6}", "x{0,2}"})
	word := rapid.SampledFrom([]string{"task", "TASK", "tas\u212A", "ta\u017Fk", "ab", "AB", "aB", "foo", "bar", "FOO", "x", "y", "k", "s", "é", "É", ".", " ", "\n", "\xff", "q"})
	rapid.Check(t, func(t *rapid.T) {
		pattern := strings.Join(rapid.SliceOfN(piece, 1, 5).Draw(t, "pattern"), "")
		fold := rapid.Bool().Draw(t, "fold")
		data := []byte(strings.Join(rapid.SliceOfN(word, 0, 40).Draw(t, "words"), ""))
		expr, err := compile(pattern, false, fold)
		if err != nil {
			return
		}
		lines := func(e *expression) []lineMatch {
			c := chunk{g: &search{expr: e, limit: 1000}, line: 1}
			c.search(data)
			return c.hit.lines
		}
		with, without := lines(expr), lines(&expression{re: regexp.MustCompile(expr.re.String())})
		if fmt.Sprint(with) != fmt.Sprint(without) {
			t.Fatalf("%q in %q: with literals %v, without %v", pattern, data, with, without)
		}
	})
}

// TestTextIsFoundByItsRarestByte also where that byte is common.
func TestTextIsFoundByItsRarestByte(t *testing.T) {
	letter := rapid.SampledFrom([]rune("aabq"))
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOfN(letter, 1, 6).Draw(t, "text")
		data := []byte(string(rapid.SliceOfN(letter, 0, 600).Draw(t, "data")))
		l := newLiteral(text, false)[0]
		if got, want := l.index(data), bytes.Index(data, []byte(string(text))); got != want {
			t.Fatalf("%q is at %d in %q, want %d", string(text), got, data, want)
		}
	})
}

func TestGrepInVainTellsTrackedFilesFromIgnoredOnes(t *testing.T) {
	needGit(t)
	s := newSession(t)
	repo(t, s, ".")
	s.put(t, ".gitignore", "*.log\nout/\n")
	s.put(t, "kept.log", "x\n")
	s.put(t, "left.log", "x\n")
	s.put(t, "out/a/b", "x\n")
	must(t, s, bash, `{"command":"git add -f kept.log"}`)
	if got, want := must(t, s, grep, `{"pattern":"nowhere"}`), "no match in 1 file\nnor in 3 files left out because they are ignored or hidden"; got != want {
		t.Errorf("grep = %q, want %q", got, want)
	}
	contains(t, must(t, s, grep, `{"pattern":"x"}`), "kept.log\n1:x")
}

func TestManyNamesStayInOrder(t *testing.T) {
	var names []string
	for i := range 10_000 {
		names = append(names, fmt.Sprintf("%05d", i))
	}
	got := keepIf(names, func(name string) bool { return strings.HasSuffix(name, "7") })
	if len(got) != 1000 || !slices.IsSorted(got) {
		t.Errorf("%d names are kept, in order: %v", len(got), slices.IsSorted(got))
	}
}

func TestNewest(t *testing.T) {
	tests := []struct {
		name  string
		times []int64
		n     int
		want  []int
	}{
		{"the latest two", []int64{3, 1, 4, 2}, 2, []int{0, 2}},
		{"all of one time", []int64{5, 5, 1, 5}, 2, []int{0, 1, 3}},
		{"none that is not there", []int64{0, 2, 0}, 5, []int{1}},
		{"none that is not there among many", []int64{0, 0, 0, 1}, 2, []int{3}},
	}
	for _, tt := range tests {
		if got := newest(tt.times, tt.n); !slices.Equal(got, tt.want) {
			t.Errorf("%s: newest(%v, %d) = %v, want %v", tt.name, tt.times, tt.n, got, tt.want)
		}
	}
}

// TestLatestIsTheSortedOne for few times and for many.
func TestLatestIsTheSortedOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOfN(rapid.Int64Range(0, 50), 2, 200).Draw(t, "times")
		n := rapid.IntRange(1, min(12, len(times)-1)).Draw(t, "n")
		sorted := slices.Sorted(slices.Values(times))
		if got, want := latest(times, n), sorted[len(sorted)-n]; got != want {
			t.Fatalf("latest(%v, %d) = %d, want %d", times, n, got, want)
		}
	})
}

// TestARareLiteralIsLookedFor rather than a longer one that is everywhere; the line must hold the others too.
func TestARareLiteralIsLookedFor(t *testing.T) {
	e, err := compile(`func \w+frobq[a-z]+\(`, false, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(e.lits) != 1 || string(e.lits[0].text) != "frobq" || len(e.also) != 2 {
		t.Errorf("looked for is %+v, and then %+v", e.lits, e.also)
	}
	if e.find([]byte("func frobq(")) != nil || e.find([]byte("func xfrobqx(")) == nil || e.find([]byte("fun xfrobqx(")) != nil {
		t.Error("the line is judged by its literals alone")
	}
}

func TestGlob(t *testing.T) {
	tests := []struct{ name, input, want string }{
		{"names at any depth", `{"pattern":"*.go"}`, "b/b_test.go\nb/b.go\na.go"},
		{"the same with stars", `{"pattern":"**/*.go"}`, "b/b_test.go\nb/b.go\na.go"},
		{"below a folder in the pattern", `{"pattern":"b/*.go"}`, "b/b_test.go\nb/b.go"},
		{"only in the folder itself", `{"pattern":"./*.go"}`, "a.go"},
		{"all below a folder", `{"pattern":"b/"}`, "b/b_test.go\nb/b.go"},
		{"below a path", `{"pattern":"*_test.go","path":"b"}`, "b/b_test.go"},
		{"alternatives", `{"pattern":"**/*.{md,mod}"}`, "doc.md"},
		{"one file", `{"pattern":"b/b.go"}`, "b/b.go"},
		{"hidden files if they are named", `{"pattern":".hidden/**"}`, ".hidden/x.go"},
		{"up to the limit", `{"pattern":"*.go","limit":1}`, "b/b_test.go\n(the newest 1 of 3 files; narrow the pattern, or raise limit up to 2,000)"},
		{"folders when no file matches", `{"pattern":"b"}`, "no file matches b among 7 files in .; folders that match: b/"},
		{"nothing", `{"pattern":"*.rs"}`, "no file matches *.rs among 7 files in .; ignored files are not looked at, hidden ones only if the pattern names them"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := searchTree(t)
			for i, f := range []string{"a.go", "b/b.go", "b/b_test.go", "doc.md"} {
				stamp(t, filepath.Join(s.dir, f), i)
			}
			if got := must(t, s, glob, tt.input); got != tt.want {
				t.Errorf("glob %s =\n%s\nwant\n%s", tt.input, got, tt.want)
			}
		})
	}
}

func TestGlobOutsideTheWorkdirShowsWholePaths(t *testing.T) {
	s := newSession(t)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x.conf"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	input, _ := json.Marshal(globArgs{Pattern: filepath.ToSlash(dir) + "/*.conf"})
	if got, want := must(t, s, glob, string(input)), filepath.ToSlash(dir)+"/x.conf"; got != want {
		t.Errorf("glob = %q, want %q", got, want)
	}
}

func TestSearchesEnterRepositoriesInsideTheRepository(t *testing.T) {
	needGit(t)
	s := newSession(t)
	repo(t, s, ".")
	s.put(t, "a", "needle\n")
	repo(t, s, "inner")
	s.put(t, "inner/.gitignore", "skip\n")
	s.put(t, "inner/b", "needle\n")
	s.put(t, "inner/skip", "needle\n")
	if got, want := must(t, s, grep, `{"pattern":"needle","mode":"files"}`), "a\ninner/b"; got != want {
		t.Errorf("grep = %q, want %q", got, want)
	}
}

func TestGitRunsNoProgramOfTheRepository(t *testing.T) {
	needGit(t)
	s := newSession(t)
	repo(t, s, ".")
	marker := filepath.Join(t.TempDir(), "ran")
	script := s.put(t, "evil.sh", "#!/bin/sh\ntouch "+marker+"\n")
	if err := os.Chmod(script, 0o755); err != nil {
		t.Fatal(err)
	}
	s.put(t, ".git/config", "[core]\n\trepositoryformatversion = 0\n\tfsmonitor = "+script+"\n\thooksPath = .\n")
	must(t, s, grep, `{"pattern":"touch"}`)
	must(t, s, bash, `{"command":"git status"}`)
	if _, err := os.Stat(marker); err == nil {
		t.Error("the repository's fsmonitor ran")
	}
}
