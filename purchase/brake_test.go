package purchase

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

const cent = money.USD / 100

// enemies serve one request of each token and have the rest vanish, each in its way.
var enemies = map[string]struct {
	set    func(*bench)
	vanish func(b *bench, w Want, l *Lease) // ends a request that was served
}{
	"balance":                  {nil, func(_ *bench, _ Want, l *Lease) { l.Booked(served(-5*money.USD, cent)) }},
	"balance, but for a micro": {nil, func(_ *bench, _ Want, l *Lease) { l.Booked(served(1-5*money.USD, cent)) }},
	"balance, but for some":    {nil, func(_ *bench, _ Want, l *Lease) { l.Booked(served(cent/2-5*money.USD, cent)) }},
	"bill":                     {nil, func(_ *bench, _ Want, l *Lease) { l.Booked(served(-5*money.USD, cent)) }},
	"401": {nil, func(b *bench, _ Want, l *Lease) {
		b.desk.Drop(l, "the seller does not know the token (401)")
		l.Return(-cent)
	}},
	"402": {nil, func(b *bench, w Want, l *Lease) {
		l.Return(-cent)
		next := b.leaseFor(w)
		b.desk.Refused(next, nil)
		next.Return(0)
	}},
	"402, nothing is left": {nil, func(b *bench, w Want, l *Lease) {
		l.Return(-cent)
		next := b.leaseFor(w)
		b.desk.Refused(next, new(money.Micros(0)))
		next.Return(0)
	}},
	"expiry":        {func(b *bench) { b.seller.validFor = 50 * time.Second }, func(_ *bench, _ Want, l *Lease) { l.Return(-cent) }},
	"no expiry":     {func(b *bench) { b.seller.validFor = 0 }, func(_ *bench, _ Want, l *Lease) { l.Return(-cent) }},
	"a small grant": {func(b *bench) { b.seller.credit = cent }, func(_ *bench, _ Want, l *Lease) { l.Return(-cent) }},
}

// served is what the books say of a request that was served.
func served(delta, borne money.Micros) ledger.Booked {
	return ledger.Booked{Entry: &ledger.Entry{Served: new(ledger.Served)}, TokenDelta: delta, Borne: borne}
}

// Two purchases are all that such a seller gets, whether requests come one after another or some at a time, and whatever its
// origin; then a warning says how much is gone. The operator can give it another chance.
func TestTheBrake(t *testing.T) {
	for name, enemy := range enemies {
		t.Run(name, func(t *testing.T) {
			trade(t, enemy.set, func(t *testing.T, b *bench) {
				w := b.want(cent)
				leased := 0
				for range 100 {
					l, err := b.desk.Lease(t.Context(), w)
					if err != nil {
						if lack, _ := Lacking(err); lack != LacksTrust {
							t.Fatalf("refused: %v", err)
						}
					} else {
						enemy.vanish(b, w, l)
						leased++
					}
					time.Sleep(time.Minute)
					w.Origin += "x" // it moves
				}
				b.wantCalls(2, 2)
				// Of a grant that is too small it is known a cent earlier.
				if b.braked < 10*money.USD-2*cent || b.braked > 10*money.USD-cent || b.logged("purchase.seller.braked") != 1 || leased > 4 {
					t.Errorf("%d leased; lost %s, warned %d times", leased, b.braked, b.logged("purchase.seller.braked"))
				}
				if t.Failed() {
					return
				}
				e := b.logs.FilterMessage("purchase.seller.braked").All()[0]
				if hint := e.ContextMap()["hint"].(string); !strings.Contains(hint, b.braked.String()+" dollars") {
					t.Errorf("the hint has not the amount: %s", hint)
				}
				if c := b.desk.Credit().Sellers[0]; !c.NoMoreMoney || c.LostMicros != 10*money.USD-2*cent {
					t.Errorf("credit %+v", c)
				}
				if b.desk.Forgive("other") || !b.desk.Forgive(w.SellerID) {
					t.Fatal("forgiven is who was not to be, or nobody")
				}
				for range 10 {
					if l, err := b.desk.Lease(t.Context(), w); err == nil {
						enemy.vanish(b, w, l)
					}
					time.Sleep(time.Minute)
				}
				b.wantCalls(4, 4)
			})
		})
	}
}

