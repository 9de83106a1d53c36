package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/coder-agent/coder/agent/store"
)

// Bounds of what clients set.
const (
	maxState = 64 << 10 // bytes of a whole document
	maxTitle = 200      // characters
)

// SetState changes the part of the state document that clients own, the title. When another key differs from what it is
// or was of late it is a *StateError and nothing changes.
func (a *CoderAgent) SetState(ctx context.Context, doc json.RawMessage) error {
	var want map[string]json.RawMessage
	if len(doc) > maxState || json.Unmarshal(doc, &want) != nil {
		return &StateError{Key: "the document itself"}
	}
	return a.do(ctx, func(s *state) error {
		s.docs.add(s.document())
		for key, value := range want {
			if key != "title" && !s.docs.had(key, value) {
				return &StateError{Key: key}
			}
		}
		var title *string
		if err := json.Unmarshal(want["title"], &title); err != nil || title == nil {
			return &StateError{Key: "title"}
		}
		if *title == s.session.Title {
			return nil
		}
		if err := validTitle(*title); err != nil {
			return &StateError{Key: "title"}
		}
		return s.setTitle(*title, callerFrom(ctx).Connection)
	})
}

// Rename sets the session's title; "" lets its next prompt give it. Its name is its address, and stays.
func (a *CoderAgent) Rename(ctx context.Context, title string) error {
	title = strings.TrimSpace(title)
	if err := validTitle(title); err != nil {
		return err
	}
	return a.do(ctx, func(s *state) error { return s.setTitle(title, "") })
}

func validTitle(title string) error {
	switch {
	case len([]rune(title)) > maxTitle:
		return refusal(fmt.Sprintf("a title has at most %d characters", maxTitle))
	case strings.ContainsFunc(title, hidden):
		return refusal("a title is one line of characters that can be seen")
	}
	return nil
}

// setTitle records the title. by is the connection that shows it already, or "".
func (s *state) setTitle(title, by string) error {
	s.refresh("") // whoever sets it is not sent what comes of it, and must not miss anything else by that
	old := s.session
	s.session.Title, s.session.Titled = title, title != ""
	if err := s.write(store.Fast, func(*store.Tx) error { return nil }); err != nil {
		s.session = old
		return fmt.Errorf("setting the title: %w", err)
	}
	s.refresh(by)
	return nil
}

func equalJSON(a, b json.RawMessage) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	p, errA := json.Marshal(x)
	q, errB := json.Marshal(y)
	return errA == nil && errB == nil && slices.Equal(p, q)
}
