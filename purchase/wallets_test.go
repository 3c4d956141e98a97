package purchase

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
)

// purse is a method with a wallet on two networks whose balances can be looked at, as a chain's can.
type purse struct {
	fakeMethod
	look    sync.Mutex // protects all following fields
	address string
	balance money.Micros
	away    bool
}

func (p *purse) Health(context.Context) []payment.Standing {
	p.look.Lock()
	defer p.look.Unlock()
	s := payment.Standing{Network: "n", Address: p.address, BalanceMicros: new(p.balance)}
	if p.away {
		s.BalanceMicros, s.Error = nil, "no answer"
	}
	return []payment.Standing{s, {Network: "m", Address: p.address, BalanceMicros: new(3 * money.USD)}}
}

func (p *purse) put(m money.Micros) {
	p.look.Lock()
	defer p.look.Unlock()
	p.balance += m
}

// missing is what the desk says is missing, now.
func missing(t *testing.T, b *bench) money.Micros {
	t.Helper()
	time.Sleep(healthFresh)
	var sum money.Micros
	for _, s := range b.desk.Payments(t.Context()) {
		if sum += s.MissingMicros; (s.MissingMicros > 0) == s.MissingSince.IsZero() {
			t.Errorf("missing %s, since %s", s.MissingMicros, s.MissingSince)
		}
	}
	return sum
}

// What has left a wallet and is not in the books is told, and nothing else is taken for it.
func TestMissingMoney(t *testing.T) {
	const five = 5 * money.USD
	for name, c := range map[string]struct {
		does func(t *testing.T, b *bench, p *purse)
		want money.Micros
	}{
		"nothing": {func(*testing.T, *bench, *purse) {}, 0},
		"a purchase": {func(t *testing.T, b *bench, p *purse) {
			b.lease(1).Return(-money.USD)
			p.put(-five)
		}, 0},
		"a purchase whose money moves a little later": {func(t *testing.T, b *bench, p *purse) {
			b.lease(1).Return(-money.USD)
			time.Sleep(walletSteady / 2)
			missing(t, b)
			p.put(-five)
		}, 0},
		"a purchase that the seller does not answer": {func(t *testing.T, b *bench, p *purse) {
			b.seller.answer = at("/purchase/complete", always(503, ""))
			b.refusedLease(1, ErrInDoubt)
			time.Sleep(3 * walletsEvery) // the books are ahead of the chain
			p.put(-five)
			time.Sleep(3 * walletsEvery)
		}, 0},
		"money is put in": {func(_ *testing.T, _ *bench, p *purse) { p.put(100 * money.USD) }, 0},
		"money is taken":  {func(_ *testing.T, _ *bench, p *purse) { p.put(-2 * money.USD) }, 2 * money.USD},
		"money is put in, and some of it is taken": {func(_ *testing.T, _ *bench, p *purse) {
			p.put(100 * money.USD)
			time.Sleep(3 * walletsEvery)
			p.put(-2 * money.USD)
		}, 2 * money.USD},
		"money is put in and taken before anybody looks": {func(_ *testing.T, _ *bench, p *purse) {
			p.put(100 * money.USD)
			p.put(-2 * money.USD)
		}, 0},
		"a node that is behind, for a moment": {func(t *testing.T, b *bench, p *purse) {
			p.put(100 * money.USD)
			missing(t, b)
			p.put(-100 * money.USD)
		}, 0},
		"the node is away": {func(_ *testing.T, _ *bench, p *purse) {
			p.look.Lock()
			defer p.look.Unlock()
			p.away, p.balance = true, 0
		}, 0},
		"another wallet": {func(_ *testing.T, _ *bench, p *purse) {
			p.look.Lock()
			defer p.look.Unlock()
			p.address, p.balance = "other", money.USD
		}, 0},
		"it is back": {func(t *testing.T, b *bench, p *purse) {
			p.put(-2 * money.USD)
			if got := missing(t, b); got != 2*money.USD {
				t.Errorf("missing %s", got)
			}
			p.put(2 * money.USD)
		}, 0},
		"a refund is booked, and comes": {func(t *testing.T, b *bench, p *purse) {
			refund(t, b, p)
			time.Sleep(3 * walletsEvery)
			p.put(money.USD)
		}, 0},
		"a refund comes, and is booked": {func(t *testing.T, b *bench, p *purse) {
			p.put(money.USD)
			time.Sleep(3 * walletsEvery)
			refund(t, b, p)
		}, 0},
		"a refund comes by another way": {func(t *testing.T, b *bench, p *purse) { refund(t, b, p) }, 0},
		"a refund, and money is taken": {func(t *testing.T, b *bench, p *purse) {
			refund(t, b, p)
			p.put(-2 * money.USD)
		}, 2 * money.USD},
	} {
		t.Run(name, func(t *testing.T) {
			withBooks(t, func(t *testing.T, b *bench, p *purse) {
				c.does(t, b, p)
				if got := missing(t, b); got != c.want {
					t.Errorf("missing %s, want %s", got, c.want)
				}
				if n := b.logged("wallet.missing"); c.want > 0 && n != 1 {
					t.Errorf("logged %d times", n)
				}
			})
		})
	}
}

