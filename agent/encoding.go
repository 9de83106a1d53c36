package agent

import (
	"errors"
	"sync"
)

var errBroken = errors.New("encoding the transcript broke down")

// An Encoding is what a transcript in an update becomes on the way to the subscribers. It is made once for all of them, by
// the first who needs it: a long transcript costs some times its size while it is encoded.
type Encoding struct {
	once sync.Once
	data []byte
	err  error
}

// Of returns what encode has returned, this one or that of another subscriber: all must encode alike. The bytes are shared
// and not to be changed.
func (e *Encoding) Of(encode func() ([]byte, error)) ([]byte, error) {
	if e == nil { // an update that was made for one
		return encode()
	}
	e.once.Do(func() {
		e.err = errBroken // for the others, if this one panics
		e.data, e.err = encode()
	})
	return e.data, e.err
}
