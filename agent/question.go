package agent

import (
	"fmt"
	"slices"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/plain"
)

// maxShown bounds the text of a question, in characters: no command that a shell takes is longer.
const maxShown = 128 << 10

// question is what a person is asked about a call. It is recorded with the verdict; nothing of it is made anew for a client,
// and the call runs only as it was shown.
func (b bounds) question(tool Tool, c chat.ToolCall, action Action, v permission.Verdict) chat.Question {
	find := func(path string) string { return permission.Resolve(b.policy.Place.Workdir, path) }
	text, left := chat.Shorten(plain.Visible(tool.show(c.Input, find)), maxShown)
	q := chat.Question{Text: text, Left: left, Always: v.Always}
	if action.Command != "" {
		q.Workdir, q.Sandbox = find(action.Workdir), b.sandbox
	} else {
		for _, path := range slices.Concat(action.Reads, action.Writes) {
			q.Paths = append(q.Paths, find(path))
		}
	}
	switch {
	case v.Reach.Unsandboxed:
		q.Reach, q.Always = chat.ReachAll, "" // S-11: never remembered, whoever offers it
	case v.Reach.Network:
		q.Reach = chat.ReachNetwork
	}
	return q
}

// question returns what was asked about a call that waits. One that an earlier version has asked about is judged anew.
func (s *state) question(callID string) chat.Judged {
	if asked, ok := s.script.Asked(callID); ok {
		return asked
	}
	c, _ := s.script.Call(callID)
	tool, ok := s.agent.host.tools[c.Name]
	if !ok {
		return chat.Judged{ToolCallID: callID, Summary: c.Name}
	}
	j := judge(tool, c, s.bounds())
	return chat.Judged{ToolCallID: callID, Reason: j.verdict.Reason, Summary: j.summary, Question: j.question}
}

// outdated says why a yes does not cover what the call would do now, or "": a link on its way may lead elsewhere, or the policy
// may give it more reach than was shown. A call of which nothing was shown, by an earlier version, is not held to it.
func outdated(asked chat.Judged, now judgement) string {
	if asked.ToolCallID == "" || asked.Covers(now.question) {
		return ""
	}
	what := "what it may reach has changed"
	switch {
	case asked.Workdir != now.question.Workdir:
		what = fmt.Sprintf("its folder was %s and is now %s", asked.Workdir, now.question.Workdir)
	case !slices.Equal(asked.Paths, now.question.Paths):
		what = fmt.Sprintf("its path was %s and is now %s", asked.Paths, now.question.Paths)
	}
	return "not run: since it was approved, " + what + "; call again, and it will be asked for anew"
}
