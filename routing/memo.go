package routing

import (
	"encoding/binary"
	"math/bits"
	"sync/atomic"
	"time"
)

// memos remember a value for a key until a time, in bounded space and without a lock. Keys are hashes. A key has one row
// of places; when they are all taken, what expires first is forgotten.
type memos[V any] struct {
	rows []row[V] // a power of two
}

const rowLength = 8

type row[V any] [rowLength]atomic.Pointer[memo[V]]

// memo never changes.
type memo[V any] struct {
	key     [16]byte
	value   V
	expires int64 // in nanoseconds of Unix time
}

func newMemos[V any](capacity int) memos[V] {
	rows := (max(capacity, 1) + rowLength - 1) / rowLength
	return memos[V]{rows: make([]row[V], 1<<bits.Len(uint(rows-1)))}
}

func (m *memos[V]) row(key [16]byte) *row[V] {
	return &m.rows[binary.LittleEndian.Uint64(key[:])&uint64(len(m.rows)-1)]
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

func (m *memos[V]) put(key [16]byte, value V, expires time.Time) {
	memo := &memo[V]{key, value, expires.UnixNano()}
	for r := m.row(key); ; {
		at, old := 0, r[0].Load()
		for i := range r {
			e := r[i].Load()
			if e != nil && e.key == key {
				at, old = i, e
				break
			}
			if old != nil && (e == nil || e.expires < old.expires) {
				at, old = i, e
			}
		}
		if r[at].CompareAndSwap(old, memo) {
			return
		}
	}
}

// len counts what is remembered, expired or not.
func (m *memos[V]) len() (n int) {
	for i := range m.rows {
		for j := range m.rows[i] {
			if m.rows[i][j].Load() != nil {
				n++
			}
		}
	}
	return n
}
