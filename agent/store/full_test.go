package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/store"
)

// TestRoomIsEnoughToDelete: even a long session goes with no more room than the hint of a FullError names, of which half is
// left to whatever else a host writes as it begins.
func TestRoomIsEnoughToDelete(t *testing.T) {
	agenttest.OnSmallDisk(t, 64<<20, func(disk *agenttest.Disk) {
		s, err := store.Open(t.Context(), disk.Dir)
		if err != nil {
			t.Fatal(err)
		}
		fill := func(tx *store.Tx) error {
			err := tx.PutSession(store.Session{Name: "s", Key: "s", Created: time.Unix(1, 0)})
			for n := 0; n < 4_000 && err == nil; n++ {
				parts := []chat.Part{chat.Text{Text: strings.Repeat("x", 2_000)}}
				err = tx.PutMessage("s", n, chat.Message{ID: fmt.Sprint(n), Role: chat.User, Parts: parts})
			}
			return err
		}
		if err := errors.Join(s.Write(t.Context(), store.Safe, fill), s.Close()); err != nil {
			t.Fatal(err)
		}
		disk.Fill(t, store.Room/2/4096)
		if s, err = store.Open(t.Context(), disk.Dir); err != nil {
			t.Fatal(err)
		}
		del := func(tx *store.Tx) error { return tx.DeleteSession("s") }
		if err := errors.Join(s.Write(t.Context(), store.Safe, del), s.Close()); err != nil {
			t.Error(err)
		}
	})
}

// TestReadingAloneKeepsOthersOut: on a full disk a store is read without the log's index that programs share. No other
// program can open it meanwhile; afterwards it can.
func TestReadingAloneKeepsOthersOut(t *testing.T) {
	t.Parallel() // the other program waits for the lock, for the five seconds of its busy_timeout
	agenttest.OnSmallDisk(t, 4<<20, func(disk *agenttest.Disk) {
		s, err := store.Open(t.Context(), disk.Dir)
		if err != nil {
			t.Fatal(err)
		}
		put := func(tx *store.Tx) error {
			return tx.PutSession(store.Session{Name: "s", Key: "s", Created: time.Unix(1, 0)})
		}
		if err := errors.Join(s.Write(t.Context(), store.Safe, put), s.Close()); err != nil {
			t.Fatal(err)
		}
		disk.Fill(t, 0)
		alone, err := store.OpenReadOnly(t.Context(), disk.Dir)
		if err != nil {
			t.Fatal(err)
		}
		disk.Free(t)
		if other, err := store.OpenReadOnly(t.Context(), disk.Dir); err == nil {
			t.Error("another program could open the store", other.Close())
		}
		if list, err := alone.Sessions(t.Context()); err != nil || len(list) != 1 {
			t.Errorf("reading alone: %v, %v", list, err)
		}
		if err := alone.Close(); err != nil {
			t.Fatal(err)
		}
		if s, err = store.Open(t.Context(), disk.Dir); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
