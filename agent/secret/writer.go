package secret

import "io"

// A Writer passes text on without the values that its set knows, also when one comes in several writes: what may be the
// beginning of a value is held back until more comes, which is never more than a value is long. It is for one goroutine.
type Writer struct {
	set  *Set
	to   io.Writer
	held []byte
}

// Writer returns a Writer in front of to. Flush it at the end.
func (s *Set) Writer(to io.Writer) *Writer { return &Writer{set: s, to: to} }

// Write never takes a part: an error is that of the writer behind.
func (w *Writer) Write(p []byte) (int, error) {
	m := w.set.current()
	if m == nil && len(w.held) == 0 {
		return w.to.Write(p)
	}
	w.held = append(w.held, p...)
	if err := w.pass(m, false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush passes on what is held back.
func (w *Writer) Flush() error { return w.pass(w.set.current(), true) }

func (w *Writer) pass(m *matcher, whole bool) error {
	done := 0
	for done < len(w.held) {
		f := found{start: len(w.held)}
		if m != nil {
			f = next(m, w.held, done, whole)
		}
		if f.start > done {
			if _, err := w.to.Write(w.held[done:f.start]); err != nil {
				return err
			}
		}
		if done = f.start; f.name == "" {
			break
		}
		if _, err := io.WriteString(w.to, replacement(f.name)); err != nil {
			return err
		}
		done = f.end
	}
	w.held = append(w.held[:0], w.held[done:]...)
	return nil
}
