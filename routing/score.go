package routing

import (
	"time"

	"go.uber.org/zap"
)

const (
	// slowFailure is how long a failure takes that costs its client the most: half of what failing costs anyway.
	slowFailure = 30 * time.Second

	// Each overbilled answer adds overbillingStep, each honest one takes one off. The first step is forgiven: it may be a
	// slip. Each further one costs overbillingCost, up to the most.
	overbillingStep = 16
	overbillingMost = 7 * overbillingStep
	overbillingCost = 150
)

// Score is the seller's health from 0 to 1000: the share of its last 20 outcomes that were good, with the last probe as one
// more, less when its failures are slow, when it overbills again and again, and while its circuit is open. Until there are
// outcomes a seller is thought to be well, and a few weigh less than many.
func (s *State) Score() int {
	if s == nil {
		return 1000
	}
	h := s.circuit.now()
	all, bad := int32(h.outcomes()), int32(h.failures()) // a policy asks for sixteen scores in a row, and dividing less is quicker
	probes := s.failedProbe.Load()
	if bad == 0 && probes <= 0 && !h.open() && s.overbilling.Load() < 2*overbillingStep {
		return 1000 // nearly all sellers, nearly always
	}
	if probes != 0 {
		all++
	}
	if probes > 0 {
		bad++
	}
	score := 1000 * (all - bad + 2) / (all + 2) // as if there had been two good ones more
	if bad > 0 {
		slow := int32(min(s.failing.get(), slowFailure) / time.Millisecond)
		score -= score * bad * slow / (2 * all * int32(slowFailure/time.Millisecond))
	}
	if steps := s.overbilling.Load() / overbillingStep; steps > 1 {
		score -= score * (steps - 1) * overbillingCost / 1000
	}
	if s.ailing().now().open() {
		score /= 4
	}
	return int(score)
}

// Overbilled says that a settlement that came after the end of its request was more than the price allows.
func (s *State) Overbilled() { s.billed(s.pool.stamp(s.pool.wallClock()), true) }

// firstSetBack is how long a seller stands behind the honest ones after it has overbilled once. It doubles with each further
// time that its honest answers have not made up for.
const firstSetBack = 10 * time.Minute

func (s *State) billed(at int64, over bool) {
	after := int32(0)
	for {
		before := s.overbilling.Load()
		after = max(0, before-1)
		if over {
			after = min(before+overbillingStep, overbillingMost)
		}
		if after == before || s.overbilling.CompareAndSwap(before, after) {
			break
		}
	}
	if !over {
		return
	}
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
