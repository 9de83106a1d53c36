package editor

import (
	tea "charm.land/bubbletea/v2"
)

// recall is a walk through the history. The draft from which it began waits at its end, and what was changed on the way stays
// changed as long as the walk lasts.
type recall struct {
	list  []Entry // of the workdir, the oldest first; the draft stands behind them
	at    int     // -1: no walk
	texts map[int]string
}

func (e *Editor) up() tea.Cmd {
	if e.buf.moveRows(-1) {
		return nil
	}
	if e.recall.at < 0 {
		if err := e.beginRecall(); err != nil {
			return e.notice(err)
		}
	}
	if e.recall.at == 0 {
		e.buf.moveTo(0)
		return nil
	}
	e.walk(e.recall.at - 1)
	e.buf.moveTo(e.buf.rowEndPlace(0)) // another Up goes on
	return nil
}

func (e *Editor) down() tea.Cmd {
	switch {
	case e.buf.moveRows(1):
	case e.recall.at >= 0 && e.recall.at < len(e.recall.list):
		e.walk(e.recall.at + 1)
		e.buf.moveTo(len(e.buf.text))
	default:
		e.buf.moveTo(len(e.buf.text))
	}
	return nil
}

// rowEndPlace is the last place in a row.
func (b *buffer) rowEndPlace(row int) int { return b.place(row, 1<<30) }

// beginRecall begins a walk at the draft.
func (e *Editor) beginRecall() error {
	e.recall = recall{texts: map[int]string{}}
	if e.opts.History != nil {
		all, err := e.opts.History.Entries()
		if err != nil {
			e.recall.at = -1
			return err
		}
		for _, one := range all {
			if n := len(e.recall.list); one.Workdir == e.opts.Workdir && (n == 0 || !samePieces(e.recall.list[n-1].Pieces, one.Pieces)) {
				e.recall.list = append(e.recall.list, one)
			}
		}
	}
	e.recall.at = len(e.recall.list)
	return nil
}

func samePieces(a, b []Piece) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// walk shows an entry.
func (e *Editor) walk(to int) {
	r := &e.recall
	r.texts[r.at] = e.buf.text
	r.at = to
	text, seen := r.texts[to]
	if !seen {
		text = e.chips.fold(r.list[to].Pieces)
	}
	e.setText(text)
}
