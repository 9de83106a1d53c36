package tools

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// found is what a search found, in the order of the files.
type found struct {
	files    []fileMatches
	matches  int // in files
	searched int
	binary   int  // files that were not searched
	more     bool // the limit held back others
}

type fileMatches struct {
	path  string
	lines []lineMatch
	count int // of lines that match; more than lines when only counting
}

type lineMatch struct {
	number int
	text   string // without its line end, cut around the match
}

// scan searches the files, some at a time. The result is the same whatever the order in which they are done: it counts
// up to the limit in the order of files, and stops when all up to there are done.
func (g *search) scan(ctx context.Context, files []string) (found, error) {
	dir, err := openDir(g.root)
	if err != nil {
		return found{}, err
	}
	defer dir.close()
	t := tally{limit: g.limit, mode: g.args.Mode, done: make([]bool, len(files)), hits: make([]*fileMatches, len(files))}
	t.end.Store(int64(len(files)))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(2*runtime.GOMAXPROCS(0), max(len(files), 1)) {
		wg.Go(func() {
			b := buffers.Get().(*buffer)
			defer buffers.Put(b)
			for ctx.Err() == nil && !t.full.Load() {
				i := int(next.Add(1)) - 1
				if i >= int(t.end.Load()) {
					return
				}
				hit, ok := g.file(ctx, dir, files[i], b)
				t.add(i, hit, ok)
			}
		})
	}
	wg.Wait()
	return t.found(), context.Cause(ctx)
}

// A tally puts the results of files in order.
type tally struct {
	limit int
	mode  string
	full  atomic.Bool  // all that can be shown has been found
	end   atomic.Int64 // files from here on need not be searched: those before have all that can be shown

	mu       sync.Mutex
	done     []bool
	hits     []*fileMatches
	ready    int // files before this one are done
	total    int // what counts against the limit in them
	ahead    int // what is kept of files behind them
	searched int
	binary   int
}

func (t *tally) add(i int, hit *fileMatches, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ok {
		t.searched++
	} else {
		t.binary++
	}
	if t.done[i] = true; i < int(t.end.Load()) {
		t.hits[i] = hit
	}
	if hit != nil {
		t.ahead += t.weight(hit)
	}
	for ; t.ready < len(t.done) && t.done[t.ready]; t.ready++ {
		if h := t.hits[t.ready]; h != nil {
			t.total += t.weight(h)
			t.ahead -= t.weight(h)
		}
	}
	if t.total > t.limit {
		t.full.Store(true)
	} else if t.ahead > maxAhead*(t.limit+1) {
		t.prune()
	}
}

// maxAhead bounds, in limits, what is kept of files behind one that takes long.
const maxAhead = 4

// prune finds the file up to which there is all that can be shown, whatever is still found before it, and forgets what is behind.
func (t *tally) prune() {
	total := t.total
	t.ahead = 0
	for i := t.ready; i < int(t.end.Load()); i++ {
		if h := t.hits[i]; h != nil {
			total, t.ahead = total+t.weight(h), t.ahead+t.weight(h)
		}
		if total > t.limit {
			clear(t.hits[i+1:])
			t.end.Store(int64(i + 1))
		}
	}
}

// weight is how much of the limit a file takes: its lines, or one when only files are named.
func (t *tally) weight(h *fileMatches) int {
	if t.mode == "files" || t.mode == "count" {
		return 1
	}
	return len(h.lines)
}

func (t *tally) found() found {
	f := found{searched: t.searched, binary: t.binary}
	left, hits := t.limit, t.hits
	if t.full.Load() {
		hits = hits[:t.ready] // behind it files were left out by chance
	}
	for _, h := range hits {
		if h == nil {
			continue
		}
		if left == 0 {
			f.more = true
			break
		}
		if t.weight(h) > left {
			h.lines, f.more = h.lines[:left], true
		}
		left -= t.weight(h)
		f.files = append(f.files, *h)
		if f.matches += len(h.lines); t.mode == "files" || t.mode == "count" {
			f.matches += h.count
		}
	}
	return f
}

const (
	firstRead = 256 << 10 // bytes; most files of source are smaller
	maxBuffer = 16 << 20  // bytes; a longer line is searched in pieces
)

// A buffer is what one worker reads files into.
type buffer struct{ data []byte }

var buffers = sync.Pool{New: func() any { return &buffer{data: make([]byte, firstRead)} }}

