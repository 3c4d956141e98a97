package purchase

import (
	"sync"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// spentMethods are the payment methods whose own limit of the day stood in the way when it was last asked about.
type spentMethods struct {
	mu sync.Mutex
	by map[string]spentMethod // by the method's name
}

type spentMethod struct {
	limit *LimitError
	asked time.Time
}

// keep keeps that a method's own limit stands in the way, if it is that.
func (s *spentMethods) keep(method string, e *LimitError, now time.Time) {
	if e.Limit != ledger.MethodLimit {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by = make(map[string]spentMethod)
	}
	s.by[method] = spentMethod{e, now}
}

// freed forgets it: a purchase that counted may count no more, or the limit is another one.
func (s *spentMethods) freed(method string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.by, method)
}

// over spares sellers the question, and the method, while its limit is known to stand in the way.
func (s *spentMethods) over(method string, amount money.Micros, now time.Time) *LimitError {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok := s.by[method]
	if !ok || now.Sub(known.asked) >= time.Minute || !now.Before(known.limit.Resets) || known.limit.SpentMicros.Add(amount) <= known.limit.LimitMicros {
		return nil
	}
	again := *known.limit
	again.AmountMicros = amount
	return &again
}
