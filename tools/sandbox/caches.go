package sandbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A cache is a folder of the user that build tools fill. A command never changes it: what it wrote there would run outside
// the sandbox later. It gets a folder of its own per workdir, where the system can do it laid over the user's, so that it
// begins warm.
type cache struct {
	name string // of the folder
	env  string // the variable that moves it; "" has none
	dir  func(env []string, home string) string
}

var caches = []cache{
	{"go-build", "GOCACHE", inCache("go-build")},
	{"go-mod", "GOMODCACHE", goModCache},
	{"npm", "npm_config_cache", inHome("", ".npm")},
	{"pip", "PIP_CACHE_DIR", inCache("pip")},
	{"uv", "UV_CACHE_DIR", inCache("uv")},
	{"yarn", "YARN_CACHE_FOLDER", inCache("yarn")},
	{"golangci-lint", "GOLANGCI_LINT_CACHE", inCache("golangci-lint")},
	{"staticcheck", "STATICCHECK_CACHE", inCache("staticcheck")},
	{"cargo-registry", "", inHome("CARGO_HOME", ".cargo", "registry")},
	{"cargo-git", "", inHome("CARGO_HOME", ".cargo", "git")},
	{"gradle", "", inHome("GRADLE_USER_HOME", ".gradle")},
	{"maven", "", inHome("", ".m2", "repository")},
}

// inCache is a folder in the user's cache folder.
func inCache(name string) func([]string, string) string {
	return func(env []string, home string) string {
		if dir := Getenv(env, "XDG_CACHE_HOME"); dir != "" {
			return filepath.Join(dir, name)
		}
		if runtime.GOOS == "darwin" {
			return filepath.Join(home, "Library", "Caches", name)
		}
		return filepath.Join(home, ".cache", name)
	}
}

// inHome is a folder in the one that the variable names, else in the home's folder.
func inHome(env, folder string, names ...string) func([]string, string) string {
	return func(environ []string, home string) string {
		dir := Getenv(environ, env)
		if env == "" || dir == "" {
			dir = filepath.Join(home, folder)
		}
		return filepath.Join(append([]string{dir}, names...)...)
	}
}

func goModCache(env []string, home string) string {
	first, _, _ := strings.Cut(Getenv(env, "GOPATH"), string(filepath.ListSeparator))
	if first == "" {
		first = filepath.Join(home, "go")
	}
	return filepath.Join(first, "pkg", "mod")
}

// caches gives the command its caches: overlays, or folders of its own and the variables that name them. They are the
// command's until done is called.
func (b *Box) caches(p *policy, env []string, workdir string, lasting bool) (set []string, done func(), err error) {
	if b.options.Cache == "" {
		return nil, func() {}, nil
	}
	home := Getenv(env, "HOME")
	if home == "" {
		home = b.options.Home
	}
	first := 0
	if lasting {
		first = firstLasting
	}
	slot, done, err := takeSlot(filepath.Join(b.options.Cache, cachesFolder, key(workdir)), workdir, first)
	if err != nil {
		return nil, nil, fmt.Errorf("sandbox: the caches of %s: %w", workdir, err)
	}
	for _, c := range caches {
		more, err := b.cache(p, c, env, home, slot)
		if err != nil {
			done()
			return nil, nil, fmt.Errorf("sandbox: the cache %s: %w", c.name, err)
		}
		set = append(set, more...)
	}
	return set, done, nil
}

// cachesFolder is in coder's cache folder, and has a folder for each workdir.
const cachesFolder = "sandbox"

func key(workdir string) string {
	sum := sha256.Sum256([]byte(workdir))
	return hex.EncodeToString(sum[:8])
}

func (b *Box) cache(p *policy, c cache, env []string, home, slot string) (set []string, err error) {
	real := c.dir(env, home)
	if dir := Getenv(env, c.env); c.env != "" && dir != "" {
		real = dir
	}
	real, missing := resolved(real)
	own := filepath.Join(slot, c.name)
	for _, root := range p.guarded {
		if missing || !within(root, real) {
			continue
		}
		if !within(root, home) {
			return nil, nil // it is the project's own
		}
		p.Protected = append(p.Protected, real) // the workdir is the home, or above it
	}
	switch {
	case b.report.Overlay && !missing:
		o := overlay{At: real, Upper: filepath.Join(own, "upper"), Work: filepath.Join(own, "work")}
		p.Overlays = append(p.Overlays, o)
		return nil, errors.Join(os.MkdirAll(o.Upper, 0o700), os.MkdirAll(o.Work, 0o700))
	case c.env == "":
		return nil, nil // it stays as it is, to be read
	}
	own = filepath.Join(own, "own")
	p.Writable = append(p.Writable, own)
	set = []string{c.env + "=" + own}
	if c.env == "GOMODCACHE" && !missing {
		set = append(set, "GOPROXY="+localProxy(real, Getenv(env, "GOPROXY")))
	}
	return set, os.MkdirAll(own, 0o700)
}

