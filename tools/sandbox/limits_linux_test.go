package sandbox

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// crowd starts more processes than a command may have, and no more than this machine stands if nothing bounds them.
func crowd() string {
	return "ulimit -v 1000000; n=0; while [ $n -lt " + strconv.Itoa(maxTasks()+400) + " ]; do sleep 60 & n=$((n+1)); done 2>/dev/null; echo all began; sleep 60"
}

// TestACommandThatStartsTooMuchEnds: at level 3 the kernel refuses, at level 2 the helper counts, and at both the command is over
// in seconds with all that it has started.
func TestACommandThatStartsTooMuchEnds(t *testing.T) {
	if maxTasks() > 4096 {
		t.Skip("so many processes are too much for a test; CI has machines with few processors")
	}
	for _, level := range []int{LevelFull, LevelLandlock} {
		b := newBox(t, Report{Level: level})
		begin := time.Now()
		out, said := b.script(t, crowd())
		if out.Crowd < maxTasks()*9/10 || out.Signal != "killed" {
			t.Errorf("level %d: %+v, %q", level, out, said)
		}
		if d := time.Since(begin); d > 50*time.Second {
			t.Errorf("level %d: it took %v", level, d)
		}
		bounded := strings.Contains(said, "all began")
		if level == LevelFull && bounded && (os.Geteuid() != 0 || out.Crowd >= maxTasks()) {
			t.Errorf("level %d: the kernel refused nothing: %+v", level, out)
		}
		if out, said := b.script(t, "echo fine"); out.Code != 0 || said != "fine\n" {
			t.Errorf("level %d: the next command: %+v, %q", level, out, said)
		}
	}
}

func TestACommandGoesFirstWhenMemoryRunsOut(t *testing.T) {
	for _, level := range []int{LevelFull, LevelLandlock} {
		b := newBox(t, Report{Level: level})
		if _, said := b.script(t, "cat /proc/self/oom_score_adj; ulimit -c"); said != oomScore+"\n0\n" {
			t.Errorf("level %d: %q", level, said)
		}
	}
}

func TestThreadsAreCounted(t *testing.T) {
	if n := threads(strconv.Itoa(os.Getpid())); n < 2 || n > 1000 {
		t.Errorf("this program has %d threads", n)
	}
	if n := threads("0"); n != 0 {
		t.Errorf("a process that is not there has %d threads", n)
	}
}
