//go:build unix

package tools

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder-agent/coder/agent/secret"
)

func TestBash(t *testing.T) {
	tests := []struct{ name, command, want string }{
		{"output and errors in order", "echo a; echo b >&2; echo c", "a\nb\nc"},
		{"nothing", "true", "(no output)"},
		{"an exit code", "echo a; exit 3", "a\nexit code 3"},
		{"only an exit code", "exit 3", "exit code 3"},
		{"output without a line end", "printf a; exit 1", "a\nexit code 1"},
		{"a signal", "kill -SEGV $$", "ended by signal: segmentation fault"},
		{"no input", "cat; echo done", "done"},
		{"no terminal", "test -t 1 || echo none; test -e /dev/tty && : < /dev/tty || echo none", "none\n"},
		{"no pager, colour or questions", "echo $PAGER $GIT_PAGER $TERM $NO_COLOR $GIT_TERMINAL_PROMPT", "cat cat dumb 1 0"},
		{"progress bars", `printf '10%%\r50%%\r100%%\ndone\n'`, "100%\ndone"},
		{"colours", `printf '\033[31mred\033[0m\n'`, "red"},
		{"what is not UTF-8", `printf 'a\377\376b\000c\n'`, "a\uFFFDb\uFFFDc"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSession(t)
			input, _ := json.Marshal(bashArgs{Command: tt.command})
			if got := must(t, s, bash, string(input)); !strings.HasPrefix(got, tt.want) || !strings.HasSuffix(tt.want, "\n") && got != tt.want {
				t.Errorf("bash %q = %q, want %q", tt.command, got, tt.want)
			}
		})
	}
}

func TestBashRunsInTheSessionsFolderAndEnvironment(t *testing.T) {
	s := newSession(t)
	s.put(t, "sub/f", "")
	s.environ = append(s.environ, "OWN=1", "BASH_ENV=/evil", "GIT_DIR=/evil", "PAGER=less", "BASH_FUNC_x%%=() { evil; }",
		"LD_PRELOAD=/evil", "DYLD_INSERT_LIBRARIES=/evil", "NODE_OPTIONS=-revil", "PYTHONSTARTUP=/evil", "SSH_AUTH_SOCK=/evil", "my_token=evil", "A_KEY=evil", "B_SECRET=evil")
	if got, want := must(t, s, bash, `{"command":"pwd; ls; echo $OWN$BASH_ENV$GIT_DIR$PAGER; type x","workdir":"sub"}`), s.dir+"/sub\nf\n1cat\n"; !strings.HasPrefix(got, want) {
		t.Errorf("bash = %q, want %q", got, want)
	}
	if got := must(t, s, bash, `{"command":"env"}`); strings.Contains(got, "evil") || !strings.Contains(got, "OWN=1") {
		t.Errorf("a client passes on %q", got)
	}
	contains(t, refused(t, s, bash, `{"command":"true","workdir":"none"}`), "there is no folder none; leave workdir out")
	contains(t, refused(t, s, bash, `{"command":"true","workdir":"sub/f"}`), "sub/f is not a folder")
	contains(t, refused(t, s, bash, `{"command":" "}`), "the command is empty")
	contains(t, refused(t, s, bash, `{"command":"a\u0000"}`), "NUL")
	big, _ := json.Marshal(bashArgs{Command: "echo " + strings.Repeat("x", maxCommand)})
	contains(t, refused(t, s, bash, string(big)), "write it to a file")
}

