package purchase

import (
	"encoding/json"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// warm gives a desk with a few tokens of one seller, and what to ask it for.
func warm(balances ...money.Micros) (*Desk, Want) {
	j := newJournal()
	for _, b := range balances {
		id := ledger.NewID()
		j.tokens[id] = ledger.Token{
			ID: id, Seller: "acme", Origin: "https://acme.example", Secret: "t", CreditMicros: b, BalanceMicros: b,
			ExpiresAt: time.Now().Add(24 * time.Hour),
		}
	}
	d := NewDesk(j, DeskOptions{})
	d.SetTerms(testTerms)
	return d, Want{SellerID: "acme", Origin: "https://acme.example", Likely: 1000}
}

// Whatever many requests do at once, what is free never goes below zero, and in the end the books are right.
func TestManyLeases(t *testing.T) {
	d, w := warm(5*money.USD, 7*money.USD, 100_000_000*money.USD)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 2000 {
				w := w
				w.Likely = money.Micros(rand.Int64N(int64(3 * money.USD)))
				l, err := d.Lease(t.Context(), w)
				if err != nil {
					t.Error(err)
					return
				}
				if l.token.free.Load() < 0 {
					t.Error("more is held than is there")
				}
				l.Return(-1)
			}
		})
	}
	all.Wait()
	var left money.Micros
	for _, s := range *d.shelves.Load() {
		for _, tok := range *s.tokens.Load() {
			left += tok.left()
			if tok.free.Load() != tok.balance.Load() || tok.use.Load()&outMask != 0 {
				t.Errorf("free %d, balance %d", tok.free.Load(), tok.balance.Load())
			}
		}
	}
	if want := 12*money.USD + 100_000_000*money.USD - 16000; left != want {
		t.Errorf("left %s, want %s", left, want)
	}
}

// A token from a backup is tried by one request alone; once its seller has served one, it is as good as any.
func TestDoubtedToken(t *testing.T) {
	d, w := warm(5 * money.USD)
	s := d.shelf(w.seller())
	(*s.tokens.Load())[0].doubted.Store(true)
	w.Likely = 0
	if c := d.Credit(); c.Sellers[0].UnconfirmedMicros != 5*money.USD {
		t.Errorf("credit: %+v", c)
	}
	trial, err := d.Lease(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	if l, err := d.Lease(t.Context(), w); err == nil {
		t.Errorf("a second request has got %s meanwhile", l.TokenID())
	}
	trial.Return(0)
	if trial, err = d.Lease(t.Context(), w); err != nil {
		t.Fatalf("after a try that showed nothing: %v", err)
	}
	trial.Served()
	if l, err := d.Lease(t.Context(), w); err != nil {
		t.Errorf("the seller has served a request with it: %v", err)
	} else {
		l.Return(0)
	}
	trial.Return(-1)
	if c := d.Credit(); c.Sellers[0].UnconfirmedMicros != 0 {
		t.Errorf("credit: %+v", c)
	}
}

// Of two requests that have found a doubted token at once, one gets it.
func TestDoubtedTokenAtOnce(t *testing.T) {
	d, w := warm(5 * money.USD)
	one := (*d.shelf(w.seller()).tokens.Load())[0]
	one.doubted.Store(true)
	c := w.cost()
	for range 2 {
		if !one.reserve(c.likely) {
			t.Fatal("there is not enough for two")
		}
	}
	first, second := one.lease(c), one.lease(c)
	if first == nil || second != nil {
		t.Errorf("the first has got %v, the second %v", first, second)
	}
}

// A seller that refuses a token which covers all that was asked of it, to the micro, has other reasons than its credit.
func TestRefusedThoughCovered(t *testing.T) {
	for bound, want := range map[money.Micros]bool{5*money.USD - 1: true, 5 * money.USD: true, 5*money.USD + 1: false} {
		d, w := warm(5 * money.USD)
		w.Bound = bound
		l, err := d.Lease(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, covered := l.token.refuse(l.cost, nil); covered != want {
			t.Errorf("a request that may cost $%s: covered is %v", bound, covered)
		}
	}
}

// Whatever a seller answers, nothing comes of it that breaks the rules.
func FuzzAnswers(f *testing.F) {
	for _, s := range []string{
		`{"orderId":"o_1","amountMicros":5000000,"currency":"USD","payment":{},"expiresAt":"2030-01-01T00:00:00Z"}`,
		`{"accessToken":"t","expiresAt":"2030-01-01T00:00:00Z","creditMicros":5000000,"paymentReference":"r"}`,
		`{"accessToken":"t","creditMicros":1,"expiresAt":"9999-12-31T23:59:59-01:00"}`,
		`{"accessToken":"t","creditMicros":1,"expiresAt":"0000-01-01T00:00:00+01:00"}`,
		`{"access_token":"t\u0000","credit_micros":-1}`, `{"accessToken":null,"creditMicros":1e3}`, `[]`, `null`, ``,
	} {
		f.Add([]byte(s))
	}
	const asked = 5 * money.USD
	f.Fuzz(func(t *testing.T, body []byte) {
		if o, err := readOrder(body, asked); err == nil {
			if o.AmountMicros <= 0 || o.AmountMicros > asked || o.Currency != "USD" || o.OrderID == "" || len(o.OrderID) > maxID {
				t.Errorf("order %+v", o)
			}
			p := ledger.Purchase{Payment: sealOrder(o), AmountMicros: o.AmountMicros}
			m := machine{p: p}
			if q := m.quote(); !q.ExpiresAt.Equal(wire.Time(o.ExpiresAt)) {
				t.Errorf("quote %+v of order %+v", q, o)
			}
		}
		if g, reference, err := readGrant(body); err == nil {
			if g.Secret == "" || !headerValue(g.Secret) || g.CreditMicros <= 0 || g.CreditMicros > money.Max || len(reference) > maxID {
				t.Errorf("grant %+v", g)
			}
			if _, err := json.Marshal(g); err != nil {
				t.Errorf("a token that can't be written: %v", err)
			}
		}
	})
}

func BenchmarkLease(b *testing.B) {
	d, w := warm(100_000_000*money.USD, money.USD/2, 1_000_000*money.USD)
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l, err := d.Lease(b.Context(), w)
			if err != nil {
				b.Fatal(err)
			}
			l.Return(0)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				l, err := d.Lease(b.Context(), w)
				if err != nil {
					b.Fatal(err)
				}
				l.Return(0)
			}
		})
	})
}

