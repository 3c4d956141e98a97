package fleet

import (
	"context"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Bought is what purchases count against the limits, as the store has it, to be held against books.
type Bought struct {
	Session Session

	tab tab
}

// ReadBought reads what purchases count.
func ReadBought(ctx context.Context, store Store) (b Bought, err error) {
	err = store.Load(ctx, func(key string, value []byte) (err error) {
		if key == SessionKey {
			b.Session, err = readSession(value)
			return err
		}
		return readTab(value, &b.tab, time.Now())
	}, tabKey, SessionKey)
	return b, err
}

// Since is the first UTC day, as 2006-01-02, of which the store still knows what was bought. Empty: of all.
func (b *Bought) Since() (day string) { return b.tab.From }

// Of is what counts of a gateway's purchases of a UTC day.
func (b *Bought) Of(gateway, day string) money.Micros {
	sum := b.tab.ended(gateway, day)
	for _, c := range b.tab.Open {
		if c.Gateway == gateway && c.Day == day {
			sum = sum.Add(c.Amount)
		}
	}
	if a := b.tab.Ahead[gateway]; a != nil && a.Day == day {
		sum = sum.Add(a.Amount)
	}
	return sum
}

// At is what counts of purchases at a seller on a UTC day, by all gateways.
func (b *Bought) At(seller, day string) money.Micros { return b.tab.sums(day, seller, "")[SellerLimit] }

// On is what counts of all purchases of a UTC day.
func (b *Bought) On(day string) money.Micros { return b.tab.sums(day, "", "")[DailyLimit] }

// InSession is what counts in the session, and since when purchases surely count in it; the zero time: that is not known, as nobody has begun one.
func (b *Bought) InSession() (sum money.Micros, since time.Time) {
	if b.tab.Session != b.Session.N { // nothing was bought in it yet, or a moment ago
		return 0, time.Time{}
	}
	return b.tab.sums("", "", "")[SessionLimit], b.Session.Since
}
