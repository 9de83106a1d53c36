package tools

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestWeListTheFilesThatRipgrepLists compares listings of whole modules, as their authors published them: some have files
// that their own rules ignore.
func TestWeListTheFilesThatRipgrepLists(t *testing.T) {
	rg := needRipgrep(t)
	for _, module := range []string{"modernc.org/libc", "golang.org/x/sys", "github.com/sashabaranov/go-openai", "mvdan.cc/sh/v3"} {
		t.Run(module, func(t *testing.T) {
			out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
			dir := strings.TrimSpace(string(out))
			if err != nil || dir == "" {
				t.Skipf("%s is not in the module cache (%v)", module, err)
			}
			s := newSession(t)
			s.dir = dir
			l, err := list(t.Context(), s, dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, withHidden := range []bool{true, false} {
				want := ripgrepLists(t, rg, dir, withHidden)
				got := l.files
				if !withHidden {
					got, _ = new(search).wanted(l.files, false)
				}
				if !slices.Equal(got, want) {
					t.Errorf("hidden files: %v: we list %d files, ripgrep %d; only we: %q; only ripgrep: %q", withHidden, len(got), len(want), without(got, want), without(want, got))
				}
				t.Logf("hidden files: %v: %d files, %d held back", withHidden, len(got), len(l.held))
			}
		})
	}
}

// needRipgrep returns the path of rg.
func needRipgrep(t *testing.T) string {
	t.Helper()
	rg, err := exec.LookPath("rg")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("ripgrep is not installed, and CI must not pass over this test")
		}
		t.Skip("ripgrep is not installed: there is nothing to compare with")
	}
	return rg
}

// ripgrepLists has ripgrep list a folder by git's rules, although it is not in a repository, and by no others.
func ripgrepLists(t *testing.T, rg, dir string, withHidden bool) []string {
	t.Helper()
	args := []string{"--no-config", "--no-require-git", "--no-ignore-global", "--no-ignore-parent", "--no-ignore-dot", "--files", "--null"}
	if withHidden {
		args = append(args, "--hidden", "--glob", "!.git")
	}
	cmd := exec.CommandContext(t.Context(), rg, append(args, "./")...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("rg: %v", err)
	}
	var files []string
	for path := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		files = append(files, strings.TrimPrefix(path, "./"))
	}
	slices.Sort(files)
	return files
}

// without returns what is in a and not in b.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

// TestWeFindTheLinesThatRipgrepFinds compares what matches in files that are not plain text throughout, and in those that are
// left out.
func TestWeFindTheLinesThatRipgrepFinds(t *testing.T) {
	rg := needRipgrep(t)
	s := newSession(t)
	s.put(t, "nul-first.txt", "needle\x00\n")
	s.put(t, "nul-behind.txt", "needle\n"+strings.Repeat("filler\n", 3000)+"\x00\nneedle\n")
	s.put(t, "nul-far.txt", "needle\n"+strings.Repeat("filler filler filler\n", 50_000)+"\x00\nneedle\n")
	s.put(t, "crlf.txt", "Needle\r\nneedle\r\n")
	s.put(t, "bom.txt", "\uFEFFneedle\n")
	s.put(t, "latin1.txt", "ne\xe9dle needle\n")
	s.put(t, "long.txt", strings.Repeat("x", 100_000)+"needle"+strings.Repeat("y", 100_000)+"\nneedle")
	s.put(t, "long-nul.txt", strings.Repeat("x", 2*firstRead)+"needle\n\x00\n")
	s.put(t, "long-bom.txt", "\uFEFFneedle"+strings.Repeat("x", 2*firstRead)+"\n")
	s.put(t, "empty.txt", "")
	s.put(t, ".hidden", "needle\n")
	s.put(t, ".gitignore", "ignored\n")
	s.put(t, "ignored/f", "needle\n")
	for _, pattern := range []string{"needle", "(?i)NEEDLE", "^needle$", "n[e]+dle", "dle\\b", "[mn]e{2}[d]", "é|x", "^needlex"} {
		cmd := exec.CommandContext(t.Context(), rg, "--no-config", "--no-require-git", "--crlf", "--no-heading", "--line-number", "--", pattern, "./")
		cmd.Dir = s.dir
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("rg %s: %v", pattern, err)
		}
		var want []string
		for line := range strings.Lines(string(out)) {
			fields := strings.SplitN(line, ":", 3)
			if _, err := strconv.Atoi(fields[1]); err == nil { // else it says that it stopped at a NUL
				want = append(want, strings.TrimPrefix(fields[0], "./")+":"+fields[1])
			}
		}
		slices.Sort(want)
		if got := weFind(t, s, pattern); !slices.Equal(got, want) {
			t.Errorf("%s: we find %q, ripgrep %q", pattern, got, want)
		}
	}
}

// weFind returns the lines that match, as path:line.
func weFind(t *testing.T, s *fakeSession, pattern string) (lines []string) {
	t.Helper()
	g, err := newSearch(t.Context(), s, grepArgs{Pattern: pattern})
	if err != nil {
		t.Fatal(err)
	}
	l, err := g.files(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	f, err := g.scan(t.Context(), l.files)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range f.files {
		for _, line := range h.lines {
			lines = append(lines, fmt.Sprintf("%s:%d", h.path, line.number))
		}
	}
	slices.Sort(lines)
	return lines
}
