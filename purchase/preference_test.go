package purchase

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// A seller that takes several methods is paid by the first that can: while the limit of one is spent, or one has come to nothing there, the
// next pays, and after a while the first is asked again.
func TestTheNextMethodPays(t *testing.T) {
	broken := func(m *fakeMethod) func(*bench) { return func(b *bench) { b.method = m } }
	spent := func(b *bench) { b.journal.overMethod = "fake" }
	failing := &fakeMethod{pay: func(int) (payment.Outcome, error) { return payment.Failed(true), nil }}
	stays := func(b *bench) {}
	for name, c := range map[string]struct {
		set, mend func(*bench)
		first     string // by which methods it is tried for the first request, which is served where the last one pays
		next      string // and for those that come then, until the first is asked again
	}{
		"it works":            {stays, stays, "fake", "fake"},
		"its limit is spent":  {spent, func(b *bench) { b.journal.overMethod = "" }, "fake mock", "mock"},
		"it takes no quote":   {broken(&fakeMethod{check: errors.New("no")}), func(b *bench) { b.method.(*fakeMethod).check = nil }, "fake", "mock"},
		"it prepares nothing": {broken(&fakeMethod{prepare: errors.New("no")}), func(b *bench) { b.method.(*fakeMethod).prepare = nil }, "fake", "mock"},
		"it pays nothing":     {broken(failing), func(*bench) { failing.pay = nil }, "fake", "mock"},
		"its proof is refused": {func(b *bench) {
			b.method = &cashier{fate: says(payment.Failed(true))}
			b.seller.answer = func(_ int, a asked) *http.Response {
				if strings.HasSuffix(a.path, wire.PurchaseCompletePath) && a.body["paymentMethod"] == "fake" {
					return reply(402, `{"error":{"code":"payment_refused"}}`)
				}
				return own()
			}
		}, func(b *bench) { b.seller.answer = nil }, "fake", "mock"},
		"the seller refuses it": {func(b *bench) {
			b.seller.answer = func(_ int, a asked) *http.Response {
				if a.body["paymentMethod"] == "fake" {
					return reply(402, `{"error":{"code":"payment_refused"}}`)
				}
				return own()
			}
		}, func(b *bench) { b.seller.answer = nil }, "fake", "mock"},
		"the seller is away": {func(b *bench) {
			b.seller.answer = func(n int, _ asked) *http.Response {
				if n == 1 {
					return reply(400, "{}")
				}
				return own()
			}
		}, stays, "fake", "fake"},
	} {
		t.Run(name, func(t *testing.T) {
			trade(t, c.set, func(t *testing.T, b *bench) {
				w := b.want(cent)
				w.Methods = append(w.Methods, NamedMethod{"mock", payment.Mock{}}, NamedMethod{"third", payment.Mock{}})
				asked := func(lease bool, want string) {
					t.Helper()
					b.seller.mu.Lock()
					had := len(b.seller.pathCalls(wire.PurchaseCreatePath))
					b.seller.mu.Unlock()
					l, err := b.desk.Lease(t.Context(), w)
					if (err == nil) != lease {
						t.Fatalf("lease: %v", err)
					}
					if l != nil {
						l.Return(-5 * money.USD)
					}
					b.seller.mu.Lock()
					defer b.seller.mu.Unlock()
					var by []string
					for _, a := range b.seller.pathCalls(wire.PurchaseCreatePath)[had:] {
						by = append(by, a.body["paymentMethod"].(string))
					}
					if got := strings.Join(by, " "); got != want {
						t.Errorf("bought by %q, want %q", got, want)
					}
				}
				methods := strings.Fields(c.first)
				asked(name != "the seller is away" && c.next == methods[len(methods)-1], c.first)
				asked(true, c.next)
				c.mend(b)
				time.Sleep(time.Minute)
				asked(true, "fake")
			})
		})
	}
}

