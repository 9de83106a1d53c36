package snapshot

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// settings are git's for every run: nothing that a folder, the user or the machine has set may run a program or change a
// byte, and what is written is on the disk when git ends.
var settings = []string{
	"core.hooksPath=" + os.DevNull, "core.fsmonitor=false", "core.untrackedCache=false", "core.splitIndex=false",
	"core.attributesFile=" + os.DevNull, "core.excludesFile=" + os.DevNull,
	"core.autocrlf=false", "core.safecrlf=false", "core.symlinks=true", "core.precomposeUnicode=false",
	"core.protectNTFS=false", "core.protectHFS=false", "core.quotePath=false", "core.looseCompression=1",
	"core.fsync=loose-object,pack,pack-metadata,reference", "core.fsyncMethod=batch",
	"core.sharedRepository=0600", // whatever the umask
	"gc.auto=0", "maintenance.auto=false", "index.threads=true", "core.preloadIndex=true",
	"diff.external=", "diff.renames=false", "advice.addIgnoredFile=false",
}

// maxTold is how much of what git says about a failure is kept, in bytes.
const maxTold = 4 << 10

// A gitError says that git has failed.
type gitError struct {
	Deed string
	Said string
	Err  error
}

func (e *gitError) Error() string {
	if e.Said == "" {
		return fmt.Sprintf("snapshot: git %s: %v", e.Deed, e.Err)
	}
	return fmt.Sprintf("snapshot: git %s: %v: %s", e.Deed, e.Err, e.Said)
}

func (e *gitError) Unwrap() error { return e.Err }

// git runs git on the folder's repository, in the folder, and returns what it prints.
func (f *Folder) git(ctx context.Context, stdin io.Reader, args ...string) ([]byte, error) {
	return f.gitIn(ctx, f.path, "", stdin, args...)
}

// gitIn runs git with a work tree, and with an index: "" is the repository's own.
func (f *Folder) gitIn(ctx context.Context, top, index string, stdin io.Reader, args ...string) ([]byte, error) {
	cmd := f.command(ctx, top, index, args...)
	var out bytes.Buffer
	said := &bounded{most: maxTold}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, said
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return out.Bytes(), &gitError{Deed: deed(args), Said: strings.TrimSpace(said.String()), Err: err}
	}
	return out.Bytes(), nil
}

// stream runs git and hands on what it prints with -z, piece by piece, as it comes.
func (f *Folder) stream(ctx context.Context, top, index string, each func(string) error, args ...string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := f.command(ctx, top, index, args...)
	said := &bounded{most: maxTold}
	cmd.Stderr = said
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return &gitError{Deed: deed(args), Err: err}
	}
	lines := bufio.NewReaderSize(out, 64<<10)
	for err == nil {
		var piece string
		if piece, err = lines.ReadString(0); err == nil {
			err = each(strings.TrimSuffix(piece, "\x00"))
		}
	}
	stopped := !errors.Is(err, io.EOF)
	if stopped {
		cancel()
	}
	failed := cmd.Wait()
	switch {
	case stopped:
		return err
	case failed != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case failed != nil:
		return &gitError{Deed: deed(args), Said: strings.TrimSpace(said.String()), Err: failed}
	}
	return nil
}

// deed is git's name for what it is to do.
func deed(args []string) string {
	if args[0] == "-c" {
		return args[2]
	}
	return args[0]
}

func (f *Folder) command(ctx context.Context, top, index string, args ...string) *exec.Cmd {
	line := []string{"--git-dir=" + f.repo, "--no-pager"}
	if !slices.Contains(args, "check-ignore") { // which cannot
		line = append(line, "--literal-pathspecs")
	}
	if args[0] != "init" {
		line = append(line, "--work-tree="+top)
	} else {
		line, args = nil, append(args, f.repo)
	}
	for _, s := range settings {
		line = append(line, "-c", s)
	}
	cmd := exec.CommandContext(ctx, f.store.git, append(line, args...)...)
	cmd.Dir = top
	cmd.WaitDelay = time.Second
	cmd.Env = []string{
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_SYSTEM=" + os.DevNull, "GIT_ATTR_NOSYSTEM=1",
		"GIT_TERMINAL_PROMPT=0", "GIT_NO_REPLACE_OBJECTS=1", "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C",
		"HOME=" + f.repo, "XDG_CONFIG_HOME=" + f.repo, "PATH=" + filepath.Dir(f.store.git),
	}
	if index != "" {
		cmd.Env = append(cmd.Env, "GIT_INDEX_FILE="+index)
	}
	return cmd
}

// oneLine is what git prints as its only line.
func oneLine(out []byte, err error) (string, error) { return strings.TrimSpace(string(out)), err }

// split cuts what git prints with -z.
func split(out []byte) []string {
	text := strings.TrimSuffix(string(out), "\x00")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\x00")
}

// zlist is a list of paths as git reads it with -z.
func zlist(paths []string) io.Reader {
	if len(paths) == 0 {
		return strings.NewReader("")
	}
	return strings.NewReader(strings.Join(paths, "\x00") + "\x00")
}

// lockPatience is how long a git that outlived the host which started it may hold the index.
const lockPatience = 2 * time.Second

// unlock waits for the index, and takes away the lock of a git that has died. Nobody but the host of the data dir, which
// has a lock of its own, works on the repository.
func (f *Folder) unlock(ctx context.Context) error {
	path := filepath.Join(f.repo, "index.lock")
	until := time.NewTimer(lockPatience)
	defer until.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
			return nil
		}
		select {
		case <-tick.C:
		case <-until.C:
			if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("snapshot: unlocking the index of %s: %w", f.path, err)
			}
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// A bounded buffer keeps the beginning.
type bounded struct {
	bytes.Buffer
	most int
}

func (b *bounded) Write(p []byte) (int, error) {
	if room := b.most - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
