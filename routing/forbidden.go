package routing

import (
	"sync"
	"sync/atomic"
	"time"
)

// forbidden are the sellers that the config keeps from being reached, as the address that each had when it was tried is none that it may have.
type forbidden struct {
	any atomic.Bool // whether there are some: mostly nobody has to look
	mu  sync.Mutex
	at  map[SellerKey]time.Time // when that was
}

// forbiddenFor is for how long a seller is told of that the config kept from being reached when that was last tried: requests try it, and an
// address may be another by then.
const forbiddenFor = 10 * time.Minute

// maxForbidden is how many of them are remembered.
const maxForbidden = 1000

// Forbid notes that the config keeps a seller from being reached, as the address that it has now is none that it may have.
func (t *Table) Forbid(k SellerKey, now time.Time) {
	f := &t.forbidden
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, there := f.at[k]; !there && len(f.at) >= maxForbidden {
		return
	}
	if f.at == nil {
		f.at = make(map[SellerKey]time.Time)
	}
	f.at[k] = now
	f.any.Store(true)
}

// Reached notes that a seller has been reached, at whatever address it has by now.
func (t *Table) Reached(k SellerKey) {
	f := &t.forbidden
	if !f.any.Load() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.at, k)
	f.any.Store(len(f.at) > 0)
}

// has tells whether a seller is one of them; not any more once that is long ago.
func (f *forbidden) has(k SellerKey, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, there := f.at[k]
	if there && now.Sub(at) > forbiddenFor {
		delete(f.at, k)
		return false
	}
	return there
}
