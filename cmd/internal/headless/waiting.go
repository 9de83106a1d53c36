package headless

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Bounds of what is shown of a call that waits. A command has no bound of lines: who approves it has seen it.
const (
	callLines = 60
	callWidth = 2000 // characters of a line
)

// A Show tells the whole of what a call would do; whole says that none of its lines may be left out.
type Show func(name string, input json.RawMessage) (text string, whole bool)

// PrintWaiting prints the calls of a session that wait for a decision, each with what it would do and what decides it.
func PrintWaiting(out io.Writer, session string, list []Approval, show Show) {
	p := &progress{Options: Options{Err: out, Show: show}, session: session}
	p.waiting("waiting for approval", list)
}

// waiting prints the calls that wait, each with why and with what decides it.
func (p *progress) waiting(head string, list []Approval) {
	for _, a := range list {
		p.note("%s: %s", head, title(a.ToolName, a.Summary))
		p.body(a)
		if a.Reason != "" {
			p.note("  because %s", Line(a.Reason, errorWidth))
		}
		p.note("  coder approve %s %s", p.session, a.ToolCallID)
		p.note("  coder deny %s %s", p.session, a.ToolCallID)
	}
}

// body prints what the call would do, if its title has not said it all.
func (p *progress) body(a Approval) {
	for _, l := range p.Show.body(p.session, a) {
		p.note("    %s", l)
	}
}

// body returns the lines of what the call would do, with nothing hidden in them; none if its title has said it all.
func (s Show) body(session string, a Approval) []string {
	if s == nil {
		return nil
	}
	if len(a.Input) == 0 { // too large for the state document
		return []string{fmt.Sprintf("(coder sessions show %s shows all of it)", session)}
	}
	text, whole := s(a.ToolName, a.Input)
	text = strings.TrimRight(Visible(text), "\n")
	if text == "" || a.ToolName+" "+text == title(a.ToolName, a.Summary) {
		return nil
	}
	var out []string
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if i == callLines-1 && len(lines) > callLines && !whole {
			return append(out, fmt.Sprintf("… %d more lines (coder sessions show %s --json shows all)", len(lines)-i, session))
		}
		out = append(out, wide(strings.ReplaceAll(l, "\t", "    "), whole, session))
	}
	return out
}

// wide cuts a line that is too long, unless it must stay whole, and says so.
func wide(l string, whole bool, session string) string {
	r := []rune(l)
	if whole || len(r) <= callWidth {
		return l
	}
	return fmt.Sprintf("%s… %d more characters (coder sessions show %s --json shows all)", string(r[:callWidth]), len(r)-callWidth, session)
}
