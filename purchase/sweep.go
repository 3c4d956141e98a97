package purchase

import (
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

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
	if errors.Is(err, ledger.ErrUnknownToken) {
		return // it was spent, and the ledger is done with it
	}
	if errors.Is(err, ErrStillGood) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.gaveUp(t)
		return
	}
	if err != nil {
		s.mu.Lock()
		if !s.has(t.id) { // it may be in use again
			t.state.Store(retired)
			s.retired = append(s.retired, t)
		}
		s.mu.Unlock()
		if d.ctx.Err() == nil {
			d.log.Warn("token.drop.failed", zap.String("seller", s.seller.sellerID), zap.String("tokenId", t.id), zap.Error(err))
		}
		return
	}
	s.mu.Lock()
	s.wasted += left
	s.condemn(t)
	s.mu.Unlock()
	d.log.Info("token.dropped", zap.String("seller", s.seller.sellerID), zap.String("tokenId", t.id),
		zap.String("reason", t.reason), zap.Int64("wastedMicros", int64(left)))
	if d.observer.Waste != nil && left > 0 {
		d.observer.Waste(s.seller.sellerID, left)
	}
}
