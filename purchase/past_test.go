package purchase

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// What is known of a seller outlives its desk, as long as the process does: how often it was bought from in this minute, and that it gets no
// more money. A token that counts already does not count twice.
func TestPast(t *testing.T) {
	again := func(b *bench) {
		synctest.Wait() // until what tokens have left is booked
		b.desk.Close()
		b.past = b.desk.Past()
		b.open(b.journal)
	}
	trade(t, func(b *bench) { b.seller.validFor = 0 }, func(t *testing.T, b *bench) {
		until := time.Now().Add(time.Minute)
		for range 3 {
			b.lease(cent).Return(-money.USD)
			again(b)
		}
		b.refusedFor(b.want(cent), LacksMinute, until)
	})
	trade(t, nil, func(t *testing.T, b *bench) {
		refuse := func(l *Lease) {
			b.desk.Refused(l, nil)
			l.Return(0)
		}
		refuse(b.lease(cent))
		again(b)
		refuse(b.lease(cent)) // the same token
		if c := b.desk.Credit().Sellers[0]; c.NoMoreMoney {
			t.Fatalf("braked for one token: %+v", c)
		}
		<-time.After(time.Hour)
		l := b.lease(cent)
		b.desk.Drop(l, "the seller does not know the token (401)")
		l.Return(-cent)
		again(b)
		b.refusedFor(b.want(cent), LacksTrust, time.Time{})
		if c := b.desk.Credit().Sellers[0]; !c.NoMoreMoney {
			t.Errorf("%+v", c)
		}
		if !b.desk.Forgive("acme") {
			t.Error("nobody is forgiven")
		}
		b.lease(cent).Return(-cent)
	})
}

// A token that was emptied by the last request before its desk was closed is in no ledger at the next start, and has ended all the same; one that was
// asked for before, and not since, has been asked for; and one that counts already, though two others have ended since, does not count anew.
func TestPastOfTokens(t *testing.T) {
	again := func(b *bench) {
		b.desk.Close()
		b.past = b.desk.Past()
		b.open(b.journal)
	}
	take := func(b *bench, l *Lease, borne money.Micros) { // all that is on it
		l.Booked(ledger.Booked{Entry: &ledger.Entry{Served: &ledger.Served{}}, TokenDelta: -5 * money.USD, Borne: borne})
	}
	t.Run("emptied last", func(t *testing.T) {
		trade(t, nil, func(t *testing.T, b *bench) {
			for range 2 {
				l := b.lease(cent)
				b.desk.cancel() // as where the request is the last one of a config
				synctest.Wait()
				take(b, l, cent)
				delete(b.journal.tokens, l.TokenID()) // as a ledger does when it opens
				again(b)
			}
			b.refusedFor(b.want(cent), LacksTrust, time.Time{})
		})
	})
	t.Run("asked for before", func(t *testing.T) {
		trade(t, func(b *bench) { b.seller.validFor = 10 * time.Minute }, func(t *testing.T, b *bench) {
			for range 2 {
				b.lease(cent).Return(-cent)
				again(b)
				<-time.After(10 * time.Minute)
			}
			b.refusedFor(b.want(cent), LacksTrust, time.Time{})
		})
	})
	t.Run("its end was not booked", func(t *testing.T) {
		trade(t, nil, func(t *testing.T, b *bench) {
			for range 2 {
				l := b.lease(cent)
				b.desk.mu.Lock()
				b.desk.closed = true // as it is about to be, and the sweep has begun
				b.desk.mu.Unlock()
				b.desk.Drop(l, "the seller does not know the token (401)")
				l.Return(0)
				synctest.Wait()
				again(b)
			}
			if l := b.lease(cent); l.TokenID() == "" || b.desk.Credit().Sellers[0].NoMoreMoney {
				t.Error("braked for one token")
			}
		})
	})
	t.Run("counts already", func(t *testing.T) {
		trade(t, nil, func(t *testing.T, b *bench) {
			first := b.lease(cent)
			b.desk.Refused(first, nil)
			first.Return(0)
			w := b.want(4 * money.USD)
			for range 2 {
				take(b, b.leaseFor(w), 5*money.USD)
				synctest.Wait()
			}
			again(b)
			l := b.lease(cent / 2)
			if l.TokenID() != first.TokenID() {
				t.Fatalf("token %s", l.TokenID())
			}
			b.desk.Refused(l, nil)
			l.Return(0)
			if last := b.desk.sellers["acme"].last; last[0].bad() {
				t.Error("it counts twice")
			}
		})
	})
}
