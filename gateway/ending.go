package gateway

import (
	"context"
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
