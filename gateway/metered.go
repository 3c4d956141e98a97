package gateway

import (
	"errors"
	"io"

	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
)

// metered takes from a share what is read through it. Where there is no more it stops, before a byte is lost.
type metered struct {
	r     io.Reader
	share *share
	taken *int64 // for whoever gives it back
	spare int    // bytes that are read where there is none
}

func (m *metered) Read(p []byte) (int, error) {
	if err := m.share.take(int64(len(p))); err != nil {
		if m.spare == 0 {
			return 0, err
		}
		n, err := m.r.Read(p[:min(len(p), m.spare)])
		m.spare -= n
		return n, err
	}
	n, err := m.r.Read(p)
	m.share.give(int64(len(p) - n))
	*m.taken += int64(n)
	return n, err
}

// maxWholeAnswer is how much of an answer is read before any of it is sent, so that a cut one can fail over.
const maxWholeAnswer = 8 << 20

// shortError is how much of an error is read where there is no memory for it, in bytes: what is to be done goes by what it says.
const shortError = 64 << 10

// whole reads an answer that is no stream, behind what of it head has already. more says that it goes on, as it is long, or there is no
// memory for the rest: it has been paid for, and flows on as it comes.
func (m *metered) whole(status int, head []byte) (b []byte, more bool, err error) {
	if status > 299 {
		m.spare = shortError
	}
	b, more, err = relay.ReadWhole(m, maxWholeAnswer, head)
	if errors.Is(err, errNoMemory) || errors.Is(err, errMemberMemory) {
		return b, true, nil
	}
	return b, more, err
}
