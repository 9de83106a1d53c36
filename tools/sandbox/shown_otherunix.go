//go:build unix && !linux

package sandbox

import "os/exec"

// spawn starts the command.
func spawn(cmd *exec.Cmd) error {
	heed()
	return cmd.Start()
}
