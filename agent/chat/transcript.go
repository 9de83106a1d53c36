package chat

import (
	"maps"
	"slices"
	"strings"
)

// A Transcript is a session's messages in order. The live agent, an agent that wakes up and every Go client build it
// by the same fold, Apply. The zero value is an empty transcript. A Transcript is not safe for concurrent use; a
// Snapshot is.
//
// What is settled is shared by all snapshots and forks and never copied, so that a turn costs the same in a session of
// four thousand messages as in one of ten. Only the message of the open turn stands apart.
type Transcript struct {
	settled []Message // no element of it is changed, unless mine; more may be written behind it
	mine    bool      // no snapshot and no fork has settled's elements
	tail    Message   // the message of the open turn
	live    bool      // there is a tail
	changed int       // the first message that is another than when the transcript was forked

	index map[string]int // settled by id, where it was when last looked at; shared with forks; nil before the first search

	open   bool                 // a turn has not finished
	owned  bool                 // the parts and steps of the tail are shared with no snapshot
	parts  map[string]*openPart // the open text and reasoning parts, by kind and id
	turns  int                  // steps that the tail had when the turn started
	before int                  // parts that it had then
	called Usage                // what the calls of the turn have cost themselves

	marked marked // the last compaction in settled
}

type openPart struct {
	index int
	text  strings.Builder
}

// NewTranscript returns a transcript of settled messages. It takes the slice over; the parts and steps of the messages
// stay as they are.
func NewTranscript(messages []Message) *Transcript {
	return &Transcript{settled: messages, changed: len(messages)}
}

// Snapshot returns the messages as they are now. Later events do not change what it returns, and who has it must not
// either: while no turn is open it is no copy.
func (t *Transcript) Snapshot() []Message {
	settled := t.share()
	if !t.live {
		return settled
	}
	t.owned = false
	return append(settled, t.tail)
}

// share gives settled away: whoever has it reads no further, and an append to it makes a copy.
func (t *Transcript) share() []Message {
	t.mine = false
	return slices.Clip(t.settled)
}

// Fork returns a transcript of its own that begins as t is now, for trying out events before they are committed. Only
// one of the two may go on: they write behind the same messages, and text that is open in both must not grow in both.
func (t *Transcript) Fork() *Transcript {
	t.mine, t.owned = false, false
	next := *t
	next.changed = t.Len()
	next.parts = maps.Clone(t.parts)
	return &next
}

// Changed returns the first message, counted from 0, that is another than when the transcript was forked; Len when none
// is.
func (t *Transcript) Changed() int { return min(t.changed, t.Len()) }

// Len returns the number of messages.
func (t *Transcript) Len() int {
	if t.live {
		return len(t.settled) + 1
	}
	return len(t.settled)
}

// Last returns the last message, or false when there is none. The caller must not keep it over an Apply.
func (t *Transcript) Last() (Message, bool) {
	switch {
	case t.live:
		return t.tail, true
	case len(t.settled) == 0:
		return Message{}, false
	}
	return t.settled[len(t.settled)-1], true
}

// Find returns the settled message with the id, or false.
func (t *Transcript) Find(id string) (Message, bool) {
	i, ok := t.position(id)
	if !ok {
		return Message{}, false
	}
	return t.settled[i], true
}

// position looks in the index. A fork that was given up may have left a wrong entry there: it counts for nothing.
func (t *Transcript) position(id string) (int, bool) {
	if t.index == nil {
		t.index = make(map[string]int, len(t.settled))
		for i, m := range slices.Backward(t.settled) {
			t.index[m.ID] = i
		}
	}
	i, ok := t.index[id]
	return i, ok && i < len(t.settled) && t.settled[i].ID == id
}

// Append adds a settled message, such as a prompt. It must not be called while a turn is open.
func (t *Transcript) Append(m Message) {
	if t.index != nil {
		t.index[m.ID] = len(t.settled)
	}
	t.changed = min(t.changed, len(t.settled))
	t.settled = append(t.settled, m)
}

// Replace changes the settled message that has m's ID, or reports false.
func (t *Transcript) Replace(m Message) bool {
	i, ok := t.position(m.ID)
	if !ok {
		return false
	}
	if !t.mine {
		t.settled, t.mine = slices.Clone(t.settled), true
	}
	t.settled[i] = m
	t.changed = min(t.changed, i)
	t.marked = marked{}
	return true
}

// Retain drops the settled messages for which keep is false. It must not be called while a turn is open.
func (t *Transcript) Retain(keep func(Message) bool) {
	first := slices.IndexFunc(t.settled, func(m Message) bool { return !keep(m) })
	if first < 0 {
		return
	}
	kept := slices.Clone(t.settled[:first])
	for _, m := range t.settled[first+1:] {
		if keep(m) {
			kept = append(kept, m)
		}
	}
	t.settled, t.mine, t.index, t.changed = kept, true, nil, min(t.changed, first)
	t.marked = marked{}
}

// Open reports whether a turn is open.
func (t *Transcript) Open() bool { return t.open }

// TurnMessage returns the assistant message of the open or last turn, or false.
func (t *Transcript) TurnMessage() (Message, bool) {
	m, ok := t.Last()
	return m, ok && m.Role == Assistant
}

// last returns the last message for changing: its parts and steps are its own.
func (t *Transcript) last() *Message {
	if !t.live {
		n := len(t.settled) - 1
		t.tail, t.live, t.owned = t.settled[n], true, false
		if t.marked.scanned > n {
			t.marked = marked{}
		}
		t.settled = t.settled[:n:n] // a snapshot may have what stands behind: the next append must not write there
	}
	t.changed = min(t.changed, len(t.settled))
	if m := &t.tail; !t.owned {
		m.Parts, m.Steps = slices.Clone(m.Parts), slices.Clone(m.Steps)
		t.owned = true
	}
	return &t.tail
}

// settle lets the tail be followed by others.
func (t *Transcript) settle() {
	t.live = false
	t.Append(t.tail)
	t.tail = Message{}
}
