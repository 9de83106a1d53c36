package tools

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder-agent/coder/tools/sandbox"
)

type shown struct {
	session
	mu   sync.Mutex
	list []string
}

func (s *shown) Progress(_ context.Context, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, text)
	return nil
}

// texts are what was shown by now.
func (s *shown) texts() []string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list
}

func TestARunningCommandShowsTheEndOfItsOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shown{}
		l := newLive(t.Context(), s, &sandbox.Output{MaxBytes: maxBytes, MaxLines: maxLines, Keep: maxLog})
		say := func(text string) {
			if _, err := l.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		say("one\n")
		<-time.After(progressEvery / 2)
		say("two\n")
		if len(s.texts()) != 0 {
			t.Errorf("shown at once: %q", s.texts())
		}
		<-time.After(progressEvery)
		if got := fmt.Sprintf("%q", s.texts()); got != `["one\ntwo\n"]` {
			t.Errorf("shown is %s", got)
		}
		<-time.After(time.Minute)
		if len(s.texts()) != 1 {
			t.Errorf("a silent command was shown again: %q", s.texts())
		}
		say(strings.Repeat("x", 10_000) + "\nlast\n")
		<-time.After(2 * time.Second)
		if got := s.texts()[1]; len(got) > progressBytes || !strings.HasSuffix(got, "last\n") {
			t.Errorf("of a long output %d bytes are shown", len(got))
		}
		say("more\n")
		l.close()
		<-time.After(time.Minute)
		if len(s.texts()) != 2 {
			t.Errorf("shown after the end: %q", s.texts()[2:])
		}
	})
}

// TestALongCommandShowsSeldom: what is shown is recorded, so it must not grow with the time.
func TestALongCommandShowsSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shown{}
		l := newLive(t.Context(), s, &sandbox.Output{MaxBytes: maxBytes, MaxLines: maxLines, Keep: maxLog})
		for range 10 * 60 * 20 {
			if _, err := l.Write([]byte(".")); err != nil {
				t.Fatal(err)
			}
			<-time.After(50 * time.Millisecond)
		}
		l.close()
		if n := len(s.texts()); n < 100 || n > 250 {
			t.Errorf("ten minutes were shown %d times", n)
		}
	})
}

func FuzzTheEndOfAnOutput(f *testing.F) {
	f.Add("", 0)
	f.Add("\n\n\n", 2)
	f.Add("one\ntwo\n\xff\x1b[31m", 5)
	f.Fuzz(func(t *testing.T, text string, n int) {
		if n < 0 || n > 1<<20 {
			return
		}
		out := &sandbox.Output{MaxBytes: maxBytes, MaxLines: maxLines, Keep: maxLog}
		if _, err := out.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if got := out.End(n); len(got) > n {
			t.Errorf("End(%d) of %q is %q", n, text, got)
		}
	})
}
