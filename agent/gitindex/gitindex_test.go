package gitindex

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// Links reads what git writes, in each of its forms.
func TestLinks(t *testing.T) {
	for name, setup := range map[string]string{
		"version 2":   "git config index.version 2",
		"version 4":   "git config index.version 4",
		"split":       "git config core.splitIndex true; git config splitIndex.maxPercentChange 100",
		"more flags":  "echo x > late; git add -N late",
		"no index":    "",
		"SHA-256":     "rm -rf .git; git init -q --object-format=sha256 .",
		"cache trees": "git commit -q --allow-empty -m c",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			add := `; for r in a/sub z/long/name; do git init -q $(git rev-parse --show-object-format | sed s/^/--object-format=/) $r; git -C $r commit -q --allow-empty -m a; done
				for i in 1 2 3 4 5 6 7 8 9; do echo $i > a/file$i; done; git add . ; git add late 2>/dev/null || true; echo 2 > a/file1; git add a/file1; git status -s > .git/out`
			want := []string{"a/sub", "z/long/name"}
			if name == "no index" {
				add, want = "", nil
			}
			cmd := exec.Command("bash", "-ec", "git init -q .; "+setup+add)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "HOME="+dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=x", "GIT_AUTHOR_EMAIL=x", "GIT_COMMITTER_NAME=x", "GIT_COMMITTER_EMAIL=x")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Skipf("git: %v\n%s", err, out)
			}
			got, err := Links(filepath.Join(dir, ".git"))
			slices.Sort(got)
			if got = slices.Compact(got); err != nil || !slices.Equal(got, want) {
				t.Errorf("the links are %q, %v; want %q", got, err, want)
			}
		})
	}
}

func FuzzLinksIn(f *testing.F) {
	f.Add([]byte("DIRC\x00\x00\x00\x02\x00\x00\x00\x00aaaaaaaaaaaaaaaaaaaa"))
	f.Add([]byte("DIRC\x00\x00\x00\x04\x00\x00\x00\x01aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"))
	f.Fuzz(func(t *testing.T, data []byte) {
		linksIn(data, 20)
		linksIn(data, 32)
	})
}
