package tui

import (
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// A screen draws on the terminal's normal screen: lines that are printed once and scroll away with everything else there, and below
// them a frame that is drawn anew. Bubble Tea's own renderer is not used: it wakes sixty times a second while nothing moves, prints
// its frame into the scrollback when more is printed than fits above it, and leaves pieces of it behind when the terminal
// becomes narrower.
//
// It writes one string for each change, between the marks with which terminals hold back a half-drawn screen. Lines hold text
// and SGR sequences only. Nothing is written while nothing changes.
type screen struct {
	out           io.Writer
	width, height int
	reflows       bool // the terminal breaks long lines anew when its width changes

	frame  []string // as it stands on the terminal, at least one line
	at     position // of the cursor, in the frame
	hidden bool     // the cursor is
	stale  bool     // the frame must be drawn whole

	full  []string // the page that covers everything, as it stands there; nil when there is none
	pages int      // pages that were shown
}

type position struct{ row, column int }

func newScreen(out io.Writer, width, height int, reflows bool) *screen {
	return &screen{out: out, width: width, height: height, reflows: reflows, frame: []string{""}}
}

const (
	beginDrawing = "\x1b[?2026h\x1b[?25l"
	endDrawing   = "\x1b[?2026l"
	showCursor   = "\x1b[?25h"
	eraseBelow   = "\x1b[J"
	eraseRight   = "\x1b[K"
	plainStyle   = "\x1b[m"
)

// show prints lines above the frame and draws the frame, of which at most the last height lines are shown. Without a cursor
// none is seen.
func (s *screen) show(printed, frame []string, cursor *tea.Cursor) error {
	frame, cursor = s.clip(frame, cursor)
	var b strings.Builder
	s.leavePage(&b)
	row := s.at.row
	if len(printed) > 0 || s.stale {
		row = s.whole(&b, printed, frame)
	} else {
		row = s.changes(&b, frame, row)
	}
	at := position{row: len(frame) - 1}
	if cursor != nil {
		at = position{cursor.Y, cursor.X}
	}
	if b.Len() == 0 && at == s.at && s.hidden == (cursor == nil) {
		return nil
	}
	down(&b, at.row-row)
	b.WriteString("\r")
	if at.column > 0 {
		fmt.Fprintf(&b, "\x1b[%dC", at.column)
	}
	if cursor != nil {
		b.WriteString(showCursor)
	}
	s.frame, s.at, s.hidden, s.stale = slices.Clone(frame), at, cursor == nil, false
	return s.write(b.String())
}

// whole prints lines and draws all of the frame below them. It returns the row that it ends in.
func (s *screen) whole(b *strings.Builder, printed, frame []string) int {
	down(b, -s.at.row)
	b.WriteString("\r" + eraseBelow)
	for _, line := range printed {
		b.WriteString(line + plainStyle + "\r\n")
	}
	for i, line := range frame {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(line + plainStyle)
	}
	return len(frame) - 1
}

// changes draws the lines of the frame that are others than before.
func (s *screen) changes(b *strings.Builder, frame []string, row int) int {
	for i, line := range frame {
		if i < len(s.frame) && s.frame[i] == line {
			continue
		}
		if i < len(s.frame) {
			down(b, i-row)
			b.WriteString("\r")
		} else {
			down(b, i-1-row) // a line below the last one may have to scroll
			b.WriteString("\r\n")
		}
		b.WriteString(line + plainStyle + eraseRight)
		row = i
	}
	if len(frame) < len(s.frame) {
		down(b, len(frame)-row)
		b.WriteString("\r" + eraseBelow)
		row = len(frame)
	}
	return row
}

// down moves the cursor by rows; less than 0 moves it up.
func down(b *strings.Builder, rows int) {
	switch {
	case rows > 0:
		fmt.Fprintf(b, "\x1b[%dB", rows)
	case rows < 0:
		fmt.Fprintf(b, "\x1b[%dA", -rows)
	}
}

// clip makes the frame fit: a line that is longer than the terminal believes would take two.
func (s *screen) clip(frame []string, cursor *tea.Cursor) ([]string, *tea.Cursor) {
	if len(frame) == 0 {
		frame = []string{""}
	}
	if more := len(frame) - s.height; more > 0 && s.height > 0 {
		frame = frame[more:]
		if cursor != nil {
			moved := *cursor
			moved.Y = max(0, moved.Y-more)
			cursor = &moved
		}
	}
	return s.narrow(frame), cursor
}

func (s *screen) narrow(lines []string) []string {
	copied := false
	for i, line := range lines {
		if s.width <= 0 || widest(line) <= s.width {
			continue
		}
		if !copied {
			lines, copied = slices.Clone(lines), true
		}
		lines[i] = shortened(line, s.width)
	}
	return lines
}

// shortened is as much of the line as fits. Only widest knows what that is: ansi.TruncateWc leaves a line alone that ansi.StringWidth finds
// narrow enough.
func shortened(line string, width int) string {
	more := sort.Search(width, func(n int) bool { return widest(ansi.Truncate(line, n+1, "…")) > width })
	return ansi.Truncate(line, more, "…")
}

// widest is how many cells a line may take: terminals differ in what they make of joined emoji.
func widest(line string) int {
	if len(line) <= ansi.StringWidth(line) { // ASCII without styles, mostly
		return len(line)
	}
	return max(ansi.StringWidth(line), ansi.StringWidthWc(line))
}

// resize takes the new size. The cursor is where it was in the text, but the lines of the frame above it may take more rows now.
func (s *screen) resize(width, height int) {
	if width == s.width && height == s.height {
		return
	}
	if s.reflows && width > 0 {
		rows := 0
		for _, line := range s.frame[:min(s.at.row, len(s.frame))] {
			rows += max(1, (widest(line)+width-1)/width)
		}
		s.at.row = rows + s.at.column/width
	}
	s.width, s.height, s.stale = width, height, true
	s.full = slices.Clip(s.full[:0])
}

// page covers the whole terminal, until show is called again.
func (s *screen) page(lines []string) error {
	lines = s.narrow(lines[:min(len(lines), s.height)])
	if s.full != nil && slices.Equal(lines, s.full) {
		return nil
	}
	var b strings.Builder
	if s.pages == 0 {
		b.WriteString("\x1b[?1049h")
	}
	s.pages++
	for i, line := range lines {
		fmt.Fprintf(&b, "\x1b[%d;1H%s%s%s", i+1, line, plainStyle, eraseRight)
	}
	if len(lines) < s.height {
		fmt.Fprintf(&b, "\x1b[%d;1H%s", len(lines)+1, eraseBelow)
	}
	s.full = append([]string{}, lines...)
	return s.write(b.String())
}

// leavePage uncovers what the page has covered.
func (s *screen) leavePage(b *strings.Builder) {
	if s.pages > 0 {
		b.WriteString("\x1b[?1049l")
		s.full, s.pages, s.hidden = nil, 0, true
	}
}

// leave takes the frame away; what was printed stays, and the cursor stands below it.
func (s *screen) leave(last []string) error {
	var b strings.Builder
	s.leavePage(&b)
	s.whole(&b, last, []string{""})
	b.WriteString(showCursor)
	s.frame, s.at, s.hidden, s.stale = []string{""}, position{}, false, false
	return s.write(b.String())
}

func (s *screen) write(text string) error {
	if text == "" {
		return nil
	}
	_, err := io.WriteString(s.out, beginDrawing+text+endDrawing)
	return err
}
