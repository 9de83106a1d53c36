package tui

import (
	"context"
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/cmd/internal/headless"
	"github.com/coder-agent/coder/cmd/internal/tui/editor"
)

// A command is what is typed with a slash.
type command struct {
	name  string
	args  string // for the help
	about string
	run   func(m *model, rest string) tea.Cmd
}

// commands are all of ours, in the order of the help.
func commands() []command {
	return []command{
		{"help", "", "show the commands", func(m *model, _ string) tea.Cmd { m.help(); return nil }},
		{"keys", "", "show the keys", func(m *model, _ string) tea.Cmd { m.show("keys", textLines(keysText())); return nil }},
		{"new", "[NAME]", "begin another session in this folder", func(m *model, rest string) tea.Cmd { return m.open(rest, "") }},
		{"sessions", "", "choose a session of this folder, or of any", func(m *model, _ string) tea.Cmd { return m.listSessions() }},
		{"resume", "[NAME]", "go on with a session", (*model).resumeCommand},
		{"fork", "[NAME]", "go on in a copy of this session", func(m *model, rest string) tea.Cmd { return m.fork("", "", rest) }},
		{"rename", "TITLE", "set the title", (*model).renameCommand},
		{"model", "[ID]", "choose the model of the next requests", (*model).modelCommand},
		{"mode", "[plan|ask|edit|auto]", "choose what runs without asking", (*model).modeCommand},
		{"compact", "", "have a summary take the place of what was said, for the model", (*model).compactCommand},
		{"context", "", "show what fills the model's window", func(m *model, _ string) tea.Cmd { m.contextCommand(); return nil }},
		{"cost", "", "show tokens and cost", func(m *model, _ string) tea.Cmd { m.costCommand(); return nil }},
		{"todo", "", "show the todo list", func(m *model, _ string) tea.Cmd { m.todoCommand(); return nil }},
		{"diff", "[TURN]", "show what the session, or a turn of it, has changed", (*model).diffCommand},
		{"undo", "[TURN]", "take back what the last turn, or another, has changed", func(m *model, turn string) tea.Cmd { return m.undoCommand("undo", turn) }},
		{"redo", "[TURN]", "make again what was taken back", func(m *model, turn string) tea.Cmd { return m.undoCommand("redo", turn) }},
		{"rules", "[remove N]", "list or remove what was allowed with always", (*model).rulesCommand},
		{"transcript", "", "show the whole session (Ctrl+X)", func(m *model, _ string) tea.Cmd { return m.openTranscript() }},
		{"export", "[FILE]", "write the session to a file: .md, .json or .html", (*model).exportCommand},
		{"init", "", "have the agent write an AGENTS.md for this folder", func(m *model, _ string) tea.Cmd { return m.say(initPrompt) }},
		{"theme", "[dark|light]", "choose colours for a dark or a light terminal", (*model).themeCommand},
		{"vim", "", "write with the keys of vi, or of a shell again", func(m *model, _ string) tea.Cmd { m.vim = !m.vim; m.input.SetVim(m.vim); return nil }},
		{"doctor", "", "check what coder needs", func(m *model, _ string) tea.Cmd { return m.doctorCommand() }},
		{"quit", "", "leave; a turn goes on (Ctrl+C twice)", func(m *model, _ string) tea.Cmd { m.quit(); return nil }},
	}
}

// command finds the command that a line is. One that begins with a slash and names none is no prompt either, unless it is a path.
func (m *model) command(line string) (command, string, bool) {
	word, rest, _ := strings.Cut(strings.TrimPrefix(line, "/"), " ")
	if !strings.HasPrefix(line, "/") || word == "" || strings.ContainsAny(word, "/.\n") {
		return command{}, "", false
	}
	rest = strings.TrimSpace(rest)
	for _, c := range commands() {
		if c.name == word {
			return c, rest, true
		}
	}
	for _, c := range m.custom() {
		if c.Name == word {
			return command{name: c.Name, run: func(m *model, rest string) tea.Cmd { return m.say(c.Prompt(rest)) }}, rest, true
		}
	}
	return command{run: func(m *model, _ string) tea.Cmd {
		m.fail("there is no command /"+plain.Line(word, 40), m.nearest(word))
		return nil
	}}, rest, true
}

