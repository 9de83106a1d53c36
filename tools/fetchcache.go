package tools

import (
	"sync"
	"time"
)

// Bounds of what fetch remembers, for all sessions together.
const (
	keepPage   = 15 * time.Minute
	cachePages = 64
	cacheBytes = 16 << 20
)

// A pageCache remembers pages for a while, each for the session that fetched it: what one may see is not for others.
type pageCache struct {
	now func() time.Time

	mu    sync.Mutex
	kept  []keptPage // the oldest first
	bytes int
}

type keptPage struct {
	session, url string
	page         page
	at           time.Time
}

func newPageCache(now func() time.Time) *pageCache { return &pageCache{now: now} }

// get returns a page that the session fetched not long ago, and its age.
func (c *pageCache) get(session, url string) (page, time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(0)
	for _, k := range c.kept {
		if k.session == session && k.url == url {
			return k.page, c.now().Sub(k.at), true
		}
	}
	return page{}, 0, false
}

// put remembers a page. One that is there for the address stays until it is too old.
func (c *pageCache) put(session, url string, p page) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(p.text) > cacheBytes/4 {
		return
	}
	c.drop(len(p.text))
	c.kept, c.bytes = append(c.kept, keptPage{session, url, p, c.now()}), c.bytes+len(p.text)
}

// drop forgets what is too old, and the oldest until there is room for so many bytes more.
func (c *pageCache) drop(more int) {
	for len(c.kept) > 0 {
		oldest := c.kept[0]
		fits := more == 0 || len(c.kept) < cachePages && c.bytes+more <= cacheBytes
		if fits && c.now().Sub(oldest.at) < keepPage {
			return
		}
		c.kept[0] = keptPage{} // its text is garbage now
		c.kept, c.bytes = c.kept[1:], c.bytes-len(oldest.page.text)
	}
}
