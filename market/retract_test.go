package market

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// What the books of a gateway take back, since another one has booked it before, the desk spends.
func TestRetractedIsSpent(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	store := fleettest.NewMemory()
	for i, name := range []string{"one", "two"} {
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
		m.Release() // the desk takes up what it has at its start
		if m, err = inFleet(dir, name, store); err != nil {
			t.Fatal(err)
		}
		defer m.Release()
		lease := m.Desk.Take(purchase.Want{SellerID: "acme", Origin: "https://acme.example", Likely: 40})
		if lease == nil {
			t.Fatal("no token")
		}
		billed := money.Micros(40)
		booked, err := m.Ledger.Settle(ledger.Inference{
			Request: ledger.Request{RequestID: "r-" + name, Member: "ada", Model: "m", IdempotencyKey: "k"}, Repeatable: true, Seller: "acme",
			Origin: "https://acme.example", TokenID: lease.TokenID(), Attempts: 1, Status: ledger.StatusOK, Answered: true,
			Settlement: &wire.Settlement{SettlementID: "s", BilledMicros: &billed},
		}).Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		lease.Booked(booked)
		newest, _, err := m.Ledger.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		waitFor(t, func() bool { shipped, _ := m.Fleet.shipper.Head(); return shipped >= newest })
		want := money.USD - billed*money.Micros(1-i)
		waitFor(t, func() bool { return m.Ledger.Tokens()[0].BalanceMicros == want })
		waitFor(t, func() bool { return m.Desk.Credit().LeftMicros == want })
	}
}
