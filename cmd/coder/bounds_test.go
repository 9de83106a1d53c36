package main

import (
	"strings"
	"testing"

	"github.com/coder-agent/coder/cmd/internal/headless"
	"github.com/coder-agent/coder/tools/sandbox"
)

func TestTheFirstLineSaysWhatBoundsCommands(t *testing.T) {
	for _, tt := range []struct {
		mode  string
		level int
		want  string
	}{
		{"auto", sandbox.LevelFull, "mode auto: commands run without asking, in the sandbox: walls"},
		{"auto", sandbox.LevelLandlock, "(walls; coder doctor says why): a command asks first unless it is known to only read"},
		{"auto", sandbox.LevelSeatbelt, "(walls; coder doctor says why): a command asks first unless it is known to only read"},
		{"ask", sandbox.LevelFull, "sandbox: walls"},
		{"full", sandbox.LevelFull, "sandbox: walls"},
		{"plan", sandbox.LevelNone, "in mode plan only commands run that are known to only read"},
		{"auto", sandbox.LevelNone, "asks first unless it is known to only read"},
		{"full", sandbox.LevelNone, "a command can do all that you can, and does not ask"},
	} {
		o := opened{Result: headless.Result{Mode: tt.mode}, level: tt.level, sandbox: "walls"}
		if got := o.bounds(); !strings.HasSuffix(got, tt.want) {
			t.Errorf("mode %s at level %d: %q, want the end %q", tt.mode, tt.level, got, tt.want)
		}
	}
}
