package permission_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent/permission"
)

func TestRulesThatCouldDoNothingAreRefused(t *testing.T) {
	for _, line := range []string{
		"permit bash(ls)", "allow bash", "allow bash()", "allow bash(ls", "allow ba sh(ls)",
		"allow bash(git*)", "allow bash(** ls)", "allow bash(ls; id)", "allow bash(ls > x)", "allow bash(X=1 ls)", "allow bash($X)", "allow bash(ls | cat)",
		"allow bash(ls 'x)", "allow bash(ls \u202ex)", "allow network(curl x*)",
		"allow fetch(http://example.com)", "allow fetch(example.com/x)", "allow fetch(*example.com)", "allow fetch(Example.com)", "allow fetch(127.0.0.1)", "allow fetch(localhost)",
		"deny read([)", "deny read(../x)", "deny read(~root/x)",
	} {
		_, err := permission.ParseRule(line, "config.json, line 7")
		var wrong *permission.RuleError
		if !errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), "config.json, line 7: ") || wrong.Hint() == "" {
			t.Errorf("ParseRule(%q) = %v, want a RuleError that says where", line, err)
		}
	}
	for _, line := range []string{
		"allow bash(go test **)", "deny bash(**)", "ask bash(git push *)", "allow bash(frob '*' \"a b\")", "allow network(npm install **)",
		"allow fetch(example.com)", "allow fetch(*.example.com)", "allow fetch(example.com:8443)", "deny read(secrets/**)", "ask edit(*.sql)",
		"deny edit(/etc/**)", "deny read(~/.config/**)", "allow mcp__x__y(*)",
	} {
		r, err := permission.ParseRule(line, "")
		if err != nil || r.String() != line {
			t.Errorf("ParseRule(%q) = %q, %v", line, r, err)
		}
	}
}

func TestTheReachOfACommandIsWhatAYesWouldOpen(t *testing.T) {
	place := workplace(t)
	tests := []struct {
		name    string
		command string
		asked   permission.Reach
		want    permission.Reach
		reason  string
	}{
		{"a network tool gets the network", "npm ci", permission.Reach{}, permission.Reach{Network: true}, "may use the network"},
		{"at any depth", "sh -c 'true && git fetch'", permission.Reach{}, permission.Reach{Network: true}, ""},
		{"so does what asks for it", "make", permission.Reach{Network: true}, permission.Reach{Network: true}, "wants the network"},
		{"to leave the sandbox is said in full", "ls", permission.Reach{Unsandboxed: true}, permission.Reach{Unsandboxed: true}, "outside of the sandbox"},
		{"all else gets nothing", "rm x", permission.Reach{}, permission.Reach{}, "runs `rm`, which deletes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := permission.Policy{Mode: permission.ModeAsk, Level: 3, Place: place}.Judge(permission.Call{
				Tool: "bash", Effect: permission.Runs, Command: tt.command, Reach: tt.asked,
			})
			if v.Decision != permission.Ask || v.Reach != tt.want || !strings.Contains(v.Reason, tt.reason) {
				t.Errorf("Judge(%q) = %+v, want it asked with %+v and %q", tt.command, v, tt.want, tt.reason)
			}
		})
	}
}
