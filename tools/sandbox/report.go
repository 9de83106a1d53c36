package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// A Report says how much a Box holds on this machine, and how it is known.
type Report struct {
	Level   int     `json:"level"`
	Name    string  `json:"name"`
	Checks  []Check `json:"checks"`            // what the self-test tried at the level
	Why     string  `json:"why,omitempty"`     // why the level is not a higher one
	Overlay bool    `json:"overlay,omitempty"` // caches can be laid over the user's

	file string // that keeps the report; "" for none
}

// A Check is one thing that a command within the bounds tried to do, and should not be able to.
type Check struct {
	Name   string `json:"name"`
	Held   bool   `json:"held"`
	Detail string `json:"detail,omitempty"` // the error it got
}

// Misses names what the level does not hold.
func (r Report) Misses() (names []string) {
	for _, c := range r.Checks {
		if !c.Held {
			names = append(names, c.Name)
		}
	}
	return names
}

// What the self-test tries.
const (
	checkWrite     = "write outside the workdir"
	checkSecret    = "read a secret"
	checkConnect   = "connect to this machine"
	checkUnix      = "open a unix socket"
	checkEnviron   = "read the environment of the host"
	checkSignal    = "signal the host"
	checkHooks     = "change .git/hooks"
	checkRename    = "move .git away"
	checkNamespace = "make a user namespace"
)

var allChecks = []string{
	checkWrite, checkSecret, checkConnect, checkUnix, checkEnviron, checkSignal, checkHooks, checkRename, checkNamespace,
}

// required are the checks without which a level is none. What a lower level misses of the rest, its report names.
var required = map[int][]string{
	LevelFull:     allChecks,
	LevelLandlock: {checkWrite, checkSecret, checkConnect, checkUnix, checkEnviron, checkNamespace},
	LevelSeatbelt: {checkWrite, checkSecret, checkConnect, checkHooks, checkRename},
}

// stands reports whether the checks bear the level out.
func (r Report) stands() bool {
	held := func(name string) bool {
		return slices.ContainsFunc(r.Checks, func(c Check) bool { return c.Name == name && c.Held })
	}
	need, ok := required[r.Level]
	return ok && !slices.ContainsFunc(need, func(name string) bool { return !held(name) })
}

// Test finds out what works here: it runs a command in each kind of box, the strongest first, that tries to get out. The
// result holds until the machine or the program changes and is kept in the folder dir, which must be the user's own. The
// error says that it could not be kept.
func Test(ctx context.Context, o Options, dir string) (Report, error) {
	file, id := filepath.Join(dir, "sandbox.json"), machine(o)
	if r, ok := recall(file, id); ok {
		return r, nil
	}
	r := try(ctx, o, dir)
	r.Name, r.file = levelNames[r.Level], file
	if ctx.Err() != nil || r.Level == LevelNone {
		return r, nil // it may work the next time
	}
	return r, keep(file, kept{ID: id, Report: r})
}

// A kept report says of what machine it is.
type kept struct {
	ID     string `json:"id"`
	Report Report `json:"report"`
}

// recall reads the report that was kept, and believes it if it is ours alone, of this machine, and bears its level out.
func recall(file, id string) (Report, bool) {
	data, err := readOwn(file)
	if err != nil {
		return Report{}, false
	}
	var k kept
	if json.Unmarshal(data, &k) != nil || k.ID != id || id == "" || !k.Report.stands() {
		return Report{}, false
	}
	k.Report.Name, k.Report.file = levelNames[k.Report.Level], file
	return k.Report, true
}

// keep writes the report as a whole.
func keep(file string, k kept) error {
	data, err := json.Marshal(k)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".sandbox-*") // 0600
	if err != nil {
		return fmt.Errorf("sandbox: keeping what the self-test found: %w", err)
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(fmt.Errorf("sandbox: keeping what the self-test found: %w", err), os.Remove(f.Name()))
	}
	return os.Rename(f.Name(), file)
}

// forget makes the next host test anew.
func (r Report) forget() {
	if r.file != "" {
		_ = os.Remove(r.file) // it is not there: then it is forgotten
	}
}

// A fixture is a small world for the self-test: a workdir with a repository, and what lies around it.
type fixture struct {
	dir     string
	work    string // the workdir
	hook    string // in its .git/hooks
	scratch string // the session's folder, in private
	private string // hidden
	secret  string // in private
	outside []string
}

const secretText = "the token"

func newFixture(home, dir string) (f fixture, err error) {
	if f.dir, err = os.MkdirTemp("", "coder-sandbox-"); err != nil {
		return f, err
	}
	if f.dir, err = filepath.EvalSymlinks(f.dir); err != nil {
		return f, err
	}
	if f.private, err = os.MkdirTemp(dir, "sandbox-test-"); err != nil {
		return f, err
	}
	f.work = filepath.Join(f.dir, "work")
	f.hook, f.secret, f.scratch = filepath.Join(f.work, ".git", "hooks", "pre-commit"), filepath.Join(f.private, "token"), filepath.Join(f.private, "scratch")
	for _, dir := range []string{home, "/var/tmp"} { // where a user can write; not /tmp, which a command may have of its own
		if isFolder(dir) {
			f.outside = append(f.outside, filepath.Join(dir, "."+filepath.Base(f.dir)))
		}
	}
	return f, errors.Join(
		os.MkdirAll(filepath.Dir(f.hook), 0o700), os.MkdirAll(f.scratch, 0o700),
		os.WriteFile(f.hook, nil, 0o600), os.WriteFile(filepath.Join(f.work, ".git", "config"), nil, 0o600), os.WriteFile(f.secret, []byte(secretText), 0o600))
}

func (f fixture) remove() {
	for _, path := range f.outside {
		_ = os.Remove(path) // it is there if the sandbox does not hold
	}
	_ = os.RemoveAll(f.dir) // in the folder for temporary files
	if f.private != "" {
		_ = os.RemoveAll(f.private)
	}
}

// inspect looks from outside at what the command has done: what it says itself does not count where it can be seen.
func (f fixture) inspect(checks []Check) {
	seen := map[string]bool{}
	for _, path := range f.outside {
		_, err := os.Lstat(path)
		seen[checkWrite] = seen[checkWrite] || err == nil
	}
	data, err := os.ReadFile(f.hook)
	seen[checkHooks] = err != nil || !bytes.Equal(data, nil)
	for i, c := range checks {
		if c.Held && seen[c.Name] {
			checks[i] = Check{Name: c.Name, Detail: "it was done"}
		}
	}
}

// failedReport says that there is no sandbox, and why.
func failedReport(why string) Report {
	r := Report{Level: LevelNone, Why: why}
	for _, name := range allChecks {
		r.Checks = append(r.Checks, Check{Name: name})
	}
	return r
}
