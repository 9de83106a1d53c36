package headless

import (
	"fmt"
	"io"
	"strings"

	"github.com/coder-agent/coder/agent/chat"
)

// PrintTranscript prints messages for people.
func PrintTranscript(out io.Writer, messages []chat.Message) error {
	var b strings.Builder
	for i, m := range messages {
		if i > 0 {
			b.WriteString("\n")
		}
		switch m.Role {
		case chat.User:
			fmt.Fprintf(&b, "you:\n%s\n", indent(m.Text()))
		default:
			b.WriteString("coder:\n")
			for _, p := range m.Parts {
				printPart(&b, p)
			}
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func printPart(b *strings.Builder, p chat.Part) {
	switch p := p.(type) {
	case chat.Text:
		if p.Text != "" {
			fmt.Fprintln(b, indent(p.Text))
		}
	case chat.ToolCall:
		fmt.Fprintf(b, "  > %s\n", Line(p.Name+" "+string(p.Input), summaryWidth))
		if p.State == chat.ApprovalRequested {
			fmt.Fprintf(b, "    waits for a decision: %s\n", p.ID)
		}
		if p.Finished() {
			for _, l := range excerpt(p.Result(), 4) {
				fmt.Fprintf(b, "    %s\n", l)
			}
		}
	case chat.Steering:
		fmt.Fprintf(b, "  you, meanwhile: %s\n", Line(p.Text, summaryWidth))
	case chat.File:
		fmt.Fprintf(b, "  file %s (%s)\n", Line(p.Filename, 80), Line(p.MediaType, 80))
	}
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(Printable(s), "\n"), "\n", "\n  ")
}

// excerpt returns the first lines of a text, the last of them the number of those left out.
func excerpt(text string, most int) []string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	var out []string
	for i, l := range lines {
		if i == most-1 && len(lines) > most {
			return append(out, fmt.Sprintf("… %d more lines", len(lines)-i))
		}
		out = append(out, clip(strings.ReplaceAll(Printable(l), "\t", "    "), summaryWidth))
	}
	return out
}