// While what the last token has served is being booked, and the one before it was worth nothing, the next is not bought.
func TestTheBrakeWaitsForTheBooks(t *testing.T) {
	set := func(b *bench) { b.seller.validFor = 0 }
	trade(t, set, func(t *testing.T, b *bench) {
		b.lease(cent).Return(-cent)
		booking := b.lease(cent)
		b.refusedFor(b.want(cent), LacksTrust, time.Now().Add(shutFor))
		booking.Return(-money.USD)
		b.lease(cent).Return(-cent)
		b.wantCalls(3, 3)
	})
	trade(t, set, func(t *testing.T, b *bench) { // all at once, and none is known to be bad
		time.Sleep(time.Minute)
		leases := []*Lease{b.lease(cent), b.lease(cent), b.lease(cent)}
		giveBack(leases, -money.USD)
		time.Sleep(time.Minute)
		b.lease(cent).Return(-money.USD)
	})
}

// Those who serve what is asked of them go on being bought from, however little that is.
func TestTheHonestAreNotBraked(t *testing.T) {
	for name, c := range map[string]struct {
		validFor time.Duration
		every    time.Duration // a request comes
		cost     money.Micros
		end      func(b *bench, l *Lease)
	}{
		"30 cents a day, tokens of a day":   {24 * time.Hour, 2*time.Hour + 24*time.Minute, 3 * cent, nil},
		"30 cents a day, tokens of an hour": {time.Hour, 2*time.Hour + 24*time.Minute, 3 * cent, nil},
		"a tenth was served, then it was forgotten": {24 * time.Hour, 24 * time.Hour, money.USD / 2, func(b *bench, l *Lease) {
			b.desk.Drop(l, "the seller does not know the token (401)")
		}},
		"a small request that can cost more than there is": {24 * time.Hour, 12 * time.Hour, 3 * cent, func(b *bench, l *Lease) {
			b.desk.Refused(l, nil)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			set := func(b *bench) { b.seller.validFor = c.validFor }
			trade(t, set, func(t *testing.T, b *bench) {
				for begun := time.Now(); time.Since(begun) < 10*24*time.Hour; time.Sleep(c.every) {
					w := b.want(c.cost)
					w.Bound = 100 * money.USD
					l, err := b.desk.Lease(t.Context(), w)
					if lack, _ := Lacking(err); lack == LacksTrust {
						t.Fatalf("after %s: %v", time.Since(begun), err)
					}
					if err != nil {
						continue // wants more than may be bought
					}
					if c.end != nil {
						c.end(b, l)
					}
					l.Return(-c.cost)
				}
				if b.braked > 0 || b.desk.Credit().Sellers[0].NoMoreMoney {
					t.Error("braked")
				}
			})
		})
	}
}

// A token that nobody has asked for is no sign of anything.
func TestUnaskedTokensDoNotCount(t *testing.T) {
	p := leftAt(t)[ledger.Proven]
	set := func(b *bench) { b.method, b.seller.validFor = new(fakeMethod), 2*time.Minute }
	trade(t, set, func(t *testing.T, b *bench) {
		for i := range 3 {
			next := p
			next.ID += string(rune('a' + i))
			s := b.desk.shelf(sellerKey{p.Seller, p.Origin})
			s.mu.Lock()
			s.resume(next)
			s.flight.meet(b.want(0), time.Now())
			s.mu.Unlock()
			synctest.Wait()
			time.Sleep(time.Hour)
		}
		b.wantCalls(0, 3)
		b.lease(1).Return(-money.USD)
		b.wantCalls(1, 4)
	})
}

