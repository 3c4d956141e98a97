package e2e

import (
	"encoding/json"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
)

// TestPurchaseGoesOn has the gateway die while a purchase is in doubt: it is paid, and the seller does not give its token.
// After the next start it goes on by itself, without any request and with the same key. While it is open its money counts as
// spent and is shown as pending, nothing else is bought at that seller, and another one serves. `caddy validate` does nothing
// of this.
func TestPurchaseGoesOn(t *testing.T) {
	t.Parallel()
	var holdsBack atomic.Bool
	var completes atomic.Int64
	var keys sync.Map
	holdsBack.Store(true)
	s := newStage(t)
	acme := s.seller("acme", answerPlain, priced("m"))
	acme.buying = func(r *http.Request) {
		keys.Store(r.Header.Get("Idempotency-Key"), true)
		if r.URL.Path == "/purchase/complete" {
			completes.Add(1)
			if holdsBack.Load() {
				panic(http.ErrAbortHandler)
			}
		}
	}
	other := s.seller("other", answerPlain, priced("m"))
	s.open("\t\tdefault_seller acme\n\t\taffinity off\n\t\tfailover {\n\t\t\tcooldown 100ms\n\t\t}\n")
	if a := s.infer("first", "m", ""); a.StatusCode != http.StatusOK || other.purchases() != 1 {
		t.Fatalf("status %d: %s", a.StatusCode, a.body)
	}
	s.entryOf("first")
	s.kill()

	before := completes.Load()
	if out, err := s.command("validate", "--config", s.caddyfile(), "--adapter", "caddyfile").CombinedOutput(); err != nil {
		t.Errorf("caddy validate: %v\n%s", err, out)
	}
	if n := completes.Load(); n != before {
		t.Errorf("caddy validate has asked for the token %d times", n-before)
	}

	s.start()
	eventually(t, "the seller is asked for the token", func() bool { return completes.Load() > before })
	const price = 5_000_000
	credit := s.books().Credit
	if open := credit.of("acme").Open; open == nil || open.State != "completing" || open.AmountMicros != price || credit.DayMicros != 2*price {
		t.Errorf("open: %+v; %d count as spent today", open, credit.DayMicros)
	}
	if pending, shown := s.balances()["pending:acme"], s.books().Ledger.PendingMicros; pending != price || shown != price {
		t.Errorf("%d are pending, and shown as such are %d", pending, shown)
	}
	if a := s.infer("second", "m", ""); a.StatusCode != http.StatusOK || a.Header.Get("X-TokenBuddy-Seller") != "other" {
		t.Errorf("status %d from %q", a.StatusCode, a.Header.Get("X-TokenBuddy-Seller"))
	}
	eventually(t, "what stands in the way", func() bool { open := s.books().Credit.of("acme").Open; return open != nil && open.Doubt != "" })

	holdsBack.Store(false)
	eventually(t, "the token", func() bool { return s.books().Credit.of("acme").Tokens == 1 })
	eventually(t, "a request that the token pays for", func() bool { // once the seller is no longer kept away from
		return s.infer("", "m", "").Header.Get("X-TokenBuddy-Seller") == "acme"
	})
	if acme.purchases() != 1 || other.purchases() != 1 {
		t.Errorf("%d and %d purchases", acme.purchases(), other.purchases())
	}
	first := ""
	for key := range keys.Range {
		if first == "" {
			first = key.(string)
		}
		if key != first {
			t.Errorf("the purchase was asked for under %s and %s", first, key)
		}
	}
	if accounts := s.balances(); accounts["pending:acme"] != 0 || accounts["wallet:mock"] != -2*price {
		t.Errorf("accounts: %v", accounts)
	}
	s.verify()
}

// booksStatus is the part of the status that is about money.
type booksStatus struct {
	Credit credit
	Ledger struct{ Holds, PendingMicros int64 }
}

type credit struct {
	DayMicros int64
	Sellers   []sellerCredit
}

type sellerCredit struct {
	SellerID   string
	Tokens     int
	LeftMicros int64
	Open       *struct {
		PurchaseID, State, Doubt string
		AmountMicros             int64
	}
}

func (c credit) of(seller string) sellerCredit {
	for _, s := range c.Sellers {
		if s.SellerID == seller {
			return s
		}
	}
	return sellerCredit{}
}

func (c *caddy) books() (status booksStatus) {
	c.t.Helper()
	if _, body := c.look("/tokenbuddy/status"); json.Unmarshal(body, &status) != nil {
		c.t.Fatalf("status: %s", body)
	}
	return status
}
