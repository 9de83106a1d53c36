package tools

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/coder-agent/coder/agent"
)

var someNames = []string{
	"README.md", "agent/agent.go", "agent/store/store.go", "agent/store/store_test.go", "agent/store/stories.go", "cmd/coder/main.go",
	"cmd/coder/root.go", "docs/architecture.md", "server/client/client.go", "web/src/UserProfile.tsx", "web/src/user_profile.css",
	"web/src/supper.ts", "internal/very/deep/main.go", "main_test.go", "agent/", "agent/store/", "tools/make-file.sh", "Makefile",
}

func best(t testing.TB, names []string, query string, most int) []string {
	t.Helper()
	found, all := bestNames(t.Context(), newNameList(names), query, most, time.Now().Add(time.Minute))
	if !all {
		t.Fatal("the search was cut")
	}
	return found
}

func TestFuzzyPutsFirstWhatIsMeant(t *testing.T) {
	for _, tt := range []struct{ name, query, want string }{
		{"a name typed in full", "store.go", "agent/store/store.go"},
		{"a name without its end", "main", "cmd/coder/main.go"},
		{"the beginnings of words", "up", "web/src/user_profile.css"},
		{"capitals are beginnings too", "UP", "web/src/UserProfile.tsx"},
		{"a folder and a name", "agent/sto", "agent/store/"},
		{"the letters of the way", "agststt", "agent/store/store_test.go"},
		{"case does not count", "readme", "README.md"},
		{"the last name before the way", "client", "server/client/client.go"},
		{"a backslash is a slash", `cmd\root`, "cmd/coder/root.go"},
		{"the name before one that has more", "makefile", "Makefile"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := best(t, someNames, tt.query, 3)
			if len(got) == 0 || got[0] != tt.want {
				t.Errorf("the best for %q are %q, want %s first", tt.query, got, tt.want)
			}
		})
	}
	if got := best(t, someNames, "zzz", 5); len(got) != 0 {
		t.Errorf("for zzz there are %q, want none", got)
	}
	if got := best(t, someNames, "", 2); len(got) != 2 || strings.Contains(strings.TrimSuffix(got[0], "/"), "/") {
		t.Errorf("without a query there are %q, want what is at the top", got)
	}
}

// TestFuzzyFindsExactlyWhatHasTheLetters compares with the plain meaning of it, for any names and queries.
func TestFuzzyFindsExactlyWhatHasTheLetters(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		names := rapid.SliceOfDistinct(rapid.StringMatching(`([a-cA-C._é日-]{1,6}/){0,3}[a-cA-C._é日-]{1,9}/?`), rapid.ID[string]).Draw(rt, "names")
		query := rapid.StringMatching(`[a-cA-C._é/]{0,5}`).Draw(rt, "query")
		got := best(t, names, query, len(names)+1)
		var want []string
		for _, name := range names {
			if hasLetters(lowerASCII(name), lowerASCII(query)) {
				want = append(want, name)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			rt.Errorf("for %q: got %q, want %q", query, got, want)
		}
	})
}

func hasLetters(s, query string) bool {
	for i := range len(query) {
		at := strings.IndexByte(s, query[i])
		if at < 0 {
			return false
		}
		s = s[at+1:]
	}
	return true
}

// TestFuzzyFindsTheBestWay compares the points with those of all ways to find the letters.
func TestFuzzyFindsTheBestWay(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.StringMatching(`[abA_/.1]{1,12}`).Draw(rt, "name")
		query := rapid.StringMatching(`[abA_1]{1,4}`).Draw(rt, "query")
		n := newNeedle(query)
		if !n.within(lowerASCII(name), 0) {
			rt.Skip()
		}
		if got, want := n.align(name, lowerASCII(name)), bestWay(name, query, -1); got != want {
			rt.Errorf("%q in %q: got %d points, want %d", query, name, got, want)
		}
	})
}

// bestWay tries all ways to find the letters behind a place.
func bestWay(name, query string, before int) int {
	if query == "" {
		return 0
	}
	most := 2 * noPoints
	for at := before + 1; at < len(name); at++ {
		if lower(name[at]) != lower(query[0]) {
			continue
		}
		bonus := placePoints(name, at)
		points := pointLetter
		switch {
		case before < 0:
			points += 2 * bonus
		case at == before+1:
			points += max(bonus, pointNext)
		default:
			points += bonus + pointGapBegin + (at-before-2)*pointGap
		}
		if name[at] == query[0] {
			points += pointCase
		}
		most = max(most, points+bestWay(name, query[1:], at))
	}
	return most
}