func TestBashKeepsTheBeginningAndTheEnd(t *testing.T) {
	s := newSession(t)
	res, err := do(t, s, bash, `{"command":"seq 1 20000; exit 2"}`)
	if err != nil {
		t.Fatal(err)
	}
	d := res.Details.(bashDetails)
	if !strings.HasPrefix(res.Text, "1\n2\n") || !strings.HasSuffix(res.Text, "\n20000\nexit code 2") || len(res.Text) > maxBytes+400 {
		t.Errorf("the result has %d bytes, ends in %q", len(res.Text), res.Text[max(0, len(res.Text)-60):])
	}
	contains(t, res.Text, "left out here; the whole, 20,000 lines, 106 KB, is in "+d.Log)
	log, err := os.ReadFile(d.Log)
	if err != nil || strings.Count(string(log), "\n") != 20000 || !d.Truncated || d.ExitCode != 2 || d.Sandbox != "none" {
		t.Errorf("the log has %d bytes (%v), details are %+v", len(log), err, d)
	}
	res, err = do(t, s, bash, `{"command":"yes | head -c 12000000"}`)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, res.Text, "the first 10 MB of 11 MB are in ")
	if info, err := os.Stat(res.Details.(bashDetails).Log); err != nil || info.Size() != maxLog {
		t.Errorf("the log is %v, %v", info, err)
	}
	must(t, s, bash, `{"command":"for i in $(seq 20000); do printf '%d%%\\r' $i; done"}`)
	if files, err := os.ReadDir(s.scratch); err != nil || len(files) != 2 {
		t.Errorf("the scratch folder holds %d files (%v), want the two logs that are needed", len(files), err)
	}
}

func TestBashEndsWhatTakesTooLong(t *testing.T) {
	s := newSession(t)
	res, err := do(t, s, bash, `{"command":"echo begun; sleep 100; echo never","timeout_s":1}`)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, res.Text, "begun\n(ended after 1 s with everything it had started, because it could not go on as a job: ")
	if d := res.Details.(bashDetails); !d.TimedOut || d.DurationMS > 5000 {
		t.Errorf("details are %+v", d)
	}
}

func TestACancelledCommandIsAnError(t *testing.T) {
	s := newSession(t)
	fifo := filepath.Join(s.dir, "started")
	mkfifo(t, fifo)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the user said so")
	go func() {
		f, err := os.Open(fifo) // opens when the command has opened it
		if err == nil {
			f.Close()
		}
		cancel(why)
	}()
	begin := time.Now()
	res, err := bash(ctx, s, bashArgs{Command: "trap '' TERM; echo > started; sleep 100 & wait"})
	if !errors.Is(err, why) || err.Error() != why.Error() {
		t.Errorf("a cancelled command = %+v, %v", res, err)
	}
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("it took %v", d)
	}
	if _, err := bash(ctx, s, bashArgs{Command: "touch ran"}); err == nil {
		t.Error("a command ran after its context had ended")
	}
	if _, err := os.Stat(filepath.Join(s.dir, "ran")); err == nil {
		t.Error("a command with a dead context had an effect")
	}
}

func TestBashDoesNotWaitForWhatItLeavesBehind(t *testing.T) {
	s := newSession(t)
	begin := time.Now()
	res, err := do(t, s, bash, `{"command":"sleep 300 & echo started"}`)
	if err != nil {
		t.Fatal(err)
	}
	if d := time.Since(begin); d > 20*time.Second {
		t.Errorf("it took %v", d)
	}
	contains(t, res.Text, "started\n(still running, its output no longer read: ")
	for _, p := range res.Details.(bashDetails).Running {
		kill(t, p.PID)
	}
}

// What the file keeps of a long output is what the model may ask for next.
func TestNoSecretIsKeptOfAnOutput(t *testing.T) {
	const value = "mst-4f9a1c07e2b85d36"
	s := newSession(t)
	s.secrets = &secret.Set{}
	s.secrets.Add("MY_SERVICE_TOKEN", value)
	res, err := do(t, s, bash, `{"command":"seq 20000; printf mst-4f9a1; sleep 0.05; echo c07e2b85d36; seq 20000; echo mst-4f9a1c07e2b85d36"}`)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(res.Details.(bashDetails).Log)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(kept), "[redacted: MY_SERVICE_TOKEN]"); n != 2 || strings.Contains(string(kept), value) {
		t.Errorf("%d values were taken out of the file", n)
	}
	if !strings.HasSuffix(res.Text, "20000\n[redacted: MY_SERVICE_TOKEN]") {
		t.Errorf("the end is %q", res.Text[len(res.Text)-100:])
	}
}

func TestSecondsAreTakenWithinBounds(t *testing.T) {
	for given, want := range map[int]int{0: 120, -1: 120, 5: 5, 600: 600, 700: 600, 30000: 30, 1200000: 600} {
		if got := seconds(given); got != want {
			t.Errorf("seconds(%d) = %d, want %d", given, got, want)
		}
	}
}
