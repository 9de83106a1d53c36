// Package pdftext gets the text of a PDF's pages, in a process of its own.
//
// A PDF is a small language with references, filters and programs. A file that is damaged, or made for it, can let a reader run
// for ever, fill the memory or overflow the stack, and no recover helps then. So the file is read by a process that has
// nothing but it, ends after a time, and dies alone.
package pdftext

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// Bounds of one reading.
const (
	mostTime   = 20 * time.Second
	mostMemory = 512 << 20 // bytes
	mostPage   = 256 << 10 // bytes of text of a page
)

// helperName is the first argument that makes the program the reader of a PDF.
const helperName = "__pdf"

var (
	// ErrEncrypted says that the file can be opened only with a password, or in a way that is not known here.
	ErrEncrypted = errors.New("it is encrypted")
	// ErrTooMuch says that the reading took too long or too much memory.
	ErrTooMuch = errors.New("reading it takes too long or too much memory")
)

// A Page is what is written on one.
type Page struct {
	Number int    `json:"number"` // counted from 1
	Text   string `json:"text,omitempty"`
	Failed string `json:"failed,omitempty"` // why there may be more than Text
}

// A Document is the pages that were read.
type Document struct {
	Pages int // of the whole file
	Read  []Page
}

// line is what the process says: first how many pages there are or what is wrong, then each page.
type line struct {
	Pages     int    `json:"pages,omitempty"`
	Encrypted bool   `json:"encrypted,omitempty"`
	Wrong     string `json:"wrong,omitempty"`
	Page      *Page  `json:"page,omitempty"`
}

// Read reads pages from the first on: at most so many, and no more once they have so many bytes of text. When the time or
// the memory is up, it returns what it has so far with ErrTooMuch. The file's offset does not matter, and is changed.
func Read(ctx context.Context, f *os.File, first, pages, bytes int) (Document, error) {
	return readWithin(ctx, mostTime, f, first, pages, bytes)
}

func readWithin(ctx context.Context, limit time.Duration, f *os.File, first, pages, bytes int) (Document, error) {
	program, err := os.Executable()
	if err != nil {
		return Document{}, fmt.Errorf("pdftext: finding this program: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(limited, program, helperName, strconv.Itoa(first), strconv.Itoa(pages), strconv.Itoa(bytes))
	cmd.Path = own(program)
	cmd.Args[0] = os.Args[0]
	cmd.Env, cmd.Dir, cmd.Stdin = []string{"GOMAXPROCS=2"}, os.TempDir(), f
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	} else if err != nil {
		err = fmt.Errorf("pdftext: starting the reader: %w", err)
	}
	if err != nil && cmd.Process != nil {
		_ = cmd.Wait() // it is killed with the context
	}
	if err != nil {
		return Document{}, err
	}
	d, said := gather(bufio.NewReader(io.LimitReader(out, int64(bytes)+8*mostPage)))
	cancel() // what it still does nobody needs
	ended := cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return d, context.Cause(ctx)
	case said != nil:
		return d, said
	case d.Pages == 0 || ended != nil && len(d.Read) < pages && first+len(d.Read) <= d.Pages && size(d.Read) < bytes:
		return d, ErrTooMuch
	}
	return d, nil
}

func size(pages []Page) (n int) {
	for _, p := range pages {
		n += len(p.Text)
	}
	return n
}

// gather reads what the process says to its end.
func gather(r io.Reader) (d Document, err error) {
	for dec := json.NewDecoder(r); ; {
		var l line
		switch e := dec.Decode(&l); {
		case e != nil:
			return d, nil // it has ended, or was ended
		case l.Encrypted:
			return d, ErrEncrypted
		case l.Wrong != "":
			return d, errors.New(l.Wrong)
		case l.Page != nil:
			d.Read = append(d.Read, *l.Page)
		default:
			d.Pages = l.Pages
		}
	}
}
