package market

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// counting is a store that counts how often it is asked.
type counting struct {
	fleet.Store
	asked *atomic.Int64
}

func (s counting) Load(ctx context.Context, found func(string, []byte) error, keys ...string) error {
	s.asked.Add(1)
	return s.Store.Load(ctx, found, keys...)
}

// However many tries were cut here, what was settled of them elsewhere is asked for at once: it is every two seconds, at each gateway.
func TestManyTriesAreOneQuestion(t *testing.T) {
	const tokens, tries = 3, 16 // that one remembers
	s := counting{fleettest.NewMemory(), new(atomic.Int64)}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	one, two := openMarket(t, filepath.Join(t.TempDir(), "books")), openMarket(t, filepath.Join(t.TempDir(), "books"))
	for _, m := range []*Market{one, two} {
		m.shareResponses(ctx, s)
	}
	var cost money.Micros
	billed := money.Micros(40)
	for i := range tokens {
		token := fmt.Sprint("t", i)
		for _, m := range []*Market{one, two} {
			sharesToken(t, m.Ledger, token)
			for j := range tries {
				in := ledger.Inference{
					Request: ledger.Request{
						RequestID: ledger.NewID(), Member: "ada", Model: "m", IdempotencyKey: fmt.Sprint(token, j), Repeatable: true,
						Shape: billing.Shape{BodyBytes: 300, PromptWhole: true, MaxOutput: 100},
					},
					Price: money.Price{Input: money.USD, Output: money.USD}, Seller: "acme", Origin: "https://acme.example", TokenID: token, Attempts: 1,
					Status: ledger.StatusInterrupted, Answered: true,
				}
				if m == two {
					in.Status, in.Settlement = ledger.StatusOK, &wire.Settlement{SettlementID: in.IdempotencyKey, BilledMicros: &billed}
				}
				booked, err := m.Ledger.Settle(in).Wait(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if m == one {
					cost += booked.Entry.BilledMicros - billed
				}
			}
		}
	}
	if err := two.tellTries(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool {
		written := 0
		_ = s.Store.Load(t.Context(), func(string, []byte) error { written++; return nil }, "o/")
		return written == tokens*tries
	})
	s.asked.Store(0)
	if err := one.tellTries(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := s.asked.Load(); n != 1 {
		t.Errorf("the store was asked %d times", n)
	}
	var left money.Micros
	for _, token := range one.Ledger.Tokens() {
		left += token.BalanceMicros
	}
	if got := tokens*money.USD - left; got != cost {
		t.Errorf("they have cost %d beside what was settled, want %d", got, cost)
	}
}

// sharesToken has the ledger have a token, and share it.
func sharesToken(t *testing.T, l *ledger.Ledger, id string) {
	t.Helper()
	p := ledger.Purchase{
		ID: id, Seller: "acme", Origin: "https://acme.example", Method: "mock", AmountMicros: money.USD,
		Token: &ledger.Token{Secret: "bearer", CreditMicros: money.USD, ExpiresAt: time.Now().Add(time.Hour)},
	}
	for _, p.State = range []ledger.PurchaseState{ledger.Creating, ledger.Quoted, ledger.Prepared, ledger.Paying, ledger.Proven, ledger.Completing, ledger.Granted} {
		if err := l.Advance(t.Context(), p, ledger.Limits{Daily: -1, Session: -1, Seller: -1}); err != nil {
			t.Fatal(err)
		}
	}
	token, found, err := l.Token(t.Context(), id)
	if err == nil && found {
		_, _, err = l.MovePart(t.Context(), token, 0)
	}
	if err != nil || !found {
		t.Fatal(found, err)
	}
}