// That something is missing is told for a week, and no longer than it is so.
func TestReconcile(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	kept := func(filled money.Micros, missing time.Duration) ledger.Wallet {
		w := ledger.Wallet{Of: "a", FilledMicros: filled}
		if missing > 0 {
			w.MissingSince = now.Add(-missing)
		}
		return w
	}
	since := kept(10, 0)
	since.MissingSince = now
	for name, c := range map[string]struct {
		was     ledger.Wallet
		of      string
		filled  money.Micros
		steady  bool
		is      ledger.Wallet
		missing money.Micros
	}{
		"the first sight":               {ledger.Wallet{}, "a", 10, false, ledger.Wallet{}, 0},
		"it is so":                      {ledger.Wallet{}, "a", 10, true, kept(10, 0), 0},
		"as before":                     {kept(10, 0), "a", 10, true, kept(10, 0), 0},
		"more, for a moment":            {kept(10, 0), "a", 11, false, kept(10, 0), 0},
		"more":                          {kept(10, 0), "a", 11, true, kept(11, 0), 0},
		"less":                          {kept(10, 0), "a", 7, false, since, 3},
		"less, and it is so":            {kept(10, 0), "a", 7, true, since, 3},
		"less for six days":             {kept(10, 6*day), "a", 7, true, kept(10, 6*day), 3},
		"less for a week":               {kept(10, 7*day), "a", 7, true, kept(7, 0), 0},
		"less for a week, and changing": {kept(10, 7*day), "a", 7, false, kept(10, 7*day), 3},
		"still less":                    {kept(10, day), "a", 5, true, kept(10, day), 5},
		"all there again":               {kept(10, day), "a", 10, false, kept(10, 0), 0},
		"another wallet, for a moment":  {kept(10, day), "b", 5, false, kept(10, day), 0},
		"another wallet":                {kept(10, day), "b", 5, true, ledger.Wallet{Of: "b", FilledMicros: 5}, 0},
	} {
		is, missing := reconcile(c.was, sight{of: c.of, filled: c.filled}, c.steady, now)
		if is != c.is || missing != c.missing {
			t.Errorf("%s: %+v, missing %d, want %+v, missing %d", name, is, missing, c.is, c.missing)
		}
	}
}

// refund books a dollar of what was paid for a token that was not granted, of which the wallet knows.
func refund(t *testing.T, b *bench, p *purse) {
	t.Helper()
	b.seller.answer = at("/purchase/complete", always(402, `{"error":{"code":"payment_refused"}}`))
	b.refusedLease(1, ErrDisputed)
	p.put(-5 * money.USD)
	l := b.desk.journal.(*ledger.Ledger)
	all, err := l.Purchases(t.Context(), ledger.PurchaseQuery{Disputed: true})
	if err != nil || len(all) != 1 {
		t.Fatalf("%d in dispute, %v", len(all), err)
	}
	if err := l.Refund(t.Context(), all[0].ID, ledger.Refund{AmountMicros: money.USD, Reference: "r"}, ""); err != nil {
		t.Fatal(err)
	}
}

// withBooks trades by a ledger of its own, some time after the wallet was filled.
func withBooks(t *testing.T, f func(*testing.T, *bench, *purse)) {
	p := &purse{address: "a", balance: 50 * money.USD}
	trade(t, func(b *bench) { b.method = p }, func(t *testing.T, b *bench) {
		b.desk.Close()
		l, err := ledger.Open(ledger.Options{InMemory: true, Key: store.KeyFromSecret("k")})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			b.desk.Close()
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}()
		b.open(l)
		defer b.desk.Offer(b.want(1).Methods[0], nil)()
		time.Sleep(3 * walletsEvery)
		if got := missing(t, b); got != 0 {
			t.Fatalf("missing %s from the beginning", got)
		}
		f(t, b, p)
	})
}
