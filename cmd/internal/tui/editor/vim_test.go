package editor

import "testing"

func TestVim(t *testing.T) {
	for _, tt := range []struct{ name, text, keys, want string }{
		{"escape goes back on a character", "abc", "", "ab|c"},
		{"left and right stay in the line", "ab\ncd", "hhhhllll", "ab\nc|d"},
		{"down and up keep the column", "abcd\na\nabcd", "kkjj", "abcd\na\nabc|d"},
		{"w", "one two", "0w", "one |two"},
		{"w stops at signs", "a.b c", "0w", "a|.b c"},
		{"W does not", "a.b c", "0W", "a.b |c"},
		{"w crosses lines", "one\n  two", "gg0w", "one\n  |two"},
		{"an empty line is a word", "one\n\ntwo", "gg0w", "one\n|\ntwo"},
		{"b", "one two", "b", "one |two"},
		{"b crosses lines", "one\ntwo", "bb", "|one\ntwo"},
		{"e", "one two", "0e", "on|e two"},
		{"e again", "one two", "0ee", "one tw|o"},
		{"0 and $", "one two", "0$", "one tw|o"},
		{"^", "  one", "^", "  |one"},
		{"gg and G", "a\nb\nc", "ggG", "a\nb\n|c"},
		{"a line by its number", "a\nb\nc", "2G", "a\n|b\nc"},
		{"counts", "a b c d", "03w", "a b c |d"},
		{"counts that lead nowhere end", "a b", "09999d9999w", "|"},
		{"a count of words back", "a b c", "9999b", "|a b c"},
		{"c2w", "a b c", "0c2wx<esc>", "|x c"},
		{"x", "abc", "0x", "|bc"},
		{"3x", "abcd", "03x", "|d"},
		{"x at the end", "abc", "x", "a|b"},
		{"X", "abc", "X", "a|c"},
		{"dw", "one two", "0dw", "|two"},
		{"dw keeps the line break", "one\ntwo", "gg0dw", "|\ntwo"},
		{"d2w", "a b c", "0d2w", "|c"},
		{"2dw", "a b c", "02dw", "|c"},
		{"de", "one two", "0de", "| two"},
		{"db", "one two", "db", "one |o"},
		{"d$", "one two", "0wd$", "one| "},
		{"D", "one two", "0wD", "one| "},
		{"d0", "one two", "d0", "|o"},
		{"dd", "a\nb\nc", "kdd", "a\n|c"},
		{"dd of the last line", "a\nb", "dd", "|a"},
		{"2dd", "a\nb\nc", "gg2dd", "|c"},
		{"dj", "a\nb\nc", "ggdj", "|c"},
		{"dk", "a\nb\nc", "dk", "|a"},
		{"dG", "a\nb\nc", "ggjdG", "|a"},
		{"dgg", "a\nb\nc", "kdgg", "|c"},
		{"dl and dh", "abc", "0dldh", "|bc"},
		{"cw leaves the blank", "one two", "0cwx<esc>", "|x two"},
		{"cc keeps the line", "a\nbcd\ne", "ggjccx<esc>", "a\n|x\ne"},
		{"C", "one two", "0wCx<esc>", "one |x"},
		{"s", "abc", "0sx<esc>", "|xbc"},
		{"yy and p", "a\nb", "ggyyp", "a\n|a\nb"},
		{"yy and P", "a\nb", "yyP", "a\n|b\nb"},
		{"yw and P", "one two", "0ywP", "one| one two"},
		{"dd and p", "a\nb\nc", "ggddp", "b\n|a\nc"},
		{"p of letters", "ab", "0xp", "b|a"},
		{"3p", "ab", "0x3p", "baa|a"},
		{"u takes all that was inserted", "ab", "ixyz<esc>u", "a|b"},
		{"u of a change", "one two", "0cwxyz<esc>u", "|one two"},
		{"u and redo", "abc", "0xu<ctrl+r>", "|bc"},
		{". repeats a deletion", "a b c d", "0dw..", "|d"},
		{". repeats a change", "a b c", "0cwx<esc>w.w.", "x x |x"},
		{". repeats an insertion", "ab", "0ix<esc>.", "|xxab"},
		{". repeats an appended line", "a", "ob<esc>.", "a\nb\n|b"},
		{"i", "ab", "ix", "ax|b"},
		{"a", "ab", "0ax", "ax|b"},
		{"I", "  ab", "Ix", "  x|ab"},
		{"A", "ab", "0Ax", "abx|"},
		{"o", "a\nb", "ggox", "a\nx|\nb"},
		{"O", "a\nb", "Ox", "a\nx|\nb"},
		{"f", "a,b,c", "0f,", "a|,b,c"},
		{"f and ;", "a,b,c", "0f,;", "a,b|,c"},
		{"f ; and ,", "a,b,c", "0f,;,", "a|,b,c"},
		{"t", "a,bc,d", "0lt,", "a,b|c,d"},
		{"F", "a,b,c", "F,", "a,b|,c"},
		{"T", "a,b,c", "hhT,", "a,|b,c"},
		{"df", "a,b,c", "0df,", "|b,c"},
		{"dt", "abc,d", "0dt,", "|,d"},
		{"dF", "a,b,c", "dF,", "a,b|c"},
		{"r", "abc", "0rx", "|xbc"},
		{"2r", "abc", "02rx", "x|xc"},
		{"~", "aBc", "02~", "Ab|c"},
		{"J", "a\n  b", "ggJ", "a| b"},
		{"diw", "one two three", "0wdiw", "one | three"},
		{"daw", "one two three", "0wdaw", "one |three"},
		{"ciw", "one two three", "0wlciwx<esc>", "one |x three"},
		{"a command that is left", "abc", "0d<esc>x", "|bc"},
		{"an unknown command", "abc", "0dqx", "|bc"},
		{"w of wide characters", "日本 語", "0wx", "日本| "},
		{"x of a family", "a" + family + "b", "hx", "a|b"},
		{"w over a wide blank", "日\u3000本", "0wx", "日|\u3000"},
		{"j through a line that is shorter", "abc\n\nabc", "ggljj", "abc\n\na|bc"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, Options{Vim: true})
			d.buf.reset(tt.text)
			if got := d.do("<esc>" + tt.keys).withCursor(); got != tt.want {
				t.Errorf("%q and %s gives %q, want %q", tt.text, tt.keys, got, tt.want)
			}
		})
	}
}

func TestVimTellsItsMode(t *testing.T) {
	d := newDesk(t, Options{Vim: true})
	for _, tt := range []struct{ keys, mode string }{{"a", "insert"}, {"<esc>", "normal"}, {"i", "insert"}, {"<esc><enter>", "insert"}} {
		if d.do(tt.keys); d.Mode() != tt.mode {
			t.Errorf("after %s the mode is %q, want %q", tt.keys, d.Mode(), tt.mode)
		}
	}
	if !d.Takes(press("esc")) {
		t.Error("in insert mode Esc is left to the program")
	}
	if d.do("x<esc>"); d.Takes(press("esc")) {
		t.Error("in normal mode Esc is kept from the program, which interrupts with it")
	}
}
