package gateway

import (
	"math/bits"
	"sync"
)

// room is a place for a body that is used again, so that bodies which come and go leave nothing to be collected. Who has one is
// alone with it.
type room struct {
	all []byte
}

// The sizes of rooms, in bytes: powers of two up to a large one, multiples of that up to the largest. What is smaller gets the
// smallest; what is larger than the largest is made to measure, and not used again.
const (
	smallestRoom = 4 << 10
	largeRoom    = 1 << 20
	largestRoom  = 8 * largeRoom
)

// Those that are free, by size. The collector takes the ones that nobody comes for, which bounds how long a large one is kept.
var small, large [9]sync.Pool

func roomPool(size int) *sync.Pool {
	if size > largeRoom {
		return &large[size/largeRoom]
	}
	return &small[bits.Len(uint(size/smallestRoom))-1]
}

// roomSize is how large a place is that has room for so many bytes.
func roomSize(n int) int {
	switch {
	case n <= smallestRoom:
		return smallestRoom
	case n > largestRoom:
		return n
	case n > largeRoom:
		return (n + largeRoom - 1) / largeRoom * largeRoom
	}
	return 1 << bits.Len(uint(n-1))
}

// newRoom gives a room of a size that roomSize gave; nil where that is none.
func newRoom(size int) *room {
	if size > largestRoom {
		return nil
	}
	if free, ok := roomPool(size).Get().(*room); ok {
		return free
	}
	return &room{make([]byte, size)}
}

// bytes gives the room with nothing in it, or such a place of its own where there is no room.
func (r *room) bytes(size int) []byte {
	if r == nil {
		return make([]byte, 0, size)
	}
	return r.all[:0]
}

// leave gives the room to whoever comes next: nobody may read what is in it any more.
func (r *room) leave() {
	if r != nil {
		roomPool(len(r.all)).Put(r)
	}
}
