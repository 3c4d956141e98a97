package relay

import (
	"context"
	"io"
	"time"
)

// Drain reads on for the settlement, after Relay, for at most 30 s and 1 MiB, and then ends the seller's call. It returns
// when the settlement is in, the body has ended, ctx is done or the process goes. Where the stream is not Unsettled it
// returns at once.
func (s *Stream) Drain(ctx context.Context) {
	limit := time.Now().Add(drainTime)
	if s.direct != nil && s.Unsettled() {
		defer context.AfterFunc(ctx, s.direct.Wake)()
	}
	for most := s.received + drainBytes; s.Unsettled() && s.received < most; {
		r, sig := s.wait(0, limit, ctx)
		if sig != came {
			break
		}
		s.take(r)
		s.consumed()
		if s.end == io.EOF {
			s.judge()
		}
	}
	if s.last == nil {
		s.halt()
		return
	}
	s.release()
}

// Discard is Close by who reads the stream and has no more use for it: nothing is held any longer.
func (s *Stream) Discard() {
	s.halt()
	s.back, s.lent, s.head = nil, false, nil
	s.filter.forget()
	s.at.letGo()
	s.at = read{}
}
