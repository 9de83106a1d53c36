// Package editor is where prompts are written in coder chat: a text of any number of lines, with the keys of a shell or of
// vi, what was written before, completion of files and commands, folded pastes, attached images, and a draft on disk.
//
// It is a part of a Bubble Tea program: the program hands it messages and shows its View. What it has to say it says by
// messages of its own: Submit, Shell and Notice. It has no goroutine and no timer while nothing is typed.
//
// The text is in a buffer of our own. The text area of Bubbles counts in runes, so that a flag or a family is four steps and
// comes apart; it has no undo, nothing that is folded, and copies all lines for every letter.
package editor

import (
	"os/exec"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/coder-agent/coder/agent/chat"
)

// MaxText bounds the text with all that is folded in it, in bytes: the host takes no frame above 32 MiB.
const MaxText = 16 << 20

// Options say what an editor works with. The zero value works: nothing is remembered, nothing completed.
type Options struct {
	// Emit is called in Update with each message of the editor, in the order of the keys, and its result is returned by
	// Update. nil sends them as commands, whose order Bubble Tea does not promise.
	Emit func(tea.Msg) tea.Cmd

	History  History
	Drafts   Drafts
	Files    func(query string, limit int) ([]File, error) // finds files of the workdir, the best first; called on a goroutine of Bubble Tea, one call at a time: it must come to an end
	Commands func() []Command                              // what a text that begins with / can be

	Workdir string // of the session
	Home    string // of the user, for paths that begin with ~

	External func(path string) (*exec.Cmd, error) // edits a file in the terminal, see ExternalCommand; nil: there is none
	Dir      string                               // for the file that it edits; nobody else may read there

	Vim         bool
	Styles      Styles
	Placeholder string // shown while there is no text
}

// A Command is what a text that begins with / can be.
type Command struct {
	Name string // without the slash
	Args string // what may follow, such as "NAME"; "" for nothing: choosing it sends it
	Help string
}

// A File is an answer of Options.Files.
type File struct {
	Path string `json:"path"` // relative to the workdir, with slashes
}

// Styles colour the parts of the view. One that is nil leaves its text as it is; none may change its width.
type Styles struct {
	Prompt      func(string) string // the sign before the text
	Shell       func(string) string // that sign when a shell command is typed
	Chip        func(string) string // a folded paste, an image
	Placeholder func(string) string
	Label       func(string) string // what is edited, the mode of vi, a search
	Item        func(string) string // of a list of completions
	Selected    func(string) string // the one that is chosen
	Help        func(string) string // beside it
	Match       func(string) string // the letters of an item that were typed; nil: as the rest
}

// Submit says that a prompt is sent. It is on disk until Settled is called with its ID.
type Submit struct {
	ID          string // new for each; fit for the id of the message
	Text        string // with pastes unfolded, and images by their labels
	Attachments []Attachment
	Queue       bool   // it is to wait for the end of the turn
	Editing     string // the id that Edit was called with
}

// Parts returns what the prompt's message is made of.
func (s Submit) Parts() []chat.Part {
	parts := []chat.Part{chat.Text{Text: s.Text}}
	for _, a := range s.Attachments {
		parts = append(parts, a.File())
	}
	return parts
}

// Shell says that a shell command is to run: a text that began with "!".
type Shell struct {
	ID      string // as that of a Submit
	Command string
}

// Notice tells the user of something that went wrong.
type Notice struct{ Err error }

// An Editor is a text that is being written. It belongs to the goroutine that calls Update and View.
type Editor struct {
	opts   Options
	buf    *buffer
	chips  *chips
	offset int // the first row that is shown

	kill     string // what was cut last
	killing  bool   // this key cut
	joins    bool   // the key before cut: another adds to it
	editing  string // the id of what is edited instead of a draft
	label    string
	original string // what it was
	stashed  string // the draft meanwhile
	recall   recall
	search   *search // nil: none is open
	complete completion
	vim      vim

	unsent  []Unsent
	dirty   bool          // the text is not on disk
	waiting bool          // a timer will write it
	took    time.Duration // to write it
	failed  bool          // it could not be written, which was told
}

