package pdftext

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder-agent/coder/tools/pdftext/pdftexttest"
)

// TestMain lets the test binary be the process that reads a PDF.
func TestMain(m *testing.M) {
	Dispatch()
	os.Exit(m.Run())
}

func file(t testing.TB, data string) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.pdf")
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestTextIsWrittenAsItStands: lines and blanks come from where the pieces are drawn.
func TestTextIsWrittenAsItStands(t *testing.T) {
	for _, tt := range []struct{ name, program, want string }{
		{"one piece", "BT /F1 10 Tf 50 700 Td (Hello, world) Tj ET", "Hello, world"},
		{"lines", "BT /F1 10 Tf 12 TL 50 700 Td (one) Tj T* (two) Tj (three) ' 0 -12 Td (four) Tj ET", "one\ntwo\nthree\nfour"},
		{"a paragraph", "BT /F1 10 Tf 50 700 Td (one) Tj 0 -30 Td (two) Tj ET", "one\n\ntwo"},
		{"kerning is no blank", "BT /F1 10 Tf 50 700 Td [(A) 80 (V) -20 (E)] TJ ET", "AVE"},
		{"room is a blank", "BT /F1 10 Tf 50 700 Td [(two) -300 (words)] TJ ET", "two words"},
		{"pieces that touch", "BT /F1 10 Tf 50 700 Td (ab) Tj 10 0 Td (cd) Tj ET", "abcd"},
		{"pieces that do not", "BT /F1 10 Tf 50 700 Td (ab) Tj 15 0 Td (cd) Tj ET", "ab cd"},
		{"a place given whole", "BT /F1 10 Tf 1 0 0 1 50 700 Tm (ab) Tj 1 0 0 1 50 688 Tm (cd) Tj ET", "ab\ncd"},
		{"a drawing that is enlarged", "2 0 0 2 0 0 cm BT /F1 1 Tf 5 0 0 5 25 350 Tm (ab) Tj ET BT /F1 1 Tf 5 0 0 5 30 350 Tm (cd) Tj ET", "abcd"},
		{"another state and back", "q 9 0 0 9 0 0 cm Q BT /F1 10 Tf 5 5 Td (ab) Tj ET", "ab"},
		{"extra blanks", "BT /F1 10 Tf 3 Tw 1 Tc 50 700 Td (a b) Tj ET", "a b"},
		{"all at once", "BT /F1 10 Tf 12 TL 50 700 Td (a) Tj 1 2 (b) \" ET", "a\nb"},
		{"nothing", "0 0 100 100 re f", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := Read(t.Context(), file(t, pdftexttest.Make(tt.program)), 1, 9, 9999)
			if err != nil || d.Pages != 1 || len(d.Read) != 1 {
				t.Fatalf("Read = %+v, %v", d, err)
			}
			if got := d.Read[0]; got.Text != tt.want || got.Failed != "" {
				t.Errorf("got %q (%s), want %q", got.Text, got.Failed, tt.want)
			}
		})
	}
}

func TestAFormIsPartOfItsPage(t *testing.T) {
	data := pdftexttest.Build("",
		"<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[4 0 R]/Count 1>>",
		"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
		"<</Type/Page/Parent 2 0 R/Resources<</XObject<</X 5 0 R>>>>/Contents 6 0 R>>",
		pdftexttest.Stream("/Subtype/Form/Matrix[1 0 0 1 0 -100]/Resources<</Font<</F1 3 0 R>>>>", "BT /F1 10 Tf 50 700 Td (in the form) Tj ET"),
		pdftexttest.Stream("", "BT (before) Tj ET /X Do"))
	d, err := Read(t.Context(), file(t, data), 1, 1, 9999)
	if err != nil || len(d.Read) != 1 || d.Read[0].Text != "before\n\nin the form" {
		t.Errorf("Read = %+v, %v", d, err)
	}
}

// TestPagesAreReadAsAsked and no more of them than their text needs.
func TestPagesAreReadAsAsked(t *testing.T) {
	var programs []string
	for n := range 20 {
		programs = append(programs, fmt.Sprintf("BT /F1 10 Tf (page %d, %s) Tj ET", n+1, strings.Repeat("x", 100)))
	}
	f := file(t, pdftexttest.Make(programs...))
	for _, tt := range []struct{ first, pages, bytes, from, to int }{
		{1, 20, 1 << 20, 1, 20}, {3, 2, 1 << 20, 3, 4}, {19, 9, 1 << 20, 19, 20}, {5, 20, 250, 5, 7}, {1, 0, 0, 0, -1}, {21, 1, 100, 0, -1},
	} {
		d, err := Read(t.Context(), f, tt.first, tt.pages, tt.bytes)
		if err != nil || d.Pages != 20 || len(d.Read) != tt.to-tt.from+1 || len(d.Read) > 0 && (d.Read[0].Number != tt.from || !strings.HasPrefix(d.Read[0].Text, fmt.Sprintf("page %d,", tt.from))) {
			t.Errorf("Read(%d, %d, %d) = %+v, %v; want pages %d-%d", tt.first, tt.pages, tt.bytes, d, err, tt.from, tt.to)
		}
	}
}

// TestBadFilesHarmNobody: each ends in an error, or in what could be read, and soon.
func TestBadFilesHarmNobody(t *testing.T) {
	for name, data := range pdftexttest.Bad() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			d, err := readWithin(t.Context(), time.Second, file(t, data), 1, 5, 9999)
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
			locked := strings.HasPrefix(name, "encrypted")
			if errors.Is(err, ErrEncrypted) != locked {
				t.Errorf("err = %v", err)
			}
			if text := fmt.Sprint(d.Read); strings.Contains(text, "secret") {
				t.Errorf("what is encrypted is read: %s", text)
			}
			if (name == "tables in a ring" || name == "a huge table") && err == nil && len(d.Read) > 0 && d.Read[0].Failed == "" {
				t.Errorf("nothing is wrong: %+v", d)
			}
			t.Log(d, err)
		})
	}
}

func TestReadingIsCancelled(t *testing.T) {
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := Read(ctx, file(t, pdftexttest.Make("BT (a) Tj ET")), 1, 1, 99); !errors.Is(err, why) {
		t.Errorf("err = %v, want %v", err, why)
	}
	ctx, cancel = context.WithCancelCause(t.Context())
	time.AfterFunc(100*time.Millisecond, func() { cancel(why) })
	if _, err := Read(ctx, file(t, pdftexttest.Bad()["tables in a ring"]), 1, 1, 99); !errors.Is(err, why) {
		t.Errorf("a reading that never ends: err = %v, want %v", err, why)
	}
}

// FuzzPDF: whatever a file is, the process that asks lives, and has its answer soon.
func FuzzPDF(f *testing.F) {
	f.Add([]byte(pdftexttest.Make("BT /F1 10 Tf 50 700 Td (Hello) Tj ET", "BT [(a) -300 (b)] TJ ET")))
	for _, data := range pdftexttest.Bad() {
		if len(data) < 1<<14 {
			f.Add([]byte(data))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		began := time.Now()
		d, err := readWithin(t.Context(), 2*time.Second, file(t, string(data)), 1, 3, 9999)
		if err == nil && d.Pages <= 0 {
			t.Errorf("no error and no pages")
		}
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}
