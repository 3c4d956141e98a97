package guestcall

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

func TestDo(t *testing.T) {
	failure := errors.New("no")
	for _, test := range []struct {
		name  string
		guest func() (int, error)
		want  Result[int]
		took  time.Duration
		late  bool // it returns after it was left behind
	}{
		{name: "it returns", guest: func() (int, error) { return 7, nil }, want: Result[int]{Value: 7}},
		{name: "it fails", guest: func() (int, error) { return 0, failure }, want: Result[int]{Err: failure}},
		{name: "it panics", guest: func() (int, error) { panic("secret") }, want: Result[int]{Fault: Panicked, Said: "secret"}},
		{name: "its error panics", guest: func() (int, error) { return 0, &unreadable{} }, want: Result[int]{Fault: Panicked, Said: "secret"}},
		{name: "it ends its goroutine", guest: func() (int, error) { runtime.Goexit(); return 0, nil }, want: Result[int]{Fault: Exited}},
		{name: "it returns within the grace", guest: slow(1500 * time.Millisecond), want: Result[int]{Value: 7}, took: 1500 * time.Millisecond},
		{name: "it returns later", guest: slow(time.Hour), want: Result[int]{Fault: Blocked}, took: 2 * time.Second, late: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithTimeout(t.Context(), time.Second)
				defer stop()
				returned := make(chan bool, 1)
				began := time.Now()
				got := Do(ctx, time.Second, test.guest, func(late bool) { returned <- late })
				took := time.Since(began)
				if stack := got.Stack; (stack != nil) != (got.Fault == Panicked) {
					t.Errorf("its stack is %q", stack)
				}
				if got.Value != test.want.Value || !errors.Is(got.Err, test.want.Err) || got.Fault != test.want.Fault || got.Said != test.want.Said || took != test.took {
					t.Errorf("%+v after %v, want %+v after %v", got, took, test.want, test.took)
				}
				if late := <-returned; late != test.late {
					t.Errorf("told that it has returned, late: %t", late)
				}
			})
		})
	}
}

// unreadable is an error that has no text.
type unreadable struct{}

func (*unreadable) Error() string { panic("secret") }

func slow(d time.Duration) func() (int, error) {
	return func() (int, error) {
		<-time.After(d)
		return 7, nil
	}
}
