package member

import (
	"sync"
	"sync/atomic"
	"time"
)

// Rate is how many requests a member may make in a time; any number where Requests is zero. All of them may come at once,
// and then one more whenever its part of the time has passed.
type Rate struct {
	Requests int
	Per      time.Duration
}

// Rates counts the requests of members with a rate, by name: sites that share them share one count. It outlives the configs
// that name the rates, so that a reload does not let a member begin anew. The zero value is ready for use.
type Rates struct {
	members sync.Map // rateKey → *count
	size    atomic.Int64
}

// rateKey is what is counted by itself.
type rateKey struct {
	name     string
	counting bool // of tokens
	group    bool
}

// count is what is kept of a key, in nanoseconds from the epoch.
type count struct {
	due  atomic.Int64 // when all its requests would be due if they came evenly
	full atomic.Int64 // how long a burst is of the rate that it was asked by last
}

// maxRates is how many members are kept before those are dropped that have not asked of late: names may come from another
// module, and be anything.
const maxRates = 65_536

// epoch is what times count from; its monotonic part makes them immune to a clock that is set.
var epoch = time.Now()

// Allow counts a request of the member, and of its group, or tells how long it is until the next one may come: then it counts for
// neither. It goes by the clock of now, not by when a request began, and is to be asked before its body is read.
func (r *Rates) Allow(m *Member, now time.Time) (after time.Duration, ok bool) {
	return r.both(m, false, now)
}

// AllowCount is Allow for a request that counts tokens, which costs nothing: there are as many of them as of the others, and
// neither takes from the other.
func (r *Rates) AllowCount(m *Member, now time.Time) (after time.Duration, ok bool) {
	return r.both(m, true, now)
}

func (r *Rates) both(m *Member, counting bool, now time.Time) (after time.Duration, ok bool) {
	own := rateKey{name: m.Name, counting: counting}
	after, ok = r.allow(own, m.Rate, now)
	if !ok || m.Group == nil {
		return after, ok
	}
	after, ok = r.allow(rateKey{m.Group.Name, counting, true}, m.Group.Rate, now)
	if !ok && m.Rate.Requests > 0 {
		r.of(own, int64(now.Sub(epoch))).due.Add(-m.Rate.each())
	}
	return after, ok
}

// each is the time from one request to the next where they come evenly, in nanoseconds.
func (r Rate) each() int64 { return int64(max(1, r.Per/time.Duration(r.Requests))) }

// allow has a request come as long as the time at which all are due is less than the whole burst ahead. Times that come out of order can
// only be refused for it.
func (r *Rates) allow(key rateKey, rate Rate, now time.Time) (after time.Duration, ok bool) {
	if rate.Requests <= 0 {
		return 0, true
	}
	each := rate.each()
	most := each * int64(rate.Requests-1)
	at := int64(now.Sub(epoch))
	c := r.of(key, at)
	c.goBy(most+each, at)
	for {
		before := c.due.Load()
		from := max(before, at)
		if ahead := from - at - most; ahead > 0 {
			return time.Duration(ahead), false
		}
		if c.due.CompareAndSwap(before, from+each) {
			return 0, true
		}
	}
}

// goBy takes note of another rate. Who has used up a part of the old one has used up as much of the new one: by a shorter time there would be
// nothing else until the longer one is over, and by one and the other in turn nothing may come again.
func (c *count) goBy(full, at int64) {
	if c.full.Load() == full {
		return
	}
	old := c.full.Swap(full)
	if old == 0 || old == full {
		return
	}
	for {
		before := c.due.Load()
		if before <= at || c.due.CompareAndSwap(before, at+int64(float64(before-at)*float64(full)/float64(old))) {
			return
		}
	}
}

// of gives what is kept of a key; a new one has asked for nothing.
func (r *Rates) of(key rateKey, at int64) *count {
	if found, ok := r.members.Load(key); ok {
		return found.(*count)
	}
	fresh := new(count)
	fresh.due.Store(at)
	found, there := r.members.LoadOrStore(key, fresh)
	if !there && r.size.Add(1) > maxRates {
		r.members.Range(func(k, v any) bool {
			if k != any(key) && v.(*count).due.Load() <= at { // it may ask as one that is new
				if _, deleted := r.members.LoadAndDelete(k); deleted {
					r.size.Add(-1)
				}
			}
			return true
		})
	}
	return found.(*count)
}
