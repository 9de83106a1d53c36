package audit

import "slices"

// mostClients bounds how many clients are remembered.
const mostClients = 4096

// clients remembers what is known of connections, so that every line that names one says what it was. The caller holds the
// log's lock.
type clients struct {
	known map[string]client
	order []string
}

type client struct{ kind, origin string }

// meet remembers the client of a Connected entry. Clients choose their ids: of one that came as several kinds all are named.
func (c *clients) meet(e Entry) {
	now := client{e.Kind, e.Origin}
	have, ok := c.known[e.Client]
	switch {
	case !ok && len(c.order) >= mostClients:
		delete(c.known, c.order[0])
		c.order = slices.Delete(c.order, 0, 1)
		fallthrough
	case !ok:
		c.order = append(c.order, e.Client)
	case have != now:
		now = client{both(have.kind, now.kind), both(have.origin, now.origin)}
	}
	if c.known == nil {
		c.known = make(map[string]client)
	}
	c.known[e.Client] = now
}

func both(a, b string) string {
	if a == "" || a == b {
		return b
	}
	if b == "" || len(a)+len(b) > mostText/2 {
		return a
	}
	return a + "+" + b
}

// name fills in what is known of the entry's client.
func (c *clients) name(e *Entry) {
	if e.What == Connected {
		c.meet(*e)
		return
	}
	if known, ok := c.known[e.Client]; ok && e.Kind == "" && e.Origin == "" {
		e.Kind, e.Origin = known.kind, known.origin
	}
}
