package admin

import (
	"sync"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/market"
)

// unserved remembers for a while how many models nobody can serve: who asks looks at every seller.
var unserved unservedCount

type unservedCount struct {
	mu   sync.Mutex // protects what follows
	read time.Time
	n    float64
}

// unservedEvery is how often they are counted.
const unservedEvery = 10 * time.Second

func (c *unservedCount) count(all []*market.Market) float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.read) >= unservedEvery {
		c.read, c.n = now, 0
		for _, m := range all {
			c.n += float64(len(m.Unserved(m.Warmer.Status().FocusSet)))
		}
	}
	return c.n
}
