package agent

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/coder-agent/coder/agent/permission"
)

// TestACallActsOnWhatItWasJudgedBy: a link that is put in the way between the judgement and the act leads nowhere, and one
// that moves during the judgement denies the call.
func TestACallActsOnWhatItWasJudgedBy(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege on Windows")
	}
	workdir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	if err := os.Mkdir(filepath.Join(workdir, "d"), 0o700); err != nil {
		t.Fatal(err)
	}
	tool := NewTool("touch", permission.Writes, "Touch.", func(context.Context, touchArgs) (Result, error) { return Result{}, nil })
	input := []byte(`{"write":"d/f"}`)
	at := spotsOf(tool, input, workdir)
	if err := os.Remove(filepath.Join(workdir, "d")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(out, filepath.Join(workdir, "d")); err != nil {
		t.Fatal(err)
	}
	a := &CoderAgent{name: "s"}
	if got, ok := a.judged(context.WithValue(t.Context(), spotsKey{}, at), "d/f"); !ok || got != filepath.Join(workdir, "d", "f") {
		t.Errorf("the call acts on %s, %t", got, ok)
	}
	allowed := judgement{verdict: permission.Verdict{Decision: permission.Allow}}
	if j := allowed.steady(at, at); j.verdict.Decision != permission.Allow {
		t.Errorf("what stays is judged %+v", j.verdict)
	}
	if j := allowed.steady(at, spotsOf(tool, input, workdir)); j.verdict.Decision != permission.Deny || j.verdict.Reason != errMoved {
		t.Errorf("what moves is judged %+v", j.verdict)
	}
}
