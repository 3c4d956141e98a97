package routing

import (
	"encoding/binary"
	"hash/maphash"
	"sync/atomic"
	"time"
)

// ExclusionLife is how long a seller is left out for a model and path after it said that it does not know the model.
const ExclusionLife = 10 * time.Minute

// Exclusions remember which sellers are left out for which model and path. They hold a bounded number, forget what expires
// first when they are full, and take no lock. A nil *Exclusions is empty.
type Exclusions struct {
	marks memos[struct{}]
	until atomic.Int64 // when the last of them ends, in nanoseconds of Unix time
}

// NewExclusions makes an empty list with room for about as many exclusions as the capacity says.
func NewExclusions(capacity int) *Exclusions {
	return &Exclusions{marks: newMemos[struct{}](2 * capacity)}
}

// Add leaves a seller out for a model, by the id that the seller knows it by, and the path of a request, for ten minutes.
func (x *Exclusions) Add(seller SellerKey, model, path string, now time.Time) {
	mark, end := markOf(seller, model), now.Add(ExclusionLife)
	x.marks.put(exclusionKey(mark, maphash.String(seed, path)), 0, struct{}{}, now, end)
	x.marks.put(exclusionKey(mark, anyPath), 0, struct{}{}, now, end)
	for was := x.until.Load(); end.UnixNano() > was && !x.until.CompareAndSwap(was, end.UnixNano()); {
		was = x.until.Load()
	}
}

// any tells whether anything is left out now. It nearly always answers no, at the cost of reading one number.
func (x *Exclusions) any(now time.Time) bool { return x != nil && x.until.Load() > now.UnixNano() }

func (x *Exclusions) has(mark, path uint64, now time.Time) bool {
	_, found := x.marks.get(exclusionKey(mark, path), now)
	return found
}

// anyPath stands for whatever path.
const anyPath = 0

var seed = maphash.MakeSeed()

// markOf gives a hash of a seller and a model.
func markOf(seller SellerKey, model string) uint64 {
	return maphash.Comparable(seed, struct {
		seller SellerKey
		model  string
	}{seller, model})
}

func exclusionKey(mark, path uint64) (key [16]byte) {
	binary.LittleEndian.PutUint64(key[:8], mark)
	binary.LittleEndian.PutUint64(key[8:], path)
	return key
}