// New returns an editor with the draft that a crash has left, if there is one. With an error it works, without what the error is
// about.
func New(o Options) (*Editor, error) {
	e := &Editor{opts: o, chips: &chips{}}
	e.buf = newBuffer(measure{method: ansi.WcWidth, labels: e.chips.label})
	e.vim.on = o.Vim
	e.recall.at = -1
	if o.Drafts == nil {
		return e, nil
	}
	d, err := o.Drafts.Load()
	e.buf.reset(e.chips.fold(d.Pieces))
	e.unsent = d.Unsent
	return e, err
}

// Update takes a message. It knows what is meant for it, and leaves the rest.
func (e *Editor) Update(msg tea.Msg) tea.Cmd {
	before := e.buf.text
	var cmd tea.Cmd
	switch msg := msg.(type) {
	case tea.KeyPressMsg:
		cmd = e.key(msg)
	case tea.PasteMsg:
		cmd = e.paste(msg.Content)
	case tea.ModeReportMsg:
		e.reported(msg)
	case filesFound:
		cmd = e.filesFound(msg)
	case saveDraft:
		e.waiting = false
		return e.save()
	case edited:
		cmd = e.edited(msg)
	default:
		return nil
	}
	if e.buf.text != before {
		e.dirty = true
	}
	return tea.Batch(cmd, e.completeAfter(), e.saveLater())
}

// reported learns how wide the terminal draws: what Bubble Tea has asked it, and decides by.
func (e *Editor) reported(msg tea.ModeReportMsg) {
	if msg.Mode == ansi.ModeUnicodeCore && (msg.Value == ansi.ModeReset || msg.Value == ansi.ModeSet || msg.Value == ansi.ModePermanentlySet) {
		e.buf.method = ansi.GraphemeWidth
		e.buf.wrap()
	}
}

// emit hands a message to the program.
func (e *Editor) emit(msg tea.Msg) tea.Cmd {
	if e.opts.Emit != nil {
		return e.opts.Emit(msg)
	}
	return func() tea.Msg { return msg }
}

func (e *Editor) notice(err error) tea.Cmd {
	if err == nil {
		return nil
	}
	return e.emit(Notice{err})
}

// Value returns the text, with pastes unfolded.
func (e *Editor) Value() string {
	text, _ := e.chips.expand(e.buf.text)
	return text
}

// Empty reports whether nothing was typed.
func (e *Editor) Empty() bool { return e.buf.text == "" }

// SetValue replaces the text; undo brings the old one back. Update's callers see to the draft: it is written with the next key.
func (e *Editor) SetValue(text string) {
	e.setText(clean(text))
	e.dirty = true
}

// setText replaces the text of the buffer, as one step of undo.
func (e *Editor) setText(text string) {
	e.buf.together(func() { e.buf.replace(0, len(e.buf.text), text) })
	e.buf.moveTo(len(e.buf.text))
	e.complete.close()
}

// Reset empties the editor; undo brings back what was there. An edit is over with it.
func (e *Editor) Reset() {
	if e.editing != "" {
		e.unedit()
	}
	e.search, e.recall = nil, recall{at: -1}
	e.setText("")
	e.dirty = true
}

// clear begins anew, with nothing to undo. What was cut stays.
func (e *Editor) clear() {
	kill := e.chips.pieces(e.kill)
	*e.chips = chips{}
	e.buf.reset("")
	e.kill, e.killing = e.chips.fold(kill), false
	e.editing, e.label, e.original, e.stashed = "", "", "", ""
	e.search, e.recall = nil, recall{at: -1}
	e.complete.close()
}

// Edit puts a text that was written before into the editor, such as a prompt that waits, instead of the draft. Sending it gives a
// Submit with the id; Esc, and sending, bring the draft back. The label says above the text what it is; files are those of the Submit
// that it was.
func (e *Editor) Edit(id, label, text string, files ...Attachment) {
	if e.editing == "" {
		e.stashed = e.draft()
	}
	text = clean(text)
	for _, a := range files {
		if code, ok := e.chips.addImage(a); ok && a.Label != "" {
			text = strings.Replace(text, a.Label, code, 1)
		}
	}
	e.editing, e.label, e.original = id, clean(label), text
	e.search, e.recall = nil, recall{at: -1}
	e.setText(text)
	e.vim.normal = false
}

// Editing returns the id of what is edited, or "".
func (e *Editor) Editing() string { return e.editing }

