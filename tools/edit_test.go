package tools

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// edited applies one call to a file with the content and returns the new content and the result or error.
func edited(t testing.TB, content string, edits ...replacement) (after, said string) {
	t.Helper()
	s := newSession(t)
	s.put(t, "f", content)
	s.seen[filepath.Join(s.dir, "f")] = hashOf([]byte(content))
	input, err := json.Marshal(editArgs{Path: "f", Edits: edits})
	if err != nil {
		t.Fatal(err)
	}
	res, err := do(t, s, edit, string(input))
	if err != nil {
		return s.get(t, "f"), err.Error()
	}
	return s.get(t, "f"), res.Text
}

func TestEditFindsTheTextThatIsMeant(t *testing.T) {
	tests := []struct{ name, content, old, text, want, said string }{
		{"exactly", "a\nb\nc\n", "b", "B", "a\nB\nc\n", "edited f: 1 replacement, line 2"},
		{"over several lines", "a\nb\nc\n", "a\nb\n", "x\ny\nz\n", "x\ny\nz\nc\n", "edited f: 1 replacement, lines 1-3"},
		{"deleting", "a\nb\nc\n", "b\n", "", "a\nc\n", "edited f: 1 replacement, line 2"},
		{"with CR LF, written with LF", "a\r\nb\r\nc\r\n", "a\nb", "x\ny", "x\r\ny\r\nc\r\n", "with other line ends"},
		{"with CR LF, on one line", "a\r\nb\r\n", "a", "x\ny", "x\r\ny\r\nb\r\n", "lines 1-2"},
		{"with CR LF, begun at a line end", "a\r\nb\r\n", "\nb", "\nc", "a\r\nc\r\n", "edited f"},
		{"with LF, written with CR LF", "a\nb\nc\n", "a\r\nb", "x", "x\nc\n", "with other line ends"},
		{"with blanks at line ends that are not written", "a  \nb\t\nc\n", "a\nb\nc", "x", "x\n", "with other spaces"},
		{"with blanks at line ends that are only written", "a\nb\nc\n", "a  \nb ", "x", "x\nc\n", "with other spaces"},
		{"leaving the blanks behind the place alone", "a\nb  \nc\n", "a \nb", "x", "x  \nc\n", "with other spaces"},
		{"with typographic quotes in the file", "say \u201Chi\u201D \u2014 \u2018ok\u2019\u2026\nend\n", `"hi" - 'ok'...`, "bye", "say bye\nend\n", "typographic"},
		{"with typographic quotes in the edit", "say \"hi\"\n", "\u201Chi\u201D", "x", "say x\n", "typographic"},
		{"with a no-break space", "a\u00A0b\nc\n", "a b\nc", "x", "x\n", "typographic"},
		{"indented less", "\tif a {\n\t\tb()\n\t}\n", "if a {\n\tb()\n}\n", "if c {\n\td()\n\n\te()\n}\n", "\tif c {\n\t\td()\n\n\t\te()\n\t}\n", "another indentation"},
		{"indented more", "if a {\n\tb()\n}\n", "\tif a {\n\t\tb()\n\t}", "\tif c {\n\t\td()\n\t}", "if c {\n\td()\n}\n", "another indentation"},
		{"with spaces for tabs", "func f() {\n\tif a {\n\t\tb()\n\t}\n}\n", "    if a {\n        b()\n    }", "    if a {\n        c()\n    }", "func f() {\n\tif a {\n\t\tc()\n\t}\n}\n", "another indentation"},
		{"with tabs for spaces", "f:\n  a:\n    b: 1\n", "\ta:\n\t\tb: 1", "\ta:\n\t\tc: 2", "f:\n  a:\n    c: 2\n", "another indentation"},
		{"at the end of a file without a line end", "a\nb", "b\n", "c\n", "a\nc", "without a line end"},
		{"behind a byte order mark", "\uFEFFa\nb\n", "a\n", "x\n", "\uFEFFx\nb\n", "line 1"},
		{"beside what is not UTF-8", "caf\xe9 one\n", "one", "two", "caf\xe9 two\n", "line 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, said := edited(t, tt.content, replacement{Old: tt.old, New: tt.text})
			if got != tt.want {
				t.Errorf("%q with %q → %q is %q, want %q (%s)", tt.content, tt.old, tt.text, got, tt.want, said)
			}
			contains(t, said, tt.said)
		})
	}
}

