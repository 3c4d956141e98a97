package purchase

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// signer is a method whose intent is good for some seconds only.
type signer struct {
	fakeMethod
	prepared int
}

func (s *signer) Prepare(context.Context, payment.Quote) (json.RawMessage, error) {
	s.prepared++
	return json.Marshal(map[string]any{"n": s.prepared, "until": time.Now().Add(10 * time.Second)})
}

func (s *signer) Pay(_ context.Context, _ payment.Quote, intent json.RawMessage) (payment.Outcome, error) {
	s.paid++
	if !time.Now().Before(s.Deadline(payment.Quote{}, intent)) {
		return payment.Failed(true), nil
	}
	return payment.Proven(json.RawMessage(`{"hash":"h"}`)).As("0xabc"), nil
}

func (s *signer) Deadline(_ payment.Quote, intent json.RawMessage) time.Time {
	var in struct{ Until time.Time }
	_ = json.Unmarshal(intent, &in)
	return in.Until
}

// Which purchases wait for a human: no request waits with them, they count, nothing leaves before the word is there, and what was
// prepared is prepared again.
func TestApproval(t *testing.T) {
	for name, c := range map[string]struct {
		from  money.Micros
		first bool
		waits bool
	}{
		"none":      {0, false, false},
		"above all": {1, false, true},
		"above 4":   {4*money.USD + 1, false, true},
		"above 5":   {5*money.USD + 1, false, false},
		"first":     {0, true, true},
		"both":      {5*money.USD + 1, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			m := new(signer)
			set := func(b *bench) { b.method, b.terms.ApproveFrom, b.terms.ApproveFirst = m, c.from, c.first }
			trade(t, set, func(t *testing.T, b *bench) {
				if !c.waits {
					b.lease(1).Return(0)
					return
				}
				begun := time.Now()
				b.refusedFor(b.want(1), LacksHuman, time.Time{})
				b.refusedFor(b.want(1), LacksHuman, time.Time{})
				if took := time.Since(begun); took > 0 {
					t.Errorf("a request waited %s for a human", took)
				}
				time.Sleep(30 * time.Second)
				open := b.desk.Purchases()
				if len(open) != 1 || open[0].State != "prepared" || !open[0].Awaits || open[0].Doubt != "waits for approval" ||
					open[0].Until.IsZero() || !strings.Contains(open[0].Hint, "approve "+open[0].PurchaseID) {
					t.Fatalf("open: %+v", open)
				}
				if day, _ := b.journal.Spent(); day != 5*money.USD || m.paid != 0 || m.prepared != 1 {
					t.Errorf("%s count, paid %d times, prepared %d times", day, m.paid, m.prepared)
				}
				if err := b.desk.Settle(t.Context(), open[0].PurchaseID, true, "ada", ""); !errors.Is(err, ErrNotPaying) {
					t.Errorf("settled: %v", err)
				}
				if err := b.desk.Approve(t.Context(), open[0].PurchaseID, "ada"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(5 * time.Second)
				if m.paid != 1 || m.prepared != 2 {
					t.Errorf("paid %d times, prepared %d times", m.paid, m.prepared)
				}
				b.lease(1).Return(0)
				b.wantCalls(1, 1)
				if got := b.journal.states(); got != "creating quoted prepared prepared paying proven completing granted" {
					t.Errorf("states %s", got)
				}
				for _, p := range b.journal.steps {
					if told := p.Told != ""; told != (p.State == ledger.Prepared && !p.Awaits) || told && p.Told != "approved by ada" {
						t.Errorf("%s, awaits %v: told %q", p.State, p.Awaits, p.Told)
					}
				}
				if last := b.journal.lastStep(); last.Reference != "0xabc" || last.PaymentReference != "r" {
					t.Errorf("references %q and %q", last.Reference, last.PaymentReference)
				}
			})
		})
	}
}

