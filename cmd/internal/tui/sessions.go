package tui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/coder-agent/coder/agent/plain"
)

// opened is another session, or why there is none.
type opened struct {
	session Opened
	err     error
	text    string // for the input
}

// open leaves this session for another; "" is a new one.
func (m *model) open(name, text string) tea.Cmd {
	if i := strings.IndexAny(name, " \t\n"); i >= 0 {
		m.fail("a session's name has no spaces", "")
		return nil
	}
	return func() tea.Msg {
		o, err := m.opts.Open(m.ctx, name)
		return opened{o, err, text}
	}
}

func (m *model) openedSession(o opened) tea.Cmd {
	if o.err != nil {
		m.failed("opening the session", o.err)
		return nil
	}
	old := m.session
	if m.turn != "" {
		m.tell("the turn of session " + m.about.Name + " goes on")
	}
	m.enter(o.session)
	m.last = prose // a gap
	m.greet()
	err := m.input.Close()
	m.write()
	if err != nil {
		m.failed("keeping the draft", err)
	}
	if o.text != "" {
		m.input.SetValue(o.text)
	}
	return tea.Batch(m.load(), func() tea.Msg { old.Close(); return nil })
}

// greet says which session this is.
func (m *model) greet() {
	m.tell("session " + m.about.Name + " in " + plain.Line(m.about.Workdir, 200))
	for _, n := range m.about.Notes {
		m.tell(n)
	}
}

// A row is a session in a list.
type row struct {
	Name    string
	Title   string
	Workdir string
	Status  string
	Updated time.Time
	Parent  string
	Usage   struct{ Cost float64 }
}

func (m *model) listSessions() tea.Cmd {
	var list struct{ Sessions []row }
	return m.call(func(m *model, err error) tea.Cmd {
		if err != nil {
			m.failed("listing the sessions", err)
			return nil
		}
		m.pickSession(list.Sessions)
		return nil
	}, "listSessions", &list, struct {
		Limit int `json:"limit"`
	}{200})
}

// pickSession offers the sessions, those of this folder first.
func (m *model) pickSession(rows []row) {
	slices.SortStableFunc(rows, func(a, b row) int {
		return cmp.Compare(bool2int(b.Workdir == m.doc.Workdir), bool2int(a.Workdir == m.doc.Workdir))
	})
	p := &picker{title: "sessions", pick: func(m *model, name string) tea.Cmd { return m.open(name, "") }}
	for _, r := range rows {
		if r.Name == m.about.Name || r.Parent != "" {
			continue
		}
		about := []string{r.Status, ago(m.opts.Now().Sub(r.Updated))}
		if r.Usage.Cost > 0 {
			about = append(about, fmt.Sprintf("$%.4f", r.Usage.Cost))
		}
		if r.Workdir != m.doc.Workdir {
			about = append(about, plain.Line(r.Workdir, 60))
		}
		p.items = append(p.items, choice{r.Name, plain.Line(cmp.Or(r.Title, "(nothing said yet)"), 60), r.Name + " · " + strings.Join(about, " · ")})
	}
	if len(p.items) == 0 {
		m.tell("there is no other session")
		return
	}
	m.picker = p
}

func bool2int(b bool) int {
	if b {
		return 1
	}
	return 0
}

func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "now"
	case d < 48*time.Hour:
		return elapsed(d) + " ago"
	}
	return fmt.Sprintf("%d days ago", d/(24*time.Hour))
}

func (m *model) resumeCommand(name string) tea.Cmd {
	if name == "" {
		return m.listSessions()
	}
	return m.open(name, "")
}

// fork goes on in a copy of the session up to a message, "" being all of it; text goes to the input.
func (m *model) fork(messageID, text string, name ...string) tea.Cmd {
	var copied row
	args := []any{messageID, strings.Join(name, "")}
	if messageID == "" {
		args[0] = nil
	}
	return m.call(func(m *model, err error) tea.Cmd {
		if err != nil {
			m.failed("forking", err)
			return nil
		}
		return m.open(copied.Name, text)
	}, "forkSession", &copied, args...)
}