func TestEditNeverGuesses(t *testing.T) {
	tests := []struct{ name, content, old, text, said string }{
		{"one word differs", "func handle(a int) {\n\treturn\n}\n", "func handle(b int) {\n", "x", "Edit 1: old is not in the file; the nearest text is\n1:func handle(a int) {\n2:\treturn\n3:}"},
		{"nothing alike", "aaa\n", "zzz yyy", "x", "old is not in the file, nor anything like it"},
		{"indented unevenly", "\ta {\n\t\t\tb\n\t}\n", "a {\n\tb\n}", "x", "the nearest text is\n1:"},
		{"new text that cannot be moved out", "a {\n\tb\n}\n", "\ta {\n\t\tb\n\t}", "a", "the nearest text"},
		{"several places", "x = 1\ny\nx = 1\nz\nx = 1\n", "x = 1", "x = 2", "old is in the file 3 times, at lines 1, 3, 5: take in more lines around the one that is meant, or set all"},
		{"places that overlap", "aaa\n", "aa", "b", "old is in the file 2 times, at line 1: "},
		{"several places but for blanks", "a \nb\nc\na  \nb\n", "a\nb", "x", "2 times, at lines 1, 4"},
		{"no old text", "a\n", "", "x", "old is empty"},
		{"no change", "a\n", "a", "a", "old and new are the same"},
		{"a change that is none in this file", "a\r\nb\r\n", "a\nb", "a\r\nb", "nothing would change: the text at line 1 already is as new says"},
		{"a line that begins alike", "a\nbar\n", "a \nb ", "x", "the nearest text"},
		{"text left out", "func a() {\n\tb()\n}\n", "func a() {\n\tb()\n}", "func a() {\n\t// ... existing code ...\n}", "line 2 of the new text stands for text left out"},
		{"blank lines only", "a\n \n\n \nb\n", "\t\n\t\n", "x", "old is not in the file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, said := edited(t, tt.content, replacement{Old: tt.old, New: tt.text})
			if got != tt.content {
				t.Errorf("%q with %q → %q is %q (%s)", tt.content, tt.old, tt.text, got, said)
			}
			contains(t, said, "f was not changed. Edit 1: ", tt.said)
		})
	}
}

func TestEditsThatFitAreMadeAndTheOthersListed(t *testing.T) {
	got, said := edited(t, "one\ntwo\nthree\nfour\n",
		replacement{Old: "three", New: "3"}, replacement{Old: "thre", New: "x"}, replacement{Old: "one\n", New: "1\n1.5\n"}, replacement{Old: "o", New: "0", All: true})
	if want := "1\n1.5\ntw0\n3\nf0ur\n"; got != want {
		t.Errorf("the file is %q, want %q", got, want)
	}
	contains(t, said, "edited f: 4 replacements, lines 1-2, 3, 4, 5\n1 of 4 edits could not be made; the others are done. Edit 2: old is not in the file")
}

func TestEditReplacesAllWithTheIndentationOfEachPlace(t *testing.T) {
	got, _ := edited(t, "\tif a {\n\t\tb\n\t}\n\t\tif a {\n\t\t\tb\n\t\t}\n", replacement{Old: "if a {\n\tb\n}\n", New: "if c {\n\td\n}\n", All: true})
	if want := "\tif c {\n\t\td\n\t}\n\t\tif c {\n\t\t\td\n\t\t}\n"; got != want {
		t.Errorf("the file is %q, want %q", got, want)
	}
}

