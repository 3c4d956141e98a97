package books_test

import (
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/books"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

var key = make([]byte, 32)

// inFleet opens the market of a directory in the fleet of a store.
func inFleet(dir, name string, store fleet.Store) (*market.Market, error) {
	return market.Open(market.Options{Dir: dir, Key: key, Log: zap.NewNop(), Fleet: &market.FleetOptions{Engine: market.NewEngine(fleettest.Engine{Store: store}, func() {}, nil), Name: name, Books: true}})
}

// joins is inFleet for the time of the test.
func joins(t *testing.T, name string, store fleet.Store) *market.Market {
	t.Helper()
	m, err := inFleet(filepath.Join(t.TempDir(), name), name, store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Release)
	return m
}

// bookingOf is what a ledger books: a settlement of a client's request.
type bookingOf struct {
	member, key, settlement string
	billed                  money.Micros
}

// book books requests, on a token of their own.
func book(t *testing.T, l *ledger.Ledger, all ...bookingOf) {
	t.Helper()
	token := ledger.NewID()
	p := ledger.Purchase{ID: token, Seller: "acme", Origin: "https://acme.example", Method: "mock", AmountMicros: 1_000_000, AskedMicros: 1_000_000, Currency: "USD"}
	p.Token = &ledger.Token{Secret: "bearer", CreditMicros: 1_000_000}
	for _, p.State = range []ledger.PurchaseState{ledger.Creating, ledger.Quoted, ledger.Prepared, ledger.Paying, ledger.Proven, ledger.Completing, ledger.Granted} {
		if err := l.Advance(t.Context(), p, ledger.Limits{Daily: -1, Session: -1, Seller: -1}); err != nil {
			t.Fatal(err)
		}
	}
	for _, b := range all {
		_, err := l.Settle(ledger.Inference{
			Request: ledger.Request{RequestID: "r-" + b.key, IdempotencyKey: b.key, Repeatable: true, Member: b.member, Model: "m"},
			Seller:  "acme", Origin: "https://acme.example", TokenID: token, Attempts: 1, Status: ledger.StatusOK, Answered: true,
			Price:      money.Price{Input: 1_000_000, Output: 1_000_000, CacheRead: money.Unknown, CacheWrite: money.Unknown},
			Settlement: &wire.Settlement{SettlementID: b.settlement, BilledMicros: &b.billed},
		}).Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
	}
}

// shipped waits until all that a market has booked is shipped, and nothing follows from that.
func shipped(t *testing.T, m *market.Market) {
	t.Helper()
	until := time.NewTimer(20 * time.Second)
	defer until.Stop()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		head, _, err := m.Ledger.Head(t.Context())
		if last := m.Fleet.Shipped(); err != nil || last == head {
			return
		}
		select {
		case <-until.C:
			t.Fatal("entries are not shipped")
		case <-look.C:
		}
	}
}

func verified(t *testing.T, m *market.Market) books.Report {
	t.Helper()
	b, err := m.FleetBooks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.Verify(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// statement sums up the books of all gateways, as one of them tells, and what each member has spent by them.
func statement(t *testing.T, m *market.Market) (b *books.Books, s ledger.Statement, spent map[string]money.Micros) {
	t.Helper()
	b, err := m.FleetBooks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s, err = b.Statement(t.Context(), ledger.Period{}, "member", b.Total(), nil); err != nil {
		t.Fatal(err)
	}
	spent = make(map[string]money.Micros)
	for _, r := range s.Rows {
		spent[r.Key] = r.ExpenseMicros
	}
	return b, s, spent
}

// The books of two gateways make one: what both have booked of one settlement counts once, in each one's own books and in those of all.
func TestFleetBooks(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	store := fleettest.NewMemory()
	one, two := joins(t, "one", store), joins(t, "two", store)
	book(t, one.Ledger, bookingOf{"ada", "k1", "s1", 40}, bookingOf{"ada", "k2", "s2", 50})
	shipped(t, one)
	book(t, two.Ledger, bookingOf{"ada", "k1", "s1", 40}, bookingOf{"bob", "k3", "s3", 60})
	shipped(t, two)
	b, s, spent := statement(t, one)
	if spent["ada"] != 90 || spent["bob"] != 60 || s.Entries != b.Total() {
		t.Errorf("%+v", s)
	}
	found, err := b.EntriesOf(t.Context(), "r-k1", time.Time{}, time.Time{})
	if err != nil || len(found) != 3 || found[2].Correction == nil || found[2].Correction.BilledMicros != -40 {
		t.Errorf("%d entries of the request, %v", len(found), err)
	}
	for _, m := range []*market.Market{one, two} {
		if r := verified(t, m); !r.OK || r.Entries != b.Total() || len(r.Gateways) != 2 {
			t.Errorf("%+v", r)
		}
		if r, err := m.Ledger.Verify(t.Context()); err != nil || !r.OK {
			t.Errorf("%+v, %v", r, err)
		}
	}
}