// nearest names commands that begin alike.
func (m *model) nearest(word string) string {
	var near []string
	for _, c := range commands() {
		if strings.HasPrefix(c.name, word[:min(len(word), 2)]) {
			near = append(near, "/"+c.name)
		}
	}
	if len(near) == 0 {
		return "/help lists them"
	}
	return "did you mean " + strings.Join(near, ", ") + "? /help lists them all"
}

func (m *model) help() {
	var b strings.Builder
	line := func(name, about string) { fmt.Fprintf(&b, "  %-28s %s\n", name, about) }
	b.WriteString("Type a prompt and press Enter. While the agent works, Enter puts what you say into the running turn, and Alt+Enter keeps it for the next.\n\n")
	for _, c := range commands() {
		line("/"+strings.TrimSpace(c.name+" "+c.args), c.about)
	}
	if len(m.custom()) > 0 {
		b.WriteString("\nYour own, and those of a folder that you trust:\n")
		for _, c := range m.custom() {
			line("/"+c.Name, plain.Line(c.About, 120)+" ("+plain.Line(c.From, 200)+")")
		}
	}
	b.WriteString("\nKeys:\n" + keysText())
	m.show("help", textLines(b.String()))
}

// keysText is all keys: ours, the editor's and those of a question.
func keysText() string {
	var b strings.Builder
	row := func(keys, about string) { fmt.Fprintf(&b, "  %-28s %s\n", keys, about) }
	row("Esc", "stop the turn")
	row("Esc Esc", "edit the last prompt, in a fork")
	row("Alt+Up", "edit the last prompt that waits for its turn; empty takes it back")
	row("Ctrl+C Ctrl+C", "leave; a turn goes on")
	row("Ctrl+O", "open or fold what calls have put out")
	row("Ctrl+X", "the whole session")
	row("Ctrl+Z", "suspend")
	b.WriteString("\nWriting:\n")
	for _, k := range editor.Keys() {
		row(k.Keys, k.Help)
	}
	b.WriteString("\nAt a question:\n")
	row("y  n", "yes, no")
	row("a", "yes, and always for what the rule that is shown covers")
	row("e", "no, and say what to do instead")
	row("space PgDn PgUp up down", "read all of it: a yes counts once all of it was on the screen")
	row("Tab", "type something else; Tab goes back")
	return b.String()
}

const initPrompt = `Look at this folder and write an AGENTS.md for it: what it is, how it is laid out, how to build, test and lint it (commands that you have checked), and the conventions that its code follows. Keep it under 80 lines; say nothing that a reader sees at a glance. If there is one already, improve it.`

func (m *model) renameCommand(title string) tea.Cmd {
	return m.call(orFail("renaming"), "renameSession", nil, title)
}

func (m *model) modelCommand(id string) tea.Cmd {
	if id != "" {
		return m.call(orFail("choosing the model"), "setModel", nil, id)
	}
	list := m.opts.Models
	return func() tea.Msg {
		var ids []string
		var err error
		if list != nil {
			ctx, cancel := context.WithTimeout(m.ctx, 10*time.Second)
			defer cancel()
			ids, err = list(ctx)
		}
		return done{err, func(m *model, err error) tea.Cmd {
			if err != nil {
				m.failed("asking the provider for its models", err)
			}
			m.pickModel(ids)
			return nil
		}}
	}
}

func (m *model) pickModel(ids []string) {
	p := &picker{title: "model", free: "use", pick: func(m *model, id string) tea.Cmd {
		return m.call(orFail("choosing the model"), "setModel", nil, id)
	}}
	for _, id := range ids {
		about := ""
		if id == m.doc.Model {
			about = "now"
		}
		p.items = append(p.items, choice{id, plain.Line(id, 80), about})
	}
	m.picker = p
}

// modes are those that a session can be put into, the most careful first.
var modes = []choice{
	{"plan", "plan", "reads only"},
	{"ask", "ask", "asks before it changes files, or runs commands that are not known to stay in the sandbox"},
	{"edit", "edit", "changes files in the folder by itself, asks for commands"},
	{"auto", "auto", "also runs commands by itself, in the sandbox"},
}

