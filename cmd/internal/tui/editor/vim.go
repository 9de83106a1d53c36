package editor

import (
	"strings"

	tea "charm.land/bubbletea/v2"
)

// vim is what the keys of vi need to know. The editor begins in insert mode.
type vim struct {
	on, normal bool

	count, opCount int  // as typed; 0: none
	op             byte // d, c or y waits for a move
	wait           byte // f, t, F, T, r, g, i or a waits for a character
	find           byte // the last of f, t, F, T
	findChar       string
	lines          bool // what was cut is whole lines

	keys      []tea.KeyPressMsg // of the command that is typed
	last      []tea.KeyPressMsg // of the last change, for "."
	inserting bool              // the change goes on until Esc
	replaying bool
}

// pending reports whether a command is half typed.
func (v *vim) pending() bool { return v.count > 0 || v.op != 0 || v.wait != 0 }

// clear forgets a command that is half typed.
func (v *vim) clear() { v.count, v.opCount, v.op, v.wait, v.keys = 0, 0, 0, 0, nil }

// sent goes on with the next prompt.
func (v *vim) sent() {
	v.clear()
	v.normal, v.inserting = false, false
}

// leaveInsert is Esc in insert mode.
func (v *vim) leaveInsert(e *Editor) {
	v.normal = true
	if v.inserting {
		v.inserting = false
		e.buf.end()
		if !v.replaying {
			v.last, v.keys = append(v.keys, tea.KeyPressMsg{Code: tea.KeyEscape}), nil
		}
	}
	if e.buf.cursor > e.buf.lineStart(e.buf.cursor) {
		e.buf.moveTo(e.buf.prev(e.buf.cursor))
	}
}

// A move is where a command leads from the cursor.
type move struct {
	to        int
	inclusive bool // an operator takes the character there too
	lines     bool // an operator takes whole lines
	ok        bool
}

// vimKey takes a key in normal mode.
func (e *Editor) vimKey(msg tea.KeyPressMsg, key string) tea.Cmd {
	v := &e.vim
	k := msg.Text
	if k == "" {
		k = key
	}
	switch {
	case v.wait == 0 && k == "ctrl+r":
		v.clear()
		e.buf.redo()
		e.clamp()
		return nil
	case msg.Text == "":
		return e.vimOther(key)
	}
	v.keys = append(v.keys, msg)
	if v.wait == 0 && len(k) == 1 && (k >= "1" && k <= "9" || k == "0" && v.count > 0) {
		v.count = min(v.count*10+int(k[0]-'0'), maxTimes)
		return nil
	}
	changed := e.vimCommand(k)
	if v.pending() {
		return nil
	}
	switch {
	case v.inserting: // keys go on until Esc
	case changed && !v.replaying:
		v.last, v.keys = v.keys, nil
	default:
		v.keys = nil
	}
	if v.normal {
		e.clamp()
	}
	return nil
}

// vimOther takes a key that types nothing: what it does in insert mode, but that the cursor stays on a character.
func (e *Editor) vimOther(key string) tea.Cmd {
	e.vim.clear()
	if key == "backspace" {
		key = "left"
	}
	b := byKey[key]
	if b == nil {
		return nil
	}
	cmd := b.do(e)
	if e.vim.normal {
		e.clamp()
	}
	return cmd
}

// clamp keeps the cursor of normal mode on a character.
func (e *Editor) clamp() {
	b := e.buf
	if b.cursor == b.lineEnd(b.cursor) && b.cursor > b.lineStart(b.cursor) {
		goal := b.goal
		b.moveTo(b.prev(b.cursor))
		b.goal = goal
	}
}

// vimCommand takes a part of a command. It reports whether the text was changed.
func (e *Editor) vimCommand(k string) (changed bool) {
	v := &e.vim
	if v.wait != 0 {
		wait := v.wait
		v.wait = 0
		return e.vimWaited(wait, k)
	}
	switch k {
	case "f", "t", "F", "T", "g":
		v.wait = k[0]
		return false
	case "r":
		if v.op == 0 {
			v.wait = 'r'
			return false
		}
	case "i", "a":
		if v.op != 0 {
			v.wait = k[0]
			return false
		}
	case "d", "c", "y":
		switch v.op {
		case 0:
			v.op, v.opCount, v.count = k[0], v.count, 0
			return false
		case k[0]: // dd, cc, yy
			return e.operate(e.linesDown(e.times() - 1))
		}
		v.clear()
		return false
	}
	if m := e.motion(k); m.ok || isMotion(k) {
		return e.moved(m)
	}
	if v.op != 0 {
		v.clear()
		return false
	}
	return e.vimAct(k)
}

// isMotion reports the keys that move; one that leads nowhere ends a command.
func isMotion(k string) bool { return len(k) == 1 && strings.Contains("hjklwbeWBE0^$G;, ", k) }

// times is how often a command is to be done.
func (e *Editor) times() int { return min(max(e.vim.count, 1)*max(e.vim.opCount, 1), maxTimes) }

const maxTimes = 9999

// moved ends a command with a move: the operator takes what lies between, or the cursor goes there.
func (e *Editor) moved(m move) (changed bool) {
	v := &e.vim
	switch {
	case !m.ok:
		v.clear()
		return false
	case v.op != 0:
		return e.operate(m)
	}
	keys, goal := v.keys, e.buf.goal
	if m.lines && goal < 0 {
		goal = e.buf.lineColumn(e.buf.cursor)
	}
	v.clear()
	v.keys = keys
	e.buf.moveTo(m.to)
	if m.lines {
		e.buf.goal = goal
	}
	return false
}

