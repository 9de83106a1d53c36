package tui

import (
	"context"
	"os"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/cmd/internal/headless"
	"github.com/coder-agent/coder/cmd/internal/tui/editor"
	"github.com/coder-agent/coder/server/client"
)

// A model is the state of the client. Only its update changes it, on one goroutine; what waits for something is a tea.Cmd.
type model struct {
	ctx   context.Context // of all that it starts
	opts  Options
	paint *palette

	width, height int
	blurred       bool // the terminal has lost the focus

	session Session
	about   Opened
	doc     document
	known   bool      // the first state document has come
	lost    time.Time // when the next attempt to connect comes; zero: connected

	// What is said, and how far it is shown.
	script   *chat.Transcript
	seen     map[string]bool // ids of the prompts in the transcript
	answer   answer
	before   int               // messages of the session that stand before those of script
	shown    bool              // the end of the transcript as we came
	loading  bool              // the transcript is on its way
	early    []client.Update   // that came before it
	overlaps bool              // the events of the next turn begin with what is in the transcript already
	held     *chat.TurnStarted // of a turn that goes on, until its next event tells from where

	// What happens.
	begun   map[string]time.Time // calls
	tasks   map[string]string    // sub-agents of calls
	outbox  []sent               // prompts of ours that have no turn yet
	others  []chat.Message       // prompts of others that have none
	steered []string             // what was put into the turn and has not come back
	late    []string             // what was put into the turn before, which had ended: it comes as a prompt of nobody's
	turn    string               // that runs; "" none does
	since   time.Time            // it runs
	retry   string               // why it stands still

	// What the user is asked.
	pending  []headless.Approval
	decision deciding
	asks     shownBody
	reply    answering
	said     map[string]bool // calls of which it was told who has decided

	ran       []shellRun // the user's own commands, since the last prompt
	shellNow  string     // that runs
	shellStop context.CancelFunc

	ticking bool // the clock is

	// What the user does.
	input   *editor.Editor
	vim     bool
	picker  *picker
	pager   *pager
	verbose bool // cards are open
	armed   key  // a key that does something when it is pressed twice
	armedAt time.Time

	// What is to be shown.
	out  []string // to print
	last kind     // of the block that was printed last
	raw  []string // for the terminal itself

	quits  bool
	leaves string // what to say at the end
	ended  error  // why the session has ended
}

func newModel(ctx context.Context, opts Options, p *palette, width, height int) *model {
	m := &model{ctx: ctx, opts: opts, paint: p, width: width, height: height}
	m.enter(opts.First)
	m.write()
	return m
}

// enter makes the session the one that is shown.
func (m *model) enter(o Opened) {
	m.session, m.about = o.Session, o
	m.doc, m.known = document{Workdir: o.Workdir, Model: o.Model, Mode: o.Mode, Sandbox: o.Sandbox}, false
	m.script, m.seen, m.answer = chat.NewTranscript(nil), map[string]bool{}, answer{}
	m.held, m.shown, m.overlaps, m.begun, m.tasks, m.said = nil, false, false, map[string]time.Time{}, map[string]string{}, map[string]bool{}
	m.before, m.loading, m.early, m.outbox, m.others, m.steered, m.late = 0, true, nil, nil, nil, nil, nil
	m.turn, m.retry, m.pending, m.decision, m.reply, m.lost = "", "", nil, deciding{}, answering{}, time.Time{}
}

// start is what begins with the session: its transcript comes, and its updates.
func (m *model) start() tea.Cmd {
	m.tell("coder " + m.opts.Version)
	m.greet()
	return tea.Batch(m.load(), m.notes(), m.signals())
}

func (m *model) close() {
	m.session.Close()
	if err := m.input.Close(); err != nil && m.ended == nil {
		m.ended = err
	}
}

func (m *model) resize(width, height int) {
	m.width, m.height = width, height
	if md := m.answer.open.md; md != nil {
		md.SetWidth(width)
	}
}

func (m *model) recolour(p *palette) {
	m.paint = p
	if md := m.answer.open.md; md != nil {
		md.SetTheme(p.theme)
	}
}