// localProxy lets go fill an empty module cache from the user's, without the network.
func localProxy(modules, proxy string) string {
	if proxy == "" {
		proxy = "https://proxy.golang.org,direct"
	}
	return "file://" + filepath.ToSlash(filepath.Join(modules, "cache", "download")) + "," + proxy
}

func resolved(path string) (real string, missing bool) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil || !isFolder(real) {
		return path, true
	}
	return real, false
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// maxSlots bounds the commands that run at once in one workdir with caches of their own.
const (
	maxSlots     = 128
	firstLasting = 8 // of the commands that last
)

// takeSlot takes the first set of caches, from one on, that no other command uses: two that change one overlay would damage it.
func takeSlot(dir, workdir string, first int) (slot string, done func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, err
	}
	name := filepath.Join(dir, "workdir")
	if _, err := os.Stat(name); err != nil {
		if err := os.WriteFile(name, []byte(workdir+"\n"), 0o600); err != nil {
			return "", nil, err
		}
	}
	for n := first; n < maxSlots; n++ {
		slot := filepath.Join(dir, strconv.Itoa(n))
		if err := os.MkdirAll(slot, 0o700); err != nil {
			return "", nil, err
		}
		release, err := lock(filepath.Join(slot, "lock"))
		if err != nil {
			return "", nil, err
		}
		if release != nil {
			return slot, release, nil
		}
	}
	return "", nil, fmt.Errorf("%d commands run at once in %s", maxSlots-first, workdir)
}

const (
	maxUnused = 14 * 24 * time.Hour // caches of a workdir that no command used for so long are removed
	maxCaches = 10 << 30            // of all workdirs together, in bytes: the longest unused go first
)

// Prune removes the caches of workdirs that are no longer used, or too many. Those in use stay.
func (b *Box) Prune(ctx context.Context, now time.Time) error {
	if b.Level() == LevelNone || b.options.Cache == "" {
		return nil
	}
	root := filepath.Join(b.options.Cache, cachesFolder)
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sandbox: looking for old caches: %w", err)
	}
	type found struct {
		dir  string
		used time.Time
		size int64
	}
	var all []found
	var total int64
	for _, e := range entries {
		f := found{dir: filepath.Join(root, e.Name())}
		if f.used, f.size, err = usage(ctx, f.dir); err != nil {
			return err
		}
		all, total = append(all, f), total+f.size
	}
	slices.SortFunc(all, func(a, b found) int { return a.used.Compare(b.used) })
	var errs []error
	for _, f := range all {
		if now.Sub(f.used) < maxUnused && total <= maxCaches {
			break
		}
		gone, err := removeCaches(f.dir)
		errs = append(errs, err)
		if gone {
			total -= f.size
		}
	}
	return errors.Join(errs...)
}

// usage is when the caches of a workdir were used last, and what they take.
func usage(ctx context.Context, dir string) (used time.Time, size int64, err error) {
	locks, err := filepath.Glob(filepath.Join(dir, "*", "lock"))
	if err != nil {
		return used, 0, err
	}
	for _, l := range locks {
		if info, err := os.Stat(l); err == nil && info.ModTime().After(used) {
			used = info.ModTime()
		}
	}
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil {
			return ctx.Err() // a folder that vanishes has no size
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		return nil
	})
	return used, size, ctx.Err()
}

// removeCaches removes the caches of a workdir, unless a command uses them.
func removeCaches(dir string) (gone bool, err error) {
	locks, err := filepath.Glob(filepath.Join(dir, "*", "lock"))
	if err != nil {
		return false, err
	}
	for _, l := range locks {
		release, err := lock(l)
		if err != nil || release == nil {
			return false, err
		}
		defer release()
	}
	// A module cache has folders that nobody can write, an overlay one that nobody can read.
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(path, 0o700) // RemoveAll says what is wrong
		}
		return nil
	})
	return true, os.RemoveAll(dir)
}
