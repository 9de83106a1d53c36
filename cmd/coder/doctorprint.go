package main

import (
	"fmt"
	"runtime"
	"strings"
	"unicode/utf8"

	"github.com/coder-agent/coder/agent/plain"
)

// A doctorJSON is what coder doctor --json prints.
type doctorJSON struct {
	OK       bool      `json:"ok"` // no check found a problem
	Version  string    `json:"version"`
	Platform string    `json:"platform"`
	Checks   []finding `json:"checks"`
}

func (d *doctor) printJSON(findings []finding) error {
	return printJSON(d.app.stdout, doctorJSON{
		OK: count(findings, problem) == 0, Version: version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Checks: findings,
	})
}

// The report's columns: the verdict, the name, and what was found, in 80 in all where the terminal has so many.
const (
	reportWidth   = 80
	verdictColumn = 9
	nameColumn    = 11
)

// A doctorReport is written line by line, no line wider than width.
type doctorReport struct {
	strings.Builder
	width int
}

func (d *doctor) print(findings []finding) error {
	b := doctorReport{width: reportWidth}
	if n := d.app.width(); n > 0 {
		b.width = min(max(n, 2*(verdictColumn+nameColumn)), reportWidth)
	}
	fmt.Fprintf(&b, "coder %s, %s/%s\n\n", version(), runtime.GOOS, runtime.GOARCH)
	for _, f := range findings {
		fmt.Fprintf(&b, "%-*s%-*s", verdictColumn, f.Status, nameColumn, f.Name)
		b.indented(plain.Text(f.Text), "")
		for _, detail := range f.Details {
			mark := ""
			if detail.Status != fine && detail.Status != note {
				mark = string(detail.Status) + ": "
			}
			b.start()
			b.indented(plain.Text(mark+detail.Text), "  ")
			b.remedy(detail.Remedy, "  ")
		}
		b.remedy(f.Remedy, "")
	}
	fmt.Fprintf(&b, "\n%s\n", summary(findings))
	_, err := fmt.Fprint(d.app.stdout, b.String())
	return err
}

func (b *doctorReport) start() {
	b.WriteString(strings.Repeat(" ", verdictColumn+nameColumn))
}

func (b *doctorReport) remedy(text, more string) {
	if text != "" {
		b.start()
		b.indented("-> "+plain.Text(text), more)
	}
}

// indented writes text behind what stands on the line, wrapped to the width. A word that is longer stands alone, whole: it
// is a path or a command to copy.
func (b *doctorReport) indented(text, more string) {
	most := b.width - verdictColumn - nameColumn - len(more)
	line := more
	flush := func() {
		b.WriteString(strings.TrimRight(line, " ") + "\n")
		line = more
	}
	used := 0
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word)
		if used > 0 && used+1+n > most {
			flush()
			b.start()
			used = 0
		}
		if used > 0 {
			line += " "
			used++
		}
		line += word
		used += n
	}
	flush()
}

func summary(findings []finding) string {
	problems, warnings := count(findings, problem), count(findings, warning)
	switch {
	case problems > 0 && warnings > 0:
		return counted(problems, "problem") + ", " + counted(warnings, "warning")
	case problems > 0:
		return counted(problems, "problem")
	case warnings > 0:
		return "no problem, " + counted(warnings, "warning")
	}
	return "no problem"
}
