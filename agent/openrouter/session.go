package openrouter

import (
	"bytes"
	"container/list"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/coder-agent/coder/agent/chat"
)

// Bounds of what is kept of sessions between their requests.
const (
	mostSessions = 64
	mostKept     = 64 << 20         // bytes of encoded messages
	keptFor      = 10 * time.Minute // without a request; providers forget their caches sooner
)

// sessions keeps what was encoded for the last request of each session, so that the next one costs only what is new
// and repeats the rest byte for byte.
type sessions struct {
	now  func() time.Time
	most int // bytes

	mu     sync.Mutex
	byName map[string]*list.Element
	recent *list.List // of *session, the last used first
	size   int
	sweep  *time.Timer // runs while anything is kept
}

// A session is what is kept of one.
type session struct {
	name string
	used time.Time
	size int

	mu   sync.Mutex
	head head
	conv conversation
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, most: mostKept, byName: make(map[string]*list.Element), recent: list.New()}
}

// body encodes the request, from what is kept of its session where it is the same.
func (k *sessions) body(c *Client, req chat.Request, change change) (body, error) {
	s := k.get(req.Session)
	s.mu.Lock()
	defer s.mu.Unlock()
	head, err := s.head.of(c, req)
	if err != nil {
		return body{}, err
	}
	req.Blind = req.Blind || change.blind
	messages, err := s.conv.encode(req, c.openrouter, change.plain)
	if err != nil {
		return body{}, err
	}
	k.settle(s, len(messages)+len(head))
	if req.System == "" && len(messages) > 0 {
		messages = messages[1:] // without the comma
	}
	return body{head, messages, tail(change.maxTokens)}, nil
}

// get returns what is kept of a session, now the most recent. A request without one is kept by nobody.
func (k *sessions) get(name string) *session {
	if name == "" {
		return &session{}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	e, ok := k.byName[name]
	if !ok {
		e = k.recent.PushFront(&session{name: name})
		k.byName[name] = e
	}
	k.recent.MoveToFront(e)
	s := e.Value.(*session)
	s.used = k.now()
	if k.sweep == nil {
		k.sweep = time.AfterFunc(keptFor, k.expire)
	}
	return s
}

// settle notes the session's size and drops the oldest sessions while too much is kept.
func (k *sessions) settle(s *session, size int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e, ok := k.byName[s.name]
	if !ok || e.Value != s {
		return
	}
	k.size += size - s.size
	s.size = size
	for k.recent.Len() > 1 && (k.recent.Len() > mostSessions || k.size > k.most) {
		k.drop(k.recent.Back())
	}
}

func (k *sessions) drop(e *list.Element) {
	s := k.recent.Remove(e).(*session)
	delete(k.byName, s.name)
	k.size -= s.size
}

// forget drops all sessions.
func (k *sessions) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for e := k.recent.Back(); e != nil; e = k.recent.Back() {
		k.drop(e)
	}
	if k.sweep != nil {
		k.sweep.Stop()
		k.sweep = nil
	}
}

// expire drops the sessions that rest: an agent that sleeps costs nothing.
func (k *sessions) expire() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for e := k.recent.Back(); e != nil && k.now().Sub(e.Value.(*session).used) >= keptFor; e = k.recent.Back() {
		k.drop(e)
	}
	if k.recent.Len() == 0 {
		k.sweep = nil
		return
	}
	if k.sweep != nil { // nil when the timer fired while forget ran
		k.sweep.Reset(keptFor)
	}
}

// A conversation is the encoded messages of a session, in units: a user's message, or one step of an answer.
type conversation struct {
	model   string // that the details were chosen for
	plain   bool   // without details; once the model has refused them it stays so
	blind   bool   // without pictures, likewise
	units   []unit
	encoded []byte         // each message with a comma before it; never changed, only extended or left
	seen    map[string]int // the unit that sends an encrypted detail, by the detail's id
}

// A unit is what a piece of encoded was made of.
type unit struct {
	role  chat.Role
	parts []chat.Part
	step  chat.Step
	left  int // how many of its tools' pictures are left out, the first ones
	end   int // in encoded
}

