package purchase

import (
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// sweepEvery is how often tokens whose time is over are looked for, where no request has come upon them.
const sweepEvery = time.Minute

func (d *Desk) sweepOften() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-d.ctx.Done():
			return
		case <-tick.C:
		case <-d.woken:
		}
		deadline := time.Now().Add(d.terms.Load().ExpiryMargin)
		for _, s := range *d.shelves.Load() {
			if done := s.ended(deadline); len(done) > 0 {
				d.background(func() { // of another seller's nothing waits for a store that hangs
					for _, t := range done {
						d.bookRest(s, t)
					}
				})
			}
		}
	}
}

// bookRest books what is left on a token that has ended. Where that fails, or is too early, it is tried again at the next sweep.
func (d *Desk) bookRest(s *shelf, t *token) {
	left := t.left()
	err := d.journal.DropToken(d.ctx, t.id, t.reason)
	s.booked(t, left, err)
	fields := []zap.Field{zap.String("seller", s.seller.id), zap.String("tokenId", t.id)}
	switch {
	case err == nil:
		d.log.Info("token.dropped", append(fields, zap.String("reason", t.reason), zap.Int64("wastedMicros", int64(left)))...)
		if d.observer.Waste != nil && left > 0 {
			d.observer.Waste(s.seller.id, left)
		}
	case errors.Is(err, ledger.ErrUnknownToken), errors.Is(err, ErrStillGood), d.ctx.Err() != nil:
	default:
		d.log.Warn("token.drop.failed", append(fields, zap.Error(err))...)
	}
}

// booked takes in what came of booking the rest of a token.
func (s *shelf) booked(t *token, left money.Micros, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.booking = slices.DeleteFunc(s.booking, func(o *token) bool { return o == t })
	switch {
	case err == nil:
		s.wasted += left
		s.condemn(t)
	case errors.Is(err, ledger.ErrUnknownToken): // it was spent, and the ledger is done with it
	case errors.Is(err, ErrStillGood):
		s.gaveUp(t)
	case !s.has(t.id): // it may be in use again
		t.state.Store(retired)
		s.retired = append(s.retired, t)
	}
}
