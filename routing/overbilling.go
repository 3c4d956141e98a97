package routing

import (
	"time"

	"go.uber.org/zap"
)

// Each overbilled answer adds overbillingStep, each honest one takes one off. The first step is forgiven: it may be a slip. Each
// further one costs overbillingCost of the score, up to the most.
const (
	overbillingStep = 16
	overbillingMost = 7 * overbillingStep
	overbillingCost = 150
)

// firstSetBack is how long a seller stands behind the honest ones after it has overbilled once. It doubles with each further
// time that its honest answers have not made up for.
const firstSetBack = 10 * time.Minute

// Overbilled says that a settlement that came after the end of its request was more than the price allows.
func (s *State) Overbilled() {
	at := s.pool.stamp(s.pool.wallClock())
	after := s.count(func(before int32) int32 { return min(before+overbillingStep, overbillingMost) })
	until := at + int64(firstSetBack<<((after-1)/overbillingStep))
	for {
		before := s.setBack.Load()
		if before >= until {
			return
		}
		if s.setBack.CompareAndSwap(before, until) {
			if before < at { // it was not set back already
				s.pool.changedStanding(s)
			}
			return
		}
	}
}

// honest makes up for some of what the seller has overbilled.
func (s *State) honest() { s.count(func(before int32) int32 { return max(0, before-1) }) }

// count changes what is held against the seller, and gives what that is then.
func (s *State) count(change func(before int32) int32) (after int32) {
	for {
		before := s.overbilling.Load()
		if after = change(before); after == before || s.overbilling.CompareAndSwap(before, after) {
			return after
		}
	}
}

// setBackAt tells whether the seller stands behind the honest ones. It is asked for each candidate of a request.
func (s *State) setBackAt(at int64) bool {
	if s == nil {
		return false
	}
	until := s.setBack.Load()
	return until != 0 && at < until
}

// SetBack is until when the seller stands behind the honest ones, as it has billed more than its price allows; zero when it
// does not.
func (s *State) SetBack(now time.Time) time.Time {
	if !s.setBackAt(s.pool.stamp(now)) {
		return time.Time{}
	}
	return s.pool.time(s.setBack.Load())
}

// Forgive gives a seller that has overbilled its place back, at whatever origin, since the operator says so. It tells whether
// there was anything to forgive.
func (p *Pool) Forgive(id string) (forgiven bool) {
	p.each(func(s *State) {
		if s.key.ID == id && (s.setBack.Swap(0) != 0 || s.overbilling.Load() > 0) {
			s.overbilling.Store(0)
			forgiven = true
			p.logger.Info("route.seller.forgiven", zap.String("seller", s.key.ID), zap.String("origin", s.key.Origin))
			if p.onChange != nil {
				p.onChange(s)
			}
		}
	})
	return forgiven
}

func (p *Pool) changedStanding(s *State) {
	p.logger.Warn("route.seller.set_back", zap.String("seller", s.key.ID), zap.String("origin", s.key.Origin),
		zap.Time("until", p.time(s.setBack.Load())), zap.String("reason", "it has billed more than its price allows"))
	if p.onChange != nil {
		p.onChange(s)
	}
}
