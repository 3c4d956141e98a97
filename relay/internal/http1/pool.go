package http1

import (
	"sync"
	"time"
)

// pool has the connections that lie idle: of each host and port those that were used last at the end.
type pool struct {
	o Options

	mu     sync.Mutex
	idle   map[string][]*conn
	n      int
	closed bool        // until there is another request
	sweep  *time.Timer // nil: none has been idle yet
	swept  bool        // it is not running
}

// sweeps is how often idle connections are looked through while one lives for the idle time: those that their sellers have closed
// meanwhile should not lie about for all of it.
const sweeps = 6

// take gives the connection to an address that was used last; nil: there is none.
func (p *pool) take(address string) *conn {
	for {
		c := p.pop(address)
		if c == nil || time.Since(c.idleSince) < p.o.IdleTime && c.alive() {
			return c
		}
		_ = c.Close()
	}
}

func (p *pool) pop(address string) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = false
	all := p.idle[address]
	if len(all) == 0 {
		return nil
	}
	last := len(all) - 1
	c := all[last]
	all[last] = nil
	p.keep(address, all[:last])
	p.n--
	return c
}

// keep notes what is left of an address.
func (p *pool) keep(address string, left []*conn) {
	if len(left) == 0 {
		delete(p.idle, address)
		return
	}
	p.idle[address] = left
}

// put keeps a connection for later. Where there are too many of the host's, it is closed; where there are too many in all, the one
// that was not used for the longest time makes room.
func (p *pool) put(c *conn) {
	if out := p.push(c); out != nil {
		_ = out.Close()
	}
}

func (p *pool) push(c *conn) (out *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle[c.address]) >= p.o.MaxIdlePerHost {
		return c
	}
	if p.n >= p.o.MaxIdle {
		out = p.popOldest()
	}
	c.idleSince = time.Now()
	p.idle[c.address] = append(p.idle[c.address], c)
	p.n++
	switch {
	case p.sweep == nil:
		p.sweep = time.AfterFunc(p.o.IdleTime/sweeps, p.clean)
	case p.swept:
		p.sweep.Reset(p.o.IdleTime / sweeps)
	}
	p.swept = false
	return out
}

func (p *pool) popOldest() *conn {
	var oldest *conn
	for _, all := range p.idle {
		if oldest == nil || all[0].idleSince.Before(oldest.idleSince) {
			oldest = all[0]
		}
	}
	if oldest != nil {
		left := p.idle[oldest.address]
		p.keep(oldest.address, append(left[:0], left[1:]...))
		p.n--
	}
	return oldest
}

// clean closes the connections that are idle for too long, or closed by their sellers.
func (p *pool) clean() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for address, all := range p.idle {
		left := all[:0]
		for _, c := range all {
			if time.Since(c.idleSince) < p.o.IdleTime && c.alive() {
				left = append(left, c)
				continue
			}
			_ = c.Close()
			p.n--
		}
		clear(all[len(left):])
		p.keep(address, left)
	}
	if p.swept = p.n == 0; !p.swept {
		p.sweep.Reset(p.o.IdleTime / sweeps)
	}
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, all := range p.idle {
		for _, c := range all {
			_ = c.Close()
		}
	}
	clear(p.idle)
	p.n, p.closed, p.swept = 0, true, true
	if p.sweep != nil {
		p.sweep.Stop()
	}
}
