package openrouter

import (
	"encoding/base64"
	"strings"

	"github.com/coder-agent/coder/agent/chat"
)

// Bounds of the tools' pictures in one request. Claude takes more than 20 only if all are small, and 32 MB in all.
const (
	mostShown      = 20
	mostShownBytes = 12 << 20 // 16 MiB as base64
)

// leftOut is how many pictures of tools, from the oldest, a request leaves out. When there are too many, half of what may
// be there goes at once: each time the provider's cache is lost, and not with each picture.
func leftOut(messages []chat.Message) int {
	var sizes []int
	left, bytes := 0, 0
	each(messages, func(p chat.Picture) {
		sizes = append(sizes, p.Bytes)
		if bytes += p.Bytes; len(sizes)-left <= mostShown && bytes <= mostShownBytes {
			return
		}
		for left < len(sizes)-1 && (len(sizes)-left > mostShown/2 || bytes > mostShownBytes/2) {
			bytes -= sizes[left]
			left++
		}
	})
	return left
}

// countPictures is how many pictures of tools there are.
func countPictures(messages []chat.Message) (n int) {
	each(messages, func(chat.Picture) { n++ })
	return n
}

// each calls visit with the pictures that are sent: those of results in complete answers.
func each(messages []chat.Message, visit func(chat.Picture)) {
	for _, m := range messages {
		if m.Role != chat.Assistant {
			continue
		}
		for u := range unitsOf(m) {
			if u.step.Status == chat.StepAnswered {
				for _, p := range picturesOf(u.parts) {
					visit(p)
				}
			}
		}
	}
}

func picturesOf(parts []chat.Part) (list []chat.Picture) {
	for _, p := range parts {
		if c, ok := p.(chat.ToolCall); ok {
			list = append(list, c.Pictures()...)
		}
	}
	return list
}

// A gallery gathers the pictures of a step's results for the message behind them: only a user's message holds pictures with
// all providers.
type gallery struct {
	open  func(chat.Picture) ([]byte, error)
	left  int  // so many are left out, the first ones
	blind bool // all are
	parts []part
}

// hang adds the pictures of a call's result, and returns a note for the result in the place of each that is left out.
func (g *gallery) hang(c chat.ToolCall) string {
	var notes strings.Builder
	for _, p := range c.Pictures() {
		why := g.missing(p)
		if why == "" {
			continue
		}
		notes.WriteString("\n[the picture " + p.Name + " is left out here: " + why + "]")
	}
	return notes.String()
}

// missing adds the picture, or says why it cannot be sent.
func (g *gallery) missing(p chat.Picture) (why string) {
	if g.left > 0 {
		g.left--
		return "it is among the oldest of too many; read it again if it matters"
	}
	if g.blind {
		return "this model takes no pictures"
	}
	if g.open == nil {
		return "its file is gone"
	}
	data, err := g.open(p)
	if err != nil {
		return "its file is gone; read it again if it matters"
	}
	g.parts = append(g.parts,
		part{Type: "text", Text: "[picture for the tool result above: " + p.Name + "]"},
		part{Type: "image_url", Image: &imagePart{"data:" + p.MediaType + ";base64," + base64.StdEncoding.EncodeToString(data)}})
	return ""
}
