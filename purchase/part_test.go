package purchase

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// lendingJournal is a journal of a fleet that lends a part of a token from a time on, until when another gateway buys.
type lendingJournal struct {
	*fleetJournal
	desk  **Desk
	part  ledger.Token
	from  time.Time
	asked int
	good  bool // by others' clocks the part's time is not over
	gone  bool // the store is away

	during func() // what happens while the store is asked to end a token; nil: nothing does
}

func (j *lendingJournal) DropToken(ctx context.Context, id, reason string) error {
	j.mu.Lock()
	good, gone, during := j.good, j.gone, j.during
	j.mu.Unlock()
	if during != nil {
		during()
	}
	if gone {
		return ErrAway
	}
	if good && reason == Expired {
		return ErrStillGood
	}
	return j.fleetJournal.DropToken(ctx, id, reason)
}

func (j *lendingJournal) Borrow(_ context.Context, l Loan) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.asked++
	if time.Now().Before(j.from) || j.part.BalanceMicros < l.Need || !j.part.ExpiresAt.After(l.After) {
		return false
	}
	(*j.desk).Adopt(j.part, j.part.BalanceMicros, 0)
	return true
}

func (j *lendingJournal) Elsewhere(context.Context, string, string) bool {
	return time.Now().Before(j.from)
}

// lending is inFleet with such a journal, which has an eighth of another gateway's token to lend in two seconds.
func lending(t *testing.T, terms func(*Terms), f func(t *testing.T, b *bench, j *lendingJournal)) {
	t.Helper()
	inFleet(t, func(t *testing.T, b *bench, fleet *fleetJournal) {
		b.desk.Close()
		j := &lendingJournal{fleetJournal: fleet, desk: &b.desk, from: time.Now().Add(2 * time.Second)}
		j.part = ledger.Token{
			ID: "lent", Seller: "acme", Origin: "https://acme.example", PurchaseID: "lent", Secret: "s", PaidMicros: 8 * money.USD,
			CreditMicros: 8 * money.USD, BalanceMicros: money.USD, Shared: true, GrantedMicros: money.USD, BoughtAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
		}
		if terms != nil {
			terms(&b.terms)
		}
		b.open(j)
		f(t, b, j)
	})
}

func TestPartIsTakenBeforeAPurchase(t *testing.T) {
	lending(t, nil, func(t *testing.T, b *bench, _ *lendingJournal) {
		time.Sleep(3 * time.Second)
		l := b.lease(money.USD / 4)
		b.wantCalls(0, 0)
		b.journal.tokens["lent"] = ledger.Token{ID: "lent"}
		if l.TokenID() != "lent" || l.Exclusive() {
			t.Errorf("token %s, exclusive: %t", l.TokenID(), l.Exclusive())
		}
		tok := ledger.Token{ID: "lent", Seller: "acme", Origin: "https://acme.example", GrantedMicros: money.USD / 2}
		if n := b.desk.Spare(tok, money.USD); n != money.USD*3/4 {
			t.Errorf("%s is free beside what is held", n)
		}
		b.desk.Adopt(tok, -money.USD/2, money.USD*3/4) // not all of it goes
		if u, ok := b.desk.Use(tok, 0); !ok || u.Free != money.USD/4 || u.Used.IsZero() {
			t.Errorf("%+v, %t", u, ok)
		}
		l.Return(-money.USD / 2) // all that is left, and more
		time.Sleep(2 * sweepEvery)
		if u, ok := b.desk.Use(tok, 0); !ok || u.Free != 0 {
			t.Errorf("an empty part is out of use: %+v, %t", u, ok)
		}
		b.desk.Retire(tok, "spent")
		time.Sleep(2 * sweepEvery)
		if got := b.journal.reasons(); len(got) != 1 || got[0] != "spent" {
			t.Errorf("%v", got)
		}
	})
}

// A request that has waited for a purchase waits for another gateway's only for what is left of its time.
func TestPartIsNotWaitedForBesideAPurchase(t *testing.T) {
	lending(t, nil, func(t *testing.T, b *bench, j *lendingJournal) {
		j.from = time.Now().Add(time.Hour)
		b.journal.overMethod, b.seller.delay = "fake", patience-time.Second
		w := b.want(cent)
		w.Methods = append(w.Methods, w.Methods[0])
		begun := time.Now()
		if l, err := b.desk.Lease(t.Context(), w); err == nil || time.Since(begun) > patience {
			t.Errorf("after %s: %v, %v", time.Since(begun), l, err)
		}
	})
}

