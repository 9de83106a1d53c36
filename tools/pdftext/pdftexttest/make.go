// Package pdftexttest makes PDF files for tests.
package pdftexttest

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"strings"
)

// Make returns a PDF with a page for each program, in the font F1 (Helvetica, each letter half as wide as it is high).
func Make(programs ...string) string {
	return Build("", pages(programs)...)
}

// pages are the objects of a file: 1 the catalog, 2 the list of pages, 3 the font, then two for each page.
func pages(programs []string) []string {
	widths := strings.TrimSpace(strings.Repeat("500 ", 95))
	var kids []string
	objects := []string{"<</Type/Catalog/Pages 2 0 R>>", "", "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding/FirstChar 32/LastChar 126/Widths[" + widths + "]>>"}
	for i, program := range programs {
		n := 4 + 2*i
		kids = append(kids, fmt.Sprintf("%d 0 R", n))
		objects = append(objects,
			fmt.Sprintf("<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Resources<</Font<</F1 3 0 R>>>>/Contents %d 0 R>>", n+1),
			Stream("", program))
	}
	objects[1] = fmt.Sprintf("<</Type/Pages/Kids[%s]/Count %d>>", strings.Join(kids, " "), len(kids))
	return objects
}

// Stream returns the object of a compressed stream, with more in its dictionary.
func Stream(more, data string) string {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write([]byte(data)) // a buffer takes everything
	_ = w.Close()
	return fmt.Sprintf("<</Filter/FlateDecode%s/Length %d>>\nstream\n%s\nendstream", more, b.Len(), b.String())
}

// Build returns a PDF of objects, numbered from 1, the first of which is the catalog, with more in its trailer.
func Build(trailer string, objects ...string) string {
	var b strings.Builder
	b.WriteString("%PDF-1.4\n")
	var at []int
	for i, o := range objects {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	table := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, offset := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(&b, "trailer\n<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, trailer, table)
	return b.String()
}

// Bad returns files that a reader may break on, by what is wrong with them.
func Bad() map[string]string {
	good := Make("BT /F1 10 Tf (text) Tj ET")
	ring := strings.Replace(good, "/Root", "/Prev "+good[strings.LastIndex(good, "startxref")+10:len(good)-7]+"/Root", 1)
	return map[string]string{
		"empty":                  "%PDF-",
		"cut off":                good[:len(good)/2],
		"without an end":         good[:len(good)-6],
		"tables in a ring":       ring,
		"pages in a ring":        Build("", "<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[2 0 R]/Count 9>>"),
		"a page that is not one": Build("", "<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[7 0 R 1 0 R]/Count 2>>"),
		"a huge table":           "%PDF-1.5\n1 0 obj\n<</Type/XRef/Size 9000000000/W[1 2 1]/Root 1 0 R/Length 0>>\nstream\n\nendstream\nendobj\n" + strings.Repeat("%\n", 60) + "startxref\n9\n%%EOF\n",
		"deep nesting":           Make("BT " + strings.Repeat("[", 5_000_000)),
		"deep pages":             Build("", "<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids["+strings.Repeat("[", 2_000_000)+"]/Count 1>>"),
		"an unknown filter":      Build("", append(pages([]string{"", ""})[:4], "<</Filter/JBIG2Decode/Length 3>>\nstream\nabc\nendstream")...),
		"odd operators":          Make(`BT /F1 Tf Tj TJ ' " Td (x) (y) Tm 1 Tc cm Do /No Do Q Q (z) Tj ET`),
		"numbers out of range":   Make("BT /F1 1e308 Tf 1e308 0 0 1e308 1e308 1e308 Tm (a) Tj 1e308 1e308 Td (b) Tj ET"),
		"a form in itself":       Build("", append(pages([]string{""})[:3], "<</Type/Page/Parent 2 0 R/Resources<</XObject<</X 5 0 R>>>>/Contents 5 0 R>>", Stream("/Subtype/Form", "/X Do /X Do /X Do"))...),
		"encrypted":              Build("/ID[(a)(b)]/Encrypt<</Filter/Standard/V 1/R 2/P -4/O("+strings.Repeat("o", 32)+")/U("+strings.Repeat("u", 32)+")>>", pages([]string{"BT (secret) Tj ET"})...),
		"encrypted anew":         Build("/ID[(a)(b)]/Encrypt<</Filter/Standard/V 5/R 6/Length 256>>", pages([]string{"BT (secret) Tj ET"})...),
	}
}
