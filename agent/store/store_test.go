package store

import (
	"testing"
	"time"

	"github.com/coder-agent/coder/agent/chat"
)

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatalf("Open(%s): %v", dir, err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func write(t testing.TB, s *Store, d Durability, do func(*Tx) error) {
	t.Helper()
	if err := s.Write(t.Context(), d, do); err != nil {
		t.Fatalf("Write: %v", err)
	}
}

func user(id, text string) chat.Message {
	return chat.Message{ID: id, Role: chat.User, Parts: []chat.Part{chat.Text{Text: text}}}
}

func TestSmoke(t *testing.T) {
	s := open(t, t.TempDir())
	write(t, s, Safe, func(tx *Tx) error {
		if err := tx.PutSession(Session{Name: "Fix", Key: "fix", Created: time.Now()}); err != nil {
			return err
		}
		return tx.PutMessage("fix", 0, user("m1", "hello"))
	})
	ms, err := s.Messages(t.Context(), "fix")
	t.Log(ms, err)
	ss, err := s.Sessions(t.Context())
	t.Log(ss, err)
}
