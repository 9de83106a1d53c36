package audit

import (
	"errors"
	"io/fs"
)

// A Reader reads a log from its oldest line on, beside whoever writes it. Its zero value but for Dir is ready.
type Reader struct {
	Dir string // of the log, as Dir gives it

	file   int
	offset int64
}

// Next calls take with the lines that have come since the last call, in their order. What is no line of ours it passes over:
// Verify says what is wrong. Without a log there are none.
func (r *Reader) Next(take func(Line)) error {
	list, err := numbers(r.Dir)
	if err != nil {
		return err
	}
	for _, number := range list {
		if number < r.file {
			continue
		}
		if number > r.file {
			r.file, r.offset = number, 0
		}
		err := scan(filePath(r.Dir, number), r.offset, func(l raw) bool {
			if !l.whole {
				return false // its end has not come yet
			}
			r.offset += l.size
			if line, ok := l.parse(); ok {
				line.Text = l.text
				take(line)
			}
			return true
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // the oldest may just have been deleted
			return err
		}
	}
	return nil
}
