package server

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"time"

	"github.com/coder/websocket"

	"github.com/coder-agent/coder/server/wire"
)

// A frame of largeFrame bytes and more is read and served only in one of maxLarge places: while it is, it costs up to four
// times its size, and a socket of every tab and script may send one at once.
const (
	largeFrame = 1 << 20
	maxLarge   = 2
)

// readFrame reads the next frame. release must be called once it has been served.
func (c *connection) readFrame() (kind websocket.MessageType, data []byte, release func(), err error) {
	kind, r, err := c.ws.Reader(c.server.forever)
	if err != nil {
		return 0, nil, nil, err
	}
	data, err = io.ReadAll(io.LimitReader(r, largeFrame))
	if err != nil || len(data) < largeFrame {
		return kind, data, func() {}, err
	}
	c.large.Add(1)
	select {
	case c.server.large <- struct{}{}:
	case <-c.done:
		c.large.Add(1)
		return 0, nil, nil, net.ErrClosed
	}
	release = func() {
		<-c.server.large
		c.large.Add(1)
	}
	if data, err = c.readRest(data, r); err != nil {
		release()
		return 0, nil, nil, err
	}
	return kind, data, release, nil
}

// readRest reads what follows the head of a large frame, in the time that a place may be held for it.
func (c *connection) readRest(head []byte, r io.Reader) ([]byte, error) {
	data := head
	if err := c.net.SetReadDeadline(time.Now().Add(c.server.times.large)); err != nil {
		return nil, err
	}
	for {
		if len(data) == cap(data) { // seldom, as each time both are there
			runtime.GC() // a heap grows to twice what lives: what earlier frames left would come on top of this one
			data = append(make([]byte, 0, min(8*len(data), wire.MaxFrame+bytes.MinRead)), data...)
		}
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case errors.Is(err, io.EOF):
			return data, c.net.SetReadDeadline(time.Time{})
		case errors.Is(err, os.ErrDeadlineExceeded):
			c.close(statusTooSlow, "too slow")
			return nil, err
		case err != nil:
			return nil, err
		}
	}
}
