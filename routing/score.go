package routing

import "time"

// slowFailure is how long a failure takes that costs its client the most: half of what failing costs anyway.
const slowFailure = 30 * time.Second

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