// However late it is known that a method's limit is spent, no request waits for longer than it does: the next method's purchase goes on without it.
func TestTheNextMethodIsNotWaitedForLonger(t *testing.T) {
	for range 100 { // what comes in the same moment may be seen in any order
		trade(t, func(b *bench) { b.journal.overMethod, b.seller.delay = "fake", patience }, func(t *testing.T, b *bench) {
			w := b.want(cent)
			w.Methods = append(w.Methods, NamedMethod{"mock", payment.Mock{}})
			begun := time.Now()
			if l, err := b.desk.Lease(t.Context(), w); err == nil || time.Since(begun) != patience {
				t.Errorf("after %s: %v, %v", time.Since(begun), l, err)
			}
		})
	}
}

// Where every method's limit is spent the request is told so, and no seller is asked in vain.
func TestEachMethodsLimitIsSpent(t *testing.T) {
	trade(t, func(b *bench) { b.journal.overMethod = "fake" }, func(t *testing.T, b *bench) {
		w := b.want(cent)
		w.Methods = append(w.Methods, NamedMethod{"fake", b.method})
		for range 5 {
			b.refusedFor(w, LacksWallet, tomorrow())
		}
		b.wantCalls(1, 0)
	})
}

// payeeMethod says whom a quote would pay.
type payeeMethod struct {
	payment.Method
	to *string
}

func (m payeeMethod) Payee(payment.Quote) string { return *m.to }

// payeesKept are whom sellers were paid at.
type payeesKept struct{ Journal }

func (payeesKept) Payee(method, _, _ string) string {
	if method == "fake" {
		return "before"
	}
	return ""
}

// That a seller wants somebody else paid than before is told until the method by which it has said so buys there again, or is in no config: what
// another method buys meanwhile, as the limit of that one is spent, says nothing of it.
func TestPayeeChanged(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		b.desk.journal = payeesKept{b.desk.journal}
		to := "another"
		fake := NamedMethod{"fake", payeeMethod{b.method, &to}}
		withdraw := b.desk.Offer(fake, nil)
		w := b.want(cent)
		w.Methods = []NamedMethod{fake, {"mock", payment.Mock{}}}
		step := func(served, told bool) {
			t.Helper()
			l, err := b.desk.Lease(t.Context(), w)
			if (err == nil) != served {
				t.Fatalf("lease: %v", err)
			}
			if l != nil {
				l.Return(-5 * money.USD)
			}
			if got := b.desk.Credit().Sellers[0].PayeeChanged; got != told {
				t.Errorf("its payee has changed: %v, want %v", got, told)
			}
			time.Sleep(30 * time.Second) // a seller has three purchases a minute
		}
		otherwise := func() { // the first one's limit is spent for a minute
			b.desk.spent.keep("fake", &LimitError{Limit: ledger.MethodLimit, Resets: time.Now().Add(time.Hour)}, time.Now())
		}
		step(false, true)
		otherwise()
		step(true, true)
		time.Sleep(time.Minute)
		step(false, true)
		to = "before"
		step(true, false)
		to = "another"
		step(false, true)
		withdraw()
		if b.desk.Credit().Sellers[0].PayeeChanged {
			t.Error("its payee has changed for a method that is in no config")
		}
		otherwise()
		step(true, false)
	})
}

// A seller that wants somebody else paid than before is not paid by another method meanwhile.
func TestNoOtherMethodForAnotherPayee(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		w := b.want(cent)
		s := b.desk.shelf(w.seller())
		m := newMachine(b.desk, ledger.Purchase{ID: ledger.NewID(), Seller: w.SellerID, Origin: w.Origin, Method: "fake"})
		if err := m.unprepared(t.Context(), "check quote", ErrPayee); err != nil || m.methodFailed {
			t.Errorf("%v, its method has failed: %v", err, m.methodFailed)
		}
		if got := s.method(append(w.Methods, NamedMethod{"mock", payment.Mock{}}), cent, time.Now()); got.Name != "fake" {
			t.Errorf("%s pays", got.Name)
		}
	})
}
