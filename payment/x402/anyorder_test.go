package x402_test

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
)

// TestAnyOrder: whatever a seller and its facilitator do, in whatever order, and however often the gateway dies in between, the
// rail has one payment for a purchase at most, and when all has ended the ledger says that as much was paid as the rail has.
func TestAnyOrder(t *testing.T) {
	fewChecks(t, "8")
	t.Setenv("X402_TEST_WALLET", secret)
	replies := map[string]reply{
		"granted":      {status: 200, moved: true},
		"402":          {status: 402, body: "{}"},
		"refused":      {status: 402, body: `{"error":{"code":"payment_refused"}}`},
		"lost, moved":  {status: 402, body: "{}", moved: true},
		"502":          {status: 502, body: `{"error":"timed out"}`},
		"502, moved":   {status: 502, body: `{"error":"timed out"}`, moved: true},
		"503":          {status: 503},
		"hangs":        {},
		"hangs, moved": {moved: true},
		"cut":          {status: -1},
		"cut, moved":   {status: -1, moved: true},
		"no, moved":    {status: 402, body: `{"error":{"code":"payment_refused"}}`, moved: true},
		"html":         {status: 200 + 1, body: "<h1>"},
	}
	var names []string
	for name := range replies {
		names = append(names, name)
	}
	rapid.Check(t, func(rt *rapid.T) {
		script := rapid.SliceOfN(rapid.SampledFrom(sorted(names)), 1, 6).Draw(rt, "answers")
		then := rapid.SampledFrom([]string{"402", "refused", "503", "granted", "no, moved", "502, moved"}).Draw(rt, "then")
		crashes := rapid.SliceOfN(rapid.IntRange(0, 40), 0, 3).Draw(rt, "crashes after seconds")
		empty := rapid.IntRange(0, 5).Draw(rt, "wallet") == 0
		var fault string // told outside: rapid's failures belong to its own goroutine
		synctest.Test(t, func(t *testing.T) {
			balance := uint64(10_000_000)
			if empty {
				balance = 0
			}
			m := open(t, balance, nil)
			defer m.close()
			m.seller.answer = func(n int) reply {
				a := replies[then]
				if n <= len(script) {
					a = replies[script[n-1]]
				}
				if a.status == 200 && empty {
					return replies["402"]
				}
				return a
			}
			client := func() {
				if err := m.request(); err != nil && m.seller.n == 0 {
					fault = fmt.Sprintf("nothing was bought: %v", err)
				}
			}
			client()
			for _, after := range crashes {
				time.Sleep(time.Duration(after) * time.Second)
				m.crash()
			}
			m.ended()
			paid, rail, states := m.books()
			if paid != rail {
				fault = fmt.Sprintf("the ledger says %s was paid, the rail %s: %s", paid, rail, states)
			}
			nonces := make(map[string]bool)
			for _, tr := range m.chain.Transfers() {
				nonces[tr.Nonce.String()] = true
			}
			if len(nonces) != len(m.chain.Transfers()) || len(m.seller.proofs) > len(m.seller.orders) {
				fault = fmt.Sprintf("%d transfers of %d nonces, %d proofs for %d orders", len(m.chain.Transfers()), len(nonces), len(m.seller.proofs),
					len(m.seller.orders))
			}
		})
		if fault != "" {
			rt.Fatal(fault)
		}
	})
}

func sorted(names []string) []string {
	slices.Sort(names)
	return names
}

// fewChecks lets a property that takes a second each time be tried fewer times than rapid would by itself; -rapid.checks says
// otherwise.
func fewChecks(t *testing.T, few string) {
	t.Helper()
	f := flag.Lookup("rapid.checks")
	if f == nil || f.Value.String() != f.DefValue {
		return
	}
	if testing.Short() {
		few = "2"
	}
	if err := f.Value.Set(few); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Value.Set(f.DefValue) })
}

// TestOwnBounds: the method's own day, and the first payee, hold whatever the purchase limits say.
func TestOwnBounds(t *testing.T) {
	t.Setenv("X402_TEST_WALLET", secret)
	synctest.Test(t, func(t *testing.T) {
		m := open(t, 100_000_000, func(int) reply { return reply{status: 402, body: `{"error":{"code":"payment_refused"}}`, moved: true} })
		defer m.close()
		m.method = provisioned(t, x402.Config{
			Key: "{env.X402_TEST_WALLET}", Networks: []x402.Network{{ID: sepolia, RPC: []string{"http://node.example"}}}, DailyLimit: "0.70",
		})
		m.method.Via(m)
		m.want.Methods[0].Method = m.method
		_ = m.request() // paid for nothing: disputed
		m.ended()
		m.want.SellerID, m.want.Origin, m.want.BaseURL = "bolt", "https://bolt.example", "https://bolt.example"
		limit := new(purchase.LimitError)
		if err := m.request(); !errors.As(err, &limit) || limit.Limit != ledger.MethodLimit {
			t.Errorf("a second payment of the day: %v", err)
		}
		time.Sleep(24 * time.Hour)
		m.seller.answer = func(int) reply { return reply{status: 200, moved: true} }
		if err := m.request(); err != nil {
			t.Errorf("the next day: %v", err)
		}
		time.Sleep(24 * time.Hour)
		m.crash()
		// Its token is dropped, and another payee is named from now on.
		m.seller.payTo = "0x5703237e334254173b7C0Ac07bbebD6716F9b69a"
		lease, err := m.desk.Lease(t.Context(), m.want)
		if err != nil {
			t.Fatal(err)
		}
		m.desk.Drop(lease, "test")
		before := len(m.chain.Transfers())
		if err := m.request(); err == nil || !strings.Contains(err.Error(), "somebody else paid than before") {
			t.Errorf("another payee: %v", err)
		}
		if len(m.chain.Transfers()) != before || m.seller.asked[m.seller.payTo] {
			t.Error("another payee was paid")
		}
	})
}