// A seller that says that nothing is left on a token has taken it, though no purchase covers what the request can cost.
func TestTheBrakeOfRefusalsThatSayNothingIsLeft(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		w := b.want(cent)
		w.Bound = 100 * money.USD
		for range 20 {
			if l, err := b.desk.Lease(t.Context(), w); err == nil {
				b.desk.Refused(l, new(money.Micros(1)))
				next, err := b.desk.Rebuy(t.Context(), w, l)
				l.Return(0)
				if err == nil {
					b.desk.Refused(next, new(money.Micros(1)))
					next.Return(0)
				}
			}
			<-time.After(time.Minute)
		}
		if creates, _ := b.seller.count(); creates != 2 || b.logged("purchase.seller.braked") != 1 {
			t.Errorf("%d purchases, warned %d times", creates, b.logged("purchase.seller.braked"))
		}
	})
}

// What a seller refuses to a request that can cost more than it sells at once is not bought again and again for such requests, whether it offers less
// than was asked for, grants less, or says that there is a little less on a token that nobody has used.
func TestNoTokensThatAreRefusedAnew(t *testing.T) {
	for name, less := range map[string]struct {
		offers, grants, says money.Micros
	}{
		"says so": {0, 0, 1}, "grants less": {0, 1, 0}, "offers less": {1, 0, 0}, "offers a dollar": {100 * money.USD, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var bought money.Micros
			set := func(b *bench) {
				var offered money.Micros
				b.seller.answer = func(_ int, a asked) *http.Response {
					if strings.HasSuffix(a.path, wire.PurchaseCreatePath) {
						offered = max(money.USD, money.Micros(a.body["amountMicros"].(float64))-less.offers)
						bought += offered
						return reply(200, fmt.Sprintf(`{"orderId":"o","amountMicros":%d,"currency":"USD","payment":{}}`, offered))
					}
					b.seller.credit = offered - less.grants
					return own()
				}
			}
			trade(t, set, func(t *testing.T, b *bench) {
				refuse := func(l *Lease) { b.desk.Refused(l, new(l.Balance()-less.says)) }
				w := b.want(cent)
				w.Bound = 100 * money.USD
				for range 20 {
					if l, err := b.desk.Lease(t.Context(), w); err == nil {
						refuse(l)
						next, err := b.desk.Rebuy(t.Context(), w, l)
						l.Return(0)
						if err == nil {
							refuse(next)
							next.Return(0)
						}
					}
					<-time.After(time.Minute)
				}
				if bought > 25*money.USD {
					t.Errorf("$%s were paid", bought)
				}
			})
		})
	}
}

// A seller may say what is left beside what it holds for requests under way: that is no token of which it has taken the rest, and what it held is there
// again when they are over.
func TestTheBrakeOfSellersThatHold(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		w := b.want(cent)
		w.Bound = 490 * cent
		refuse := func(l *Lease) { b.desk.Refused(l, new(10*cent)) }
		first, second := b.leaseFor(w), b.leaseFor(w)
		refuse(second)
		third, err := b.desk.Rebuy(t.Context(), w, second)
		second.Return(0)
		if err != nil {
			t.Fatal(err)
		}
		fourth := b.leaseFor(w)
		if first.TokenID() != second.TokenID() || third.TokenID() != fourth.TokenID() || first.TokenID() == third.TokenID() {
			t.Fatal("they are not two on each token")
		}
		refuse(fourth)
		for _, l := range []*Lease{fourth, first, third} {
			l.Return(0)
		}
		<-time.After(2 * time.Minute)
		w.Likely = 400 * cent
		first, second = b.leaseFor(w), b.leaseFor(w)
		first.Return(-cent)
		second.Return(-cent)
		b.wantCalls(2, 2)
		if b.logged("purchase.seller.braked") != 0 || b.desk.Credit().Sellers[0].NoMoreMoney {
			t.Error("the brake is on")
		}
	})
}

