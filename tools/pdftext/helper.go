package pdftext

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"

	"github.com/ledongthuc/pdf"
)

// Dispatch makes this process the reader of a PDF if it was started as one, and does not return then.
func Dispatch() {
	if len(os.Args) == 5 && os.Args[1] == helperName {
		os.Exit(help(os.Args[2:]))
	}
}

// help reads the PDF that is the standard input.
func help(args []string) int {
	var bounds [3]int
	for i, arg := range args {
		n, err := strconv.Atoi(arg)
		if err != nil {
			fmt.Fprintln(os.Stderr, "coder: error: "+helperName+" is started by coder itself")
			return 2
		}
		bounds[i] = n
	}
	guard()
	out := json.NewEncoder(os.Stdout)
	say := func(l line) bool { return out.Encode(l) == nil }
	info, err := os.Stdin.Stat()
	if err != nil {
		say(line{Wrong: err.Error()})
		return 1
	}
	r, count, err := open(os.Stdin, info.Size())
	switch {
	case err != nil:
		locked := errors.Is(err, pdf.ErrInvalidPassword) || strings.Contains(err.Error(), "encrypt")
		say(line{Encrypted: locked, Wrong: err.Error()})
		return 1
	case !say(line{Pages: count}):
		return 1
	}
	first, pages, bytes := bounds[0], bounds[1], bounds[2]
	for n := first; n <= count && n-first < pages && bytes > 0; n++ {
		p := read(r, n)
		if bytes -= len(p.Text); !say(line{Page: &p}) {
			return 1
		}
	}
	return 0
}

// guard ends the process when it has taken too long or too much, whoever waits for it.
func guard() {
	debug.SetMaxStack(64 << 20)
	debug.SetMemoryLimit(mostMemory / 2)
	time.AfterFunc(mostTime+5*time.Second, func() { os.Exit(3) })
	go func() {
		used := []metrics.Sample{{Name: "/memory/classes/total:bytes"}}
		for range time.Tick(10 * time.Millisecond) {
			if metrics.Read(used); used[0].Value.Uint64() > mostMemory {
				os.Exit(3)
			}
		}
	}()
}

// open reads the file's table of contents.
func open(f *os.File, size int64) (r *pdf.Reader, pages int, err error) {
	defer caught(&err)
	if r, err = pdf.NewReader(f, size); err != nil {
		return nil, 0, err
	}
	if pages = r.NumPage(); pages <= 0 {
		return nil, 0, errors.New("it names no pages")
	}
	return r, pages, nil
}

// read gets the text of a page, as far as it can be had.
func read(r *pdf.Reader, n int) (p Page) {
	p.Number = n
	w := &writer{}
	err := w.page(r, n)
	if p.Text = w.text(); err != nil {
		p.Failed = err.Error()
	}
	return p
}

// caught makes an error of a panic: that is how the library says that something is wrong with the file.
func caught(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("%v", v)
	}
}
