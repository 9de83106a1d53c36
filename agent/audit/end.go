package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// An end is where the next line goes.
type end struct {
	head
	next  bool    // into a new file
	first []Entry // what must be said before it
	new   bool    // there is no head yet
}

// findEnd finds out where the log ends: at its head, or behind lines that the end of a process has kept from being counted.
// What the process did not write to its end is taken away. When what is there cannot be what was written, it is left for
// whoever looks into it, and the log goes on in a new file, which begins by saying so.
func findEnd(dir string) (end, error) {
	h, err := readHead(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errHead):
		return headless(dir, err)
	case err != nil:
		return end{}, err
	}
	e := end{head: h}
	info, err := os.Stat(filePath(dir, h.File))
	switch {
	case errors.Is(err, fs.ErrNotExist) && h.Size == 0:
	case errors.Is(err, fs.ErrNotExist):
		return e.broken(dir, fmt.Sprintf("%s is gone", fileName(h.File)))
	case err != nil:
		return end{}, err
	case info.Size() < h.Size:
		return e.broken(dir, fmt.Sprintf("%s has lost its end", fileName(h.File)))
	case info.Size() > h.Size:
		if sound, err := e.adopt(dir); err != nil || !sound {
			return e.orBroken(dir, err)
		}
	}
	// The process may have ended between beginning a file and counting its first line.
	if _, err := os.Stat(filePath(dir, e.File+1)); err == nil {
		counted := e.File
		e.File, e.Size = e.File+1, 0
		if sound, err := e.adopt(dir); err != nil || !sound {
			e.File = counted
			return e.orBroken(dir, err)
		}
	}
	return e, nil
}

func (e end) orBroken(dir string, err error) (end, error) {
	if err != nil {
		return end{}, err
	}
	return e.broken(dir, "there are lines behind the last that are not ours")
}

// adopt counts the lines behind the head, and cuts off one that has no end. It is false when they do not follow.
func (e *end) adopt(dir string) (sound bool, err error) {
	sound = true
	torn := 0
	path := filePath(dir, e.File)
	err = scan(path, e.Size, func(r raw) bool {
		if !r.whole {
			torn = len(r.text)
			return false
		}
		line, ok := r.parse()
		if sound = ok && line.follows(e.N, e.Hash); sound {
			e.N, e.Hash, e.Size = line.N, hashOf(r.text), e.Size+r.size
		}
		return sound
	})
	if err != nil || !sound || torn == 0 {
		return sound, err
	}
	e.first = append(e.first, Entry{
		What: Mended, Count: torn,
		Why: "the process ended in the middle of a line: " + fileName(e.File) + " is cut back to the end of the one before",
	})
	return true, os.Truncate(path, e.Size)
}

// broken goes on in a new file, from where the head says.
func (e end) broken(dir, why string) (end, error) {
	list, err := numbers(dir)
	if err != nil {
		return end{}, err
	}
	have, err := lastLine(dir, list, func(l Line) bool { return l.N <= e.N })
	if err != nil {
		return end{}, err
	}
	entry := Entry{What: Broken, Why: why, Lost: LostRemoved}
	if have.N < e.N {
		entry.Count = int(e.N - have.N)
		entry.Why = fmt.Sprintf("%s: lines %d to %d are missing", why, have.N+1, e.N)
		if have.N >= e.Synced {
			entry.Lost = LostUnsynced
		}
	}
	e.first, e.next = []Entry{entry}, true
	if len(list) > 0 {
		e.File = max(e.File, list[len(list)-1])
	}
	return e, nil
}

// headless goes on without a usable head: from the last line that there is.
func headless(dir string, cause error) (end, error) {
	list, err := numbers(dir)
	if err != nil {
		return end{}, err
	}
	gone := errors.Is(cause, fs.ErrNotExist)
	if gone && len(list) == 0 {
		return end{
			head: head{File: 1, FirstFile: 1, FirstN: 1}, new: true,
			first: []Entry{{What: Begun, Why: "the log begins: nothing was written before"}},
		}, nil
	}
	last, err := lastLine(dir, list, func(Line) bool { return true })
	if err != nil {
		return end{}, err
	}
	e := end{head: head{N: last.N, Hash: last.hash, Synced: last.N}, next: true, new: gone}
	entry := Entry{What: Broken, Lost: LostRemoved, Why: "the head was damaged: nobody can say whether lines are missing at the end"}
	if gone {
		entry.Why = "the head was missing: nobody can say whether lines are missing at the end"
	}
	e.first = []Entry{entry}
	if len(list) > 0 {
		e.File = list[len(list)-1]
		first, ok, err := firstLine(filePath(dir, list[0]))
		if err != nil {
			return end{}, err
		}
		if ok {
			e.FirstFile, e.FirstN, e.FirstPrev = list[0], first.N, first.Prev
		}
	}
	if e.FirstN == 0 {
		e.FirstFile, e.FirstN, e.FirstPrev = e.File+1, e.N+1, e.Hash
	}
	return e, nil
}

// A lastOne is a line with its hash.
type lastOne struct {
	Line
	hash string
}

// lastLine finds the last line that can be read and counts; none is the zero lastOne.
func lastLine(dir string, list []int, counts func(Line) bool) (last lastOne, err error) {
	for i := len(list) - 1; i >= 0 && last.N == 0; i-- {
		err := scan(filePath(dir, list[i]), 0, func(r raw) bool {
			if line, ok := r.parse(); ok && counts(line) {
				last = lastOne{line, hashOf(r.text)}
			}
			return true
		})
		if err != nil {
			return lastOne{}, err
		}
	}
	return last, nil
}

// firstLine reads the first line of a file; it is false when that is none of ours.
func firstLine(path string) (line Line, ok bool, err error) {
	err = scan(path, 0, func(r raw) bool {
		line, ok = r.parse()
		return false
	})
	return line, ok, err
}
