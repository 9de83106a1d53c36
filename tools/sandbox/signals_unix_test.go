//go:build unix

package sandbox

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
)

// TestACommandHeedsSignalsThatWeIgnore runs itself under a shell that ignores them, as nohup and & do.
func TestACommandHeedsSignalsThatWeIgnore(t *testing.T) {
	if os.Getenv("CODER_TEST_IGNORING") == "" {
		cmd := exec.Command("sh", "-c", `trap '' HUP INT; exec "$0" -test.run '^TestACommandHeedsSignalsThatWeIgnore$' -test.v`, os.Args[0])
		cmd.Env = append(os.Environ(), "CODER_TEST_IGNORING=1")
		if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS: TestACommandHeeds")) {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	for _, name := range []string{"HUP", "INT"} {
		var out bytes.Buffer
		done, err := Run(t.Context(), shell(t, "trap 'exit 7' "+name+"; kill -"+name+" $$; exit 0", &out))
		if err != nil || done.Code != 7 {
			t.Errorf("%s: %+v, %v, %s", name, done, err, out.String())
		}
	}
}
