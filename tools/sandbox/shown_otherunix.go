//go:build unix && !linux

package sandbox

import "os/exec"

// begin starts the command.
func begin(cmd *exec.Cmd) error { return cmd.Start() }
