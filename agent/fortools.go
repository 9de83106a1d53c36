package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"github.com/coder-agent/coder/agent/permission"
)

// Workdir returns the session's folder, absolute and with links resolved.
func (a *CoderAgent) Workdir(ctx context.Context) (dir string, err error) {
	err = a.do(ctx, func(s *state) error {
		if dir = s.session.Workdir; dir == "" {
			return &WorkdirError{Session: a.name}
		}
		return nil
	})
	return dir, err
}

// Path resolves a path that the model gave: relative to the workdir, links followed as far as it exists. Whether it may
// be used was judged before the tool ran.
func (a *CoderAgent) Path(ctx context.Context, path string) (string, error) {
	dir, err := a.Workdir(ctx)
	if err != nil {
		return "", err
	}
	if judged, ok := a.judged(ctx, path); ok {
		return judged, nil
	}
	return permission.Resolve(dir, path), nil
}

// judged returns the file that a path of the running call meant when it was judged, or false.
func (a *CoderAgent) judged(ctx context.Context, path string) (string, bool) {
	found, _ := ctx.Value(spotsKey{}).(spots)
	file, ok := found[path]
	return file, ok
}

// Environ returns the environment for the session's commands, as KEY=value: that of the client that spoke last, or of
// the host after a restart.
func (a *CoderAgent) Environ(ctx context.Context) (environ []string, err error) {
	err = a.do(ctx, func(s *state) error {
		if environ = s.environ; environ == nil {
			environ = a.host.opts.Environ
		}
		return nil
	})
	return environ, err
}

// Seen returns the hash of the content of a file (absolute path) that the model has last seen, or false. The knowledge
// comes from the tool results of the transcript, so it is as durable as they are.
func (a *CoderAgent) Seen(ctx context.Context, path string) (hash string, ok bool, err error) {
	err = a.do(ctx, func(s *state) error {
		hash, ok = s.seen[path]
		return nil
	})
	return hash, ok, err
}

// ScratchDir returns a private folder of the session under the data dir, made if need be: for output too long for the
// model.
func (a *CoderAgent) ScratchDir(_ context.Context) (string, error) {
	if a == nil {
		return "", ErrNoAgent
	}
	dir := a.scratch()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("making the session's scratch folder: %w", err)
	}
	return dir, nil
}

// scratch is the path of the scratch folder, whether or not it is there, with links resolved as judge resolves paths.
func (a *CoderAgent) scratch() string {
	return filepath.Join(a.host.private, "scratch", scratchName(a.key))
}

// scratchName is the folder's name: that of a session may not be a file name everywhere.
func scratchName(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:8])
}
