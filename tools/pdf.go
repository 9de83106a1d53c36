package tools

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/tools/pdftext"
)

var pdf = []byte("%PDF-")

// readPDF shows what is written on the pages of a PDF. Offset and limit count its pages.
func readPDF(ctx context.Context, s session, p *place, f *os.File, info fs.FileInfo, a readArgs) (agent.Result, error) {
	fact := fmt.Sprintf("%s is a PDF, %s", p.shown, byteCount(info.Size()))
	first, most := max(a.Offset, 1), maxLines
	if a.Limit > 0 {
		most = min(a.Limit, maxLines)
	}
	if a.Offset < 0 { // -2: the last two
		d, err := pdftext.Read(ctx, f, 1, 0, 0)
		if err != nil {
			return agent.Result{}, unreadPDF(ctx, fact, err)
		}
		first = max(1, d.Pages+1+a.Offset)
	}
	d, err := pdftext.Read(ctx, f, first, most, maxBytes)
	switch {
	case err == nil && first > d.Pages:
		return agent.Result{}, fmt.Errorf("%s of %s; offset %d is past its end: for a PDF offset and limit count pages", fact, many(d.Pages, "page"), first)
	case err != nil && (len(d.Read) == 0 || !errors.Is(err, pdftext.ErrTooMuch)):
		return agent.Result{}, unreadPDF(ctx, fact, err)
	}
	text, last := pageText(d)
	rest := pagesLeft(d, first, last, err != nil)
	if text, err = bounded(ctx, s, "read", text); err != nil {
		return agent.Result{}, err
	}
	text = strings.TrimSuffix(text, "\n") + "\n" + rest
	res := agent.Result{Text: text, Details: readDetails{Path: p.shown, From: first, To: last}}
	return noteInstructions(ctx, s, p, res)
}

// unreadPDF says why nothing of a PDF can be shown.
func unreadPDF(ctx context.Context, fact string, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, pdftext.ErrEncrypted):
		return fmt.Errorf("%s, and it is encrypted: ask the user for a copy without a password", fact)
	}
	return fmt.Errorf("%s, but cannot be read (%s): it may be damaged, or of a kind that is not known here; try bash (pdftotext -layout FILE -), if that is there", fact, plain.VisibleLine(err.Error(), 200))
}

// pageText writes the pages that fit into a result, the first in any case, and returns the number of the last.
func pageText(d pdftext.Document) (text string, last int) {
	var b strings.Builder
	for i, p := range d.Read {
		page := fmt.Sprintf("--- page %d ---\n", p.Number)
		if p.Text != "" {
			page += plain.Output(p.Text) + "\n"
		}
		switch {
		case p.Failed != "":
			page += "(not all of this page could be read: " + plain.VisibleLine(p.Failed, 200) + ")\n"
		case p.Text == "":
			page += "(no text)\n"
		}
		if i > 0 && (b.Len()+len(page) > maxBytes || lineCount([]byte(b.String()))+lineCount([]byte(page)) > maxLines) {
			break
		}
		b.WriteString(page)
		last = p.Number
	}
	return b.String(), last
}

// pagesLeft says what there is beside the pages that are shown, and how to get it.
func pagesLeft(d pdftext.Document, first, last int, stuck bool) string {
	said := fmt.Sprintf("(pages %d-%d of %d", first, last, d.Pages)
	if last < d.Pages {
		said += fmt.Sprintf("; go on with offset=%d", last+1)
	}
	if stuck {
		said += fmt.Sprintf("; page %d takes too long or too much memory", d.Read[len(d.Read)-1].Number+1)
	}
	written := false
	for _, p := range d.Read {
		written = written || p.Text != ""
	}
	if !written {
		said += "; without text they may be scans: if you take pictures, make them with bash (pdftoppm -png -r 100 -f PAGE -l PAGE FILE OUT) and read those"
	}
	return said + ")"
}
