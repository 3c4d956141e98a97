package seller

import (
	"errors"
	"io"
	"sync"
)

// memory bounds the bodies and answers that all sellers of the process hold at once.
var memory = &store{limit: 256 << 20, held: make(map[digest]int64)}

// store is a number of bytes that may be held. A token has half of it at most, so that nobody takes it from all.
type store struct {
	limit int64
	mu    sync.Mutex
	total int64
	held  map[digest]int64 // by token
}

// errNoMemory says that there is no more for now.
var errNoMemory = errors.New("too many large requests at once")

// room is what one request holds of it.
type room struct {
	store *store
	token digest
	taken int64
}

func (m *room) take(n int64) error {
	s := m.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total+n > s.limit || s.held[m.token]+n > s.limit/2 {
		return errNoMemory
	}
	s.total += n
	s.held[m.token] += n
	m.taken += n
	return nil
}

func (m *room) give(n int64) {
	s := m.store
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total -= n
	m.taken -= n
	if s.held[m.token] -= n; s.held[m.token] == 0 {
		delete(s.held, m.token)
	}
}

// Take and Give are for what a stream holds that it may pass on as well (relay.Memory): it leaves half to what can't be done without.
func (m *room) Take(n int64) bool {
	s := m.store
	s.mu.Lock()
	short := s.total+n > s.limit/2 || s.held[m.token]+n > s.limit/4
	s.mu.Unlock()
	return !short && m.take(n) == nil
}

// Give is the other one.
func (m *room) Give(n int64) { m.give(n) }

// leave gives back all that is held. It may be called again.
func (m *room) leave() { m.give(m.taken) }

const firstRead = 8 << 10

// fill reads r, up to limit bytes, and tells whether there is more. Room is made as the bytes come: what somebody announces may
// never be sent. The bytes are counted until they are given back.
func (m *room) fill(r io.Reader, limit int64) (b []byte, more bool, err error) {
	for {
		if len(b) == cap(b) {
			size := min(max(2*int64(cap(b)), firstRead), limit+1)
			if err := m.take(size); err != nil {
				return b, false, err
			}
			grown := make([]byte, len(b), size)
			copy(grown, b)
			m.give(int64(cap(b)))
			b = grown
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case int64(len(b)) > limit:
			return b, true, nil
		case err == io.EOF:
			return b, false, nil
		case err != nil:
			return b, false, err
		}
	}
}
