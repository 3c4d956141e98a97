package gateway

import (
	"errors"
	"sync"
	"sync/atomic"
)

// memory bounds the bodies, the answers, the decoders' windows and the long events of streams that the process holds at once.
var memory = newPool(256 << 20)

// pool is a number of bytes that may be held. Members share it: one has a quarter of it at most while others have requests under
// way, else three quarters, so that nobody takes it from all.
type pool struct {
	limit   int64
	held    atomic.Int64
	streams atomic.Int64 // of what is held: what streams may pass on as well
	busy    atomic.Int64 // members that have requests under way
	members sync.Map     // name → *share
	size    atomic.Int64 // of members
}

// maxShares is how many members are kept before those are dropped that have nothing under way: names may come from another module, and be
// anything.
const maxShares = 65_536

// share is what one member holds of a pool.
type share struct {
	pool     *pool
	held     atomic.Int64
	streams  atomic.Int64 // of it
	requests atomic.Int64 // under way
}

// The reasons for which there is no memory for a request.
var (
	errNoMemory     = errors.New("too many large requests at once")
	errMemberMemory = errors.New("too many large requests of one member at once")
)

func newPool(limit int64) *pool { return &pool{limit: limit} }

// enter counts a request of a member as under way, until leave.
func (p *pool) enter(member string) *share {
	found, known := p.members.Load(member)
	if !known {
		found, known = p.members.LoadOrStore(member, &share{pool: p})
	}
	s := found.(*share)
	if s.requests.Add(1) == 1 {
		p.busy.Add(1)
	}
	if !known && p.size.Add(1) > maxShares {
		p.sweep()
	}
	return s
}

// sweep drops the shares that hold nothing and have nothing under way. A request that is about to enter one of them counts by itself.
func (p *pool) sweep() {
	p.members.Range(func(name, v any) bool {
		if s := v.(*share); s.requests.Load() == 0 && s.held.Load() == 0 && p.members.CompareAndDelete(name, s) {
			p.size.Add(-1)
		}
		return true
	})
}

// leave ends what enter began. What is still held stays so until it is given back.
func (s *share) leave() {
	if s.requests.Add(-1) == 0 {
		s.pool.busy.Add(-1)
	}
}

// most is how much a member may hold now.
func (s *share) most() int64 {
	if s.pool.busy.Load() <= 1 {
		return s.pool.alone()
	}
	return s.pool.limit / 4
}

// alone is how much a member may hold that is the only one at work: more it never may.
func (p *pool) alone() int64 { return p.limit / 4 * 3 }

// take holds n more bytes, or says why they can't be had.
func (s *share) take(n int64) error {
	if s.held.Add(n) > s.most() {
		s.held.Add(-n)
		return errMemberMemory
	}
	if s.pool.held.Add(n) > s.pool.limit {
		s.give(n)
		return errNoMemory
	}
	return nil
}

// give lets go of n bytes.
func (s *share) give(n int64) {
	s.held.Add(-n)
	s.pool.held.Add(-n)
}

// Take is take for what a stream may pass on as well (relay.Memory). All streams of a member have a quarter of what it may hold, and those
// of all a half: a body of the size that is usual at the most has its place beside a seller's endless events.
func (s *share) Take(n int64) bool {
	member, all := s.streams.Add(n), s.pool.streams.Add(n)
	if member <= s.most()/4 && all <= s.pool.limit/2 && s.take(n) == nil {
		return true
	}
	s.streams.Add(-n)
	s.pool.streams.Add(-n)
	return false
}

// Give is give (relay.Memory).
func (s *share) Give(n int64) {
	s.streams.Add(-n)
	s.pool.streams.Add(-n)
	s.give(n)
}
