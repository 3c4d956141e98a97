package relay

import "github.com/tokenbuddy/caddy-tokenbuddy/wire"

// TakeSettlements takes the settlements out of an answer that is an event stream, as an error may be, and is there whole. What does not
// begin as one stays as it is. It gives what is left, in the place of body, and the last settlement that can be read; unread tells whether there was
// one that can't be.
func TakeSettlements(body []byte) (left []byte, last *wire.Settlement, unread bool) {
	if events, _ := isEvents(body); !events {
		return body, nil, false
	}
	t := new(settlements)
	f := newFilter(t)
	left = f.Write(body)
	left = append(left, f.End()...) // which has been moved elsewhere
	return left, t.last, t.unread
}

// settlements is a sink that looks for nothing else.
type settlements struct {
	last   *wire.Settlement
	unread bool
}

func (t *settlements) event(_, _ []byte, _ bool) (drop bool) { return false }
func (t *settlements) tail([]byte)                           {}

func (t *settlements) settlement(data []byte) {
	s, err := wire.ParseSettlement(data)
	if err != nil {
		t.unread = true
		return
	}
	t.last = &s
}
