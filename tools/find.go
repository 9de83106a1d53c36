package tools

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/plain"
)

// Bounds of a Finder.
const (
	maxIndexes   = 4                // folders whose names are kept
	maxNameBytes = 32 << 20         // of the names of one folder
	indexIdle    = 10 * time.Minute // what nobody has asked for so long is forgotten when somebody asks for another
	indexFresh   = 3 * time.Second  // names this old are answered from, and read anew
	indexWait    = 10 * time.Second // for the first list of a folder
	queryTime    = 100 * time.Millisecond
)

// A Finder finds files of workdirs by some letters of their names. It keeps the names of the folders that were asked for last; who
// asks again gets them at once, and they are read anew in the background. Ignored files are not among them.
type Finder struct {
	ctx    context.Context // of the background reading: done when the Finder is closed
	cancel context.CancelFunc
	now    func() time.Time

	mu      sync.Mutex
	closed  bool
	reading sync.WaitGroup
	indexes map[string]*nameIndex // by workdir
}

// A nameIndex is the names of a folder. The Finder's mu guards it; the lists are never changed.
type nameIndex struct {
	ready   chan struct{} // closed when there are names, or an error
	names   nameList      // files, and folders with a slash at their end; relative, with slashes
	cut     bool          // there are more than are kept
	err     error
	used    time.Time
	read    time.Time
	took    time.Duration
	reading bool
}

// NewFinder returns a Finder that lives until ctx is done or Close.
func NewFinder(ctx context.Context) *Finder {
	f := &Finder{now: time.Now, indexes: make(map[string]*nameIndex)}
	f.ctx, f.cancel = context.WithCancel(ctx)
	return f
}

// Close ends what is read in the background and waits for it.
func (f *Finder) Close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.cancel()
	f.reading.Wait()
}

// Find answers agent.Options.FindFiles.
func (f *Finder) Find(ctx context.Context, a *agent.CoderAgent, query string, limit int) (agent.FilesFound, error) {
	return f.find(ctx, a, query, limit)
}

func (f *Finder) find(ctx context.Context, s session, query string, limit int) (agent.FilesFound, error) {
	dir, err := s.Workdir(ctx)
	if err != nil {
		return agent.FilesFound{}, err
	}
	if dir == "" {
		return agent.FilesFound{}, &agent.WorkdirError{Session: s.Name()}
	}
	index, err := f.index(s, dir)
	if err != nil {
		return agent.FilesFound{}, err
	}
	late := time.NewTimer(indexWait)
	defer late.Stop()
	select {
	case <-index.ready:
	case <-late.C:
		return agent.FilesFound{}, errors.New("the files of the workdir are still being listed; try again in a moment")
	case <-ctx.Done():
		return agent.FilesFound{}, context.Cause(ctx)
	}
	f.mu.Lock()
	names, cut, err := index.names, index.cut, index.err
	f.mu.Unlock()
	if err != nil {
		return agent.FilesFound{}, err
	}
	found, all := bestNames(ctx, names, query, limit, f.now().Add(queryTime))
	answer := agent.FilesFound{Files: make([]agent.FoundFile, 0, len(found)), Cut: cut || !all}
	for _, name := range found {
		answer.Files = append(answer.Files, agent.FoundFile{Path: name})
	}
	return answer, nil
}

// index returns the names of a folder, and has them read if there are none, or old ones.
func (f *Finder) index(s session, dir string) (*nameIndex, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, agent.ErrShutdown
	}
	now := f.now()
	index := f.indexes[dir]
	if index == nil || index.err != nil {
		f.forget(now)
		index = &nameIndex{ready: make(chan struct{})}
		f.indexes[dir] = index
	}
	index.used = now
	fresh := max(indexFresh, 20*index.took) // a slow disk is not kept busy
	if !index.reading && (index.read.IsZero() || now.Sub(index.read) > fresh) {
		index.reading = true
		f.reading.Go(func() { f.fill(index, s, dir) })
	}
	return index, nil
}

// forget makes room for another folder.
func (f *Finder) forget(now time.Time) {
	for len(f.indexes) > 0 {
		oldest := ""
		for dir, x := range f.indexes {
			if oldest == "" || x.used.Before(f.indexes[oldest].used) {
				oldest = dir
			}
		}
		if len(f.indexes) < maxIndexes && now.Sub(f.indexes[oldest].used) < indexIdle {
			return
		}
		delete(f.indexes, oldest)
	}
}

// fill reads the names of a folder.
func (f *Finder) fill(index *nameIndex, s session, dir string) {
	begun := f.now()
	l, err := list(f.ctx, s, dir)
	var names []string
	cut := l.cut
	if err == nil {
		var more bool
		names, more = namesOf(l.files)
		cut = cut || more
	}
	ready := newNameList(names)
	f.mu.Lock()
	defer f.mu.Unlock()
	index.reading = false
	first := index.read.IsZero()
	index.read = f.now()
	index.took = index.read.Sub(begun)
	if err == nil || first { // else the names of before are better than none
		index.names, index.cut, index.err = ready, cut, err
	}
	if first {
		close(index.ready)
	}
}

// namesOf returns the files, which are sorted, and the folders they are in. A name that would not be shown as it is, or cannot
// stand in a line, is left out: nobody could choose it knowingly.
func namesOf(files []string) (names []string, cut bool) {
	seen := make(map[string]bool)
	size := 0
	names = make([]string, 0, len(files)+len(files)/8)
	for _, file := range files {
		if strings.HasSuffix(file, "/") || strings.ContainsAny(file, "\n\t") || plain.Text(file) != file {
			continue
		}
		if size += len(file); size > maxNameBytes || len(names) >= maxWalk {
			return names, true
		}
		names = append(names, file)
		for i := strings.LastIndexByte(file, '/'); i > 0; i = strings.LastIndexByte(file[:i], '/') {
			folder := file[:i+1]
			if seen[folder] {
				break
			}
			seen[folder] = true
			names = append(names, folder)
		}
	}
	return names, false
}