func findNames(t *testing.T, f *Finder, s session, query string) agent.FilesFound {
	t.Helper()
	got, err := f.find(t.Context(), s, query, 20)
	if err != nil {
		t.Fatalf("finding %q: %v", query, err)
	}
	return got
}

func paths(found agent.FilesFound) (list []string) {
	for _, f := range found.Files {
		list = append(list, f.Path)
	}
	return list
}

func TestFinderLeavesOutWhatIsIgnoredOrCannotBeShown(t *testing.T) {
	s := newSession(t)
	s.put(t, ".gitignore", "*.log\n")
	s.put(t, "src/app.go", "")
	s.put(t, "src/app.log", "")
	s.put(t, "src/app\x1b]0;x\a.go", "")
	s.put(t, "src/app\u202eog.go", "")
	f := NewFinder(t.Context())
	defer f.Close()
	if got := paths(findNames(t, f, s, "app")); !slices.Equal(got, []string{"src/app.go"}) {
		t.Errorf("finding app gives %q, want src/app.go alone", got)
	}
	if got := paths(findNames(t, f, s, "src")); len(got) == 0 || got[0] != "src/" {
		t.Errorf("finding src gives %q, want the folder first", got)
	}
}

// TestFinderReadsNamesAnew: who asks gets the names of before at once, and new ones when they are read.
func TestFinderReadsNamesAnew(t *testing.T) {
	s := newSession(t)
	s.put(t, "one.go", "")
	now := time.Now()
	f := NewFinder(t.Context())
	defer f.Close()
	f.now = func() time.Time { return now }
	findNames(t, f, s, "one")
	s.put(t, "two.go", "")
	if got := paths(findNames(t, f, s, "two")); len(got) != 0 {
		t.Errorf("within %v two.go is found: %q; the names were read too often", indexFresh, got)
	}
	now = now.Add(indexFresh + time.Second)
	findNames(t, f, s, "two")
	f.reading.Wait()
	if got := paths(findNames(t, f, s, "two")); !slices.Equal(got, []string{"two.go"}) {
		t.Errorf("after the names were read anew two.go is not found: %q", got)
	}
}

func TestFinderNeedsAFolder(t *testing.T) {
	f := NewFinder(t.Context())
	defer f.Close()
	s := newSession(t)
	s.dir = ""
	var workdir *agent.WorkdirError
	if _, err := f.find(t.Context(), s, "a", 1); !errors.As(err, &workdir) {
		t.Errorf("without a workdir finding gives %v, want a *WorkdirError", err)
	}
	s.dir = filepath.Join(t.TempDir(), "gone")
	if _, err := f.find(t.Context(), s, "a", 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a folder that is gone finding gives %v", err)
	}
	if err := os.Mkdir(s.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s.put(t, "a.go", "")
	if got := paths(findNames(t, f, s, "a")); !slices.Equal(got, []string{"a.go"}) {
		t.Errorf("when the folder is there again a.go is not found: %q", got)
	}
}

func TestFinderKeepsFewFolders(t *testing.T) {
	f := NewFinder(t.Context())
	now := time.Now()
	f.now = func() time.Time { return now }
	for range maxIndexes + 3 {
		s := newSession(t)
		s.put(t, "a.go", "")
		findNames(t, f, s, "a")
		now = now.Add(time.Second)
	}
	if n := len(f.indexes); n > maxIndexes {
		t.Errorf("the names of %d folders are kept, want at most %d", n, maxIndexes)
	}
	f.Close()
	if _, err := f.find(t.Context(), newSession(t), "a", 1); err == nil {
		t.Error("a closed finder finds")
	}
}

// manyNames are like those of a large repository.
func manyNames(n int) []string {
	parts := []string{"server", "client", "internal", "components", "UserProfile", "handlers", "store", "testdata", "utils", "api", "v2", "session", "render"}
	ends := []string{".go", "_test.go", ".ts", ".tsx", ".md", ".json", ".css"}
	names := make([]string, 0, n)
	for i := range n {
		names = append(names, fmt.Sprintf("%s/%s/%s%d/%s_%s%d%s", parts[i%13], parts[i/13%13], parts[i/7%13], i%97, parts[i/169%13], parts[i/3%13], i, ends[i%7]))
	}
	return names
}

func BenchmarkFindIn100000(b *testing.B) {
	names := newNameList(manyNames(100_000))
	for _, query := range []string{"", "e", "se", "store", "seststo", "userprofile12", "internal/ren", "zq"} {
		b.Run("query="+query, func(b *testing.B) {
			for b.Loop() {
				bestNames(b.Context(), names, query, 50, time.Now().Add(time.Minute))
			}
		})
	}
}
