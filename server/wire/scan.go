package wire

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/coder-agent/coder/agent/chat"
)

// The scanners of this file read the few frames and chunks that come by the thousand, as Encode and chat.EncodeEvent
// write them. Whatever looks different in the least they leave to encoding/json by returning false.

type scanner struct {
	s  string
	ok bool
}

// lit steps over the literal text.
func (s *scanner) lit(text string) {
	if !s.try(text) {
		s.ok = false
	}
}

// try steps over the literal text if it comes next.
func (s *scanner) try(text string) bool {
	rest, ok := strings.CutPrefix(s.s, text)
	if s.ok && ok {
		s.s = rest
	}
	return s.ok && ok
}

// str reads a JSON string. Escapes other than the short ones are left to encoding/json.
func (s *scanner) str() string {
	if !s.try(`"`) {
		s.ok = false
		return ""
	}
	end := strings.IndexAny(s.s, "\"\\")
	if end >= 0 && s.s[end] == '"' {
		text := s.s[:end]
		s.s = s.s[end+1:]
		s.ok = s.ok && plain(text)
		return text
	}
	var b strings.Builder
	b.Grow(len(s.s))
	for i := 0; i < len(s.s); i++ {
		c := s.s[i]
		switch c {
		case '"':
			text := b.String()
			s.s = s.s[i+1:]
			s.ok = s.ok && utf8.ValidString(text)
			return text
		case '\\':
			i++
			if i == len(s.s) {
				s.ok = false
				return ""
			}
			at := strings.IndexByte(`"\/nrtbf`, s.s[i])
			if at < 0 {
				s.ok = false
				return ""
			}
			b.WriteByte("\"\\/\n\r\t\b\f"[at])
		default:
			if c < ' ' {
				s.ok = false
				return ""
			}
			b.WriteByte(c)
		}
	}
	s.ok = false
	return ""
}

// plain reports whether text may stand in a JSON string as it is.
func plain(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] < ' ' {
			return false
		}
	}
	return utf8.ValidString(text)
}

// number reads a small natural number.
func (s *scanner) number() int {
	i := 0
	for i < len(s.s) && i < 9 && s.s[i] >= '0' && s.s[i] <= '9' {
		i++
	}
	n, err := strconv.Atoi(s.s[:i])
	if err != nil || i > 1 && s.s[0] == '0' {
		s.ok = false
		return 0
	}
	s.s = s.s[i:]
	return n
}

// scanResponse reads a frame as AppendChunk writes it.
func scanResponse(data []byte) (ChatResponse, bool) {
	s := scanner{s: string(data), ok: true}
	var f ChatResponse
	s.lit(`{"type":"` + responseType + `","id":`)
	f.ID = s.str()
	s.lit(`,"body":`)
	f.Body = s.str()
	s.lit(`,"done":false,"seq":`)
	seq := s.number()
	if s.try(`,"client":`) {
		f.Client = s.str()
		s.ok = s.ok && f.Client != "" // AppendChunk leaves it out
	}
	f.Replay = s.try(`,"replay":true`)
	f.Continuation = s.try(`,"continuation":true`)
	s.lit(`}`)
	f.Seq = &seq
	return f, s.ok && s.s == ""
}

// scanDelta reads the chunks that carry a piece of text.
func scanDelta(body string) (chat.Event, bool) {
	s := scanner{s: body, ok: true}
	switch {
	case s.try(`{"type":"text-delta","id":`):
		id, delta := s.delta()
		return chat.TextDelta{ID: id, Delta: delta}, s.ok
	case s.try(`{"type":"reasoning-delta","id":`):
		id, delta := s.delta()
		return chat.ReasoningDelta{ID: id, Delta: delta}, s.ok
	}
	return nil, false
}

func (s *scanner) delta() (id, delta string) {
	id = s.str()
	s.lit(`,"delta":`)
	delta = s.str()
	s.lit(`}`)
	s.ok = s.ok && s.s == ""
	return id, delta
}
