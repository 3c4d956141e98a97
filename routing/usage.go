package routing

import "time"

// usageRefusal is how long a seller that has refused stream_options is asked without.
const usageRefusal = 24 * time.Hour

// RefuseUsage says that the seller has refused to say the usage of a stream.
func (s *State) RefuseUsage(now time.Time) { s.pool.noUsage.Store(s.key, now.Add(usageRefusal)) }

// RefusesUsage tells whether it did so within the last day, so that it is not asked.
func (s *State) RefusesUsage(now time.Time) bool {
	if s == nil {
		return false
	}
	until, ok := s.pool.noUsage.Load(s.key)
	return ok && until.(time.Time).After(now)
}