func (m *model) modeCommand(mode string) tea.Cmd {
	if mode == "" {
		m.picker = &picker{title: "mode, now " + m.doc.Mode, items: modes, pick: (*model).setMode}
		return nil
	}
	return m.setMode(mode)
}

// setMode changes the mode. The user has typed it: that is the yes which a looser one wants.
func (m *model) setMode(mode string) tea.Cmd {
	var answer struct {
		Mode    string
		Confirm *struct{ Nonce, Mode string }
	}
	return m.call(func(m *model, err error) tea.Cmd {
		if err != nil || answer.Confirm == nil {
			return orFail("choosing the mode")(m, err)
		}
		return m.call(orFail("choosing the mode"), "setMode", nil, answer.Confirm.Mode, answer.Confirm.Nonce)
	}, "setMode", &answer, mode)
}

func (m *model) compactCommand(string) tea.Cmd {
	return m.call(orFail("compacting"), "compact", nil)
}

func (m *model) contextCommand() {
	c := m.doc.Context
	switch {
	case c.Tokens == 0:
		m.tell("nothing was sent to the model yet")
	case c.Window == 0:
		m.tell(fmt.Sprintf("the last request and its answer had %s tokens; nobody knows how many the model takes", headless.Thousands(c.Tokens)))
	default:
		m.tell(fmt.Sprintf("%s of %s tokens, %d%%: the last request and its answer. When it is full, a summary takes the place of the beginning; /compact does that now",
			headless.Thousands(c.Tokens), headless.Thousands(c.Window), c.Tokens*100/c.Window))
	}
}

func (m *model) costCommand() {
	u := m.doc.Usage
	text := fmt.Sprintf("this session: %s tokens in (%s cached), %s out", headless.Thousands(u.Input), headless.Thousands(u.Cached), headless.Thousands(u.Output))
	if u.Cost > 0 {
		text += fmt.Sprintf(", $%.4f", u.Cost)
	}
	m.tell(text)
}

func (m *model) todoCommand() {
	if len(m.doc.Todo) == 0 {
		m.tell("the agent has no todo list")
		return
	}
	var lines []string
	for _, t := range m.doc.Todo {
		lines = append(lines, m.todoLine(t))
	}
	m.print(card, lines)
}

// A kept rule allows what the user has always said yes to.
type keptRule struct {
	ID   int64
	Rule string
}

func (m *model) rulesCommand(rest string) tea.Cmd {
	if id, ok := strings.CutPrefix(rest, "remove "); ok {
		var n int64
		if _, err := fmt.Sscan(id, &n); err != nil {
			m.fail("which rule? /rules lists them with their numbers", "")
			return nil
		}
		return m.call(orFail("removing the rule"), "removeRule", nil, n)
	}
	var list []keptRule
	return m.call(func(m *model, err error) tea.Cmd {
		switch {
		case err != nil:
			m.failed("listing the rules", err)
		case len(list) == 0:
			m.tell("the session keeps no rule")
		}
		for _, r := range list {
			m.tell(fmt.Sprintf("%d  %s", r.ID, plain.Visible(r.Rule)))
		}
		return nil
	}, "rules", &list)
}

func (m *model) themeCommand(name string) tea.Cmd {
	switch name {
	case "dark", "light":
		m.recolour(newPalette(name == "dark", m.paint.theme.Profile))
	case "":
		now := "light"
		if m.paint.theme.Dark {
			now = "dark"
		}
		m.tell("colours are for a " + now + " terminal; /theme dark and /theme light change that")
	default:
		m.fail("there is no theme "+plain.Line(name, 20), "there are dark and light")
	}
	return nil
}

func (m *model) doctorCommand() tea.Cmd {
	if m.opts.Doctor == nil {
		m.tell("in another terminal: coder doctor")
		return nil
	}
	return func() tea.Msg {
		text, err := m.opts.Doctor(m.ctx)
		return done{err, func(m *model, err error) tea.Cmd {
			if err != nil {
				m.failed("checking", err)
			}
			if text != "" {
				m.show("doctor", textLines(plain.Text(text)))
			}
			return nil
		}}
	}
}
