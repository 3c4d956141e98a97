package ledger

import (
	"context"
	"errors"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
)

// Who has given up before the turn came is not called back: what the call would write to may be read by then.
func TestLookGivenUp(t *testing.T) {
	l, err := Open(Options{InMemory: true, Key: make([]byte, store.KeySize)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	held, leave := make(chan struct{}), make(chan struct{})
	busy := l.submit(0, func(*batch) error {
		close(held)
		<-leave
		return nil
	}, nil)
	<-held
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	called := false
	if err := l.look(ctx, func(*state) { called = true }); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	close(leave)
	if err := busy.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if seq, _, err := l.Head(t.Context()); err != nil || seq != 0 || called {
		t.Errorf("%d, %v, it was called back: %t", seq, err, called)
	}
}