// notes waits for what is said below us.
func (m *model) notes() tea.Cmd {
	if m.opts.Notes == nil {
		return nil
	}
	return func() tea.Msg {
		select {
		case text := <-m.opts.Notes:
			return said(text)
		case <-m.ctx.Done():
			return nil
		}
	}
}

func (m *model) signals() tea.Cmd {
	if m.opts.Signals == nil {
		return nil
	}
	return func() tea.Msg {
		select {
		case s := <-m.opts.Signals:
			return signalled{s}
		case <-m.ctx.Done():
			return nil
		}
	}
}

type (
	said      string
	signalled struct{ os.Signal }
	tick      time.Time
)

// update takes one message.
func (m *model) update(msg tea.Msg) tea.Cmd {
	cmd := m.handle(msg)
	return tea.Batch(cmd, m.tick())
}

func (m *model) handle(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case told:
		return m.told(msg)
	case loaded:
		return m.loadedTranscript(msg)
	case asked:
		return m.askedPending(msg)
	case done:
		return msg.then(m, msg.err)
	case opened:
		return m.openedSession(msg)
	case tea.KeyPressMsg:
		return m.key(msg)
	case tea.PasteMsg:
		return m.paste(msg)
	case tea.WindowSizeMsg:
		m.resize(msg.Width, msg.Height)
	case tea.FocusMsg:
		m.blurred = false
	case tea.BlurMsg:
		m.blurred = true
	case tick:
		m.ticking = false
	case said:
		m.tell(string(msg))
		return m.notes()
	case signalled:
		m.quit()
	case lostTerminal:
		m.ended, m.quits = msg.err, true
	default:
		return m.input.Update(msg)
	}
	return nil
}

// tick has the clock drawn anew in a second, while there is one to see.
func (m *model) tick() tea.Cmd {
	if m.ticking || m.turn == "" && m.lost.IsZero() {
		return nil
	}
	m.ticking = true
	return tea.Tick(time.Second, func(t time.Time) tea.Msg { return tick(t) })
}

// quit ends the program. The turn goes on.
func (m *model) quit() {
	m.quits = true
	if m.turn != "" {
		m.leaves = "the turn goes on; come back with: coder chat --session " + m.about.Name
	} else if m.script.Len() > 0 {
		m.leaves = "come back with: coder chat --session " + m.about.Name
	}
}

// farewell is what stands on the terminal when we have gone.
func (m *model) farewell() []string {
	out := append(m.live(), m.queue()...) // as far as it was seen
	if len(out) > 0 {
		out = append(out, "")
	}
	if len(m.outbox) > 0 && m.turn == "" {
		out = append(out, "not sent yet: "+plain.Line(m.outbox[0].Text, 200))
	}
	if m.leaves != "" {
		out = append(out, m.leaves)
	}
	return out
}

// done is the end of something that was waited for.
type done struct {
	err  error
	then func(m *model, err error) tea.Cmd
}

// call calls a method of the agent. then gets its error; it may look at what result points to.
func (m *model) call(then func(*model, error) tea.Cmd, method string, result any, args ...any) tea.Cmd {
	session := m.session
	return func() tea.Msg {
		return done{session.Call(m.ctx, method, result, args...), func(m *model, err error) tea.Cmd {
			if m.session != session {
				return nil // it was about another session
			}
			return then(m, err)
		}}
	}
}

// orFail is what follows a call of which only the failure matters.
func orFail(deed string) func(*model, error) tea.Cmd {
	return func(m *model, err error) tea.Cmd {
		if err != nil {
			m.failed(deed, err)
		}
		return nil
	}
}

func setTitle(title string) string { return "\x1b]2;" + title + "\x07" }

// title is the terminal's.
func (m *model) title() string {
	name := m.about.Name
	if m.doc.Title != "" {
		name = plain.Line(m.doc.Title, 60)
	}
	state := ""
	switch {
	case len(m.pending) > 0:
		state = "? "
	case m.turn != "":
		state = "● "
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, state+name+" · coder")
}
