package tools

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// text writes what was found: the path of each file once, its lines below it.
func (g *search) text(f found) (string, error) {
	var b strings.Builder
	switch g.args.Mode {
	case "files":
		for _, h := range f.files {
			fmt.Fprintf(&b, "%s%s\n", g.prefix, h.path)
		}
	case "count":
		for _, h := range f.files {
			fmt.Fprintf(&b, "%s%s:%d\n", g.prefix, h.path, h.count)
		}
		if len(f.files) > 1 {
			fmt.Fprintf(&b, "%s in %s\n", many(f.matches, "line"), many(len(f.files), "file"))
		}
	default:
		for i, h := range f.files {
			if i > 0 {
				b.WriteByte('\n')
			}
			fmt.Fprintf(&b, "%s%s\n", g.prefix, h.path)
			if err := g.lines(&b, h); err != nil {
				return "", err
			}
		}
	}
	if f.more {
		what := "matches"
		if g.args.Mode == "files" || g.args.Mode == "count" {
			what = "files"
		}
		g.note("the first %s %s; there are more: narrow pattern, path or glob, or raise limit (at most %s)", thousands(g.limit), what, thousands(grepMaxLimit))
	}
	for _, n := range g.notes {
		if f.matches == 0 {
			fmt.Fprintf(&b, "%s\n", n)
		} else {
			fmt.Fprintf(&b, "(%s)\n", n)
		}
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// lines writes the matches of one file, with the lines around them if they are wanted.
func (g *search) lines(b *strings.Builder, h fileMatches) error {
	if g.args.Context == 0 {
		for _, m := range h.lines {
			fmt.Fprintf(b, "%d:%s\n", m.number, m.text)
		}
		return nil
	}
	near, err := g.near(h)
	if err != nil {
		return err
	}
	hits := map[int]string{}
	for _, m := range h.lines {
		hits[m.number] = m.text
	}
	last := 0
	for _, n := range near {
		if last > 0 && n.number > last+1 {
			b.WriteString("--\n")
		}
		last = n.number
		if hit, ok := hits[n.number]; ok {
			fmt.Fprintf(b, "%d:%s\n", n.number, hit)
			continue
		}
		fmt.Fprintf(b, "%d-%s\n", n.number, n.text)
	}
	return nil
}

// near reads the lines around the matches of a file: those are few, so the file is read once more instead of keeping
// lines back while it is searched.
func (g *search) near(h fileMatches) ([]lineMatch, error) {
	dir, err := openDir(g.root)
	if err != nil {
		return nil, err
	}
	defer dir.close()
	f, err := dir.open(h.path)
	if err != nil {
		return h.lines, nil // it went away meanwhile: its matches stand alone
	}
	defer f.close()
	r := bufio.NewReaderSize(fillReader{&f}, 64<<10)
	var near []lineMatch
	last := h.lines[len(h.lines)-1].number + g.args.Context
	for n, i := 1, 0; n <= last; n++ {
		line, err := longLine(r)
		if len(line) == 0 && err != nil {
			break
		}
		for i < len(h.lines)-1 && n > h.lines[i].number+g.args.Context {
			i++
		}
		if n >= h.lines[i].number-g.args.Context && n <= h.lines[i].number+g.args.Context {
			near = append(near, lineMatch{n, around(bytes.TrimRight(line, "\r\n"), 0, 0)})
		}
		if err != nil {
			break
		}
	}
	return near, nil
}

// A fillReader makes an io.Reader of a searchFile.
type fillReader struct{ f *searchFile }

func (r fillReader) Read(p []byte) (int, error) {
	n, err := r.f.fill(p)
	if n > 0 && errors.Is(err, io.EOF) {
		return n, nil
	}
	return n, err
}
