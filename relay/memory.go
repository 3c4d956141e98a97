package relay

import "sync"

// Memory bounds what many streams hold together: of each what goes beyond freeHold. It is called by many goroutines.
type Memory interface {
	// Take tells whether n bytes more may be held. Where they may not, the stream passes on as it comes what it would have held.
	Take(n int64) bool
	// Give lets go of n bytes that were taken.
	Give(n int64)
}

// freeHold is what a stream holds in one place before the memory is asked, in bytes: hardly any event is longer.
const freeHold = 64 << 10

// loan is what a stream has taken of the memory. Its end gives back what is left, whichever goroutine the stream is ended by.
type loan struct {
	memory Memory // nil: there is enough of it

	mu    sync.Mutex
	taken int64
	over  bool
}

func (l *loan) take(n int64) bool {
	if l == nil || l.memory == nil {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || !l.memory.Take(n) {
		return false
	}
	l.taken += n
	return true
}

func (l *loan) give(n int64) {
	if l == nil || l.memory == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.over {
		l.taken -= n
		l.memory.Give(n)
	}
}

// end gives all back. Nothing is lent any more.
func (l *loan) end() {
	if l.memory == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.over && l.taken > 0 {
		l.memory.Give(l.taken)
	}
	l.taken, l.over = 0, true
}

// place is where a stream holds bytes.
type place struct {
	loan  *loan
	times int64 // how often a byte may lie there
	most  int   // how many bytes are lent; 0: freeHold
}

// has tells whether the place may hold n bytes.
func (p *place) has(n int) bool { return n <= max(p.most, freeHold) || p.grow(n) }

// grow takes what is wanted for n bytes: each time as much as there was, as buffers grow.
func (p *place) grow(n int) bool {
	had := max(p.most, freeHold)
	most := had
	for most < n {
		most *= 2
	}
	if !p.loan.take(p.times * int64(most-had)) {
		return false
	}
	p.most = most
	return true
}

// shrink gives back what was lent, where n bytes need none of it any more, and tells whether there was something: what is held then has to
// be moved out of its large buffer.
func (p *place) shrink(n int) bool {
	if p.most <= freeHold || n > freeHold {
		return false
	}
	p.loan.give(p.times * int64(p.most-freeHold))
	p.most = 0
	return true
}
