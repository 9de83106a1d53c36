package headless

import (
	"fmt"
	"io"
	"strings"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/plain"
)

// resultLines is how much of a result a transcript shows: who wants it all takes the JSON.
const resultLines = 6

// A Transcript is a session for PrintTranscript.
type Transcript struct {
	Session  string
	Messages []chat.Message // with their Steps; the last may be of an open turn
	Queued   []chat.Message // prompts that wait for their turn
	Summary  func(chat.ToolCall) string
	Show     Show                           // what a call that waits would do
	Asks     func(chat.ToolCall) []chat.Ask // the questions that a call asks
	Open     string                         // what has become of the open turn, such as "running"
	End      string                         // how it stands with the session; "" needs no word
}

// PrintTranscript prints a transcript for people. A call begins with > when it ran, with ! when it failed or was denied,
// with ? when it waits for a decision or an answer, and with ~ when it has no result yet; ~ also tells where a response was cut off.
func PrintTranscript(out io.Writer, t Transcript) error {
	p := &page{Transcript: t}
	for _, m := range t.Messages {
		if m.Role == chat.Assistant {
			p.assistant(m)
		} else {
			p.says("you:", m)
		}
	}
	for _, m := range t.Queued {
		p.says("you (waits for its turn):", m)
	}
	if t.End != "" {
		p.head(t.End)
	}
	_, err := io.WriteString(out, p.text.String())
	return err
}

// A page is a transcript while it is written.
type page struct {
	Transcript
	text strings.Builder
}

// head begins a block.
func (p *page) head(line string) {
	if p.text.Len() > 0 {
		p.text.WriteString("\n")
	}
	fmt.Fprintln(&p.text, line)
}

func (p *page) line(format string, args ...any) { fmt.Fprintf(&p.text, "  "+format+"\n", args...) }

func (p *page) says(who string, m chat.Message) {
	p.head(who)
	for _, part := range m.Parts {
		p.prose(part)
	}
}

func (p *page) prose(part chat.Part) {
	switch part := part.(type) {
	case chat.Text:
		if strings.TrimSpace(part.Text) != "" {
			fmt.Fprintln(&p.text, indent(part.Text))
		}
	case chat.Compaction:
		if part.Status == chat.CompactionDone {
			p.line("~ for the model, a summary stands for the %s before", Count(part.Messages, "message"))
		}
	case chat.File:
		p.line("file %s (%s)", plain.Line(part.Filename, 80), plain.Line(part.MediaType, 80))
	}
}

// assistant prints a turn. Where a step has ended is where the next begins.
func (p *page) assistant(m chat.Message) {
	p.head("coder:")
	step := -1
	for _, part := range m.Parts {
		switch part := part.(type) {
		case chat.StepStart:
			p.ended(m, step)
			step++
		case chat.ToolCall:
			p.call(part, m.Asks(part.ID))
		case chat.Steering:
			p.head("you, meanwhile:")
			fmt.Fprintln(&p.text, indent(part.Text))
			p.head("coder:")
		default:
			p.prose(part)
		}
	}
	p.ended(m, step)
}

// ended tells that the response of a step was cut off.
func (p *page) ended(m chat.Message, step int) {
	if step < 0 || step >= len(m.Steps) {
		return
	}
	switch m.Steps[step].Status {
	case chat.StepInterrupted:
		p.line("~ interrupted here: the model does not see this answer and was asked again")
	case chat.StepCancelled:
		p.line("~ cancelled here")
	case chat.StepOpen:
		p.line("~ %s", p.Open)
	}
}

func (p *page) call(c chat.ToolCall, asks bool) {
	mark := map[chat.ToolState]string{
		chat.OutputAvailable: ">", chat.OutputError: "!", chat.OutputDenied: "!", chat.ApprovalRequested: "?",
	}[c.State]
	waits := asks && c.State == chat.InputAvailable
	switch {
	case waits:
		mark = "?"
	case mark == "":
		mark = "~"
	}
	summary := p.Summary(c)
	p.line("%s %s", mark, Title(c.Name, summary))
	if asks && p.Asks != nil {
		for _, l := range AskLines(p.Asks(c)) {
			p.line("    %s", l)
		}
	}
	switch {
	case waits:
		p.line("    waits: coder answer %s %s", p.Session, c.ID)
	case c.Finished():
		head := ""
		if asks {
			head = "answer: "
		}
		for _, l := range excerpt(c.Result(), resultLines, " (--json shows all)") {
			p.line("    %s%s", head, l)
		}
	case c.State == chat.ApprovalRequested:
		for _, l := range p.Show.body(p.Session, Approval{ToolName: c.Name, Summary: summary, Input: c.Input}) {
			p.line("    %s", l)
		}
		p.line("    waits: coder approve %s %s", p.Session, c.ID)
		p.line("        or coder deny %s %s", p.Session, c.ID)
	default:
		p.line("    %s", p.Open)
	}
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(plain.Text(s), " \n"), "\n", "\n  ")
}

// excerpt returns the first lines of a text, the last of them the number of those left out and how to see them.
func excerpt(text string, most int, how string) []string {
	lines := strings.Split(strings.TrimRight(plain.Output(text), "\n"), "\n")
	var out []string
	for i, l := range lines {
		if i == most-1 && len(lines) > most {
			return append(out, fmt.Sprintf("… %d more lines%s", len(lines)-i, how))
		}
		out = append(out, plain.Clip(strings.ReplaceAll(l, "\t", "    "), summaryWidth))
	}
	return out
}
