package editor

import (
	"strings"
	"unicode"

	tea "charm.land/bubbletea/v2"
)

// A search looks through the history of all folders as its query is typed.
type search struct {
	query  string
	list   []Entry // the oldest first
	at     int     // what is shown; len(list): nothing yet
	failed bool    // nothing further back has the query
	before string  // the text and the cursor that Esc brings back
	cursor int
	draft  string
}

func (e *Editor) openSearch() tea.Cmd {
	s := &search{before: e.buf.text, cursor: e.buf.cursor, draft: e.draft()}
	if e.opts.History != nil {
		list, err := e.opts.History.Entries()
		if err != nil {
			return e.notice(err)
		}
		s.list = list
	}
	s.at = len(s.list)
	e.search = s
	return nil
}

func (e *Editor) searchKey(msg tea.KeyPressMsg, key string) tea.Cmd {
	s := e.search
	switch key {
	case "esc", "ctrl+g", "ctrl+c":
		e.search = nil
		e.setText(s.before)
		e.buf.moveTo(e.buf.snap(s.cursor))
	case "enter", "tab", "right", "left", "end", "home", "ctrl+e", "ctrl+a":
		e.search = nil
		if s.at < len(s.list) { // from here on the arrow keys walk, and the draft waits at the end
			e.recall = recall{list: s.list, at: s.at, texts: map[int]string{len(s.list): s.draft}}
		}
	case "ctrl+r", "up":
		e.find(s.at-1, -1)
	case "ctrl+s", "down":
		e.find(s.at+1, 1)
	case "backspace", "ctrl+h":
		if r := []rune(s.query); len(r) > 0 {
			s.query = string(r[:len(r)-1])
		}
		e.find(len(s.list)-1, -1)
	case "ctrl+u":
		s.query = ""
		e.find(len(s.list)-1, -1)
	default:
		e.searchFor(msg.Text)
	}
	return nil
}

// searchFor adds to the query.
func (e *Editor) searchFor(text string) {
	text = strings.NewReplacer("\n", " ", "\t", " ").Replace(clean(text))
	if text == "" || len(e.search.query)+len(text) > maxQuery {
		return
	}
	e.search.query += text
	e.find(min(e.search.at, len(e.search.list)-1), -1)
}

// find shows the first entry from a place on that has the query. Upper case counts if the query has any.
func (e *Editor) find(from, by int) {
	s := e.search
	if s.query == "" {
		s.failed = false
		return
	}
	fold := !strings.ContainsFunc(s.query, unicode.IsUpper)
	for i := from; i >= 0 && i < len(s.list); i += by {
		text := plainText(s.list[i].Pieces)
		if fold {
			text = strings.ToLower(text)
		}
		if !strings.Contains(text, s.query) {
			continue
		}
		shown := e.chips.fold(s.list[i].Pieces)
		if shown == e.buf.text && i != s.at {
			continue // the same once more
		}
		s.at, s.failed = i, false
		e.setText(shown)
		return
	}
	s.failed = true
}

// line shows the search.
func (s *search) line() string {
	if s.failed {
		return "not found: " + s.query
	}
	return "search: " + s.query
}
