package purchase

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a desk with one seller.
type bench struct {
	t       *testing.T
	seller  *fakeSeller
	journal *fakeJournal
	method  payment.Method
	terms   Terms

	methodName string // empty: fake

	past   Past
	itself bool // the desk knows how to reach the seller of a purchase that was left open
	desk   *Desk
	logs   *observer.ObservedLogs

	mu       sync.Mutex
	outcomes []string
	doubted  []string // what is told of purchases in doubt
	lacks    map[Lack]int
	faults   map[string]int // by method and step
	braked   money.Micros
	lost     money.Micros // paid and not granted
	wasted   money.Micros
}

var testTerms = Terms{
	Amount: 5 * money.USD, RebuyBelow: money.USD / 10, DailyLimit: 1000 * money.USD, SessionLimit: -1, SellerLimit: -1, ExpiryMargin: time.Minute,
}

// trade runs f in a bubble, with a desk that has bought nothing yet. set may change what it is made of.
func trade(t *testing.T, set func(*bench), f func(*testing.T, *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, seller: newSeller(), journal: newJournal(), method: payment.Mock{}, terms: testTerms, lacks: make(map[Lack]int), faults: make(map[string]int)}
		if set != nil {
			set(b)
		}
		b.open(b.journal)
		f(t, b)
		b.desk.Close()
		for _, e := range b.logs.All() {
			if line := fmt.Sprint(e.Message, e.ContextMap()); strings.Contains(line, secretText) {
				t.Errorf("a secret in the log: %s", line)
			}
		}
	})
}

func (b *bench) open(j Journal) {
	core, logs := observer.New(zap.DebugLevel)
	b.logs = logs
	b.desk = NewDesk(j, DeskOptions{Logger: zap.New(core), Past: b.past, Resolve: func(ledger.Purchase) (Want, bool) {
		return b.want(0), b.itself
	}, Observer: Observer{
		Purchase: func(_, outcome string, _ money.Micros) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.outcomes = append(b.outcomes, outcome)
		},
		Doubted: func(p ledger.Purchase, why error, hint string) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.doubted = append(b.doubted, fmt.Sprint(p.ID, ": ", why, "; ", hint))
		},
		PaidNotGranted: func(_ string, paid money.Micros) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.lost += paid
		},
		Refused: func(_ string, lack Lack) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.lacks[lack]++
		},
		Guest: func(method, step, _ string) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.faults[method+" "+step]++
		},
		Braked: func(_ string, lost money.Micros) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.braked += lost
		},
		Waste: func(_ string, m money.Micros) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.wasted += m
		},
	}})
	b.desk.SetTerms(b.terms)
	b.desk.Start(b.t.Context())
}

func (b *bench) want(hold money.Micros) Want {
	return Want{
		SellerID: "acme", Origin: "https://acme.example", BaseURL: "https://acme.example/base/", Model: "m",
		Methods: []NamedMethod{{cmp.Or(b.methodName, "fake"), b.method}}, Transport: b.seller, Likely: hold, Bound: hold,
	}
}

// has tells whether a token is there that Lease would give without a purchase.
func has(d *Desk, w Want) bool {
	terms := d.terms.Load()
	t, _ := d.shelf(w.seller()).choose(w.cost(), time.Now().Add(terms.ExpiryMargin), terms.RebuyBelow)
	return t != nil
}

func (b *bench) lease(hold money.Micros) *Lease {
	b.t.Helper()
	return b.leaseFor(b.want(hold))
}

func (b *bench) leaseFor(w Want) *Lease {
	b.t.Helper()
	l, err := b.desk.Lease(b.t.Context(), w)
	if err != nil {
		b.t.Fatalf("lease: %v", err)
	}
	return l
}

// refusedLease leases and wants an error that is target.
func (b *bench) refusedLease(hold money.Micros, target error) error {
	b.t.Helper()
	l, err := b.desk.Lease(b.t.Context(), b.want(hold))
	if !errors.Is(err, target) || l != nil {
		b.t.Fatalf("lease: %v, %v, want the error %v", l, err, target)
	}
	if strings.Contains(err.Error(), secretText) {
		b.t.Fatalf("a seller's text in the error: %v", err)
	}
	return err
}

func (b *bench) logged(message string) int { return b.logs.FilterMessage(message).Len() }

func (b *bench) wantCalls(create, complete int) {
	b.t.Helper()
	b.seller.wantCalls(b.t, create, complete)
}

// refusedFor wants a request to be refused, and to be told for want of what and until when.
func (b *bench) refusedFor(w Want, lack Lack, until time.Time) {
	b.t.Helper()
	before := b.lacks[lack]
	l, err := b.desk.Lease(b.t.Context(), w)
	if err == nil {
		l.Return(0)
		b.t.Fatal("not refused")
	}
	if got, when := Lacking(err); got != lack || !when.Equal(until) {
		b.t.Errorf("it wants for %q until %s, want %q until %s: %v", got, when, lack, until, err)
	}
	if strings.Contains(err.Error(), secretText) {
		b.t.Errorf("a seller's text in the error: %v", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lacks[lack] != before+1 {
		b.t.Errorf("observed %v", b.lacks)
	}
}

// faulty is how often it was observed that a method misbehaved in a step.
func (b *bench) faulty(step string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.faults[step]
}