// A purchase that nobody approves ends with its order, or after a day where that has no end.
func TestNotApproved(t *testing.T) {
	for name, c := range map[string]struct {
		order string
		waits time.Duration
	}{
		"a minute": {`"expiresAt":"2000-01-01T00:01:00Z"`, time.Minute},
		"no end":   {`"currency":"USD"`, 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			m := new(signer)
			trade(t, func(b *bench) { b.method, b.terms.ApproveFirst = m, true }, func(t *testing.T, b *bench) {
				b.seller.answer = at(wire.PurchaseCreatePath, always(200, fmt.Sprintf(`{"orderId":"o","amountMicros":%d,"currency":"USD",%s}`, 5*money.USD, c.order)))
				b.refusedFor(b.want(1), LacksHuman, time.Time{})
				time.Sleep(c.waits - time.Second)
				if open := b.desk.Purchases(); len(open) != 1 || open[0].Until.IsZero() {
					t.Errorf("open: %+v", open)
				}
				time.Sleep(10 * time.Second)
				if last := b.journal.lastStep(); last.State != ledger.Expired || !last.Unpaid || m.paid != 0 || len(b.desk.Purchases()) != 0 {
					t.Errorf("%s, unpaid %v, paid %d times", last.State, last.Unpaid, m.paid)
				}
			})
		})
	}
}

// The ledger has who has approved or cancelled, and gives back what was counted.
func TestApprovalInTheLedger(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*Desk, context.Context, string, string) error
		ends ledger.PurchaseState
		told string
	}{
		"approve": {(*Desk).Approve, ledger.Granted, "approved by ada"},
		"cancel":  {(*Desk).Cancel, ledger.Failed, "cancelled by ada"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, err := ledger.Open(ledger.Options{InMemory: true, Key: make([]byte, 32)})
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				m := new(signer)
				b := &bench{t: t, seller: newSeller(), method: m, terms: testTerms, lacks: make(map[Lack]int), faults: make(map[string]int)}
				b.terms.ApproveFirst = true
				b.open(l)
				defer b.desk.Close()
				b.refusedFor(b.want(1), LacksHuman, time.Time{})
				id := b.desk.Purchases()[0].PurchaseID
				if err := c.do(b.desk, t.Context(), id, "ada"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(5 * time.Second)
				synctest.Wait()
				found, err := l.Purchases(t.Context(), ledger.PurchaseQuery{ID: id})
				if err != nil || len(found) != 1 || found[0].State != c.ends {
					t.Fatalf("%+v, %v", found, err)
				}
				day, _ := l.Spent()
				if granted := c.ends == ledger.Granted; granted != (day > 0) || granted != (m.paid == 1) || granted != l.Bought("acme", "https://acme.example") {
					t.Errorf("%s count, paid %d times", day, m.paid)
				}
				if told, err := l.Told(t.Context(), &found[0]); err != nil || len(told) == 0 || told[0].Note != c.told {
					t.Errorf("told %+v, %v", told, err)
				}
				if r, err := l.Verify(t.Context()); err != nil || !r.OK {
					t.Errorf("%+v, %v", r, err)
				}
			})
		})
	}
}

// A purchase that waits for approval waits on after a restart; what another process has prepared is prepared again.
func TestApprovalAfterRestart(t *testing.T) {
	for name, awaits := range map[string]bool{"waits": true, "was approved": false} {
		t.Run(name, func(t *testing.T) {
			m := new(signer)
			p := leftAt(t)[ledger.Prepared]
			p.Awaits = awaits
			p.Intent = json.RawMessage(`{"n":1,"until":"2000-01-01T00:00:00Z"}`)
			trade(t, func(b *bench) { b.method, b.itself, b.journal.open = m, true, []ledger.Purchase{p} }, func(t *testing.T, b *bench) {
				time.Sleep(5 * time.Second)
				synctest.Wait()
				if awaits {
					if open := b.desk.Purchases(); len(open) != 1 || !open[0].Awaits || m.paid != 0 {
						t.Fatalf("open %+v, paid %d", open, m.paid)
					}
					if err := b.desk.Approve(t.Context(), p.ID, "ada"); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Second)
					synctest.Wait()
				}
				if m.paid != 1 || m.prepared != 1 || b.journal.lastStep().State != ledger.Granted {
					t.Errorf("paid %d times, prepared %d times, %s", m.paid, m.prepared, b.journal.states())
				}
			})
		})
	}
}

// What a seller calls the payment is kept where all can see it only if it can be printed and repeats no secret.
func TestPaymentReference(t *testing.T) {
	const preimage = "5f1d7a84db00d2fce00b31a7fc73224f"
	for reference, kept := range map[string]bool{
		"r": true, "0x" + strings.Repeat("a", 64): true, preimage: false, "paid by " + preimage: false, preimage[:20]: false,
		"tok_secret": false, "line\\nbreak": false, "\\u001b[2J": false, "": true,
	} {
		m := &fakeMethod{pay: says(payment.Proven(json.RawMessage(`{"in":[{"preimage":"` + preimage + `"}]}`)))}
		trade(t, func(b *bench) { b.method = m }, func(t *testing.T, b *bench) {
			b.seller.answer = at(wire.PurchaseCompletePath, always(200, `{"accessToken":"tok_secret","expiresAt":"2090-01-01T00:00:00Z","creditMicros":5000000,"paymentReference":"`+reference+`"}`))
			b.lease(1).Return(0)
			if got := b.journal.lastStep().PaymentReference; (got == reference) != kept || !kept && got != "" {
				t.Errorf("%q is kept as %q", reference, got)
			}
		})
	}
}

