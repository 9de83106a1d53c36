package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/adrg/xdg"

	"github.com/coder-agent/coder/tools/sandbox"
)

// sandboxOptions say what commands must not see, and where their caches are.
func sandboxOptions(c config) sandbox.Options {
	return sandbox.Options{
		Home: xdg.Home, Private: []string{c.DataDir, defaultDataDir(), filepath.Dir(configFile())}, Cache: filepath.Join(xdg.CacheHome, "coder"),
	}
}

// openBox finds out what bounds commands here, once for each boot and version: later starts read what it found.
func openBox(ctx context.Context, c config, log *slog.Logger) (*sandbox.Box, error) {
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return nil, unusable(fmt.Errorf("making the data dir: %w", err))
	}
	o := sandboxOptions(c)
	report, err := sandbox.Test(ctx, o, c.DataDir)
	if err != nil {
		log.Warn("the self-test of the sandbox runs again at the next start", "err", err)
	}
	log.Info("sandbox", "level", report.Level, "is", report.Name, "why", report.Why, "misses", report.Misses())
	return sandbox.New(o, report), nil
}

// pruneCaches removes the caches of commands that nobody uses any more. It walks large trees, and waits for nobody.
func (h *host) pruneCaches(ctx context.Context) {
	if err := h.box.Prune(ctx, time.Now()); err != nil && ctx.Err() == nil {
		h.log.Warn("removing old caches of the sandbox", "err", err)
	}
}
