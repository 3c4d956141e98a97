package store

const (
	usualBuffer = 64 << 10
	keptBuffers = 2 << 20 // bytes of all that are kept
)

// buffers are what records of the journal are kept in until Badger has them, one after the other: most are far smaller than a buffer. The
// batch under way may be reading what is in one after that. So one is taken only by its commit, when all is read. The lock of pending is held.
type buffers struct {
	used [][]byte // since what is live was begun; the last has room
	free [][]byte
}

// keep gives a copy of a record.
func (b *buffers) keep(record []byte) []byte {
	last := len(b.used) - 1
	if last < 0 || cap(b.used[last])-len(b.used[last]) < len(record) {
		b.used = append(b.used, b.take(len(record)))
		last++
	}
	one := b.used[last]
	at := len(one)
	one = append(one, record...)
	b.used[last] = one
	return one[at:]
}

func (b *buffers) take(size int) []byte {
	last := len(b.free) - 1
	if last < 0 || size > usualBuffer {
		return make([]byte, 0, max(size, usualBuffer))
	}
	one := b.free[last]
	b.free[last] = nil
	b.free = b.free[:last]
	return one
}

// begin gives what is used so far, to be given back, and begins with others.
func (b *buffers) begin() (used [][]byte) {
	used, b.used = b.used, nil
	return used
}

// give takes buffers back.
func (b *buffers) give(all [][]byte) {
	for _, one := range all {
		if cap(one) == usualBuffer && len(b.free) < keptBuffers/usualBuffer {
			b.free = append(b.free, one[:0])
		}
	}
}
