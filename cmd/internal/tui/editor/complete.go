package editor

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/coder-agent/coder/agent/plain"
)

const (
	maxFound = 50  // files that are asked for
	maxQuery = 256 // bytes of a name that is completed
	maxShown = 8   // rows of the list
)

// A token is what is completed: "@" with the beginning of a file's name, or "/" with that of a command.
type token struct {
	kind  byte // '@' or '/'; 0: none
	at    int  // where it begins
	query string
}

// A completion is the list of what the word at the cursor could be.
type completion struct {
	token
	items  []item
	chosen int
	moved  bool // the user has chosen

	shown     string // the query that items answer
	asking    bool   // Options.Files is at it
	dismissed int    // where a token begins whose list was closed, and 1 more; 0: none
}

// An item is a row of the list.
type item struct {
	text string // that is put in
	show string
	help string
	send bool // choosing it sends it
}

// filesFound is the answer of Options.Files.
type filesFound struct {
	query string
	files []File
	err   error
}

// open reports whether a list is shown.
func (c *completion) open() bool { return c.kind != 0 && len(c.items) > 0 }

// close closes the list.
func (c *completion) close() { *c = completion{asking: c.asking} }

// dismiss closes the list of this token until another is begun.
func (c *completion) dismiss() {
	at := c.at + 1
	c.close()
	c.dismissed = at
}

// tokenAt finds what could be completed at the cursor.
func (e *Editor) tokenAt() token {
	b := e.buf
	if e.search != nil || e.vim.on && e.vim.normal {
		return token{}
	}
	head := b.text[:b.cursor]
	if name, ok := strings.CutPrefix(head, "/"); ok && e.opts.Commands != nil && len(name) <= maxQuery && !strings.ContainsAny(name, " \t\n/") {
		return token{'/', 0, name}
	}
	if e.opts.Files == nil {
		return token{}
	}
	word := head[max(len(head)-maxQuery, 0):]
	at := strings.LastIndexByte(word, '@')
	if at < 0 || strings.ContainsAny(word[at:], "\n") {
		return token{}
	}
	query, quoted := strings.CutPrefix(word[at+1:], `"`)
	if !quoted && strings.ContainsAny(query, " \t\"") || quoted && strings.Contains(query, `"`) || strings.IndexByte(query, chipMark) >= 0 {
		return token{}
	}
	if begin := len(head) - len(word) + at; begin == 0 || strings.IndexByte(" \t\n([{'\"`", head[begin-1]) >= 0 {
		return token{'@', begin, query}
	}
	return token{}
}

// completeAfter looks at the word at the cursor after a message, and asks for files if need be.
func (e *Editor) completeAfter() tea.Cmd {
	c := &e.complete
	t := e.tokenAt()
	if t.kind == 0 {
		c.close()
		return nil
	}
	if c.dismissed == t.at+1 {
		return nil
	}
	if t == c.token && c.kind != 0 {
		return nil
	}
	if t.kind != c.kind || t.at != c.at {
		c.close()
	}
	c.token, c.chosen, c.moved = t, 0, false
	if t.kind == '/' {
		c.items, c.shown = matchCommands(e.opts.Commands(), t.query), t.query
		return nil
	}
	return e.askFiles()
}

// askFiles asks for the files that fit. One question is under way at a time: its answer asks the next.
func (e *Editor) askFiles() tea.Cmd {
	c, find := &e.complete, e.opts.Files
	if c.asking {
		return nil
	}
	c.asking = true
	query := c.query
	return func() tea.Msg {
		files, err := find(query, maxFound)
		return filesFound{query, files, err}
	}
}

