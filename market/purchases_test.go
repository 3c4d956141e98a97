package market

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
)

// Two gateways with a daily limit of one dollar make one purchase of a dollar, also after one of them starts again, and what fails
// unpaid is given back to both.
func TestPurchasesOfAFleet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &storeOfRates{values: make(map[string][]byte)}
		dirs := map[string]string{"one": t.TempDir(), "two": t.TempDir()}
		open := func(id, boot string) (fleetJournal, func()) {
			l, err := ledger.Open(ledger.Options{Dir: dirs[id], Key: bytes.Repeat([]byte{1}, 32), Shared: true})
			if err != nil {
				t.Fatal(err)
			}
			p := fleet.NewPurchases(fleet.PurchasesOptions{Store: store, Gateway: id, Boot: boot, Epoch: l.Epoch(), Books: fleetBooks{l}})
			p.Start()
			return fleetJournal{l, p}, func() {
				p.Close()
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			}
		}
		steps := func(j fleetJournal, id string, unpaid bool, states ...ledger.PurchaseState) error {
			p := ledger.Purchase{ID: id, Seller: "acme", Origin: "https://acme.example", Method: "mock", AmountMicros: money.USD, Unpaid: unpaid}
			for _, p.State = range states {
				if err := j.Advance(t.Context(), p, ledger.Limits{Daily: money.USD, Session: -1, Seller: -1}); err != nil {
					return err
				}
			}
			return nil
		}
		refused := func(err error) {
			t.Helper()
			if limit, ok := errors.AsType[*ledger.LimitError](err); !ok || limit.Limit != ledger.DailyLimit || limit.SpentMicros != money.USD || limit.Resets.IsZero() {
				t.Errorf("%v, want that a dollar of the day's is spent", err)
			}
		}
		one, closeOne := open("one", "1")
		two, closeTwo := open("two", "1")
		if err := steps(one, "a", false, ledger.Creating, ledger.Quoted, ledger.Prepared, ledger.Paying); err != nil {
			t.Fatal(err)
		}
		if err := steps(two, "b", false, ledger.Creating); !errors.Is(err, purchase.ErrElsewhere) {
			t.Errorf("while the other one buys: %v", err)
		}
		if err := steps(one, "a", true, ledger.Failed); err != nil {
			t.Fatal(err)
		}
		waitFor(t, func() bool { return steps(two, "b", false, ledger.Creating) == nil })
		if err := steps(two, "b", false, ledger.Quoted, ledger.Prepared, ledger.Paying, ledger.Proven); err != nil {
			t.Fatalf("what has failed unpaid counts: %v", err)
		}
		closeTwo()
		two, closeTwo = open("two", "2")
		defer closeTwo()
		if err := steps(two, "b", false, ledger.Disputed); err != nil {
			t.Fatal(err)
		}
		waitFor(t, func() bool { return steps(one, "c", false, ledger.Creating) == nil })
		refused(steps(one, "c", false, ledger.Quoted, ledger.Prepared))
		closeOne()
		one, closeOne = open("one", "2")
		defer closeOne()
		refused(steps(one, "c", false, ledger.Prepared))
		if day, session := one.Spent(); day != money.USD || session != money.USD {
			t.Errorf("%s and %s are spent", day, session)
		}
		store.mu.Lock()
		store.away = true
		store.mu.Unlock()
		now := new(purchase.NotNow)
		if err := steps(one, "d", false, ledger.Creating); !errors.As(err, &now) || !errors.Is(err, purchase.ErrAway) {
			t.Errorf("while the store is away: %v", err)
		}
		if err := one.Ready(); !errors.Is(err, purchase.ErrAway) {
			t.Errorf("it is ready: %v", err)
		}
		store.mu.Lock()
		store.away = false
		store.mu.Unlock()
	})
}

// What a ledger has bought today is told to a fleet by the seller where it was.
func TestBoughtBeforeTheFleet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := ledger.Open(ledger.Options{InMemory: true, Key: bytes.Repeat([]byte{1}, 32), Shared: true})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		buys := func(p ledger.Purchase, states ...ledger.PurchaseState) {
			t.Helper()
			p.Method, p.AmountMicros = "mock", money.USD
			for _, p.State = range states {
				if err := l.Advance(t.Context(), p, ledger.Limits{Daily: -1, Session: -1, Seller: -1}); err != nil {
					t.Fatal(err)
				}
			}
		}
		buys(ledger.Purchase{ID: "ended", Seller: "acme", Origin: "https://acme.example", Token: &ledger.Token{Secret: "bearer", CreditMicros: money.USD}},
			ledger.Creating, ledger.Quoted, ledger.Prepared, ledger.Paying, ledger.Proven, ledger.Completing, ledger.Granted)
		buys(ledger.Purchase{ID: "open", Seller: "other", Origin: "https://other.example"}, ledger.Creating, ledger.Quoted, ledger.Prepared)
		bought, err := fleetBooks{l}.Ended(t.Context(), time.Now().UTC().Format(time.DateOnly))
		if err != nil || len(bought) != 1 || bought[0].Seller != "acme" || bought[0].Method != "mock" || bought[0].Amount != money.USD {
			t.Errorf("%+v, %v", bought, err)
		}
		if bought, err := (fleetBooks{l}).Ended(t.Context(), "2026-03-02"); err != nil || len(bought) != 0 {
			t.Errorf("on another day: %+v, %v", bought, err)
		}
	})
}

// What a ledger has spent in a day is told without what was prepared that day, and with all that was not, also where something that was prepared the day
// before was approved since: what a gateway has bought of what is set aside is known by it.
func TestCountedOverMidnight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := ledger.Open(ledger.Options{InMemory: true, Key: bytes.Repeat([]byte{1}, 32), Shared: true})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		advance := func(id string, micros money.Micros, states ...ledger.PurchaseState) {
			t.Helper()
			p := ledger.Purchase{ID: id, Seller: id, Origin: "https://acme.example", Method: "mock", AmountMicros: micros}
			for _, p.State = range states {
				if err := l.Advance(t.Context(), p, ledger.Limits{Daily: -1, Session: -1, Seller: -1}); err != nil {
					t.Fatal(err)
				}
			}
		}
		advance("waits", 4, ledger.Creating, ledger.Quoted, ledger.Prepared)
		<-time.After(24 * time.Hour)
		advance("waits", 4, ledger.Prepared) // it is approved, and waits for the store
		advance("bought", 5, ledger.Creating, ledger.Quoted, ledger.Prepared, ledger.Paying, ledger.Disputed)
		advance("paying", 6, ledger.Creating, ledger.Quoted, ledger.Prepared, ledger.Paying)
		advance("prepared", 7, ledger.Creating, ledger.Quoted, ledger.Prepared)
		today := time.Now().UTC().Format(time.DateOnly)
		spent, paying := fleetBooks{l}.Counted(today)
		if spent != 5+6 || len(paying) != 1 || paying[0].ID != "paying" || paying[0].Amount != 6 || paying[0].Day != today {
			t.Errorf("%d are spent, and %+v may be paid", spent, paying)
		}
	})
}

// waitFor waits for what is done in the background.
func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatal("it does not come")
		case <-tick.C:
		}
	}
}
