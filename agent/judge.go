package agent

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
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
	workdir string
	scratch string // the session's own folder: what results name there may be read without asking
	private string // the data dir, which holds the token and all sessions: no tool has business there
	sandbox string // what bounds a command, in words
}

func (s *state) bounds() bounds {
	return bounds{
		policy: s.policy(), workdir: s.session.Workdir,
		scratch: s.agent.scratch(), private: s.agent.host.private, sandbox: s.agent.host.opts.Sandbox,
	}
}

// policy is the session's mode and the rules that hold for it: the user's, its own, and of its folder's those that may.
func (s *state) policy() permission.Policy {
	opts := s.agent.host.opts
	rules := slices.Concat(opts.Rules, s.sessionRules(), s.folder.Rules())
	return permission.Policy{Mode: s.mode(), Rules: rules, Level: opts.Level}
}

// judge decides whether a call may run. Input that does not fit is denied: it cannot run anyway.
func judge(tool Tool, c chat.ToolCall, b bounds) judgement {
	action, err := tool.Action(c.Input)
	if err != nil {
		return judgement{verdict: permission.Verdict{Decision: permission.Deny, Reason: err.Error()}, summary: c.Name}
	}
	call := permission.Call{Tool: c.Name, Effect: cmp.Or(action.Effect, tool.Effect), Command: action.Command}
	call.Reach = permission.Reach{Network: action.Network, Unsandboxed: action.Unsandboxed}
	for _, path := range action.Reads {
		resolved := resolve(b.workdir, path)
		switch {
		case inside(b.scratch, resolved):
		case inside(b.private, resolved):
			call.Private = append(call.Private, resolved)
		case !inside(b.workdir, resolved):
			call.Outside = append(call.Outside, resolved)
		}
	}
	for _, path := range action.Writes {
		resolved := resolve(b.workdir, path)
		if inside(b.private, resolved) {
			call.Private = append(call.Private, resolved)
		}
		if !inside(b.workdir, resolved) {
			call.Outside = append(call.Outside, resolved)
		}
		if guarded(b.workdir, resolved) {
			call.Guarded = append(call.Guarded, resolved)
		}
	}
	j := judgement{verdict: b.policy.Judge(call), summary: clip(action.Summary)}
	if j.verdict.Decision == permission.Ask {
		j.question = b.question(tool, c, action, j.verdict)
	}
	return j
}

// clip makes a summary one line of at most 200 runes.
func clip(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 200 {
		return string(r[:199]) + "…"
	}
	return s
}

// resolve gives the file that a path means: relative to the workdir, links followed as far as the path exists.
func resolve(workdir, path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(workdir, path)
	}
	return follow(filepath.Clean(path), 40)
}

// follow resolves links as far as the path exists; a link to a file that is not there yet counts as its target.
func follow(path string, links int) string {
	resolved, err := filepath.EvalSymlinks(path)
	if err == nil {
		return resolved
	}
	if target, err := os.Readlink(path); err == nil && links > 0 {
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		return follow(filepath.Clean(target), links-1)
	}
	parent := filepath.Dir(path)
	if parent == path || !errors.Is(err, fs.ErrNotExist) && links == 0 {
		return path
	}
	return filepath.Join(follow(parent, links), filepath.Base(path))
}

func inside(workdir, path string) bool {
	rel, err := filepath.Rel(workdir, path)
	return err == nil && filepath.IsLocal(rel)
}

// guarded reports whether a path decides what runs later: git's own files and ours.
func guarded(workdir, path string) bool {
	rel, err := filepath.Rel(workdir, path)
	if err != nil {
		return false
	}
	for part := range strings.SplitSeq(filepath.ToSlash(rel), "/") {
		switch strings.ToLower(part) {
		case ".git", ".coder":
			return true
		}
	}
	return false
}

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
