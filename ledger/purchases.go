package ledger

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// PurchaseQuery chooses purchases. What is zero does not choose.
type PurchaseQuery struct {
	ID       string
	Seller   string
	Open     bool   // those that have not ended
	Disputed bool   // those that were paid for nothing, and whose money is not all back
	Day      string // those that count against the limits of this UTC day, as 2026-03-02
}

// Purchases gives the purchases that q chooses, the oldest first. Their payment, intent and proof are not there.
func (l *Ledger) Purchases(ctx context.Context, q PurchaseQuery) ([]Purchase, error) {
	found := []Purchase{}
	err := l.view(ctx, func(v *view) error {
		add := func(id string, p *purchase) error {
			if p.ID != id {
				return store.Damaged("purchase %s is of another id", id)
			}
			if q.chooses(p) {
				found = append(found, p.Purchase)
			}
			return v.alive()
		}
		if q.ID == "" {
			return each(v.txn, purchasePrefix, add)
		}
		p := new(purchase)
		if there, err := getJSON(v.txn, purchasePrefix+q.ID, p); err != nil || !there {
			return err
		}
		return add(q.ID, p)
	})
	slices.SortFunc(found, byAge)
	return found, err
}

// byAge has the oldest first.
func byAge(a, b Purchase) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
}

func (q *PurchaseQuery) chooses(p *purchase) bool {
	return (q.Seller == "" || q.Seller == p.Seller) && (!q.Open || !p.State.Ended()) && (!q.Disputed || p.inDispute()) &&
		(q.Day == "" || p.CountedDay == q.Day && p.CountedMicros > 0)
}

// inDispute tells whether it was paid, has brought no token, and is not given back whole.
func (p *purchase) inDispute() bool {
	return p.State.Ended() && p.State != Granted && p.paid() > p.RefundedMicros()
}

// Told gives the entries that are about a purchase itself: its steps that moved money, what operators have said of it, and
// refunds, the oldest first.
func (l *Ledger) Told(ctx context.Context, p *Purchase) ([]*Entry, error) {
	told := []*Entry{}
	q := Query{From: p.CreatedAt, Seller: p.Seller}
	if p.State.Ended() {
		q.To = p.UpdatedAt.Add(time.Millisecond)
	}
	err := l.Entries(ctx, q, func(e *Entry) error {
		if e.PurchaseID == p.ID && (e.Kind == KindPurchase || e.Kind == KindDispute) {
			told = append(told, e)
		}
		return nil
	})
	return told, err
}

// OpenPurchases gives the purchases that have not ended, oldest first. There are none after the ledger has failed or closed.
func (l *Ledger) OpenPurchases() []Purchase {
	var open []Purchase
	if err := l.look(context.Background(), func(s *state) {
		for _, p := range s.purchases {
			open = append(open, p.Purchase)
		}
	}); err != nil {
		return nil
	}
	slices.SortFunc(open, byAge)
	return open
}

// Spent gives what counts against the limits now: today (UTC), and since the process started.
func (l *Ledger) Spent() (day, session money.Micros) {
	// After a failure there is nothing to count against: nothing is bought any more.
	_ = l.look(context.Background(), func(s *state) {
		day, session = s.spentOn(dayOf(l.now())), s.session
	})
	return day, session
}

// SpentAt gives what counts against a seller's limit now: today (UTC), whatever the seller's origin.
func (l *Ledger) SpentAt(sellerID string) (spent money.Micros) {
	_ = l.look(context.Background(), func(s *state) { // as in Spent
		spent = s.spentAt[sellerDay{sellerID, dayOf(l.now())}]
	})
	return spent
}

// UnderWay is a purchase that may be paid and has not ended.
type UnderWay struct {
	Purchase
	Day string // of UTC, on which it counts against the limits
}

// Counted gives what counts against the limits on a UTC day, but for what is only prepared, and the purchases that may be paid and have not ended.
// After a failure there are none.
func (l *Ledger) Counted(day string) (spent money.Micros, paying []UnderWay) {
	_ = l.look(context.Background(), func(s *state) {
		spent = s.spentOn(day)
		for _, p := range s.purchases {
			switch {
			case p.PendingMicros != 0:
				paying = append(paying, UnderWay{p.Purchase, p.CountedDay})
			case p.CountedDay == day:
				spent -= p.CountedMicros
			}
		}
	})
	return spent, paying
}

// Payee gives the first payee that a seller, with its origin, was paid at by a method; empty where there was none.
func (l *Ledger) Payee(method, seller, origin string) (payee string) {
	if err := l.look(context.Background(), func(s *state) { payee = s.payees[customer{method, seller, origin}] }); err != nil {
		return ""
	}
	return payee
}

// Bought tells whether a token was ever granted by a seller, at its origin.
func (l *Ledger) Bought(seller, origin string) (bought bool) {
	if err := l.look(context.Background(), func(s *state) { bought = s.bought[shop{seller, origin}] }); err != nil {
		return false
	}
	return bought
}