func TestEditKeepsTheModeAndTellsFrontEndsTheDiff(t *testing.T) {
	s := newSession(t)
	path := s.put(t, "run.sh", "#!/bin/sh\necho a\n")
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	must(t, s, read, `{"path":"run.sh"}`)
	res, err := do(t, s, edit, `{"path":"run.sh","old":"echo a","new":"echo b"}`)
	if err != nil {
		t.Fatal(err)
	}
	want := "--- a/run.sh\n+++ b/run.sh\n@@ -1,2 +1,2 @@\n #!/bin/sh\n-echo a\n+echo b\n"
	if d := res.Details.(changeDetails); d.Diff != want || d.Added != 1 || d.Removed != 1 {
		t.Errorf("details are %+v, want the diff %q", d, want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the mode is %v, %v", info.Mode(), err)
	}
	must(t, s, edit, `{"path":"run.sh","old":"echo b","new":"echo c"}`) // what was written is known
}

func TestEditRefusesWhatWasNotSeen(t *testing.T) {
	s := newSession(t)
	s.put(t, "f", "a\n")
	s.put(t, "bin", "a\x00b")
	contains(t, refused(t, s, edit, `{"path":"f","old":"a","new":"b"}`), "f exists and has not been read in this session; read it first")
	must(t, s, read, `{"path":"f"}`)
	s.put(t, "f", "a\nb\n")
	contains(t, refused(t, s, edit, `{"path":"f","old":"a","new":"b"}`), "f has changed since you last saw it")
	contains(t, refused(t, s, edit, `{"path":"bin","old":"a","new":"b"}`), "binary")
	contains(t, refused(t, s, edit, `{"path":"g","old":"a","new":"b"}`), "there is no file g")
}

// TestEditChangesNoByteOutsideItsPlace: whatever the file holds, all before and behind the place stays.
func TestEditChangesNoByteOutsideItsPlace(t *testing.T) {
	piece := rapid.SampledFrom([]string{"a", "b", "\n", "\r\n", "\t", " ", "\r", "\u2019", "\u00A0", "\xff", "{", "}", "x1", "\uFEFF", "..."})
	text := rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(piece, 0, 30).Draw(t, "pieces"), "") })
	rapid.Check(t, func(t *rapid.T) {
		content := []byte(text.Draw(t, "content"))
		old, fresh := text.Draw(t, "old"), text.Draw(t, "new")
		if n := len(content); n > 0 && rapid.Bool().Draw(t, "taken from the file") {
			from := rapid.IntRange(0, n-1).Draw(t, "from")
			old = string(content[from:rapid.IntRange(from+1, n).Draw(t, "to")])
			if rapid.Bool().Draw(t, "spaced") {
				old = strings.NewReplacer("\r\n", "\n", "\u2019", "'", "\t", "  ").Replace(old)
			}
		}
		if old == "" {
			return
		}
		m := find(content, []byte(old), []byte(fresh))
		if len(m.at) != 1 {
			return
		}
		at := m.at[0]
		d := draft{data: bytes.Clone(content)}
		d.apply("", replacement{Old: old, New: fresh})
		before, behind := content[:at.from], content[at.to:]
		if !bytes.HasPrefix(d.data, before) || !bytes.HasSuffix(d.data, behind) || len(d.data) < len(before)+len(behind) {
			t.Fatalf("%q with %q → %q at %v is %q", content, old, fresh, at, d.data)
		}
		if squeeze(string(content[at.from:at.to])) != squeeze(old) {
			t.Fatalf("%q was taken for %q", content[at.from:at.to], old)
		}
		if len(d.regions) == 1 && string(d.data[d.regions[0].from:d.regions[0].to]) != string(d.data[len(before):len(d.data)-len(behind)]) {
			t.Fatalf("the region %v of %q is not what is new", d.regions[0], d.data)
		}
	})
}

// squeeze leaves of a text what no step of the matching may change.
func squeeze(s string) string {
	return strings.NewReplacer("\r", "", "\n", "", " ", "", "\t", "", "\u00A0", "", "\u2019", "'").Replace(s)
}

