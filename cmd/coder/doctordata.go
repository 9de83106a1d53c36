package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/gofrs/flock"

	"github.com/coder-agent/coder/agent/audit"
	"github.com/coder-agent/coder/agent/store"
)

// littleRoom is how much room on the disk of the data dir is worth a warning, in bytes.
const littleRoom = 100 << 20

// hasModes says whether files have the modes of Unix. On Windows the user's profile is closed to others.
const hasModes = runtime.GOOS != "windows"

// unknowable is what is found in a data dir that is none, or of which nobody can say which is meant; else false.
func (d *doctor) unknowable() (finding, bool) {
	if d.config.DataDir == "" {
		return finding{Status: note, Text: "not looked at: the setting dataDir is wrong"}, true
	}
	info, err := os.Stat(d.config.DataDir)
	if err == nil && info.IsDir() || errors.Is(err, fs.ErrNotExist) {
		return finding{}, false
	}
	return finding{Status: note, Text: "not looked at: see data dir"}, true
}

func (d *doctor) lookDataDir(context.Context) finding {
	dir := d.config.DataDir
	if f, unknowable := d.unknowable(); unknowable && dir == "" {
		return f
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return finding{Status: fine, Text: underHome(dir) + " (not there yet: the first host makes it)"}
	case err != nil:
		return failing(problem, unusable(err), "")
	case !info.IsDir():
		return failing(problem, unusable(&fs.PathError{Op: "open", Path: dir, Err: errors.New("it is not a folder")}), "")
	case !ownedByUs(info):
		return finding{
			Status: problem, Text: dir + " belongs to somebody else, who could read the token and every session",
			Remedy: "choose a folder of yours with --data-dir or CODER_DATA_DIR",
		}
	}
	f := finding{Status: fine, Text: underHome(dir)}
	d.lookModes(&f)
	d.lookRoom(&f)
	return f
}

// lookModes looks whether others can read or change what is ours.
func (d *doctor) lookModes(f *finding) {
	open, err := openFiles(d.config.DataDir)
	if err != nil {
		f.add(warning, err.Error(), "look who owns what is in "+d.config.DataDir)
	}
	for _, o := range open {
		status := warning
		if o.mode.Perm()&0o022 != 0 || o.path == hostFilePath(d.config.DataDir) {
			status = problem
		}
		f.add(status, fmt.Sprintf("others may use %s (mode %#o)", o.path, o.mode.Perm()), "")
		f.Remedy = "coder doctor --fix takes that from them"
	}
}

func (d *doctor) lookRoom(f *finding) {
	free, err := freeRoom(d.config.DataDir)
	switch {
	case err != nil:
		f.add(warning, fmt.Sprintf("nobody can say how much room its disk has: %v", err), "")
	case free < store.Room:
		f.add(problem, fmt.Sprintf("its disk is full: %s free", megabytes(free)), fmt.Sprintf("make room: what cannot be recorded does not run; %d MiB is enough to delete sessions", store.Room>>20))
	case free < littleRoom:
		f.add(warning, fmt.Sprintf("its disk has %s free", megabytes(free)), "make room, or let old sessions go: coder sessions prune --dry-run")
	default:
		f.add(fine, megabytes(free)+" free", "")
	}
}

func megabytes(n uint64) string {
	if n >= 10<<30 {
		return fmt.Sprintf("%d GiB", n>>30)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// An openFile is one of ours that others may use.
type openFile struct {
	path string
	mode fs.FileMode
}

// openFiles lists the data dir and what is in it and in its folders that others may read or change. Links count for
// nothing: they are not ours.
func openFiles(dataDir string) (open []openFile, err error) {
	if !hasModes {
		return nil, nil
	}
	err = filepath.WalkDir(dataDir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it has just gone
		}
		if err != nil {
			return err
		}
		if (info.IsDir() || info.Mode().IsRegular()) && ownedByUs(info) && info.Mode().Perm()&0o077 != 0 {
			open = append(open, openFile{path, info.Mode()})
		}
		if rel, err := filepath.Rel(dataDir, path); err == nil && info.IsDir() && filepath.Dir(rel) != "." {
			return fs.SkipDir // what is deeper, its folder closes
		}
		return nil
	})
	return open, err
}

