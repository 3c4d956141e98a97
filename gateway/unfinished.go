package gateway

import (
	"math/rand/v2"
	"sync"
)

// unfinished is what the end of the process cuts short: calls of sellers, and the waiting for clients that have not sent their bodies
// whole, or do not take their answers. It is kept in parts, so that requests do not fight for one lock.
type unfinished [64]unfinishedPart

// unfinishedPart has some of them.
type unfinishedPart struct {
	mu      sync.Mutex
	over    bool
	calls   map[*call]struct{}
	clients map[*reply]awaited
	_       [96]byte // the next one is for other processors
}

// part gives any one.
func (u *unfinished) part() *unfinishedPart { return &u[rand.IntN(len(u))] }

// end ends them all, and those that come.
func (u *unfinished) end() {
	for i := range u {
		u[i].end()
	}
}

// add has a call ended, or at once where the process is about to end.
func (u *unfinishedPart) add(c *call) {
	u.mu.Lock()
	over := u.over
	if !over {
		if u.calls == nil {
			u.calls = make(map[*call]struct{})
		}
		u.calls[c] = struct{}{}
	}
	u.mu.Unlock()
	if over {
		c.over(errShutdown)
	}
}

func (u *unfinishedPart) remove(c *call) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.calls, c)
}

// awaited is what is waited for of a client.
type awaited bool

const (
	awaitedBody   awaited = false // it sends its body
	awaitedTaking awaited = true  // it takes its answer
)

// wait has the waiting for a client cut short by the end of the process, until it is done.
func (u *unfinishedPart) wait(p *reply, what awaited) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.over {
		p.hurry(what)
		return
	}
	if u.clients == nil {
		u.clients = make(map[*reply]awaited)
	}
	u.clients[p] = what
}

func (u *unfinishedPart) done(p *reply) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.clients, p)
	if p.unblocked != nil {
		p.unblocked()
		p.unblocked = nil
	}
}

func (u *unfinishedPart) end() {
	u.mu.Lock()
	u.over = true
	calls := u.calls
	u.calls = nil
	for p, what := range u.clients { // under the lock: the handler may have returned else
		p.hurry(what)
	}
	u.mu.Unlock()
	for c := range calls {
		c.over(errShutdown)
	}
}
