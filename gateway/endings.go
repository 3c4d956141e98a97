package gateway

import (
	"math/rand/v2"
	"sync"
)

// endings are the calls that the end of the process ends, and the clients that it does not wait for any longer: those that have not sent their
// bodies whole, or do not take their answers. They are kept in parts, so that requests do not fight for one lock.
type endings [64]endingsPart

// endingsPart has some of them.
type endingsPart struct {
	mu      sync.Mutex
	over    bool
	calls   map[*call]struct{}
	clients map[*reply]awaited
	_       [96]byte // the next one is for other processors
}

// part gives any one.
func (e *endings) part() *endingsPart { return &e[rand.IntN(len(e))] }

// end ends them all, and those that come.
func (e *endings) end() {
	for i := range e {
		e[i].end()
	}
}

// add has a call ended, or at once where the process is about to end.
func (e *endingsPart) add(c *call) {
	e.mu.Lock()
	over := e.over
	if !over {
		if e.calls == nil {
			e.calls = make(map[*call]struct{})
		}
		e.calls[c] = struct{}{}
	}
	e.mu.Unlock()
	if over {
		c.over(errShutdown)
	}
}

func (e *endingsPart) remove(c *call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.calls, c)
}

// awaited is what is waited for of a client.
type awaited bool

const (
	awaitedBody   awaited = false // it sends its body
	awaitedTaking awaited = true  // it takes its answer
)

// wait has the waiting for a client cut short by the end of the process, until it is done.
func (e *endingsPart) wait(p *reply, what awaited) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		p.hurry(what)
		return
	}
	if e.clients == nil {
		e.clients = make(map[*reply]awaited)
	}
	e.clients[p] = what
}

func (e *endingsPart) done(p *reply) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.clients, p)
	if p.unblocked != nil {
		p.unblocked()
		p.unblocked = nil
	}
}

func (e *endingsPart) end() {
	e.mu.Lock()
	e.over = true
	calls := e.calls
	e.calls = nil
	for p, what := range e.clients { // under the lock: the handler may have returned else
		p.hurry(what)
	}
	e.mu.Unlock()
	for c := range calls {
		c.over(errShutdown)
	}
}
