package fleet

import (
	"context"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// watched is a store whose answers and failures are noted.
type watched struct {
	Store
	fleet *Fleet
}

// Change notes what the store says of itself beside.
func (w *watched) Change(ctx context.Context, key string, f func(Moment, []byte) ([]byte, error)) error {
	var line string
	var own error
	runs := 0
	w.fleet.health.asked()
	err := w.Store.Change(ctx, key, func(at Moment, old []byte) ([]byte, error) {
		line = at.Line
		runs++
		next, err := f(at, old)
		own = err
		return next, err
	})
	w.fleet.counts.conflicts.Add(int64(max(0, runs-1)))
	switch {
	case err == nil:
		w.fleet.counts.changes.Add(1)
		w.fleet.health.answered()
		w.fleet.lineChanged(line)
	case own == nil && unanswered(err):
		w.fleet.health.failed(err)
	default:
		w.fleet.health.answered()
	}
	return err
}

// lookUp reads what others lack of that which is set aside for this gateway and not held: some of the shares at a time, all of them in
// turn.
func (f *Fleet) lookUp(active []*Share) {
	if len(active) == 0 || !f.health.isUp() || f.polling.Swap(true) {
		return
	}
	const most = 64
	found := map[string]*Share{}
	var keys []string
	for i := range active {
		s := active[(f.turn+i)%len(active)]
		if s.claims() {
			keys, found[s.key] = append(keys, s.key), s
		}
		if len(keys) == most || i == len(active)-1 {
			f.turn = (f.turn + i + 1) % len(active)
			break
		}
	}
	if len(keys) == 0 {
		f.polling.Store(false)
		return
	}
	f.loops.Go(func() {
		defer f.polling.Store(false)
		ctx, cancel := context.WithTimeout(f.ctx, attemptTime)
		defer cancel()
		_ = f.store.Load(ctx, func(key string, value []byte) error { // what can't be read is looked at again
			if s := found[key]; s != nil {
				s.lookedUp(wantedOf(value, f.o.Gateway))
			}
			return nil
		}, keys...)
	})
}

// lookedUp gives back what others lack.
func (s *Share) lookedUp(wanted map[string]money.Micros) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, l := range s.leases {
		l.lacked(wanted[l.scope], now)
	}
	if !s.asking && s.due(now) {
		s.ask()
	}
}
