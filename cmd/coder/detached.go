package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"gopkg.in/natefinch/lumberjack.v2"

	"github.com/coder-agent/coder/agent"
)

// lockPatience is how long a new host waits for one that is ending, which takes shutdownTimeout at most.
const lockPatience = shutdownTimeout + 5*time.Second

// runDetached is coder serve as other commands start it: the key comes on stdin, what became of the start goes to
// stdout, once, and the log to a file.
func (s *serveCommand) runDetached(ctx context.Context) error {
	if err := s.take(s.app.stdin); err != nil {
		return err
	}
	h, closeLog, err := s.openDetached(ctx)
	if err := s.say(h, err); err != nil {
		return err
	}
	if h == nil {
		return &exitError{Code: exitFailed}
	}
	return errors.Join(h.serve(ctx), closeLog())
}

func (s *serveCommand) openDetached(ctx context.Context) (*host, func() error, error) {
	if err := s.check(); err != nil {
		return nil, nil, err
	}
	dir := filepath.Join(s.config.DataDir, "log")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, unusable(fmt.Errorf("making the log folder: %w", err))
	}
	if err := reportCrashes(filepath.Join(dir, "crash.log")); err != nil {
		return nil, nil, err
	}
	file := &lumberjack.Logger{Filename: filepath.Join(dir, "host.log"), MaxSize: 10, MaxBackups: 3} // MiB
	h, err := s.openPatiently(ctx, s.logger(file))
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return h, file.Close, nil
}

// reportCrashes lets a crash of the program, whose stderr nobody reads, leave its trace in a file.
func reportCrashes(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("opening the crash log: %w", err)
	}
	return errors.Join(debug.SetCrashOutput(f, debug.CrashOptions{}), f.Close())
}

// openPatiently waits for a host that is ending. One that answers keeps the data dir: that is a *agent.HeldError.
func (s *serveCommand) openPatiently(ctx context.Context, log *slog.Logger) (*host, error) {
	patience, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		h, err := s.open(ctx, log)
		var held *agent.HeldError
		if !errors.As(err, &held) {
			return h, err
		}
		if _, _, ok, err := running(ctx, s.config.DataDir); ok || err != nil {
			return nil, errors.Join(held, err)
		}
		select {
		case <-time.After(wait):
		case <-patience.Done():
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			return nil, &hintedError{
				fmt.Errorf("a host holds %s but does not answer", s.config.DataDir),
				"end its process; no session is lost by that",
			}
		}
	}
}

// say tells the client that waits for us what became of the start.
func (s *serveCommand) say(h *host, failed error) error {
	var r readiness
	var held *agent.HeldError
	switch {
	case failed == nil:
		r.Addr = h.file.Addr
	case errors.As(failed, &held):
		r.Held = true
	default:
		r.Error, r.Hint = s.app.secrets.Redact(failed.Error()), hintOf(failed)
	}
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = s.app.stdout.Write(append(line, '\n'))
	if file, ok := s.app.stdout.(*os.File); ok {
		err = errors.Join(err, file.Close())
	}
	return err
}
