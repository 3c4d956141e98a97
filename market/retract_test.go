package market

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// What the books of a gateway take back, since another one has booked it before, the desk spends, and it counts no more: but for what was
// booked before the start, which has not counted since.
func TestRetractedIsSpent(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	for name, c := range map[string]struct {
		wasted, again bool
		corrected     []ledger.Corrected
	}{
		"served":                        {corrected: []ledger.Corrected{{Member: "ada", Model: "m", BilledMicros: -40}}},
		"wasted":                        {wasted: true, corrected: []ledger.Corrected{{Member: "ada", Model: "m", Wasted: true, BilledMicros: -40, CountedMicros: -40}}},
		"served before the last start":  {again: true},
		"wasted before the last start ": {wasted: true, again: true},
	} {
		t.Run(name, func(t *testing.T) {
			store := fleettest.NewMemory()
			retracted(t, "one", store, false, c.wasted, money.USD-40, nil)
			retracted(t, "two", store, c.again, c.wasted, money.USD, c.corrected)
		})
	}
}

// retracted has a gateway book a settlement that is the same each time, and says what is left on its token then, and what it has counted of
// corrections.
func retracted(t *testing.T, name string, store fleet.Store, again, wasted bool, left money.Micros, corrected []ledger.Corrected) {
	dir := filepath.Join(t.TempDir(), name)
	m, err := inFleet(dir, name, store)
	if err != nil {
		t.Fatal(err)
	}
	p := ledger.Purchase{
		ID: "p-" + name, Seller: "acme", Origin: "https://acme.example", Method: "mock", AmountMicros: money.USD,
		Token: &ledger.Token{Secret: "bearer", CreditMicros: money.USD, ExpiresAt: time.Now().Add(time.Hour)},
	}
	for _, p.State = range []ledger.PurchaseState{ledger.Creating, ledger.Quoted, ledger.Prepared, ledger.Paying, ledger.Proven, ledger.Completing, ledger.Granted} {
		if err := m.Ledger.Advance(t.Context(), p, ledger.Limits{Daily: -1, Session: -1, Seller: -1}); err != nil {
			t.Fatal(err)
		}
	}
	billed := money.Micros(40)
	in := ledger.Inference{
		Request: ledger.Request{RequestID: "r-" + name, Member: "ada", Model: "m", IdempotencyKey: "k", Repeatable: true, Shape: billing.Shape{BodyBytes: 300, PromptWhole: true, MaxOutput: 100}},
		Price:   money.Price{Input: money.USD, Output: money.USD}, Seller: "acme",
		Origin: "https://acme.example", Attempts: 1, Status: ledger.StatusOK, Answered: true,
		Settlement: &wire.Settlement{SettlementID: "s", BilledMicros: &billed},
	}
	book := func(m *Market) ledger.Booked {
		write := m.Ledger.Settle
		if wasted {
			write, in.Status = m.Ledger.Waste, ledger.StatusFailed
		}
		booked, err := write(in).Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return booked
	}
	counted := make(chan ledger.Corrected, 8)
	comesBack := func() *Market {
		m.Release() // the desk takes up what it has at its start
		m, err := Open(Options{
			Dir: dir, Key: key, Log: zap.NewNop(),
			Fleet:     &FleetOptions{Engine: NewEngine(fleettest.Engine{Store: store}, func() {}, nil), Name: name, Books: true},
			Corrected: func(_ string, by ledger.Corrected) { counted <- by },
		})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	wait := func() {
		newest, _, err := m.Ledger.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		waitFor(t, func() bool { shipped, _ := m.Fleet.shipper.Head(); return shipped >= newest })
		waitFor(t, func() bool { return m.Ledger.Tokens()[0].BalanceMicros == left })
		waitFor(t, func() bool { return m.Desk.Credit().LeftMicros == left })
	}
	lost := money.Micros(0)
	if again { // its entries are shipped in time or not: which of the two has taken it back is no matter here
		in.TokenID = m.Ledger.Tokens()[0].ID
		book(m)
		m = comesBack()
	} else {
		m = comesBack()
		lease := m.Desk.Take(purchase.Want{SellerID: "acme", Origin: "https://acme.example", Likely: 40})
		if lease == nil {
			t.Fatal("no token")
		}
		in.TokenID = lease.TokenID()
		lease.Booked(book(m))
		if wasted && corrected == nil {
			lost = billed
		}
	}
	defer m.Release()
	wait()
	waitFor(t, func() bool { return m.Desk.Credit().WastedMicros == lost })
	close(counted)
	var got []ledger.Corrected
	for by := range counted {
		by.Entry, by.RequestID = "", ""
		got = append(got, by)
	}
	if !slices.Equal(got, corrected) {
		t.Errorf("%s: counted %+v, want %+v", name, got, corrected)
	}
}