// keeper is a method that says how it stands.
type keeper struct {
	fakeMethod
	health func(context.Context) []payment.Standing
	asked  int
}

func (k *keeper) Health(ctx context.Context) []payment.Standing {
	k.asked++
	return k.health(ctx)
}

func TestStandings(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		good := &keeper{health: func(context.Context) []payment.Standing {
			return []payment.Standing{{Network: "eip155:1", BalanceMicros: new(7 * money.USD), Warnings: []string{"a\x1b[2Jb"}}, {Network: "eip155:2", Error: "away\n"}}
		}}
		slow := &keeper{health: func(ctx context.Context) []payment.Standing {
			<-ctx.Done()
			return []payment.Standing{{Error: "no answer"}}
		}}
		gone := &keeper{health: func(context.Context) []payment.Standing { panic(secretText) }}
		for name, m := range map[string]payment.Method{"good": good, "slow": slow, "bad": gone, "mute": new(fakeMethod)} {
			defer b.desk.Offer(NamedMethod{name, m}, nil)()
		}
		b.desk.Offer(NamedMethod{"withdrawn", &keeper{}}, nil)()
		begun := time.Now()
		all := b.desk.Payments(t.Context())
		if took := time.Since(begun); took != healthTime {
			t.Errorf("it took %s", took)
		}
		var lines []string
		for _, p := range all {
			balance := money.Micros(-1)
			if p.BalanceMicros != nil {
				balance = *p.BalanceMicros
			}
			lines = append(lines, fmt.Sprintf("%s %s %s %q %q", p.Method, p.Network, balance, p.Error, p.Warnings))
		}
		want := `bad  -0.000001 "the payment method bad panicked (health)" []` + "\n" +
			`good eip155:1 7.00 "" ["a [2Jb"]` + "\n" + `good eip155:2 -0.000001 "away " []` + "\n" + `slow  -0.000001 "no answer" []`
		if got := strings.Join(lines, "\n"); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		b.desk.Payments(t.Context())
		if good.asked != 1 {
			t.Errorf("asked %d times within a moment", good.asked)
		}
		time.Sleep(2 * time.Minute)
		if last := b.desk.LastPayments(); len(last) != len(all) {
			t.Errorf("last %+v", last)
		}
		synctest.Wait() // they are being asked again
		if last := b.desk.LastPayments(); len(last) != len(all) || good.asked != 2 {
			t.Errorf("while they are asked the last is %+v", last)
		}
		time.Sleep(10 * time.Second)
		if b.desk.LastPayments(); good.asked != 2 {
			t.Errorf("asked %d times", good.asked)
		}
	})
}

// lingering is a method whose payments take for ever, until a year that can't be written.
type lingering struct{ fakeMethod }

func (*lingering) Deadline(payment.Quote, json.RawMessage) time.Time {
	return time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -12*60*60))
}

// What a method says of times and amounts can be shown, whatever it is and whatever the method makes of it later.
func TestMethodsBeyondCalendar(t *testing.T) {
	m := new(lingering)
	m.pay, m.track = says(payment.Pending()), says(payment.Pending())
	trade(t, func(b *bench) { b.method = m }, func(t *testing.T, b *bench) {
		b.refusedLease(1, ErrTooSlow)
		if open := b.desk.Purchases(); len(open) != 1 || open[0].Until.Year() != 9999 {
			t.Errorf("open: %+v", open)
		}
		balance, behind := 7*money.USD, int64(3)
		k := &keeper{health: func(context.Context) []payment.Standing {
			return []payment.Standing{{BalanceMicros: &balance, ChainBehindSeconds: &behind, CheckedAt: time.Unix(1<<50, 0)}}
		}}
		defer b.desk.Offer(NamedMethod{"keeper", k}, nil)()
		all := b.desk.Payments(t.Context())
		balance, behind = 0, 0
		if text, err := json.Marshal(all); err != nil || !strings.Contains(string(text), `"balanceMicros":7000000,"checkedAt":"9999-12-31T23:59:59Z","chainBehindSeconds":3`) {
			t.Errorf("%v: %s", err, text)
		}
	})
}

