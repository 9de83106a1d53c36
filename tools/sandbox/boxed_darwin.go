package sandbox

import "os/exec"

// launch runs the command under Seatbelt.
func launch(cmd *exec.Cmd, p policy) (tree, error) {
	cmd.Path, cmd.Args = seatbeltProgram, seatbeltArgs(p)
	return start(cmd, p.marker)
}