// encode returns the encoded messages of the request. What it returned before is not changed by it.
func (v *conversation) encode(req chat.Request, openrouter, plain bool) ([]byte, error) {
	plain = plain || !openrouter || v.plain && v.model == req.Model
	blind := req.Blind || v.blind && v.model == req.Model
	if v.seen == nil || v.plain != plain || v.blind != blind || v.model != req.Model {
		*v = conversation{model: req.Model, plain: plain, blind: blind, seen: make(map[string]int)}
	}
	n, left := 0, leftOut(req.Messages)
	for _, m := range req.Messages {
		for u := range unitsOf(m) {
			if u.role == chat.Assistant && u.step.Status == chat.StepAnswered && left > 0 {
				u.left = min(left, len(picturesOf(u.parts)))
				left -= u.left
			}
			if n == len(v.units) || !v.units[n].same(u) {
				v.cut(n)
				if err := v.add(u, req.Pictures); err != nil {
					return nil, fmt.Errorf("openrouter: encoding message %s: %w", m.ID, err)
				}
			}
			n++
		}
	}
	v.cut(n)
	return slices.Clip(v.encoded), nil
}

// cut forgets the units from n on.
func (v *conversation) cut(n int) {
	if n == len(v.units) {
		return
	}
	end := 0
	if n > 0 {
		end = v.units[n-1].end
	}
	clear(v.units[n:])
	v.units = v.units[:n]
	v.encoded = bytes.Clone(v.encoded[:end]) // a request may still be reading the old bytes
	for id, unit := range v.seen {
		if unit >= n {
			delete(v.seen, id)
		}
	}
}

// add encodes the next unit.
func (v *conversation) add(u unit, open func(chat.Picture) ([]byte, error)) error {
	var list []message
	if u.role == chat.Assistant {
		var details []byte
		if !v.plain && u.step.Status == chat.StepAnswered {
			details = replayed(u.step, v.model, v.seen, func(id string) { v.seen[id] = len(v.units) })
		}
		list = stepMessages(u.parts, u.step, details, &gallery{open: open, left: u.left, blind: v.blind})
		if v.plain || v.blind {
			dropPictures(list)
		}
	} else {
		list = userMessages(u.role, u.parts, v.blind)
	}
	encoded, err := encodeMessages(v.encoded, list)
	if err != nil {
		return err
	}
	v.encoded = encoded
	u.end = len(encoded)
	v.units = append(v.units, u)
	return nil
}

// unitsOf splits a message: an answer into its steps, the i-th of which begins at the i-th StepStart.
func unitsOf(m chat.Message) func(func(unit) bool) {
	return func(yield func(unit) bool) {
		if m.Role != chat.Assistant {
			yield(unit{role: m.Role, parts: m.Parts})
			return
		}
		step, from := -1, 0
		for i, p := range m.Parts {
			if _, ok := p.(chat.StepStart); !ok {
				continue
			}
			if i > from && !yield(unit{role: m.Role, parts: m.Parts[from:i], step: stepOf(m, step)}) {
				return
			}
			step, from = step+1, i
		}
		if from < len(m.Parts) {
			yield(unit{role: m.Role, parts: m.Parts[from:], step: stepOf(m, step)})
		}
	}
}

// stepOf returns the message's i-th step. A message that came whole from a client has no steps and is complete.
func stepOf(m chat.Message, i int) chat.Step {
	switch {
	case i >= 0 && i < len(m.Steps):
		return m.Steps[i]
	case len(m.Steps) == 0 || i < 0:
		return chat.Step{Status: chat.StepAnswered}
	}
	return chat.Step{}
}

// same reports whether u and w are encoded alike. Most comparisons are of a string with itself, which costs nothing.
func (u *unit) same(w unit) bool {
	if u.left != w.left || u.role != w.role || len(u.parts) != len(w.parts) || u.step.Status != w.step.Status ||
		u.step.Model != w.step.Model || u.step.Served != w.step.Served || !bytes.Equal(u.step.Details, w.step.Details) {
		return false
	}
	if len(u.parts) > 0 && &u.parts[0] == &w.parts[0] {
		return true // the same slice: messages of a request are never changed
	}
	for i, p := range u.parts {
		if !samePart(p, w.parts[i]) {
			return false
		}
	}
	return true
}

func samePart(p, q chat.Part) bool {
	switch p := p.(type) {
	case chat.Text:
		q, ok := q.(chat.Text)
		return ok && p.Text == q.Text
	case chat.Steering:
		q, ok := q.(chat.Steering)
		return ok && p.Text == q.Text
	case chat.Note:
		q, ok := q.(chat.Note)
		return ok && p.Text == q.Text
	case chat.File:
		return q == chat.Part(p)
	case chat.ToolCall:
		q, ok := q.(chat.ToolCall)
		return ok && p.ID == q.ID && p.Name == q.Name && bytes.Equal(p.Input, q.Input) && p.Result() == q.Result() && slices.Equal(p.Pictures(), q.Pictures())
	}
	switch q.(type) {
	case chat.Text, chat.Steering, chat.Note, chat.File, chat.ToolCall:
		return false
	}
	return true // neither is sent
}
