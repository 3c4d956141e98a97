package ledger

import (
	"slices"
	"sync"
	"time"
)

// sweptOld is how many old ones go with each new one: more than come.
const sweptOld = 4

// newest are the keys of those records of a kind that are on disk, the oldest first: of these only the newest are kept, each for a time.
type newest[K comparable] struct {
	most int // that are kept

	mu    sync.Mutex // protects all following fields
	turn  uint64
	kept  map[K]uint64 // the turn in which it was put last
	queue []queued[K]
}

type queued[K comparable] struct {
	key   K
	turn  uint64
	until int64 // Unix time
}

func newNewest[K comparable](most int) *newest[K] {
	return &newest[K]{most: most, kept: map[K]uint64{}}
}

// put notes one, and gives a few that are too old or too many.
func (r *newest[K]) put(key K, until, now time.Time) (gone []K) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(key, until)
	for range sweptOld {
		old := r.queue[0]
		if old.key == key {
			break
		}
		if r.kept[old.key] == old.turn { // else it was put again since, or dropped
			if len(r.kept) <= r.most && now.Unix() < old.until {
				break
			}
			gone = append(gone, old.key)
			delete(r.kept, old.key)
		}
		r.queue = r.queue[1:]
	}
	return gone
}

// spareTurns is how many places of the queue more than twice what is kept may stand for nothing any more.
const spareTurns = 1024

func (r *newest[K]) add(key K, until time.Time) {
	r.turn++
	r.kept[key] = r.turn
	if len(r.queue) >= 2*len(r.kept)+spareTurns { // the same key may come again and again: it would grow for ever
		r.queue = slices.DeleteFunc(r.queue, func(q queued[K]) bool { return r.kept[q.key] != q.turn })
	}
	r.queue = append(r.queue, queued[K]{key, r.turn, until.Unix()})
}

func (r *newest[K]) drop(key K) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.kept, key)
}
