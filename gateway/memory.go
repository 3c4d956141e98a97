package gateway

import (
	"errors"
	"io"
	"sync/atomic"
)

// memory bounds all bodies and answers that the process holds at once.
var memory = budget{limit: 256 << 20}

// budget is a number of bytes that may be held.
type budget struct {
	limit int64
	held  atomic.Int64
}

func (b *budget) take(n int64) bool {
	if b.held.Add(n) > b.limit {
		b.held.Add(-n)
		return false
	}
	return true
}

func (b *budget) give(n int64) { b.held.Add(-n) }

// errNoMemory says that all bodies and answers together are too many.
var errNoMemory = errors.New("too many large requests at once")

// metered takes from the memory budget what is read through it. Where the budget is spent it stops, before a byte is lost.
type metered struct {
	r     io.Reader
	share *int64 // what was taken, for whoever gives it back
}

func (m metered) Read(p []byte) (int, error) {
	if !memory.take(int64(len(p))) {
		return 0, errNoMemory
	}
	n, err := m.r.Read(p)
	memory.give(int64(len(p) - n))
	*m.share += int64(n)
	return n, err
}