// stuck is a method that never says how it stands, whatever its context says.
type stuck struct {
	fakeMethod
	asked atomic.Int32
	end   chan struct{}
}

func (s *stuck) Health(context.Context) []payment.Standing {
	s.asked.Add(1)
	<-s.end
	return nil
}

// A method that does not return when it is asked how it stands is not asked again before it does: each call would be left behind with what
// it holds. The one that comes in its place is.
func TestStandingsOfStuckMethod(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		m := &stuck{end: make(chan struct{})}
		withdraw := b.desk.Offer(NamedMethod{"stuck", m}, nil)
		ask := func() (said string) {
			<-time.After(healthFresh)
			for _, p := range b.desk.Payments(t.Context()) {
				said += p.Error
			}
			return said
		}
		for range 3 {
			if said := ask(); !strings.Contains(said, "return") {
				t.Errorf("it says %q", said)
			}
		}
		if n := m.asked.Load(); n != 1 {
			t.Errorf("%d calls of it are left behind", n)
		}
		withdraw()
		good := &keeper{health: func(context.Context) []payment.Standing { return []payment.Standing{{Error: "well"}} }}
		defer b.desk.Offer(NamedMethod{"stuck", good}, nil)()
		if said := ask(); said != "well" {
			t.Errorf("the one in its place says %q", said)
		}
		close(m.end)
	})
}

// What became of a purchase is counted: one that was refused and not paid, and one that was paid and not granted.
func TestOutcomesOfPayments(t *testing.T) {
	for name, c := range map[string]struct {
		method  payment.Method
		outcome string
		lost    money.Micros
	}{
		"never moved":     {&cashier{fate: says(payment.Failed(true))}, "refused_unpaid", 0},
		"moved":           {&cashier{fate: says(payment.Proven(nil))}, "disputed", 5 * money.USD},
		"nobody knows":    {&cashier{fate: says(payment.Failed(false))}, "disputed", 0},
		"paid by proof":   {new(fakeMethod), "disputed", 5 * money.USD},
		"failed, unpaid":  {&fakeMethod{pay: says(payment.Failed(true))}, "failed", 0},
		"failed, unknown": {&fakeMethod{pay: says(payment.Failed(false))}, "disputed", 0},
	} {
		t.Run(name, func(t *testing.T) {
			trade(t, func(b *bench) { b.method = c.method }, func(t *testing.T, b *bench) {
				b.seller.answer = at(wire.PurchaseCompletePath, always(402, `{"error":{"code":"payment_refused"}}`))
				if l, err := b.desk.Lease(t.Context(), b.want(1)); err == nil {
					l.Return(0)
					t.Fatal("granted")
				}
				time.Sleep(time.Hour)
				b.mu.Lock()
				defer b.mu.Unlock()
				if len(b.outcomes) != 1 || b.outcomes[0] != c.outcome || b.lost != c.lost {
					t.Errorf("outcomes %v, %s lost", b.outcomes, b.lost)
				}
			})
		})
	}
}

// A seller may offer less than was asked for: that is what waits for a word, and what the log says.
func TestApprovalOfLess(t *testing.T) {
	trade(t, func(b *bench) {
		b.terms.ApproveFirst = true
		b.seller.credit = 3 * money.USD
		b.seller.answer = at(wire.PurchaseCreatePath, func(int) *http.Response {
			return reply(200, `{"orderId":"o_1","amountMicros":3000000,"currency":"USD","payment":{},"expiresAt":"2100-01-01T00:00:00Z"}`)
		})
	}, func(t *testing.T, b *bench) {
		b.refusedLease(1, ErrInDoubt)
		open := b.desk.Purchases()
		if len(open) != 1 || open[0].AmountMicros != 3*money.USD {
			t.Fatalf("open: %+v", open)
		}
		if err := b.desk.Approve(t.Context(), open[0].PurchaseID, "ada"); err != nil {
			t.Fatal(err)
		}
		<-time.After(10 * time.Second)
		logged := 0
		for _, e := range b.logs.All() {
			if amount, ok := e.ContextMap()["amountMicros"]; ok {
				if logged++; amount != int64(3*money.USD) {
					t.Errorf("%s of %v", e.Message, amount)
				}
			}
		}
		if logged < 3 || b.logged("purchase.token.succeeded") != 1 {
			t.Errorf("%d lines name the amount", logged)
		}
	})
}
