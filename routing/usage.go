package routing

import "time"

// usageRefusal is how long a seller that has refused stream_options is asked without.
const usageRefusal = 24 * time.Hour

// RefuseUsage says that the seller has refused to say the usage of a stream.
func (s *State) RefuseUsage(now time.Time) {
	s.noUsage.Store(s.pool.usageSecond(now.Add(usageRefusal)))
}

// RefusesUsage tells whether it did so within the last day, so that it is not asked.
func (s *State) RefusesUsage(now time.Time) bool {
	return s != nil && s.noUsage.Load() > s.pool.usageSecond(now)
}

// usageSecond is a time in seconds since the pool began: they fit for a hundred years.
func (p *Pool) usageSecond(t time.Time) uint32 { return uint32(max(p.stamp(t)/int64(time.Second), 0)) }
