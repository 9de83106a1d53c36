package chat

import (
	"fmt"
	"slices"
	"strings"
)

// A Question is what a person is asked about a call: all that would run, where, and with what reach. It is made once, when the
// call is judged, so that every client shows the same and a decision is about nothing else.
type Question struct {
	Text    string   `json:"text,omitempty"`    // the whole of what the call would do: the command, the diff of a file
	Left    int      `json:"left,omitempty"`    // characters that are left out in the middle of Text
	Workdir string   `json:"workdir,omitempty"` // of a command: the folder it runs in, absolute, links resolved
	Paths   []string `json:"paths,omitempty"`   // files that the call names, likewise
	Sandbox string   `json:"sandbox,omitempty"` // of a command: what bounds it, in words; "none": nothing does
	Reach   string   `json:"reach,omitempty"`   // what it gets beyond that: ReachNetwork or ReachAll
	Always  string   `json:"always,omitempty"`  // the rule that "always" stores; "" when none is offered
}

// What a command may reach beyond the sandbox.
const (
	ReachNetwork = "network"     // that of the machine
	ReachAll     = "unsandboxed" // everything that the user can, the network too
)

// Covers reports whether who said yes to q has said yes to what is asked now: the same places, and no more reach.
func (q Question) Covers(now Question) bool {
	return q.Workdir == now.Workdir && slices.Equal(q.Paths, now.Paths) &&
		(now.Reach == "" || q.Reach == ReachAll || q.Reach == now.Reach)
}

// verdicts of a Judged.
const (
	verdictAsk  = "ask"
	verdictDeny = "deny"
)

// judged notes in the open step what the policy said of a call.
func (t *Transcript) judged(j Judged) {
	m := t.last()
	if n := len(m.Steps) - 1; n >= 0 {
		m.Steps[n].Judged = append(slices.Clip(m.Steps[n].Judged), j)
	}
}

// Asked returns the question about a call of the last message, or false when none was asked.
func (t *Transcript) Asked(callID string) (Judged, bool) {
	m, _ := t.Last()
	for _, s := range slices.Backward(m.Steps) {
		for _, j := range slices.Backward(s.Judged) {
			if j.ToolCallID == callID && j.Verdict == verdictAsk {
				return j, true
			}
		}
	}
	return Judged{}, false
}

// Denials returns the calls that the policy or a person has denied since the user last said anything: the prompt of the turn,
// or steering.
func (t *Transcript) Denials() (denied []ToolCall) {
	m, ok := t.TurnMessage()
	if !ok {
		return nil
	}
	forbidden := map[string]bool{}
	for _, s := range m.Steps {
		for _, j := range s.Judged {
			forbidden[j.ToolCallID] = forbidden[j.ToolCallID] || j.Verdict == verdictDeny
		}
	}
	for _, p := range m.Parts {
		switch p := p.(type) {
		case Steering:
			denied = nil
		case ToolCall:
			if p.State == OutputDenied || p.State == OutputError && forbidden[p.ID] {
				denied = append(denied, p)
			}
		}
	}
	return denied
}

// Shorten leaves out the middle of a text that is longer than most characters, and returns how many that are.
func Shorten(text string, most int) (short string, left int) {
	r := []rune(text)
	if len(r) <= most {
		return text, 0
	}
	head, tail := string(r[:most*2/3]), string(r[len(r)-most/3:])
	if i := strings.LastIndexByte(head, '\n'); i > len(head)/2 {
		head = head[:i+1]
	}
	if i := strings.IndexByte(tail, '\n'); i >= 0 && i < len(tail)/2 {
		tail = tail[i+1:]
	}
	left = len(r) - len([]rune(head)) - len([]rune(tail))
	return fmt.Sprintf("%s\n… %d characters left out here …\n%s", strings.TrimSuffix(head, "\n"), left, tail), left
}
