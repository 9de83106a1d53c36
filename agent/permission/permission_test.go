package permission_test

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent/permission"
)

func TestJudge(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skipf("the paths are those of Unix, not of %s", runtime.GOOS)
	}
	outside, guarded := []string{"/etc/passwd"}, []string{"/w/.git/hooks/pre-commit"}
	place := permission.Place{Workdir: "/w"}
	tests := []struct {
		name   string
		mode   permission.Mode
		call   permission.Call
		want   permission.Decision
		reason string
	}{
		{"plan lets the agent look", permission.ModePlan, permission.Call{Effect: permission.Reads}, permission.Allow, ""},
		{"plan changes nothing", permission.ModePlan, permission.Call{Effect: permission.Writes}, permission.Deny, "changes files"},
		{"plan runs nothing", permission.ModePlan, permission.Call{Effect: permission.Runs}, permission.Deny, "runs commands"},
		{"plan denies a guarded file rather than ask", permission.ModePlan, permission.Call{Effect: permission.Writes, Writes: guarded}, permission.Deny, "changes files"},
		{"ask asks before a change", permission.ModeAsk, permission.Call{Effect: permission.Writes}, permission.Ask, "changes files"},
		{"edit lets files change", permission.ModeEdit, permission.Call{Effect: permission.Writes}, permission.Allow, ""},
		{"edit asks before a command", permission.ModeEdit, permission.Call{Effect: permission.Runs}, permission.Ask, "runs commands"},
		{"auto asks before what no sandbox bounds", permission.ModeAuto, permission.Call{Effect: permission.Runs}, permission.Ask, "runs commands"},
		{"auto asks before the network", permission.ModeAuto, permission.Call{Effect: permission.Network}, permission.Ask, "network"},
		{"plan plans no prompts", permission.ModePlan, permission.Call{Effect: permission.Plans}, permission.Deny, "plans prompts"},
		{"edit asks before a prompt is planned", permission.ModeEdit, permission.Call{Effect: permission.Plans}, permission.Ask, "plans prompts"},
		{"auto plans prompts", permission.ModeAuto, permission.Call{Effect: permission.Plans}, permission.Allow, ""},
		{"reading outside is asked for", permission.ModeAuto, permission.Call{Effect: permission.Reads, Reads: outside}, permission.Ask, "/etc/passwd is outside"},
		{"guarded files are asked for", permission.ModeAuto, permission.Call{Effect: permission.Writes, Writes: guarded}, permission.Ask, "decides what runs later"},
		{"an effect nobody declared is asked for", permission.ModeAuto, permission.Call{Effect: "shines"}, permission.Ask, ""},
		{"a mode nobody knows asks", "loose", permission.Call{Effect: permission.Reads}, permission.Ask, `unknown mode "loose"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := permission.Policy{Mode: tt.mode, Place: place}.Judge(tt.call)
			if v.Decision != tt.want || !strings.Contains(v.Reason, tt.reason) || (v.Reason == "") != (tt.want == permission.Allow) {
				t.Errorf("%s.Judge(%+v) = %+v; want %s with a reason that has %q", tt.mode, tt.call, v, tt.want, tt.reason)
			}
		})
	}
}

func TestModesAreOrdered(t *testing.T) {
	if got, want := permission.Names(), []string{"plan", "ask", "edit", "auto", "full"}; !slices.Equal(got, want) {
		t.Errorf("Names() = %q, want %q", got, want)
	}
	if !permission.ModePlan.Tighter(permission.ModeAuto) || permission.ModeAuto.Tighter(permission.ModeAsk) {
		t.Error("plan must be tighter than auto, and auto not tighter than ask")
	}
	var wrong *permission.ModeError
	if _, err := permission.ParseMode("yolo"); !errors.As(err, &wrong) || !strings.Contains(wrong.Hint(), "plan, ask, edit, auto") {
		t.Errorf("ParseMode(yolo) = %v, want a ModeError that names the modes", err)
	}
}
