package purchase

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// fleetJournal is a journal that says of states that they are not to be now.
type fleetJournal struct {
	*fakeJournal
	mu       sync.Mutex
	refuse   map[ledger.PurchaseState]*NotNow
	judged   []string // purchases
	forgiven int
}

func (j *fleetJournal) Advance(ctx context.Context, p ledger.Purchase, l ledger.Limits) error {
	j.mu.Lock()
	e := j.refuse[p.State]
	j.mu.Unlock()
	if e != nil {
		return e
	}
	return j.fakeJournal.Advance(ctx, p, l)
}

func (j *fleetJournal) Ready() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e := j.refuse[""]; e != nil {
		return e
	}
	return nil
}

func (j *fleetJournal) Judge(_, purchaseID string, _, _ money.Micros) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.judged = append(j.judged, purchaseID)
}

func (j *fleetJournal) Forgive(string) { j.forgiven++ }

func (j *fleetJournal) set(s ledger.PurchaseState, e *NotNow) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.refuse = map[ledger.PurchaseState]*NotNow{s: e}
}

// inFleet is trade with such a journal.
func inFleet(t *testing.T, f func(t *testing.T, b *bench, j *fleetJournal)) {
	t.Helper()
	trade(t, nil, func(t *testing.T, b *bench) {
		b.desk.Close()
		j := &fleetJournal{fakeJournal: b.journal}
		b.open(j)
		f(t, b, j)
	})
}

// Where a purchase is not to be now the request is told what it wants for, at once, and the next one may buy.
func TestNotNow(t *testing.T) {
	next := func() time.Time { return time.Now().Add(20 * time.Second) }
	for _, c := range []struct {
		state ledger.PurchaseState
		err   error
		until bool
		lack  Lack
	}{
		{"", ErrAway, false, LacksFleet},
		{ledger.Creating, ErrAway, false, LacksFleet},
		{ledger.Creating, ErrTooOften, true, LacksMinute},
		{ledger.Creating, ErrUseless, false, LacksTrust},
		{ledger.Prepared, ErrAway, false, LacksFleet},
	} {
		t.Run(string(c.state)+" "+c.err.Error(), func(t *testing.T) {
			inFleet(t, func(t *testing.T, b *bench, j *fleetJournal) {
				e := &NotNow{Err: c.err}
				if c.until {
					e.Until = next()
				}
				j.set(c.state, e)
				begun := time.Now()
				b.refusedFor(b.want(0), c.lack, e.Until)
				if time.Since(begun) != 0 {
					t.Errorf("it has waited for %s", time.Since(begun))
				}
				synctest.Wait() // whoever has told the request is about to forget the purchase
				if len(b.desk.Purchases()) != 0 {
					t.Errorf("still open: %+v", b.desk.Purchases())
				}
				if b.journal.spent != 0 {
					t.Error("something was spent")
				}
				j.set("none", nil)
				time.Sleep(time.Minute)
				b.lease(0).Return(0)
			})
		})
	}
}

// What was not begun is none of the three purchases of a minute.
func TestNotNowIsNoPurchase(t *testing.T) {
	inFleet(t, func(_ *testing.T, b *bench, j *fleetJournal) {
		j.set(ledger.Creating, &NotNow{Err: ErrAway})
		for range 4 {
			b.refusedFor(b.want(0), LacksFleet, time.Time{})
			time.Sleep(2 * shutFor)
		}
		j.set("none", nil)
		b.lease(0).Return(0)
	})
}

// While another gateway buys there, or where the store goes away before money may leave, a purchase waits, and then goes on.
func TestNotNowWaits(t *testing.T) {
	for _, c := range []struct {
		state ledger.PurchaseState
		err   error
	}{{ledger.Creating, ErrElsewhere}, {ledger.Paying, ErrAway}} {
		t.Run(string(c.state), func(t *testing.T) {
			inFleet(t, func(t *testing.T, b *bench, j *fleetJournal) {
				j.set(c.state, &NotNow{Err: c.err})
				time.AfterFunc(5*time.Second, func() { j.set("none", nil) })
				begun := time.Now()
				b.lease(0).Return(0)
				if waited := time.Since(begun); waited < 5*time.Second || waited > 5*time.Second+notNowAgain {
					t.Errorf("it has waited for %s", waited)
				}
				if create, complete := b.seller.count(); create != 1 || complete != 1 {
					t.Errorf("asked %d and %d times", create, complete)
				}
			})
		})
	}
}

// What tokens have brought is told, and that a seller is forgiven.
func TestNotNowJudged(t *testing.T) {
	inFleet(t, func(t *testing.T, b *bench, j *fleetJournal) {
		l := b.lease(0)
		id := l.token.life.id
		b.desk.Drop(l, "unknown")
		l.Served()
		l.Return(0)
		time.Sleep(2 * time.Minute)
		j.mu.Lock()
		defer j.mu.Unlock()
		if len(j.judged) != 1 || id == "" || j.judged[0] != id {
			t.Errorf("judged %v, want %s", j.judged, id)
		}
		if b.desk.Forgive("acme"); j.forgiven != 1 {
			t.Error("nobody hears that it is forgiven")
		}
		if err := (&NotNow{Err: ErrAway}); !errors.Is(err, ErrAway) || err.Error() == "" {
			t.Error(err)
		}
	})
}
