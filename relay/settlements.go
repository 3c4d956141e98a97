package relay

import "github.com/tokenbuddy/caddy-tokenbuddy/wire"

// Settlements are those that the events of an answer have told so far.
type Settlements struct {
	last    *wire.Settlement
	earlier []*wire.Settlement
	unread  bool
}

// maxEarlier is how many settlements before the last one are kept.
const maxEarlier = 4

// Settlement is the last good settlement that has come; nil if none has.
func (s *Settlements) Settlement() *wire.Settlement { return s.last }

// Earlier are good settlements that came before the last one, the newest first.
func (s *Settlements) Earlier() []*wire.Settlement { return s.earlier }

// Unread tells whether a settlement has come that can't be read.
func (s *Settlements) Unread() bool { return s.unread }

// settlement takes the data of one, as the filter finds it.
func (s *Settlements) settlement(data []byte) {
	next, err := wire.ParseSettlement(data)
	if err != nil {
		s.unread = true
		return // the block is dropped all the same
	}
	if s.last != nil {
		s.earlier = append([]*wire.Settlement{s.last}, s.earlier[:min(len(s.earlier), maxEarlier-1)]...)
	}
	s.last = &next
}

// TakeSettlements takes the settlements out of an answer that is an event stream, as an error may be, and is there whole: one that calls
// itself so, unless it begins as what is none, or that begins as one. It gives what is left, in the place of body, and what was taken; nil
// where the answer is no such stream.
func TakeSettlements(body []byte, callsItselfEvents bool) (left []byte, taken *Settlements) {
	events, _ := isEvents(body)
	if document, _ := isDocument(body); !events && (document || !callsItselfEvents) {
		return body, nil
	}
	t := new(taker)
	f := newFilter(t)
	left = f.Write(body)
	left = append(left, f.End()...) // which has been moved elsewhere
	return left, &t.Settlements
}

// taker is a sink that looks for nothing else.
type taker struct{ Settlements }

func (*taker) event(_, _ []byte, _ bool) (drop bool) { return false }
func (*taker) tail([]byte)                           {}
