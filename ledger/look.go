package ledger

import (
	"context"
	"sync"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// look gives f the state, once all that was queued before is durable. f is not called any more once look has returned: where ctx has ended
// before its turn came, what f writes to is its caller's alone again.
func (l *Ledger) look(ctx context.Context, f func(*state)) error {
	var turn sync.Mutex
	over := false
	err := l.submit(0, func(b *batch) error {
		turn.Lock()
		defer turn.Unlock()
		if !over {
			f(b.state)
		}
		return nil
	}, nil).Wait(ctx)
	turn.Lock()
	defer turn.Unlock()
	over = true
	return err
}

// Durable waits until all that was booked before the call is durable.
func (l *Ledger) Durable(ctx context.Context) error { return l.look(ctx, func(*state) {}) }

// Head is the newest entry that is durable: its sequence number, from 1 without a gap, and its hash in hex. 0: there is none.
func (l *Ledger) Head(ctx context.Context) (seq uint64, hash string, err error) {
	err = l.look(ctx, func(s *state) { seq, hash = s.head.Sequence, s.head.Hash })
	return seq, hash, err
}

// Standing is how the books stand.
type Standing struct {
	Entries       uint64       `json:"entries"`
	Head          string       `json:"head"`          // hash of the newest entry
	Holds         int          `json:"holds"`         // requests under way
	PendingMicros money.Micros `json:"pendingMicros"` // of purchases whose money may have left: spent until it is known
}

// Stand says how the books stand, once all that was queued before is durable. It gives nothing after a failure.
func (l *Ledger) Stand(ctx context.Context) (Standing, error) {
	var now Standing
	err := l.look(ctx, func(s *state) {
		now = Standing{Entries: s.head.Sequence, Head: s.head.Hash, Holds: len(s.holds)}
		for _, p := range s.purchases {
			now.PendingMicros += p.PendingMicros
		}
	})
	return now, err
}
