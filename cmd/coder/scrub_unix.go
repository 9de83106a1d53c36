//go:build unix

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

const canScrub = true

// scrub starts this process anew, with the same id, in an environment that holds no secrets: unsetting a variable leaves
// it readable for every tool that runs. The key goes over a pipe. It returns only if that fails.
func (s *serveCommand) scrub() error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding our own program: %w", err)
	}
	line, err := json.Marshal(offer{Key: s.config.key(), BaseURL: s.config.BaseURL, Secrets: s.app.secrets.Prints()})
	if err != nil {
		return err
	}
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	_, err = in.Write(line) // a pipe holds it: a hundred prints have some 20 KB
	if err := errors.Join(err, in.Close()); err != nil {
		return err
	}
	fd, err := syscall.Dup(int(out.Fd())) // unlike the original it outlives the exec
	if err != nil {
		return err
	}
	argv := append([]string{"coder"}, s.app.args...)
	argv = append(argv, "--key-fd", strconv.Itoa(fd))
	return fmt.Errorf("starting without the key in the environment: %w", syscall.Exec(exe, argv, hostEnviron(s.app.environ(), s.config.PassEnv)))
}
