package chat

import "slices"

// marked is the last compaction of the settled messages, found once: a request must not look through all of them.
type marked struct {
	scanned int        // settled messages that were looked at
	at      int        // the message that holds the mark
	mark    Compaction // with the zero ID there is none
	summary Message    // that stands for what was replaced
}

// Said is the Snapshot for a request to the model: without the message of a turn in which nothing has been said yet, and
// with a summary in the place of what was compacted.
func (t *Transcript) Said() []Message {
	messages := t.spoken()
	found := t.lastMark(messages)
	if found.mark.ID == "" {
		return messages
	}
	first, step := t.keptFrom(found)
	said := make([]Message, 0, len(messages)-first+1)
	said = append(append(said, found.summary), messages[first:]...)
	said[1] = said[1].From(step)
	return said
}

func (t *Transcript) spoken() []Message {
	if t.live && len(t.tail.Parts) == 0 {
		return t.share()
	}
	return t.Snapshot()
}

// lastMark finds the last compaction that is done.
func (t *Transcript) lastMark(messages []Message) marked {
	for i, m := range t.settled[min(t.marked.scanned, len(t.settled)):] {
		t.marked = t.marked.over(m, t.marked.scanned+i)
	}
	t.marked.scanned = len(t.settled)
	if len(messages) == len(t.settled) {
		return t.marked
	}
	return t.marked.over(t.tail, len(t.settled))
}

// over returns m with the mark that the message at i holds, if it holds one.
func (m marked) over(message Message, i int) marked {
	if message.Role != Assistant {
		return m // only the agent marks
	}
	for _, p := range slices.Backward(message.Parts) {
		if c, ok := p.(Compaction); ok && c.Status == CompactionDone {
			m.mark, m.at = c, i
			m.summary = Message{ID: c.ID, Role: User, Parts: []Part{Text{Text: c.text()}}}
			break
		}
	}
	return m
}

// keptFrom finds what the model still sees. If it is gone, that is the message with the mark: all before it was replaced
// or has gone with it.
func (t *Transcript) keptFrom(m marked) (first, step int) {
	if i, ok := t.position(m.mark.From); ok && i <= m.at {
		return i, m.mark.Step
	}
	if t.live && t.tail.ID == m.mark.From {
		return len(t.settled), m.mark.Step
	}
	return m.at, 0
}

// From returns the part of an answer that begins with a step, counted from 0; 0 is all of it.
func (m Message) From(step int) Message {
	if i := m.stepAt(step); step > 0 && i >= 0 {
		m.Parts, m.Steps = m.Parts[i:], m.Steps[min(step, len(m.Steps)):]
	}
	return m
}

// Until returns the part of an answer before a step.
func (m Message) Until(step int) Message {
	if i := m.stepAt(step); i >= 0 {
		m.Parts, m.Steps = m.Parts[:i:i], m.Steps[:min(step, len(m.Steps)):min(step, len(m.Steps))]
	}
	return m
}

// stepAt returns where a step begins among the parts, or -1.
func (m Message) stepAt(step int) int {
	n := 0
	for i, p := range m.Parts {
		if _, ok := p.(StepStart); !ok {
			continue
		}
		if n == step {
			return i
		}
		n++
	}
	return -1
}