func TestPartOfWhatAnotherGatewayBuys(t *testing.T) {
	lending(t, nil, func(t *testing.T, b *bench, j *lendingJournal) {
		j.set(ledger.Creating, &NotNow{Err: ErrElsewhere})
		leases := together(b, 3, func() (*Lease, error) { return b.desk.Lease(t.Context(), b.want(money.USD/4)) })
		b.wantCalls(0, 0)
		for _, l := range leases {
			if l.TokenID() != "lent" {
				t.Errorf("token %s", l.TokenID())
			}
		}
	})
}

// What another gateway has bought is none of this one's three purchases of a minute.
func TestPartIsNoPurchase(t *testing.T) {
	lending(t, nil, func(t *testing.T, b *bench, j *lendingJournal) {
		j.set(ledger.Creating, &NotNow{Err: ErrElsewhere})
		for range 2 * 3 {
			j.mu.Lock()
			j.from = time.Now().Add(2 * time.Second)
			j.mu.Unlock()
			b.lease(money.USD * 3 / 4).Return(-money.USD)
		}
		b.wantCalls(0, 0)
		j.set(ledger.Creating, nil)
		j.mu.Lock()
		j.part.BalanceMicros = 0
		j.mu.Unlock()
		b.lease(money.USD)
		b.wantCalls(1, 1)
	})
}

func TestPartWhereALimitIsSpent(t *testing.T) {
	lending(t, func(terms *Terms) { terms.DailyLimit = 1 }, func(t *testing.T, b *bench, j *lendingJournal) {
		l := b.lease(money.USD / 4)
		if l.TokenID() != "lent" {
			t.Errorf("token %s", l.TokenID())
		}
		l.Return(-money.USD)
		b.wantCalls(0, 0)
		refused := func() {
			if l, err := b.desk.Lease(t.Context(), b.want(4*money.USD)); err == nil {
				t.Fatalf("%+v", l)
			}
		}
		begun := time.Now()
		refused()
		if time.Since(begun) > time.Second {
			t.Errorf("it was waited for %s where nobody buys", time.Since(begun))
		}
		asked := j.asked
		for range 50 {
			refused()
		}
		if j.asked-asked > 2 {
			t.Errorf("others were asked %d times at once", j.asked-asked)
		}
	})
}

// Tokens that never have what RebuyBelow asks for are shared before the next is bought ahead all the same.
func TestPartOfASmallTokenIsTakenAhead(t *testing.T) {
	small := func(terms *Terms) { terms.Amount, terms.RebuyBelow = 2*money.USD, 2*money.USD }
	lending(t, small, func(t *testing.T, b *bench, j *lendingJournal) {
		time.Sleep(3 * time.Second)
		b.lease(money.USD / 4).Return(-money.USD / 4)
		asked := j.asked
		aging := b.desk.Aging(time.Minute, time.Minute)
		if len(aging) != 1 {
			t.Fatalf("%d sellers' tokens come to their end", len(aging))
		}
		if begun, err := b.desk.Renew(aging[0], b.want(0)); begun || err != nil || j.asked == asked {
			t.Errorf("begun: %t, %v; others were asked: %t", begun, err, j.asked > asked)
		}
		b.wantCalls(0, 0)
	})
}

// What a seller refuses of a part, as others have spent it, goes back to the fleet as what is free does: who has it no more was not cheated of it.
func TestPartThatOthersHaveSpent(t *testing.T) {
	lending(t, nil, func(t *testing.T, b *bench, j *lendingJournal) {
		<-time.After(3 * time.Second)
		for _, id := range []string{"one", "two"} {
			j.mu.Lock()
			j.part.ID, j.part.PurchaseID = id, id
			j.mu.Unlock()
			w := b.want(cent)
			b.leaseFor(w).Return(-cent)
			w.Bound = 2 * money.USD
			l := b.leaseFor(w)
			if l.TokenID() != id {
				t.Fatalf("token %s", l.TokenID())
			}
			b.desk.Refused(l, new(money.Micros(0)))
			l.Return(0)
			u, _ := b.desk.Use(j.part, 0)
			spared := b.desk.Spare(j.part, u.Free)
			now := j.part
			now.GrantedMicros -= spared
			b.desk.Adopt(now, -spared, spared)
			if u, ok := b.desk.Use(j.part, 0); spared != money.USD-cent || !ok || u.Free != 0 {
				t.Errorf("%s goes back, and then %+v is there", spared, u)
			}
			b.desk.Retire(now, "spent")
			<-time.After(time.Minute)
		}
		b.lease(2 * money.USD).Return(-money.USD)
		if b.logged("purchase.seller.braked") != 0 || b.desk.Credit().Sellers[0].NoMoreMoney {
			t.Error("the brake is on")
		}
		b.wantCalls(1, 1)
	})
}

