package member

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Rate is how many requests a member may make in a time; any number where Requests is zero. All of them may come at once,
// and then one more whenever its part of the time has passed.
type Rate struct {
	Requests int
	Per      time.Duration
}

// Rates counts the requests of members with a rate. It outlives the configs that name the rates, so that a reload does not
// let a member begin anew. The zero value is ready for use.
type Rates struct {
	members sync.Map // name → *rate.Limiter
}

// Allow counts a request of the member, or tells how long it is until the next one may come.
func (r *Rates) Allow(m *Member, now time.Time) (after time.Duration, ok bool) {
	if m.Rate.Requests <= 0 {
		return 0, true
	}
	each := rate.Every(m.Rate.Per / time.Duration(m.Rate.Requests))
	found, known := r.members.Load(m.Name)
	if !known {
		found, _ = r.members.LoadOrStore(m.Name, rate.NewLimiter(each, m.Rate.Requests))
	}
	limiter := found.(*rate.Limiter)
	if limiter.Limit() != each { // a config has changed it
		limiter.SetLimitAt(now, each)
	}
	if limiter.Burst() != m.Rate.Requests {
		limiter.SetBurstAt(now, m.Rate.Requests)
	}
	turn := limiter.ReserveN(now, 1)
	if after = turn.DelayFrom(now); after > 0 {
		turn.CancelAt(now)
		return after, false
	}
	return 0, true
}
