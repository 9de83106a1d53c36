package sandbox

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// oomScore makes the kernel end commands before the host, and before most else of the user, when memory runs out.
const oomScore = "500"

// goFirst sees to it that the kernel ends the command before others. Where it may not, it is as likely as they are.
func goFirst() { _ = os.WriteFile("/proc/self/oom_score_adj", []byte(oomScore), 0) }

// limit bounds what this process and its children take of the machine. bounded says that the kernel itself refuses more
// processes than maxTasks; where it cannot, they are only counted.
//
// Where the command is not root, RLIMIT_NPROC counts the processes of its own user namespace (Linux 5.14). To root it does not
// apply; there the highest process id of the namespace bounds them (Linux 6.14).
func (p policy) limit() (bounded bool, err error) {
	if p.Level < LevelFull {
		return false, nil // the limit would count all other processes of the user
	}
	if os.Geteuid() != 0 {
		most := uint64(maxTasks())
		if err := unix.Setrlimit(unix.RLIMIT_NPROC, &unix.Rlimit{Cur: most, Max: most}); err != nil {
			return false, fmt.Errorf("bounding the number of processes: %w", err)
		}
		return true, nil
	}
	return highestPid() <= maxTasks(), nil
}

const pidMax = "/proc/sys/kernel/pid_max"

// boundPids bounds the process ids of this namespace, if the kernel knows how; limit looks whether it did.
func boundPids() {
	if os.Geteuid() == 0 {
		_ = os.WriteFile(pidMax, []byte(strconv.Itoa(maxTasks())), 0)
	}
}

// highestPid is the bound of process ids; the largest int when it cannot be read.
func highestPid() int {
	data, err := os.ReadFile(pidMax)
	n, errNumber := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || errNumber != nil {
		return int(^uint(0) >> 1)
	}
	return n
}

const (
	countEvery = 2 * time.Second        // where the kernel bounds them
	countOften = 100 * time.Millisecond // where only counting does
)

// count ends a command that has as many processes and threads as it may, and keeps them: a fork bomb would go on for ever, and
// nothing else of the command gets on.
func (h *helper) count() {
	every, most, looks := countOften, maxTasks(), 1
	if h.bounded {
		every, most, looks = countEvery, most-most/16, 2
	}
	for full := 0; ; {
		<-time.After(every)
		n := tasks()
		if full++; n < most {
			full = 0
		}
		if full < looks {
			continue
		}
		h.crowd.Store(int32(n))
		if h.policy.Level < LevelFull {
			stopDescendants()
			killDescendants() // and with them the command, whose end is told as any other
			return
		}
		h.say(status{Ended: true, Signal: int(syscall.SIGKILL), Crowd: n})
		os.Exit(exitUnbounded) // all else ends with this process
	}
}

// stockThreads makes the threads that this process may come to need while there still may be more: without one the runtime gives
// up.
func stockThreads() {
	const most = 16
	var made, used sync.WaitGroup
	made.Add(most)
	for range most {
		used.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			made.Done()
			made.Wait()
		})
	}
	used.Wait()
}

// tasks counts the threads of all descendants. One of which that cannot be read counts as one.
func tasks() (n int) {
	if os.Getpid() != 1 {
		for _, p := range descendants() {
			n += threads(strconv.Itoa(p.PID))
		}
		return n
	}
	names, err := readNames("/proc")
	if err != nil {
		return 0
	}
	for _, name := range names {
		if name[0] >= '1' && name[0] <= '9' && name != "1" {
			n += threads(name)
		}
	}
	return n
}

// threads is the 20th field of /proc/PID/stat; the second, the name, may hold spaces and ends with the last parenthesis.
func threads(pid string) int {
	line, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0 // it has ended
	}
	f := strings.Fields(string(line[bytes.LastIndexByte(line, ')')+1:])) // from the third on
	if len(f) < 18 {
		return 1
	}
	n, err := strconv.Atoi(f[17])
	if err != nil {
		return 1
	}
	return n
}

// stopDescendants stops all below this process, also what is born meanwhile: what is stopped cannot fork, so that they come to an
// end.
func stopDescendants() {
	seen := map[int]bool{}
	for range 200 {
		fresh := false
		for _, p := range descendants() {
			if !seen[p.PID] {
				seen[p.PID], fresh = true, true
				_ = unix.Kill(p.PID, unix.SIGSTOP) // ESRCH: it ended meanwhile
			}
		}
		if !fresh {
			return
		}
	}
}