// What tokens from a backup have served since is in no book: that they are spent, as their seller says, or unknown there, is no fault of its.
func TestTheBrakeAfterARestore(t *testing.T) {
	for name, end := range map[string]func(b *bench, l *Lease){
		"402, nothing is left": func(b *bench, l *Lease) {
			b.desk.Refused(l, new(money.Micros(0)))
			l.Return(0)
		},
		"401": func(b *bench, l *Lease) {
			b.desk.Drop(l, "the seller does not know the token (401)")
			l.Return(0)
		},
		"balance": func(_ *bench, l *Lease) { l.Booked(served(-5*money.USD, cent)) },
	} {
		t.Run(name, func(t *testing.T) {
			trade(t, nil, func(t *testing.T, b *bench) {
				for _, id := range []string{"one", "two"} {
					restored := ledger.Token{
						ID: id, Seller: "acme", Origin: "https://acme.example", PurchaseID: id, Secret: "s", PaidMicros: 5 * money.USD, CreditMicros: 5 * money.USD,
						BalanceMicros: 5 * money.USD, Unconfirmed: true, BoughtAt: time.Now(), ExpiresAt: time.Now().Add(24 * time.Hour),
					}
					b.journal.tokens[id] = restored
					b.desk.Adopt(restored, 0, 0)
				}
				for range 2 {
					end(b, b.lease(cent))
					<-time.After(time.Minute)
				}
				b.lease(cent).Return(-cent)
				b.wantCalls(1, 1)
				if b.logged("purchase.seller.braked") != 0 {
					t.Error("the brake was on")
				}
			})
		})
	}
}

// What tokens had served before the process began is in the books, and counts.
func TestTheBrakeAfterARestart(t *testing.T) {
	for borne, fair := range map[money.Micros]bool{3 * money.USD: true, cent: false} {
		set := func(b *bench) {
			for _, id := range []string{"one", "two"} {
				b.journal.tokens[id] = ledger.Token{
					ID: id, Seller: "acme", Origin: "https://acme.example", PurchaseID: id, Secret: "s", PaidMicros: 5 * money.USD, CreditMicros: 5 * money.USD,
					BalanceMicros: 2 * money.USD, BorneMicros: borne, BoughtAt: time.Now(), ExpiresAt: time.Now().Add(24 * time.Hour),
				}
			}
		}
		trade(t, set, func(t *testing.T, b *bench) {
			for range 2 {
				l := b.lease(cent)
				b.desk.Refused(l, new(money.Micros(0)))
				l.Return(0)
				<-time.After(time.Minute)
			}
			if !fair {
				b.refusedFor(b.want(cent), LacksTrust, time.Time{})
				return
			}
			b.lease(cent).Return(-cent)
			b.wantCalls(1, 1)
		})
	}
}

// A token that is over when it comes, to a request that could not wait so long for it, nobody could ask for: it has served nothing for its money.
func TestTheBrakeOfTokensThatComeOver(t *testing.T) {
	for name, validFor := range map[string]time.Duration{
		"within the margin": 50 * time.Second, "long ago": -time.Hour, "a moment later": testTerms.ExpiryMargin + 5*time.Second,
	} {
		t.Run(name, func(t *testing.T) {
			set := func(b *bench) { b.seller.validFor, b.seller.delay = validFor, patience+time.Second }
			trade(t, set, func(t *testing.T, b *bench) {
				for range 10 {
					if l, err := b.desk.Lease(t.Context(), b.want(cent)); err == nil {
						t.Fatalf("a token of %s", l.Balance())
					}
					<-time.After(time.Minute)
				}
				b.wantCalls(2, 2)
				if b.braked != 10*money.USD || !b.desk.Credit().Sellers[0].NoMoreMoney {
					t.Errorf("lost %s", b.braked)
				}
			})
		})
	}
}