// TestRegionsAreWhatIsNew: after any number of edits every region holds the text that was put there.
func TestRegionsAreWhatIsNew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.SampledFrom([]string{"alpha", "beta", "gamma", "delta"}), 4, 20).Draw(t, "words")
		d := draft{data: []byte(strings.Join(words, "\n") + "\n")}
		order := rapid.Permutation([]string{"alpha", "beta", "gamma", "delta"}).Draw(t, "order")
		for i, w := range order {
			d.apply("", replacement{Old: w, New: strings.Repeat(strings.ToUpper(w)+"\n", i) + strings.ToUpper(w), All: true})
		}
		for _, r := range d.regions {
			if s := string(d.data[r.from:r.to]); s != strings.ToUpper(s) || len(s) < 4 {
				t.Fatalf("a region of %q is %q", d.data, s)
			}
		}
	})
}

// TestEditsThatDoNotOverlapCanBeMadeInAnyOrder: together, one by one, and in any order they make the same file.
func TestEditsThatDoNotOverlapCanBeMadeInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		eol := rapid.SampledFrom([]string{"\n", "\r\n", " \n"}).Draw(t, "line end")
		n := rapid.IntRange(2, 8).Draw(t, "blocks")
		var content strings.Builder
		edits := make([]replacement, n)
		for i := range n {
			indent := rapid.SampledFrom([]string{"", "\t", "    "}).Draw(t, "indent")
			fmt.Fprintf(&content, "%sblock%d {%s%s\tdo(\u201Cit %d\u201D)%s%s}%s", indent, i, eol, indent, i, eol, indent, eol)
			edits[i] = replacement{
				Old: fmt.Sprintf("%sblock%d {\n%s\tdo(\u201Cit %d\u201D)", indent, i, indent, i),
				New: fmt.Sprintf("%sblock%d {\n%s\tdid(\u201Cit %d\u201D)\n%s\tmore()", indent, i, indent, i, indent),
			}
			if rapid.Bool().Draw(t, "plain") {
				edits[i].Old, edits[i].New = typewritten(edits[i].Old), typewritten(edits[i].New)
			}
		}
		in := func(order []replacement) string {
			d := draft{data: []byte(content.String())}
			for _, r := range order {
				d.apply("", r)
			}
			if len(d.failed) > 0 {
				t.Fatalf("%+v in %q: %v", order, content.String(), d.failed)
			}
			return string(d.data)
		}
		want := in(edits)
		if got := in(rapid.Permutation(edits).Draw(t, "order")); got != want {
			t.Fatalf("in another order the file is %q, want %q", got, want)
		}
		if strings.Count(want, "more()") != n {
			t.Fatalf("not all edits were made in %q", want)
		}
	})
}

func typewritten(s string) string {
	return strings.NewReplacer("\u201C", `"`, "\u201D", `"`).Replace(s)
}

// FuzzEdit: whatever the texts are, an edit is made or answered, and changes nothing before and behind its place.
func FuzzEdit(f *testing.F) {
	for _, seed := range [][3]string{
		{"\tif a {\r\n\t\tb(1, 2)\r\n\t}\r\n", "if a {\n  b(1, 2)\n}", "if c {\n  d()\n    e()\n}"},
		{"\uFEFF“a” \u00A0b…\nc  \n", "\"a\"  b...\nc\n", "‘x’\n"},
		{"a\rb\r\n\r", "\r", "\n"},
		{"", "x", ""},
		{"caf\xe9\n\xff", "caf\xe9", "\xfe"},
		{"e\u0301 1:x\n", "1:e 1:x", "é"},
	} {
		f.Add(seed[0], seed[1], seed[2], false)
	}
	f.Fuzz(func(t *testing.T, content, old, text string, all bool) {
		d := draft{data: []byte(content)}
		d.apply("e", replacement{Old: old, New: text, All: all})
		if d.changed == (len(d.failed) > 0) {
			t.Fatalf("%q with %q → %q: changed %t, failed %v", content, old, text, d.changed, d.failed)
		}
		if !d.changed && string(d.data) != content {
			t.Fatalf("%q became %q by an edit that was refused", content, d.data)
		}
		if d.changed && len(d.regions) == 1 {
			r := d.regions[0]
			if !strings.HasPrefix(content, string(d.data[:r.from])) || !strings.HasSuffix(content, string(d.data[r.to:])) {
				t.Fatalf("%q with %q → %q is %q, changed outside %v", content, old, text, d.data, r)
			}
		}
		d.report("f", 1)
	})
}