// A gateway that has left its fleet has parts of tokens still: what was paid for those, and not for the whole, is what they have to serve.
func TestPartsOfAFleetThatWasLeft(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		for _, id := range []string{"one", "two"} {
			b.desk.Adopt(ledger.Token{
				ID: id, Seller: "acme", Origin: "https://acme.example", PurchaseID: id, Secret: "s", PaidMicros: 8 * money.USD, CreditMicros: 8 * money.USD,
				BalanceMicros: money.USD / 2, Shared: true, GrantedMicros: money.USD / 2, BoughtAt: time.Now(), ExpiresAt: time.Now().Add(24 * time.Hour),
			}, money.USD/2, 0)
			l := b.lease(money.USD / 4)
			if l.TokenID() != id {
				t.Fatalf("token %s", l.TokenID())
			}
			l.Return(-money.USD / 2)
			<-time.After(time.Minute)
		}
		b.lease(cent).Return(-cent)
		b.wantCalls(1, 1)
	})
}

// A part whose time is over here, and is not by others' clocks, is theirs, and counts neither as waste nor against its seller. Its end is booked when it is
// over for them; where the clock is put right before, it is used again.
func TestPartThatIsGoodForOthers(t *testing.T) {
	lending(t, nil, func(t *testing.T, b *bench, j *lendingJournal) {
		<-time.After(3 * time.Second)
		b.lease(money.USD / 100).Return(-money.USD / 100)
		b.journal.tokens["lent"] = ledger.Token{ID: "lent"}
		good := func(is bool) {
			j.mu.Lock()
			defer j.mu.Unlock()
			j.good = is
		}
		good(true)
		<-time.After(time.Hour + 2*sweepEvery)
		if _, ok := b.desk.Use(j.part, 0); ok || len(b.journal.reasons()) != 0 {
			t.Errorf("in use: %t; %v", ok, b.journal.reasons())
		}
		c := b.desk.shelf(sellerKey{"acme", "https://acme.example"}).credit()
		if c.LeftMicros != 0 || c.WastedMicros != 0 || c.NoMoreMoney {
			t.Errorf("%+v", c)
		}
		again := j.part
		again.ExpiresAt = time.Now().Add(time.Hour)
		b.desk.Adopt(again, money.USD, 0)
		if u, ok := b.desk.Use(again, 0); !ok || u.Free != money.USD {
			t.Errorf("the clock was put right: %+v, %t", u, ok)
		}
		good(false)
		<-time.After(2 * time.Hour)
		if got := b.journal.reasons(); len(got) != 1 || got[0] != Expired {
			t.Errorf("%v", got)
		}
	})
}

// What a gateway buys whose clock is ahead by more than a token's life is over for it at once, and the fleet's: it buys one, and then waits until that is over
// for the fleet as well.
func TestClockAheadBuysOnce(t *testing.T) {
	lending(t, nil, func(t *testing.T, b *bench, j *lendingJournal) {
		j.mu.Lock()
		j.from, j.good = time.Now().Add(24*time.Hour), true
		j.mu.Unlock()
		b.seller.validFor = time.Second
		b.lease(money.USD / 100).Return(-money.USD / 100)
		<-time.After(2 * sweepEvery)
		if lack, until := Lacking(b.refusedLease(money.USD/100, ErrClockAhead)); lack != LacksClock || until.IsZero() {
			t.Errorf("it wants for %q until %v", lack, until)
		}
		b.wantCalls(1, 1)
		j.mu.Lock()
		j.good = false
		j.mu.Unlock()
		<-time.After(2 * sweepEvery)
		b.lease(money.USD / 100).Return(-money.USD / 100)
		b.wantCalls(2, 2)
	})
}

