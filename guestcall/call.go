// Package guestcall makes calls of code that others have written and that runs in this process: a fault of it ends the call and nothing
// else.
package guestcall

import (
	"context"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// Fault is what a guest has done instead of returning; empty: it has returned.
type Fault string

// The faults there are.
const (
	Panicked Fault = "panicked"
	Exited   Fault = "ended its goroutine"
	Blocked  Fault = "does not return"
)

// Result is what has come of a call. Where there is a fault, what the call has done is not known.
type Result[T any] struct {
	Value T
	Err   error // the guest's own, whose text was read within the call
	Fault Fault
	Said  any    // what it has panicked with, which may hold a secret
	Stack []byte // of the panic
}

// said is a guest's error. Its text is code of the guest as well: that of a nil pointer in the place of an error panics.
type said struct {
	text string
	err  error
}

func (e *said) Error() string { return e.text }
func (e *said) Unwrap() error { return e.err }

// Do calls f on a goroutine of its own, and waits until it has returned, or for as long as the grace after ctx has ended. returned is called
// when f has, before the result is given, or however long after it was left behind, which is late.
func Do[T any](ctx context.Context, grace time.Duration, f func() (T, error), returned func(late bool)) Result[T] {
	done := make(chan Result[T], 1)
	var over atomic.Bool // f has returned, or was left behind
	go func() {
		out := Result[T]{Fault: Exited}
		defer func() {
			if with := recover(); with != nil {
				out = Result[T]{Fault: Panicked, Said: with, Stack: debug.Stack()}
			}
			returned(over.Swap(true))
			done <- out
		}()
		value, err := f()
		if err != nil {
			err = &said{err.Error(), err}
		}
		out = Result[T]{Value: value, Err: err}
	}()
	select {
	case out := <-done:
		return out
	case <-ctx.Done():
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case out := <-done:
		return out
	case <-timer.C:
	}
	if over.Swap(true) { // it returns at this very moment
		return <-done
	}
	return Result[T]{Fault: Blocked}
}

// endTime is how long the end of a guest is waited for.
const endTime = time.Second

// End has a guest give up what it holds, as at the end of its config, and leaves it behind where it does not within a second.
func End(f func()) Result[struct{}] {
	ctx, stop := context.WithTimeout(context.Background(), endTime)
	defer stop()
	return Do(ctx, 0, func() (struct{}, error) { f(); return struct{}{}, nil }, func(bool) {})
}