// unedit brings the draft back.
func (e *Editor) unedit() {
	text := e.stashed
	e.editing, e.label, e.original, e.stashed = "", "", "", ""
	e.setText(text)
}

// SetVim turns the keys of vi on or off.
func (e *Editor) SetVim(on bool) {
	if e.vim.inserting {
		e.buf.end()
	}
	e.vim = vim{on: on}
}

// saveDraft is the end of the time in which changes gather.
type saveDraft struct{}

// gather is the time in which changes gather before the draft is written: what a crash can take. A draft that takes long to write,
// such as many megabytes, is written less often.
const gather = 200 * time.Millisecond

// saveLater begins to wait when there is something to write. While nothing is typed there is no timer.
func (e *Editor) saveLater() tea.Cmd {
	if e.opts.Drafts == nil || !e.dirty || e.waiting {
		return nil
	}
	e.waiting = true
	return tea.Tick(max(gather, 20*e.took), func(time.Time) tea.Msg { return saveDraft{} })
}

// save writes the draft. That it cannot is told once.
func (e *Editor) save() tea.Cmd {
	begun := time.Now()
	err := e.saveNow()
	e.took = time.Since(begun)
	told := e.failed
	if e.failed = err != nil; told {
		return nil
	}
	return e.notice(err)
}

func (e *Editor) saveNow() error {
	if e.opts.Drafts == nil {
		return nil
	}
	e.dirty = false
	return e.opts.Drafts.Save(Draft{Pieces: e.chips.pieces(e.draft()), Unsent: e.unsent})
}

// draft is what a crash must not take: the text or, while another stands in its place, what waits for its end, with that other
// behind it if it was changed.
func (e *Editor) draft() string {
	if e.search != nil {
		return e.search.draft
	}
	text := e.buf.text
	if r := &e.recall; r.at >= 0 && r.at < len(r.list) {
		text = changed(r.texts[len(r.list)], e.chips.fold(r.list[r.at].Pieces), text)
	}
	if e.editing != "" {
		text = changed(e.stashed, e.original, text)
	}
	return text
}

// changed is the draft, and behind it what was made of another text.
func changed(draft, was, is string) string {
	if was == is {
		return draft
	}
	return joinTexts([]string{draft, is})
}

// Settled says that the host has the Submit, or Shell, with the id: it is durable there, or the user knows that it never will
// be. It leaves the disk here. It is to be called for each of them, also for what the program does by itself, such as a command.
func (e *Editor) Settled(id string) tea.Cmd {
	n := len(e.unsent)
	e.unsent = slices.DeleteFunc(e.unsent, func(u Unsent) bool { return u.ID == id })
	if len(e.unsent) == n {
		return nil
	}
	return e.save()
}

// Refused says that the host did not take the Submit with the id. It stands before what is in the editor now.
func (e *Editor) Refused(id string) tea.Cmd {
	return e.bringBack(func(u Unsent) bool { return u.ID == id })
}

// Restore brings back what an earlier editor had sent and no host has: known reports whether the transcript has a Submit's ID.
// It is to be called once, when the transcript is there.
func (e *Editor) Restore(known func(id string) bool) tea.Cmd {
	e.unsent = slices.DeleteFunc(e.unsent, func(u Unsent) bool { return known(u.ID) })
	return e.bringBack(func(Unsent) bool { return true })
}

func (e *Editor) bringBack(which func(Unsent) bool) tea.Cmd {
	var texts []string
	e.unsent = slices.DeleteFunc(e.unsent, func(u Unsent) bool {
		back := which(u)
		if back {
			texts = append(texts, e.chips.fold(u.Pieces))
		}
		return back
	})
	if len(texts) == 0 {
		return e.save()
	}
	if e.editing != "" {
		e.stashed = joinTexts(append(texts, e.stashed))
	} else {
		e.setText(joinTexts(append(texts, e.buf.text)))
	}
	return e.save()
}

func joinTexts(texts []string) string {
	return strings.Join(slices.DeleteFunc(texts, func(s string) bool { return s == "" }), "\n\n")
}

// Close writes the draft and gives it free.
func (e *Editor) Close() error {
	if e.opts.Drafts == nil {
		return nil
	}
	err := e.saveNow()
	if again := e.opts.Drafts.Close(); err == nil {
		err = again
	}
	return err
}