// operate carries out d, c or y.
func (e *Editor) operate(m move) (changed bool) {
	v, b := &e.vim, e.buf
	op, at := v.op, b.cursor
	keys := v.keys
	v.clear()
	v.keys = keys
	if !m.ok {
		return false
	}
	from, to := min(at, m.to), max(at, m.to)
	switch {
	case m.lines:
		from, to = b.lineStart(from), b.lineEnd(to)
	case m.inclusive:
		to = b.next(to)
	}
	e.kill, v.lines = b.text[from:to], m.lines
	switch {
	case op == 'y':
		if !m.lines || m.to < at {
			b.moveTo(from)
		}
		return false
	case op == 'c':
		e.insertMode(func() { b.replace(from, to, "") })
		return true
	case m.lines:
		e.deleteLines(from, to)
		return true
	}
	b.together(func() { b.replace(from, to, "") })
	return true
}

// deleteLines deletes lines with one of their breaks.
func (e *Editor) deleteLines(from, to int) {
	b := e.buf
	switch {
	case to < len(b.text):
		to++
	case from > 0:
		from--
	}
	b.together(func() { b.replace(from, to, "") })
	b.moveTo(b.firstWord(b.cursor))
}

// insertMode begins to insert, with a first change that is undone together with what is typed.
func (e *Editor) insertMode(first func()) {
	e.buf.begin()
	first()
	e.vim.normal, e.vim.inserting = false, true
}

// vimWaited takes the character that a command has waited for.
func (e *Editor) vimWaited(wait byte, k string) (changed bool) {
	v := &e.vim
	switch wait {
	case 'g':
		if k != "g" {
			v.clear()
			return false
		}
		line := 1
		if v.count > 0 {
			line = v.count
		}
		return e.moved(e.toLine(line))
	case 'r':
		return e.replaceChars(k)
	case 'i', 'a':
		if k != "w" {
			v.clear()
			return false
		}
		return e.operateWord(wait == 'a')
	}
	v.find, v.findChar = wait, k
	return e.moved(e.findMove(wait, k, false))
}

// vimAct carries out a command that is neither move nor operator.
func (e *Editor) vimAct(k string) (changed bool) {
	v, b := &e.vim, e.buf
	n := e.times()
	keys := v.keys
	v.clear()
	v.keys = keys
	at := b.cursor
	switch k {
	case "i":
		e.insertMode(func() {})
	case "a":
		if at < b.lineEnd(at) {
			at = b.next(at)
		}
		e.insertMode(func() { b.moveTo(at) })
	case "I":
		e.insertMode(func() { b.moveTo(b.firstWord(at)) })
	case "A":
		e.insertMode(func() { b.moveTo(b.lineEnd(at)) })
	case "o":
		e.insertMode(func() { b.moveTo(b.lineEnd(at)); b.insert("\n") })
	case "O":
		e.insertMode(func() { b.moveTo(b.lineStart(at)); b.insert("\n"); b.moveTo(b.prev(b.cursor)) })
	case "x", "X", "D", "C", "s", "S", "Y":
		return e.shorthand(k, n)
	case "p", "P":
		return e.put(k == "p", n)
	case "u":
		for ; n > 0 && b.undo(); n-- {
		}
		v.keys = nil
		return false
	case "J":
		return e.join(max(n-1, 1))
	case "~":
		return e.swapCase(n)
	case ".":
		v.keys = nil
		e.again()
		return false
	default:
		v.keys = nil
		return false
	}
	return true
}

// shorthand carries out the commands that stand for an operator with a move.
func (e *Editor) shorthand(k string, n int) bool {
	v := &e.vim
	long := map[string]string{"x": "dl", "X": "dh", "D": "d$", "C": "c$", "s": "cl", "S": "cc", "Y": "yy"}[k]
	v.op, v.count = long[0], n
	if long[1] == long[0] {
		return e.operate(e.linesDown(n - 1))
	}
	m := e.motion(long[1:])
	if !m.ok && k == "s" || !m.ok && k == "C" {
		m = move{to: e.buf.cursor, ok: true} // an empty line
	}
	return e.operate(m)
}

// again does the last change once more.
func (e *Editor) again() {
	v := &e.vim
	if v.replaying || len(v.last) == 0 {
		return
	}
	v.replaying = true
	for _, msg := range v.last {
		e.key(msg)
	}
	v.replaying = false
	if !v.normal {
		v.leaveInsert(e)
	}
}

// put puts back what was cut, behind the cursor or before it.
func (e *Editor) put(behind bool, n int) bool {
	v, b := &e.vim, e.buf
	if e.kill == "" || !e.room(n*len(e.kill)) {
		return false
	}
	if v.lines {
		at, text := b.lineStart(b.cursor), strings.Repeat(e.kill+"\n", n)
		if behind {
			at, text = b.lineEnd(b.cursor), strings.Repeat("\n"+e.kill, n)
		}
		b.together(func() { b.replace(at, at, text) })
		if behind {
			at++
		}
		b.moveTo(b.firstWord(at))
		return true
	}
	at := b.cursor
	if behind && at < b.lineEnd(at) {
		at = b.next(at)
	}
	b.together(func() { b.replace(at, at, strings.Repeat(e.kill, n)) })
	b.moveTo(b.prev(b.cursor))
	return true
}