// closeFiles takes from others what they may do with our own files.
func (d *doctor) closeFiles() error {
	if d.config.DataDir == "" {
		return nil
	}
	open, err := openFiles(d.config.DataDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, o := range open {
		if errChmod := os.Chmod(o.path, o.mode.Perm()&0o700); errChmod != nil {
			err = errors.Join(err, errChmod)
			continue
		}
		fmt.Fprintf(d.app.stderr, "closed to others: %s\n", o.path)
	}
	return unusable(err)
}

func (d *doctor) lookStore(ctx context.Context) finding {
	if f, unknowable := d.unknowable(); unknowable {
		return f
	}
	s, err := store.OpenReadOnly(ctx, d.config.DataDir)
	if errors.Is(err, fs.ErrNotExist) {
		return finding{Status: fine, Text: "there is none yet"}
	}
	if err != nil {
		return failing(problem, err, "coder serve --move-corrupt moves a damaged one aside; nothing is deleted")
	}
	rows, err := s.Sessions(ctx)
	if err == nil {
		err = s.Check(ctx)
	}
	err = errors.Join(err, s.Close())
	switch {
	case err != nil && late(ctx, err):
		return finding{Status: note, Text: fmt.Sprintf("%s, of this version; too large to check in %v", counted(len(rows), "session"), checkTimeout)}
	case err != nil:
		return failing(problem, err, "coder serve --move-corrupt moves it aside; nothing is deleted")
	}
	return finding{Status: fine, Text: counted(len(rows), "session") + ", of this version, sound"}
}

func (d *doctor) lookAudit(ctx context.Context) finding {
	if f, unknowable := d.unknowable(); unknowable {
		return f
	}
	report, err := audit.Verify(ctx, audit.Dir(d.config.DataDir))
	switch {
	case err != nil && late(ctx, err):
		return finding{Status: note, Text: fmt.Sprintf("too large to check in %v: coder audit --verify", checkTimeout)}
	case err != nil:
		return failing(problem, err, "")
	case report.Break != nil:
		return finding{
			Status: problem, Text: "it is not what was written: " + report.Break.Error() + ": " + report.Break.Hint,
			Remedy: "look into the file; keep a copy if you must prove it, then move the folder " + audit.Dir(d.config.DataDir) + " aside while no host runs: a new log begins",
		}
	case report.Lines == 0:
		return finding{Status: fine, Text: "it is empty"}
	}
	f := finding{Status: fine, Text: "the chain holds: " + auditSize(report)}
	for _, text := range report.Notes {
		f.add(note, text, "")
	}
	return f
}

func (d *doctor) lookHost(ctx context.Context) finding {
	dir := d.config.DataDir
	if f, unknowable := d.unknowable(); unknowable {
		return f
	}
	if _, err := os.Stat(hostFilePath(dir)); errors.Is(err, fs.ErrNotExist) {
		return d.lookHostless(dir)
	}
	h, ok, err := readHostFile(dir)
	switch {
	case err != nil:
		return failing(problem, err, "")
	case !ok:
		return finding{Status: warning, Text: hostFilePath(dir) + " is damaged", Remedy: "nothing: the next host replaces it"}
	case !alive(h.PID):
		return finding{
			Status: warning, Text: fmt.Sprintf("none runs; the last (process %d) ended without a word", h.PID),
			Remedy: "nothing: the next host replaces " + hostFilePath(dir) + "; why the last ended may stand in " + filepath.Join(dir, "log"),
		}
	}
	if _, err := h.status(ctx); err != nil {
		return finding{
			Status: problem, Text: fmt.Sprintf("process %d holds the data dir, and no host answers at %s: %v", h.PID, h.Addr, err),
			Remedy: fmt.Sprintf("coder stop; if that does not help, end process %d: no session is lost by that", h.PID),
		}
	}
	f := finding{Status: fine, Text: fmt.Sprintf("at http://%s, process %d, up %s", h.Addr, h.PID, time.Since(h.Started).Round(time.Second))}
	if h.Version != version() {
		f.Status, f.Remedy = warning, "coder stop: the next command starts one of this version"
		f.Text += fmt.Sprintf("; it has version %s, this is %s", h.Version, version())
	}
	return f
}

// lookHostless looks at a data dir of which no host tells.
func (d *doctor) lookHostless(dir string) finding {
	path := filepath.Join(dir, "host.lock")
	if _, err := os.Stat(path); err == nil {
		lock := flock.New(path)
		held, err := lock.TryRLock()
		if held {
			err = lock.Unlock()
		}
		switch {
		case err != nil:
			return failing(warning, unusable(err), "")
		case !held:
			return finding{
				Status: warning, Text: "a process holds " + path + " and does not say where it listens",
				Remedy: "wait: a host may be starting or ending; if it stays so, end that process",
			}
		}
	}
	if d.config.Host == hostManual {
		return finding{
			Status: warning, Text: "none runs, and with the setting host " + hostManual + " only coder serve starts one",
			Remedy: "coder serve",
		}
	}
	return finding{Status: fine, Text: "none runs; a command that needs one starts it"}
}
