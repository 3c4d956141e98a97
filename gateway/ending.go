package gateway

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// ending is the context of a seller's call: one that is ended for a reason. It is made here since a request has one, and those of the
// standard library take a dozen objects for what this does with four. Its Err is the reason, which counts as context.Canceled.
type ending struct {
	values context.Context // of the client's request

	mu    sync.Mutex
	done  chan struct{} // nil: nobody has asked for it
	err   error         // why it has ended; nil: it has not
	after []func()      // what is to be done then; nil: it is not any more
	room  [1]func()
}

// reason is why a call was ended from this side.
type reason string

func (r reason) Error() string        { return string(r) }
func (r reason) Is(target error) bool { return target == context.Canceled }

// The reasons for which a seller's call is ended from this side.
const (
	errDeadline   = reason("no answer in time")
	errClientGone = reason("the client went away")
	errShutdown   = reason("the gateway is shutting down")
)

// begin makes it one with the values of the client's context.
func (e *ending) begin(client context.Context) {
	e.values, e.after = context.WithoutCancel(client), e.room[:0]
}

// Deadline is none: what ends it is not told before.
func (e *ending) Deadline() (at time.Time, ok bool) { return at, false }

// Value is the client's.
func (e *ending) Value(key any) any { return e.values.Value(key) }

// Err is nil, or why it has ended.
func (e *ending) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

// Done is closed at its end.
func (e *ending) Done() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.done == nil {
		e.done = make(chan struct{})
		if e.err != nil {
			close(e.done)
		}
	}
	return e.done
}

// AfterFunc has f called at its end, in a goroutine of its own, unless stop is called before. context.AfterFunc calls it.
func (e *ending) AfterFunc(f func()) (stop func() bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil {
		go f()
		return func() bool { return false }
	}
	i := len(e.after)
	e.after = append(e.after, f)
	return func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.err != nil || e.after[i] == nil {
			return false
		}
		e.after[i] = nil
		return true
	}
}

// endFor ends it, the first time that it is called.
func (e *ending) endFor(why error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil {
		return
	}
	e.err = why
	if e.done != nil {
		close(e.done)
	}
	for _, f := range e.after {
		if f != nil {
			go f()
		}
	}
}

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