func (e *Editor) filesFound(msg filesFound) tea.Cmd {
	c := &e.complete
	c.asking = false
	if c.kind != '@' {
		return nil
	}
	if msg.err != nil {
		c.dismiss()
		return e.notice(msg.err)
	}
	c.items, c.shown = nil, msg.query
	for _, f := range msg.files {
		c.items = append(c.items, item{text: quoteName(clean(f.Path)), show: plain.Line(plain.Visible(f.Path), 400)})
	}
	if !c.moved || c.chosen >= len(c.items) {
		c.chosen = 0
	}
	if msg.query != c.query {
		return e.askFiles()
	}
	return nil
}

// quoteName writes a path as it stands behind an @.
func quoteName(path string) string {
	path = strings.ReplaceAll(path, "\n", " ")
	switch {
	case !strings.ContainsAny(path, " \t\""):
		return "@" + path
	case strings.HasSuffix(path, "/"):
		return `@"` + path
	}
	return `@"` + path + `"`
}

// matchCommands lists the commands that a beginning can become: those that begin with it, then those that have its letters.
func matchCommands(all []Command, query string) (list []item) {
	type scored struct {
		Command
		rank int
	}
	var fits []scored
	for _, c := range all {
		if rank := commandRank(c.Name, query); rank >= 0 {
			fits = append(fits, scored{c, rank})
		}
	}
	slices.SortStableFunc(fits, func(a, b scored) int { return a.rank - b.rank })
	for _, c := range fits {
		name := clean(c.Name)
		show := "/" + name
		if c.Args != "" {
			show += " " + c.Args
		}
		list = append(list, item{text: "/" + name, show: plain.Line(show, 80), help: plain.Line(c.Help, 200), send: c.Args == ""})
	}
	return list
}

// commandRank is 0 for the name itself, 1 for its beginning, 2 for a part of it, 3 for its letters in order, -1 for none.
func commandRank(name, query string) int {
	name, query = strings.ToLower(name), strings.ToLower(query)
	switch {
	case name == query:
		return 0
	case strings.HasPrefix(name, query):
		return 1
	case strings.Contains(name, query):
		return 2
	}
	for _, r := range query {
		i := strings.IndexRune(name, r)
		if i < 0 {
			return -1
		}
		name = name[i+len(string(r)):]
	}
	return 3
}

// completeKey takes a key while a list is shown. taken is false for one that means what it always does.
func (e *Editor) completeKey(key string) (cmd tea.Cmd, taken bool) {
	c := &e.complete
	switch key {
	case "up", "ctrl+p", "shift+tab":
		c.chosen, c.moved = (c.chosen+len(c.items)-1)%len(c.items), true
	case "down", "ctrl+n":
		c.chosen, c.moved = (c.chosen+1)%len(c.items), true
	case "esc":
		c.dismiss()
	case "tab":
		e.accept()
	case "enter":
		return e.acceptEnter()
	default:
		return nil, false
	}
	return nil, true
}

// acceptEnter takes the choice if there is something to choose: what is typed in full, and a lone @, are sent.
func (e *Editor) acceptEnter() (cmd tea.Cmd, taken bool) {
	c := &e.complete
	one := c.items[c.chosen]
	typed := e.buf.text[c.at:e.buf.cursor]
	switch {
	case one.text == typed && c.kind == '@', c.query == "" && !c.moved && c.kind == '@':
		return nil, false
	case c.shown != c.query && !c.moved:
		return nil, false // the list is not for what is typed
	case c.kind == '/' && one.send && strings.TrimSpace(e.buf.text[e.buf.cursor:]) == "":
		e.accept()
		return e.send(false), true
	case c.kind == '/' && one.text == typed:
		return nil, false
	}
	e.accept()
	return nil, true
}

// accept puts the choice in.
func (e *Editor) accept() {
	c, b := &e.complete, e.buf
	one := c.items[c.chosen]
	text, at := one.text, c.at
	if next := b.text[b.cursor:]; (next == "" || next[0] != ' ') && !strings.HasSuffix(text, "/") {
		text += " " // a folder can go on
	}
	b.together(func() { b.replace(at, b.cursor, text) })
	c.close()
}
