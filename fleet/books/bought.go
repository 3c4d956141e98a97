package books

import (
	"context"
	"fmt"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// boughtSums are what entries say that was bought, to be held against what counts of it in the limits of the fleet. Only what surely
// counts there is summed up: what was paid, and booked in a fleet, begun and paid on one day, and has ended for a while.
type boughtSums struct {
	fleet.Bought
	now   time.Time
	paid  map[string]time.Time // by purchase: when its money left
	ended map[string]*endedBuy
}

// endedBuy is a purchase that was paid and has ended.
type endedBuy struct {
	ledger.Bought
	gateway int // -1: entries that a restored ledger has kept tell of it at two
}

// see takes a row that may be about a purchase.
func (s *boughtSums) see(r *fleet.Row, gateway int) error {
	b, ok, err := ledger.BoughtOf(r.Beside)
	if err != nil || !ok {
		return err
	}
	_, since := s.InSession()
	switch day := s.Since(); {
	case b.CreatedAt.Format(time.DateOnly) < day && (since.IsZero() || b.CreatedAt.Before(since)):
		return nil // the store knows nothing of it any more
	case !b.State.Ended():
		if s.paid[b.ID].IsZero() {
			s.paid[b.ID] = r.At
		}
	case b.Micros == 0:
		delete(s.ended, b.ID)
	case s.ended[b.ID] != nil && s.ended[b.ID].gateway != gateway:
		s.ended[b.ID].gateway = -1
	case s.now.Sub(r.At) >= settledFor:
		s.ended[b.ID] = &endedBuy{b, gateway}
	}
	return nil
}

// hold says what limits count less than was bought.
func (s *boughtSums) hold(gateways []fleet.Shipped, problem, note func(format string, v ...any)) {
	type key struct{ of, day string }
	at, by, on := map[key]money.Micros{}, map[key]money.Micros{}, map[string]money.Micros{}
	var inSession money.Micros
	counted, since := s.InSession()
	tomorrow := s.now.UTC().AddDate(0, 0, 1).Format(time.DateOnly) // days after it are a wrong clock's, and not all of them are kept
	for id, b := range s.ended {
		if !since.IsZero() && b.CreatedAt.Add(-clockSlack).After(since) {
			inSession += b.Micros
		}
		paid, begun := s.paid[id], b.CreatedAt.UTC().Format(time.DateOnly)
		if b.Day < s.Since() || b.Day > tomorrow || b.Day != begun || paid.IsZero() || b.Day != paid.UTC().Format(time.DateOnly) {
			continue
		}
		on[b.Day] += b.Micros
		at[key{b.Seller, b.Day}] += b.Micros
		if b.gateway >= 0 {
			by[key{gateways[b.gateway].Gateway, b.Day}] += b.Micros
		}
	}
	tell := func(what, day string, booked, counts money.Micros) {
		if booked > counts {
			problem("purchases of the day %s%s: the books have $%s, and $%s count against the limits", day, what, booked, counts)
		}
	}
	for day, sum := range on {
		tell("", day, sum, s.On(day))
	}
	for k, sum := range at {
		tell(fmt.Sprintf(" at seller %s", k.of), k.day, sum, s.At(k.of, k.day))
	}
	for k, sum := range by {
		tell(fmt.Sprintf(" by gateway %s", k.of), k.day, sum, s.Of(k.of, k.day))
	}
	if inSession > counted {
		note("purchases of the session since %s: the books have $%s, and $%s count against its limit", since.UTC().Format(time.RFC3339), inSession, counted)
	}
}

// loadBought reads what counts, before the entries that it is held against.
func (c *checker) loadBought(ctx context.Context) (err error) {
	c.bought = boughtSums{now: time.Now(), paid: map[string]time.Time{}, ended: map[string]*endedBuy{}}
	c.bought.Bought, err = fleet.ReadBought(ctx, c.store)
	return err
}

// purchases holds what was bought against what counts of it.
func (c *checker) purchases() {
	c.bought.hold(c.Gateways, c.problem, c.note)
}
