package agent

import (
	"cmp"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/plain"
)

// A judgement is the policy's verdict on a call, with what the call would do in words.
type judgement struct {
	verdict permission.Verdict
	summary string

	question chat.Question // with Ask
}

// bounds are what a session's calls are judged by, as they are at the moment.
type bounds struct {
	policy  permission.Policy
	sandbox string // what bounds a command, in words
	alone   bool   // nobody answers, and nothing waits
}

func (s *state) bounds() bounds {
	after := s.session.DenyAfter
	return bounds{policy: s.policy(), sandbox: s.agent.host.opts.Sandbox, alone: after != nil && *after == 0}
}

// policy is the session's mode, where it works, and the rules that hold for it: the user's, its own, and of its folder's those
// that may.
func (s *state) policy() permission.Policy {
	opts := s.agent.host.opts
	rules := slices.Concat(opts.Rules, s.sessionRules(), s.folder.Rules())
	return permission.Policy{Mode: s.mode(), Rules: rules, Level: opts.Level, Place: s.place()}
}

// place is where the session works, and what is around it that no tool has business in: the data dir, which holds the
// token and all sessions, and what the options name.
func (s *state) place() permission.Place {
	h := s.agent.host
	environ := s.environ
	if environ == nil {
		environ = h.opts.Environ
	}
	return permission.Place{
		Workdir: s.session.Workdir, Scratch: s.agent.scratch(), Home: homeIn(environ),
		Private: append([]string{h.private}, h.opts.Private...),
	}
}

// homeIn is what ~ means to the commands that get an environment.
func homeIn(environ []string) string {
	for _, kv := range environ {
		for _, name := range []string{"HOME=", "USERPROFILE="} {
			if home, ok := strings.CutPrefix(kv, name); ok && filepath.IsAbs(home) {
				return permission.Resolve(home, ".")
			}
		}
	}
	return ""
}

// judge decides whether a call may run.
func judge(tool Tool, c chat.ToolCall, b bounds) judgement {
	action, err := tool.Action(c.Input)
	if err != nil {
		action.Summary = c.Name
	}
	j := judgement{verdict: tool.Judge(c.Input, b.policy), summary: clip(action.Summary)}
	if j.verdict.Decision == permission.Ask {
		j.question = b.question(tool, c, action, j.verdict)
	}
	return j
}

// Judge is the policy's verdict on a call of the tool: every call passes here. Input that does not fit is denied: it cannot
// run anyway.
func (t Tool) Judge(input json.RawMessage, p permission.Policy) permission.Verdict {
	action, err := t.Action(input)
	if err != nil {
		return permission.Verdict{Decision: permission.Deny, Reason: err.Error()}
	}
	return p.Judge(permission.Call{
		Tool: t.Name, Effect: cmp.Or(action.Effect, t.Effect), Reads: action.Reads, Writes: action.Writes,
		Command: action.Command, Typed: action.Typed, Dir: action.Workdir, URL: cmp.Or(t.Backend, action.URL), Chosen: t.Backend != "",
		Reach: permission.Reach{Network: action.Network, Unsandboxed: action.Unsandboxed},
	})
}

// clip makes a summary one line of at most 200 characters, with none of them hidden.
func clip(s string) string { return plain.VisibleLine(s, 200) }

// events are what a verdict adds to the call it is about: nothing for one that may run.
func (j judgement) events(callID string) []chat.Event {
	judged := chat.Judged{ToolCallID: callID, Verdict: string(j.verdict.Decision), Reason: j.verdict.Reason, Summary: j.summary}
	switch j.verdict.Decision {
	case permission.Allow:
		return nil
	case permission.Ask:
		judged.Question = j.question
		return []chat.Event{judged, chat.ApprovalAsked{ApprovalID: newID("ask"), ToolCallID: callID}}
	}
	return []chat.Event{judged, chat.ToolFailed{ToolCallID: callID, ErrorText: "denied: " + j.verdict.Reason}}
}
