package editor

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func files(names ...string) func(string, int) ([]File, error) {
	return func(query string, _ int) (list []File, err error) {
		for _, name := range names {
			if strings.Contains(name, query) {
				list = append(list, File{name})
			}
		}
		return list, nil
	}
}

func TestCompletion(t *testing.T) {
	find := files("cmd/main.go", "cmd/", "docs/main page.md", "other.txt")
	for _, tt := range []struct{ name, keys, want string }{
		{"tab takes the first", "see @main<tab>", "see @cmd/main.go |"},
		{"enter takes it too", "see @main<enter>", "see @cmd/main.go |"},
		{"down chooses", "see @main<down><tab>", `see @"docs/main page.md" |`},
		{"up goes round", "see @main<up><tab>", `see @"docs/main page.md" |`},
		{"a folder can go on", "@cmd<down><tab>ma<tab>", "@cmd/main.go |"},
		{"within a text no blank is added", "@oth rest<alt+b><left><tab>", "@other.txt| rest"},
		{"an address is none", "me@main<tab>", "me@main|"},
		{"esc closes, enter breaks nothing", "@main<esc><tab>", "@main|"},
		{"a closed one opens for the next", "@main<esc> @oth<tab>", "@main @other.txt |"},
		{"a command", "/mod<tab>", "/model |"},
		{"the nearest command", "/mode<tab>", "/mode |"},
		{"letters of a command", "/hp<tab>", "/help |"},
		{"a path is no command", "/usr/bin<tab>", "/usr/bin|"},
		{"a command begins the text", "x /mod<tab>", "x /mod|"},
		{"a command that wants more waits", "/mod<enter>", "/model |"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, Options{Files: find, Commands: someCommands}).do(tt.keys)
			if got := d.withCursor(); got != tt.want || len(d.said) > 0 {
				t.Errorf("%s gives %q and says %v, want %q", tt.keys, got, d.said, tt.want)
			}
		})
	}
}

func TestEnterSendsWhatIsWhole(t *testing.T) {
	for _, tt := range []struct{ name, keys, want string }{
		{"a name typed in full", "see @cmd/main.go<enter>", "see @cmd/main.go"},
		{"a lone @", "meet @<enter>", "meet @"},
		{"a command without more", "/he<enter>", "/help"},
		{"a command typed in full", "/model<enter>", "/model"},
		{"a name that nothing has", "@zzz<enter>", "@zzz"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, Options{Files: files("cmd/main.go"), Commands: someCommands}).do(tt.keys)
			if got := lastSaid[Submit](d).Text; got != tt.want {
				t.Errorf("%s sends %q, want %q", tt.keys, got, tt.want)
			}
		})
	}
}

// TestOneQuestionIsUnderWay however fast somebody types; the last one is answered.
func TestOneQuestionIsUnderWay(t *testing.T) {
	var asked []string
	d := newDesk(t, Options{Files: func(query string, _ int) ([]File, error) {
		asked = append(asked, query)
		return []File{{query + ".go"}}, nil
	}})
	d.slow = true
	d.do("@main")
	if d.complete.open() {
		t.Error("a list is shown before there is an answer")
	}
	for range 2 {
		for _, cmd := range d.cmds {
			for _, msg := range runAll(cmd) {
				d.cmds = nil
				d.send1(msg)
			}
		}
	}
	if want := []string{"", "main"}; !slices.Equal(asked, want) {
		t.Errorf("asked was %q, want %q", asked, want)
	}
	if got := d.do("<tab>").withCursor(); got != "@main.go |" {
		t.Errorf("tab gives %q, want the answer to what is typed", got)
	}
}

// TestAnswersThatComeLateAreNotTaken for those to what is typed now.
func TestAnswersThatComeLateAreNotTaken(t *testing.T) {
	d := newDesk(t, Options{Files: files("a.go", "ab.go")})
	d.slow = true
	d.do("@a")
	d.send1(filesFound{query: "", files: []File{{"z.go"}}})
	if got := lastSaid[Submit](d.do("<enter>")).Text; got != "@a" {
		t.Errorf("Enter sends %q, want what was typed", got)
	}
	d.send1(filesFound{query: "a", files: []File{{"a.go"}}})
	if d.complete.open() {
		t.Error("an answer opens a list for a text that was sent")
	}
}

func TestAFailingSearchIsToldOnce(t *testing.T) {
	d := newDesk(t, Options{Files: func(string, int) ([]File, error) { return nil, errors.New("no host") }}).do("@abc")
	if len(d.said) != 1 || lastSaid[Notice](d).Err.Error() != "no host" {
		t.Errorf("three letters tell %v, want one notice", d.said)
	}
}

func TestNamesInTheListAreInert(t *testing.T) {
	d := newDesk(t, Options{Files: func(string, int) ([]File, error) { return []File{{"a\x1b]52;c;x\x07\u202eb\n.go"}}, nil }}).do("@a")
	check(t, d, 40, 5)
	d.do("<tab>")
	check(t, d, 40, 5)
}
