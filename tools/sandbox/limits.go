package sandbox

import "runtime"

// maxTasks bounds the processes and threads of one command: room for builds and browsers, and no more than a machine stands.
func maxTasks() int { return min(max(1024, 512*runtime.NumCPU()), 8192) }

// MaxTasks is how many processes and threads a command may have in the box; 0: as many as the machine stands.
func (b *Box) MaxTasks() int {
	if b.Level() < LevelLandlock {
		return 0
	}
	return maxTasks()
}