// file searches one file. ok is false when it could not be read or is not text; hit is nil when nothing matches.
func (g *search) file(ctx context.Context, dir searchDir, path string, b *buffer) (hit *fileMatches, ok bool) {
	f, err := dir.open(path)
	if err != nil {
		return nil, false
	}
	defer f.close()
	c := chunk{g: g, hit: fileMatches{path: path}, line: 1}
	for {
		n, err := f.fill(b.data[c.kept:])
		data := b.data[:c.kept+n]
		end := errors.Is(err, io.EOF)
		if err != nil && !end || !c.begun && isBinary(data) {
			return nil, false
		}
		whole := len(data)
		if !end {
			if whole = bytes.LastIndexByte(data, '\n') + 1; whole == 0 {
				if len(b.data) < maxBuffer {
					c.kept = len(data)
					b.data = append(b.data, make([]byte, len(b.data))...)
					continue
				}
				whole = len(data)
			}
		}
		more, text := c.text(data[:whole], end)
		if !text {
			return nil, false
		}
		if !more || end || ctx.Err() != nil {
			break
		}
		c.kept = copy(b.data, data[whole:])
	}
	if c.hit.count == 0 {
		return nil, true
	}
	return &c.hit, true
}

// beforeNUL cuts text at a NUL byte.
func beforeNUL(text []byte) []byte {
	before, _, _ := bytes.Cut(text, []byte{0})
	return before
}

// A chunk is the state of a search between two reads of a file.
type chunk struct {
	g    *search
	hit  fileMatches
	line int // number of the first line in the data to come
	kept int // bytes at the beginning of the buffer that are an unfinished line

	begun bool // some of the file has been searched
}

// text searches whole lines of a file up to its first NUL, as ripgrep does; what is read at once is only looked through for
// one when there is a match. ok is false when the NUL is in what was read first, or matches would be counted short of it;
// more is false when this file needs no more.
func (c *chunk) text(data []byte, end bool) (more, ok bool) {
	first := !c.begun
	if c.begun = true; first {
		data = bytes.TrimPrefix(data, bom)
	}
	before, clean := *c, data
	if !end {
		clean = beforeNUL(data)
	}
	more = c.search(clean)
	if end && c.hit.count > before.hit.count {
		if clean = beforeNUL(data); len(clean) < len(data) {
			*c = before
			more = c.search(clean)
		}
	}
	if len(clean) < len(data) {
		return false, !first && c.g.args.Mode != "count"
	}
	return more, true
}

// search looks through whole lines; false: this file needs no more.
func (c *chunk) search(data []byte) bool {
	find := c.g.expr.newFinder(data)
	counted := 0 // line ends before this place are in c.line
	for pos := 0; pos < len(data); {
		at := find.from(data, pos)
		if at < 0 {
			break
		}
		begin := bytes.LastIndexByte(data[:at], '\n') + 1
		end := len(data)
		if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
			end = at + i
		}
		line := bytes.TrimSuffix(data[begin:end], []byte{'\r'})
		if m := c.g.expr.find(line); m != nil {
			c.line += bytes.Count(data[counted:begin], []byte{'\n'})
			counted = begin
			if !c.match(line, m) {
				return false
			}
		}
		pos = end + 1
	}
	c.line += bytes.Count(data[counted:], []byte{'\n'})
	return true
}

func (c *chunk) match(line []byte, m []int) bool {
	c.hit.count++
	switch c.g.args.Mode {
	case "files":
		return false
	case "count":
		return true
	}
	c.hit.lines = append(c.hit.lines, lineMatch{c.line, around(line, m[0], m[1])})
	return len(c.hit.lines) <= c.g.limit
}

// around cuts a long line to some 300 characters with the match in their middle.
func around(line []byte, from, to int) string {
	const most = 300
	if len(line) <= most || utf8.RuneCount(line) <= most {
		return string(bytes.ToValidUTF8(line, []byte("\uFFFD")))
	}
	mid := (from + min(to, from+most)) / 2
	begin := max(0, min(mid-most/2, len(line)-most))
	end := min(len(line), begin+most)
	for begin > 0 && !utf8.RuneStart(line[begin]) {
		begin--
	}
	for end < len(line) && !utf8.RuneStart(line[end]) {
		end++
	}
	text := string(bytes.ToValidUTF8(line[begin:end], []byte("\uFFFD")))
	if begin > 0 {
		text = "…" + text
	}
	if end < len(line) {
		text += "…"
	}
	return text
}
