package store

import "sync"

const (
	usualBuffer = 16 << 10
	keptBuffers = 2 << 20 // bytes of all that are kept
)

// buffers are what records of the journal are written into. What is in one is read until Badger has it, and by the batch that is under
// way then: so a batch takes one before it reads.
type buffers struct {
	mu    sync.Mutex
	free  [][]byte
	bytes int
}

// take gives a buffer with space for a record's head.
func (b *buffers) take() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	last := len(b.free) - 1
	if last < 0 {
		return make([]byte, recordHead, usualBuffer)
	}
	one := b.free[last]
	b.free[last] = nil
	b.free = b.free[:last]
	b.bytes -= cap(one)
	return one[:recordHead]
}

// give takes buffers back.
func (b *buffers) give(all ...[]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, one := range all {
		if one != nil && b.bytes+cap(one) <= keptBuffers {
			b.free = append(b.free, one)
			b.bytes += cap(one)
		}
	}
}
