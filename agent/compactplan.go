package agent

import (
	"slices"
	"strings"

	"github.com/coder-agent/coder/agent/chat"
)

// What is kept of a session that is compacted.
const (
	mostKept       = 20_000   // tokens of the last turns, which stay whole
	leastKept      = 500      // the same, of a small session
	mostPrompts    = 16 << 10 // bytes of the user's own words of what is replaced
	mostPromptText = 4 << 10  // of each of them
)

// A plan says where a compaction cuts what the model is sent.
type plan struct {
	said  []chat.Message // all of it
	index int            // the first message that stays, in said
	step  int            // from this step of it on, as said has them
	mark  chat.Compaction
}

// planCompaction decides what a summary is to replace, or returns false when nothing can go: the last turns stay whole as
// far as they are small, else the last steps. A step is never parted: its calls stay with their results.
func (s *state) planCompaction() (p plan, ok bool) {
	p.said = s.script.Said()
	places := cuts(p.said)
	if len(places) == 0 {
		return p, false
	}
	at := choose(places, s.keepTokens(p.said))
	p.index, p.step = at.index, at.step
	first := p.said[p.index]
	p.mark.From, p.mark.Step = first.ID, p.step
	for i, m := range s.script.Snapshot() {
		if m.ID == first.ID {
			p.mark.Messages = i
			if p.step > 0 { // said may hold the message from a later step on
				p.mark.Step += len(m.Steps) - len(first.Steps)
			}
			break
		}
	}
	p.mark.Todo = s.todo
	p.mark.Prompts = p.prompts()
	return p, true
}

// keepTokens is how much of the last turns stays: a quarter of what there is, which is about the window when it is full. It
// is in tokens as they are estimated here, of which the provider may count more, or fewer.
func (s *state) keepTokens(said []chat.Message) int {
	load, estimated := s.load(), s.overhead()+estimateAll(said)
	keep := min(mostKept, max(leastKept, load/4))
	return keep * estimated / max(load, 1)
}

// A cut is a place where what the model is sent can be parted.
type cut struct {
	index, step int
	turn        bool // a whole turn begins here
	tokens      int  // of what follows, about
}

// cuts lists the places, the earliest first: before a prompt, and before each step of an answer but the first, without which
// its prompt would be gone for nothing. Before each stands more than an earlier summary.
func cuts(said []chat.Message) (places []cut) {
	tokens := 0
	for i, m := range slices.Backward(said) {
		if i == 0 {
			break // nothing stands before it
		}
		if m.Role != chat.Assistant {
			tokens += estimateAll(said[i : i+1])
			places = append(places, cut{index: i, turn: true, tokens: tokens})
			continue
		}
		step := len(m.Steps)
		for _, p := range slices.Backward(m.Parts) {
			tokens += estimate(p)
			if _, ok := p.(chat.StepStart); ok {
				if step--; step > 0 {
					places = append(places, cut{index: i, step: step, tokens: tokens})
				}
			}
		}
	}
	slices.Reverse(places)
	if _, ok := summaryMark(said); ok {
		places = slices.DeleteFunc(places, func(c cut) bool { return c.index == 1 && c.step == 0 })
	}
	return places
}

// summaryMark finds the mark of the compaction whose summary is the first message, if that is one.
func summaryMark(said []chat.Message) (mark chat.Compaction, ok bool) {
	for _, m := range slices.Backward(said) {
		for _, p := range slices.Backward(m.Parts) {
			if c, is := p.(chat.Compaction); is && m.Role == chat.Assistant && c.ID == said[0].ID {
				return c, true
			}
		}
	}
	return mark, false
}

// choose takes the earliest place behind which whole turns fit, else the earliest behind which steps do, else the last.
func choose(places []cut, keep int) cut {
	for _, whole := range []bool{true, false} {
		for _, c := range places {
			if c.tokens <= keep && (c.turn || !whole) {
				return c
			}
		}
	}
	return places[len(places)-1]
}

// before is what is replaced.
func (p plan) before() []chat.Message {
	before := slices.Clone(p.said[:p.index])
	if p.step > 0 {
		before = append(before, p.said[p.index].Until(p.step))
	}
	return before
}

// after is what stays.
func (p plan) after() []chat.Message {
	after := slices.Clone(p.said[p.index:])
	after[0] = after[0].From(p.step)
	return after
}

// prompts gathers the user's own words: those that an earlier compaction has kept, then prompts and steering. The latest
// are kept as far as they fit.
func (p plan) prompts() []string {
	var all []string
	replaced := p.before()
	if mark, ok := summaryMark(p.said); ok {
		all = append(all, mark.Prompts...)
		replaced = replaced[1:]
	}
	for _, m := range replaced {
		if m.Role == chat.User {
			all = append(all, m.Text())
		}
		for _, p := range m.Parts {
			if s, ok := p.(chat.Steering); ok && m.Role == chat.Assistant {
				all = append(all, s.Text)
			}
		}
	}
	room, first := mostPrompts, len(all)
	for ; first > 0 && room > 0; first-- {
		all[first-1] = middleOut(strings.TrimSpace(all[first-1]), mostPromptText)
		room -= len(all[first-1])
	}
	return slices.DeleteFunc(all[first:], func(s string) bool { return s == "" })
}

// attempts are what the model is asked to sum up: all that it was sent last, which its provider still has in its cache,
// and when that is too long, as the provider may have said already, less and less of what is replaced.
func (p plan) attempts() []func() []chat.Message {
	less := []func() []chat.Message{
		func() []chat.Message { return shorten(p.before(), 2_000) },
		func() []chat.Message { return shorten(p.before(), 300) },
		func() []chat.Message { return shorten(p.half(), 300) },
	}
	last := p.said[len(p.said)-1]
	if n := len(last.Steps); p.mark.Auto && n > 0 && last.Steps[n-1].Status == chat.StepInterrupted {
		return less
	}
	return append([]func() []chat.Message{func() []chat.Message { return slices.Clip(p.said) }}, less...)
}

// half is the later half of what is replaced, behind the summary of what came before, if there is one.
func (p plan) half() []chat.Message {
	before := p.before()
	if len(before) == 1 {
		return []chat.Message{before[0].From(len(before[0].Steps) / 2)}
	}
	half := before[len(before)/2:]
	if _, ok := summaryMark(p.said); ok {
		half = append(before[:1:1], half...)
	}
	return half
}

// middleOut shortens a text to about n bytes, by its middle.
func middleOut(s string, n int) string {
	const gap = "\n[… left out here …]\n"
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n*2/3], "") + gap + strings.ToValidUTF8(s[len(s)-n/3:], "")
}

// shorten returns copies of messages in which no tool result is longer than n bytes and no other text than three times
// that.
func shorten(messages []chat.Message, n int) []chat.Message {
	short := make([]chat.Message, len(messages))
	for i, m := range messages {
		m.Parts = slices.Clone(m.Parts)
		for j, p := range m.Parts {
			switch p := p.(type) {
			case chat.ToolCall:
				if p.Output != nil && (len(p.Output.Text) > n || len(p.Output.Pictures) > 0) {
					p.Output = &chat.Output{Text: middleOut(p.Output.Text, n)}
				}
				p.Error = middleOut(p.Error, n)
				if len(p.Input) > 3*n {
					p.Input = []byte(`{}`)
				}
				m.Parts[j] = p
			case chat.Text:
				p.Text = middleOut(p.Text, 3*n)
				m.Parts[j] = p
			case chat.File:
				m.Parts[j] = chat.Text{Text: "[attached file " + p.Filename + "]"}
			}
		}
		short[i] = m
	}
	return short
}
