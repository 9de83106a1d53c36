package tools

import (
	"fmt"
	"strings"
	"testing"

	"github.com/coder-agent/coder/tools/pdftext/pdftexttest"
)

func shows(text string) string { return "BT /F1 10 Tf 12 TL 50 700 Td (" + text + ") Tj ET" }

// letter is a page of n lines.
func letter(n int, line string) string {
	return "BT /F1 10 Tf 12 TL 50 700 Td " + strings.Repeat("("+line+") Tj T* ", n) + "ET"
}

func TestReadShowsThePagesOfAPDF(t *testing.T) {
	s := newSession(t)
	var many []string
	for n := range 40 {
		many = append(many, letter(60, fmt.Sprintf("line of page %d", n+1)))
	}
	s.put(t, "a.pdf", pdftexttest.Make(shows("first"), shows(""), shows("third \\(3\\)")))
	s.put(t, "many.pdf", pdftexttest.Make(many...))
	s.put(t, "scan.pdf", pdftexttest.Make("0 0 1 1 re f", "0 0 1 1 re f"))
	s.put(t, "long.pdf", pdftexttest.Make(letter(4000, "one of many lines"), shows("end")))
	s.put(t, "hidden.pdf", pdftexttest.Build("",
		"<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>", "<</Type/Page/Parent 2 0 R/Contents 4 0 R>>",
		pdftexttest.Stream("", "BT (see \x1b[31m\u200bthis) Tj ET")))
	for _, tt := range []struct {
		name, input string
		want        []string
	}{
		{"whole", `{"path":"a.pdf"}`, []string{"--- page 1 ---\nfirst\n--- page 2 ---\n(no text)\n--- page 3 ---\nthird (3)\n(pages 1-3 of 3)"}},
		{"one page", `{"path":"a.pdf","offset":2,"limit":1}`, []string{"--- page 2 ---\n(no text)\n(pages 2-2 of 3; go on with offset=3; without text they may be scans"}},
		{"the last", `{"path":"a.pdf","offset":-1}`, []string{"--- page 3 ---\nthird (3)\n(pages 3-3 of 3)"}},
		{"as many as fit", `{"path":"many.pdf"}`, []string{"line of page 29\n", "(pages 1-32 of 40; go on with offset=33)"}},
		{"a scan", `{"path":"scan.pdf"}`, []string{"(no text)\n(pages 1-2 of 2; without text they may be scans: if you take pictures"}},
		{"a page that is too long", `{"path":"long.pdf"}`, []string{"(cut here: ", "lines of 4,001; all 7", "(pages 1-1 of 2; go on with offset=2)"}},
		{"what nobody can see", `{"path":"hidden.pdf"}`, []string{"see \\u200bthis"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := must(t, s, read, tt.input)
			contains(t, got, tt.want...)
			if len(got) > maxBytes+1000 {
				t.Errorf("the result has %d bytes", len(got))
			}
		})
	}
	contains(t, refused(t, s, read, `{"path":"a.pdf","offset":4}`), "a.pdf is a PDF, ", "of 3 pages; offset 4 is past its end: for a PDF offset and limit count pages")
}

func TestReadExplainsBadPDFs(t *testing.T) {
	bad := pdftexttest.Bad()
	for _, name := range []string{"empty", "cut off", "encrypted", "encrypted anew", "deep pages", "a huge table"} {
		s := newSession(t)
		s.put(t, "a.pdf", bad[name])
		want := "but cannot be read ("
		if strings.HasPrefix(name, "encrypted") {
			want = "and it is encrypted: ask the user"
		}
		contains(t, refused(t, s, read, `{"path":"a.pdf"}`), "a.pdf is a PDF, ", want)
	}
}
