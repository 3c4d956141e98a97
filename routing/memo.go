package routing

import (
	"encoding/binary"
	"math/bits"
	"sync/atomic"
	"time"
)

// memos remember a value for a key until a time, in bounded space and without a lock. Keys are hashes. A key has one row
// of places; when they are all taken, one is forgotten: of whoever owns the most of that row, what expires first. So nobody
// pushes out what is others', however much he has to be remembered.
type memos[V any] struct {
	rows []row[V]
}

const rowLength = 8

type row[V any] [rowLength]atomic.Pointer[memo[V]]

// memo never changes.
type memo[V any] struct {
	key     [16]byte
	owner   uint64
	value   V
	expires int64 // in nanoseconds of Unix time
}

// newMemos has room for as many as the capacity says, rounded up to whole rows.
func newMemos[V any](capacity int) memos[V] {
	return memos[V]{rows: make([]row[V], (max(capacity, 1)+rowLength-1)/rowLength)}
}

func (m *memos[V]) row(key [16]byte) *row[V] {
	at, _ := bits.Mul64(binary.LittleEndian.Uint64(key[:]), uint64(len(m.rows)))
	return &m.rows[at]
}

func (m *memos[V]) get(key [16]byte, now time.Time) (value V, ok bool) {
	latest, r := now.UnixNano(), m.row(key)
	for i := range r {
		// Two goroutines that put the same key at once may take two places: the one that lasts longer is the newer.
		if e := r[i].Load(); e != nil && e.key == key && e.expires > latest {
			latest, value, ok = e.expires, e.value, true
		}
	}
	return value, ok
}

func (m *memos[V]) put(key [16]byte, owner uint64, value V, now, expires time.Time) {
	fresh := &memo[V]{key, owner, value, expires.UnixNano()}
	for r := m.row(key); ; {
		at, old := r.place(fresh, now.UnixNano())
		if r[at].CompareAndSwap(old, fresh) {
			return
		}
	}
}

// place finds where something new goes: in its own place, a free one, that of something that has expired, or of whoever owns
// the most of the row, itself with what is new included.
func (r *row[V]) place(fresh *memo[V], now int64) (at int, old *memo[V]) {
	var all [rowLength]*memo[V]
	free := -1
	for i := range r {
		e := r[i].Load()
		all[i] = e
		switch {
		case e == nil || e.expires <= now && e.key != fresh.key:
			if free < 0 {
				free, old = i, e
			}
		case e.key == fresh.key:
			return i, e
		}
	}
	if free >= 0 {
		return free, old
	}
	most := 0
	for i, e := range all {
		n := 0
		if e.owner == fresh.owner {
			n = 1
		}
		for _, o := range all {
			if o.owner == e.owner {
				n++
			}
		}
		if n > most || n == most && e.expires < all[at].expires {
			most, at = n, i
		}
	}
	return at, all[at]
}