// While the fleet's store is asked whether a token is over, it is known of it what was known before.
func TestNothingIsBoughtWhileARestIsBooked(t *testing.T) {
	for name, c := range map[string]struct {
		tokens int // that come over
		good   bool
		want   error
	}{"its clock is ahead": {1, true, ErrClockAhead}, "two that served next to nothing": {2, false, ErrUnsettled}} {
		t.Run(name, func(t *testing.T) {
			lending(t, nil, func(t *testing.T, b *bench, j *lendingJournal) {
				j.mu.Lock()
				j.from, j.good, j.gone = time.Now().Add(24*time.Hour), c.good, !c.good
				j.mu.Unlock()
				b.seller.validFor = time.Second
				for range c.tokens {
					b.lease(money.USD / 100).Return(-money.USD / 100)
					<-time.After(sweepEvery + time.Second)
				}
				asked, goOn := make(chan struct{}, 8), make(chan struct{})
				j.mu.Lock()
				j.during = func() {
					asked <- struct{}{}
					<-goOn
				}
				j.mu.Unlock()
				<-asked // of one after the other
				b.refusedLease(money.USD/100, c.want)
				b.wantCalls(c.tokens, c.tokens)
				close(goOn)
				synctest.Wait()
				b.refusedLease(money.USD/100, c.want)
			})
		})
	}
}

// Two tokens that were over at once and served next to nothing are enough, also where nobody can say yet that they are over for the fleet.
func TestBrakeWhileTheStoreIsAway(t *testing.T) {
	lending(t, nil, func(t *testing.T, b *bench, j *lendingJournal) {
		j.mu.Lock()
		j.from, j.gone = time.Now().Add(24*time.Hour), true
		j.mu.Unlock()
		b.seller.validFor = time.Second
		for range 2 {
			b.lease(money.USD / 100).Return(-money.USD / 100)
			<-time.After(2 * sweepEvery)
		}
		b.refusedLease(money.USD/100, ErrUnsettled)
		b.wantCalls(2, 2)
	})
}

// A part that comes again while the store hangs that is asked to end it is in use then, and is not ended once the store is back.
func TestPartComesAgainWhileItsEndFails(t *testing.T) {
	lending(t, nil, func(t *testing.T, b *bench, j *lendingJournal) {
		b.journal.tokens["lent"] = ledger.Token{ID: "lent"}
		b.desk.Adopt(j.part, money.USD, 0)
		j.mu.Lock()
		j.gone, j.during = true, func() {
			b.desk.Adopt(j.part, money.USD, 0)
			j.mu.Lock()
			j.during = nil
			j.mu.Unlock()
		}
		j.mu.Unlock()
		b.desk.Retire(j.part, "spent")
		synctest.Wait()
		j.mu.Lock()
		j.gone = false
		j.mu.Unlock()
		<-time.After(3 * sweepEvery)
		if got := b.journal.reasons(); len(got) != 0 {
			t.Errorf("it was ended: %v", got)
		}
		if l := b.lease(money.USD / 4); l.TokenID() != "lent" {
			t.Errorf("token %s", l.TokenID())
		}
	})
}

// A store that hangs which is asked to end one seller's token holds up nobody else's.
func TestEndThatHangsHoldsUpNoOther(t *testing.T) {
	lending(t, nil, func(t *testing.T, b *bench, j *lendingJournal) {
		b.journal.tokens["lent"], b.journal.tokens["own"] = ledger.Token{ID: "lent"}, ledger.Token{ID: "own"}
		other := j.part
		other.ID, other.Seller = "own", "other"
		b.desk.Adopt(j.part, money.USD, 0)
		b.desk.Adopt(other, money.USD, 0)
		var hung atomic.Bool
		j.during = func() {
			if hung.CompareAndSwap(false, true) {
				<-time.After(time.Minute)
			}
		}
		b.desk.Retire(j.part, "first")
		synctest.Wait()
		b.desk.Retire(other, "second")
		synctest.Wait()
		if got := b.journal.reasons(); len(got) != 1 || got[0] != "second" {
			t.Errorf("%v", got)
		}
		<-time.After(2 * time.Minute)
		if got := b.journal.reasons(); len(got) != 2 {
			t.Errorf("%v", got)
		}
	})
}
