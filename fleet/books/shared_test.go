package books_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// lends opens a market whose tokens are shared.
func lends(t *testing.T, name string, store fleet.Store) *market.Market {
	t.Helper()
	return lendsAt(t, filepath.Join(t.TempDir(), name), name, store)
}

func lendsAt(t *testing.T, dir, name string, store fleet.Store) *market.Market {
	t.Helper()
	m, err := market.Open(market.Options{Dir: dir, Key: key, Log: zap.NewNop(), Fleet: &market.FleetOptions{
		Engine: market.NewEngine(fleettest.Engine{Store: store}, func() {}, nil), Name: name, Books: true, Tokens: true,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// buysToLend has a market buy a token of a dollar that can be shared, and waits until the store has it.
func buysToLend(t *testing.T, m *market.Market) (token string) {
	t.Helper()
	token = ledger.NewID()
	p := ledger.Purchase{ID: token, Seller: "acme", Origin: "https://acme.example", Method: "mock", AmountMicros: money.USD, AskedMicros: money.USD, Currency: "USD"}
	p.Token = &ledger.Token{Secret: "bearer", CreditMicros: money.USD, ExpiresAt: time.Now().Add(time.Hour).UTC()}
	for _, p.State = range []ledger.PurchaseState{ledger.Creating, ledger.Quoted, ledger.Prepared, ledger.Paying, ledger.Proven, ledger.Completing, ledger.Granted} {
		if err := m.Ledger.Advance(t.Context(), p, ledger.Limits{Daily: -1, Session: -1, Seller: -1}); err != nil {
			t.Fatal(err)
		}
	}
	bought, found, err := m.Ledger.Token(t.Context(), token)
	if err != nil || !found {
		t.Fatal(found, err)
	}
	m.Desk.Adopt(bought, 0, 0)
	m.Fleet.Tokens.Bought(token, func() {})
	until := time.NewTimer(20 * time.Second)
	defer until.Stop()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		all, _, err := fleet.SharedTokens(t.Context(), m.Fleet.Store)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) == 1 && all[0].Free > 0 {
			return token
		}
		select {
		case <-until.C:
			t.Fatalf("nobody can have of it: %+v", all)
		case <-look.C:
		}
	}
}

// spends has a market's request cost something on a token.
func spends(t *testing.T, m *market.Market, token, settlement string, cost money.Micros) {
	t.Helper()
	_, err := m.Ledger.Settle(ledger.Inference{
		Request: ledger.Request{RequestID: "r-" + settlement, Repeatable: true, Member: "ada", Model: "m"},
		Seller:  "acme", Origin: "https://acme.example", TokenID: token, Attempts: 1, Status: ledger.StatusOK, Answered: true,
		Price:      money.Price{Input: 1_000_000, Output: 1_000_000, CacheRead: money.Unknown, CacheWrite: money.Unknown},
		Settlement: &wire.Settlement{SettlementID: settlement, BilledMicros: &cost},
	}).Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
}

// What the store has of a shared token is what the books of its gateways say, or it is told where it is not.
func TestFleetBooksKnowSharedTokens(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	store := fleettest.NewMemory()
	one, two := lends(t, "one", store), lends(t, "two", store)
	token := buysToLend(t, one)
	if !two.Fleet.Tokens.Borrow(t.Context(), fleet.Loan{Seller: "acme", Origin: "https://acme.example", Need: 1000, After: time.Now()}) {
		t.Fatal("nothing is lent")
	}
	spends(t, one, token, "s1", 40)
	spends(t, two, token, "s2", 60)
	bought, borrowed := one.Ledger.Identity(), two.Ledger.Identity()
	one.Release()
	two.Release()
	m := joins(t, "another", store)
	var kept []byte
	key := fleet.PoolKey(token)
	if err := store.Load(t.Context(), func(_ string, value []byte) error { kept = value; return nil }, key); err != nil {
		t.Fatal(err)
	}
	type values = map[string]any
	part := func(pool values, gateway string) values { return pool["parts"].(values)[gateway].(values) }
	for name, c := range map[string]struct {
		change         func(pool values) (key string)
		problem, notes string
	}{
		"as it is":                   {func(values) string { return key }, "", ""},
		"another credit":             {func(p values) string { p["credit"] = 2 * money.USD; return key }, "a credit of $2.00, and $1.00 were bought", ""},
		"another seller":             {func(p values) string { p["seller"] = "best"; return key }, "by the books it is one of seller acme", ""},
		"less is spent":              {func(p values) string { part(p, bought)["spent"] = 39; return key }, "gateway one had spent $0.00004", ""},
		"more is spent":              {func(p values) string { part(p, borrowed)["spent"] = 61; return key }, "gateway two had spent $0.00006", ""},
		"nobody has bought it":       {func(values) string { return fleet.PoolKey("0") }, "no gateway has bought it", "the store has no more"},
		"who knows who has it":       {func(p values) string { p["parts"].(values)["x"] = values{"granted": 5, "head": "y"}; return key }, "", "gateway x, which has said nothing"},
		"more is set aside than is":  {func(p values) string { part(p, borrowed)["granted"] = money.USD; return key }, "", "than there are"},
		"entries that are not there": {func(p values) string { part(p, bought)["head"] = "z"; part(p, bought)["spent"] = 1; return key }, "", "gateway one is not checked"},
		"an older release":           {func(p values) string { delete(part(p, bought), "head"); part(p, bought)["spent"] = 1; return key }, "", ""},
		"it has ended":               {func(p values) string { part(p, bought)["ended"] = true; part(p, bought)["spent"] = 41; return key }, "", ""},
		"more was spent, at its end": {func(p values) string { part(p, bought)["ended"] = true; part(p, bought)["spent"] = 39; return key }, "gateway one had spent", ""},
		"of a newer release":         {func(p values) string { p["credit"] = "much"; return key }, "", "of a newer release"},
	} {
		t.Run(name, func(t *testing.T) {
			put := func(key string, value []byte) {
				t.Helper()
				if err := store.Change(t.Context(), key, func(fleet.Moment, []byte) ([]byte, error) { return value, nil }); err != nil {
					t.Fatal(err)
				}
			}
			var pool values
			if err := json.Unmarshal(kept, &pool); err != nil {
				t.Fatal(err)
			}
			at := c.change(pool)
			raw, err := json.Marshal(pool)
			if err != nil {
				t.Fatal(err)
			}
			put(key, nil)
			put(at, raw)
			defer put(key, kept)
			defer put(at, nil)
			r := verified(t, m)
			told := func(all []string, words string) bool {
				return words == "" && len(all) == 0 || words != "" && strings.Contains(strings.Join(all, "\n"), words)
			}
			if r.OK != (c.problem == "") || !told(r.Problems, c.problem) || !told(r.Notes, c.notes) {
				t.Errorf("%+v\n%s", r, raw)
			}
		})
	}
}

// What is not as it was is not called wrong: a store that forgets, a gateway that comes back from a backup as another one, one that is gone.
func TestFleetBooksOfSharedTokensThatWereLost(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	store := fleettest.NewMemory()
	one, two := lends(t, "one", store), lends(t, "two", store)
	token := buysToLend(t, one)
	loan := fleet.Loan{Seller: "acme", Origin: "https://acme.example", Need: 1000, After: time.Now()}
	good := func(what string, m *market.Market) { // what the store has lost of the entries is told, and rightly so
		t.Helper()
		if r := verified(t, m); len(r.Problems) > 0 {
			t.Errorf("%s: %+v", what, r)
		}
	}
	spends(t, one, token, "s1", 40)
	var kept bytes.Buffer
	if err := one.Ledger.Backup(t.Context(), &kept); err != nil {
		t.Fatal(err)
	}
	if !two.Fleet.Tokens.Borrow(t.Context(), loan) {
		t.Fatal("nothing is lent")
	}
	spends(t, two, token, "s2", 60)
	shipped(t, two)
	good("while both have of it", one)
	for n := range 12 {
		store.Forget(1)
		good(fmt.Sprint("forgotten: ", n+1), two)
	}
	one.Release()
	two.Release()
	dir := filepath.Join(t.TempDir(), "three")
	r, err := ledger.Restore(t.Context(), ledger.Options{Dir: dir, Key: key, NewIdentity: true}, bytes.NewReader(kept.Bytes()))
	if err != nil || !r.OK {
		t.Fatalf("%+v, %v", r, err)
	}
	three := lendsAt(t, dir, "three", store)
	t.Cleanup(three.Release)
	shipped(t, three)
	good("restored", three)
	if !three.Fleet.Tokens.Borrow(t.Context(), loan) {
		t.Fatal("nothing is lent to who was restored")
	}
	spends(t, three, token, "s3", 70)
	shipped(t, three)
	good("of who was restored", three)
	if err := three.Fleet.Tokens.End(t.Context(), token, "expired"); err != nil {
		t.Fatal(err)
	}
	if err := three.Ledger.DropToken(t.Context(), token, "expired"); err != nil {
		t.Fatal(err)
	}
	shipped(t, three)
	good("at its end", three)
	if err := store.Change(t.Context(), fleet.PoolKey(token), func(fleet.Moment, []byte) ([]byte, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	good("forgotten after its end", three)
}

// A gateway by whose clock a shared token has had its time, and by the store's has not, ends it for nobody else: what it has of it is the others'
// until the end, which each gateway books then. The books of all agree at any time.
func TestFleetBooksOfASharedTokenWhereAClockIsAhead(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	synctest.Test(t, func(t *testing.T) {
		store := fleettest.NewMemory()
		store.SetClock(func() time.Time { return time.Now().Add(-4 * time.Hour) }) // so the gateway whose time it is over is ahead of it
		one, two := lends(t, "one", store), lends(t, "two", store)
		defer one.Release()
		defer two.Release()
		token := buysToLend(t, one)
		loan := fleet.Loan{Seller: "acme", Origin: "https://acme.example", Need: 1000, After: time.Now()}
		if !two.Fleet.Tokens.Borrow(t.Context(), loan) {
			t.Fatal("nothing is lent")
		}
		spends(t, one, token, "s1", 40)
		spends(t, two, token, "s2", 60)
		two.Desk.SetTerms(purchase.Terms{ExpiryMargin: 2 * time.Hour})
		<-time.After(3 * time.Minute)
		left := func(m *market.Market) (is money.Micros, found bool) {
			t.Helper()
			tok, found, err := m.Ledger.Token(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			return tok.BalanceMicros, found
		}
		if is, found := left(two); is != 0 || !found {
			t.Errorf("%d are left where its time is over, found: %t", is, found)
		}
		if is, _ := left(one); is == 0 {
			t.Error("nothing is left at the other gateway")
		}
		loan.Need = money.USD * 3 / 4
		if !one.Fleet.Tokens.Borrow(t.Context(), loan) {
			t.Error("what was given back is nobody's")
		}
		good := func() {
			t.Helper()
			shipped(t, one)
			shipped(t, two)
			r := verified(t, one)
			for _, said := range slices.Concat(r.Problems, r.Notes) {
				if strings.Contains(said, "shared token") { // of the purchase the fleet was not told
					t.Error(said)
				}
			}
		}
		good()
		store.SetClock(time.Now)
		one.Desk.SetTerms(purchase.Terms{ExpiryMargin: 2 * time.Hour})
		<-time.After(3 * time.Minute)
		var wasted money.Micros
		for _, m := range []*market.Market{one, two} {
			if is, found := left(m); found {
				t.Errorf("%d are left at its end", is)
			}
			accounts, err := m.Ledger.Accounts()
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range accounts {
				if a.Account == "waste:acme" {
					wasted += a.BalanceMicros
				}
			}
		}
		if wasted != money.USD-100 {
			t.Errorf("%d are wasted", wasted)
		}
		good()
	})
}