// What a request that has ended may cost yet is not given to others before a balance tells, or a minute is over; and it is never
// stranded.
func TestWhatIsInDoubt(t *testing.T) {
	doubt := func(told bool, amount money.Micros) ledger.Booked {
		b := served(-cent, cent)
		b.InDoubt, b.DoubtEnds, b.Told = amount, time.Now().Add(time.Minute), told
		return b
	}
	trade(t, nil, func(t *testing.T, b *bench) {
		b.lease(3 * money.USD).Booked(doubt(false, money.USD))
		if has(b.desk, b.want(4*money.USD)) || !has(b.desk, b.want(399*cent)) {
			t.Error("what is in doubt is not kept")
		}
		time.Sleep(time.Minute)
		if synctest.Wait(); !has(b.desk, b.want(499*cent)) {
			t.Error("a minute is over")
		}
		b.lease(money.USD).Booked(doubt(false, 100*money.USD)) // no more than it was likely to cost
		if !has(b.desk, b.want(398*cent)) || has(b.desk, b.want(399*cent)) {
			t.Error("more is kept than was likely")
		}
		b.lease(1).Booked(doubt(true, 0))
		if !has(b.desk, b.want(497*cent)) {
			t.Error("a balance has told")
		}
		<-time.After(time.Minute)
		if synctest.Wait(); has(b.desk, b.want(498*cent)) {
			t.Error("what a balance has told of is free twice")
		}
		<-time.After(time.Hour - 2*time.Minute)
		if free := (*b.desk.shelf(sellerKey{"acme", "https://acme.example"}).tokens.Load()); len(free) > 0 && free[0].free.Load() != int64(497*cent) {
			t.Errorf("%d is free", free[0].free.Load())
		}
	})
	trade(t, func(b *bench) { b.terms.DailyLimit = 5 * money.USD }, func(t *testing.T, b *bench) {
		b.lease(5 * money.USD).Booked(doubt(false, 5*money.USD))
		b.lease(5 * money.USD).Return(0) // nothing can be bought, and the seller knows what is left
		b.wantCalls(1, 1)
	})
}

// What was taken back of a token is not brought again by a booking of before that is heard of later.
func TestGiveBackBeforeTheBookingIsHeardOf(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		l, late := b.lease(cent), b.lease(cent)
		first, second := served(-money.USD, money.USD), served(-money.USD, 2*money.USD)
		first.At, second.At = 7, 8
		back := ledger.GivenBack{Token: ledger.Token{ID: l.TokenID(), Seller: "acme", Origin: "https://acme.example", BorneMicros: 0}, Micros: 2 * money.USD, At: 10}
		l.Booked(first)
		b.desk.GiveBack(back)
		late.Booked(second)
		if booked := l.token.life.booked.Load(); booked != 0 {
			t.Errorf("it has served %d", booked)
		}
		if free := l.token.free.Load(); free != int64(5*money.USD) {
			t.Errorf("%d is free", free)
		}
	})
}

// What an estimate had taken of a token is known once it is taken back: nobody looks for it there twice.
func TestGiveBackOfAnEstimate(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		cut := b.lease(cent)
		booked := served(-4*money.USD, 4*money.USD)
		booked.At, booked.Guessed = 7, 4*money.USD
		cut.Booked(booked)
		b.desk.GiveBack(ledger.GivenBack{
			Token: ledger.Token{ID: cut.TokenID(), Seller: "acme", Origin: "https://acme.example"}, Micros: 4 * money.USD, At: 8,
		})
		if perhaps := cut.token.perhaps(); perhaps != int64(5*money.USD) {
			t.Errorf("%d may be there", perhaps)
		}
		b.lease(5 * money.USD).Booked(served(-4*money.USD, 4*money.USD))
		if l := b.lease(3 * money.USD); l.TokenID() == cut.TokenID() {
			t.Error("a token on which a dollar is left was chosen for three")
		}
	})
}
