package books_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/books"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// What was bought, by the entries of all gateways, counts in the limits of the fleet, or it is said where it does not.
func TestFleetBooksKnowWhatWasBought(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	then := time.Now().Add(-2 * time.Minute)
	day := then.UTC().Format(time.DateOnly)
	store := fleettest.NewMemory()
	var gateways []string
	for range 2 {
		l, err := ledger.Open(ledger.Options{Dir: filepath.Join(t.TempDir(), "books"), Key: key, Shared: true, Now: func() time.Time { return then }})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		book(t, l) // a dollar each
		gateways = append(gateways, l.Identity())
		unpaid := ledger.Purchase{ID: ledger.NewID(), Seller: "acme", Origin: "https://acme.example", Method: "mock", AmountMicros: 500_000, Currency: "USD", Unpaid: true}
		for _, unpaid.State = range []ledger.PurchaseState{ledger.Creating, ledger.Quoted, ledger.Prepared, ledger.Paying, ledger.Failed} {
			if err := l.Advance(t.Context(), unpaid, ledger.Limits{Daily: -1, Session: -1, Seller: -1}); err != nil {
				t.Fatal(err)
			}
		}
		if err := fleet.NewShipper(fleet.ShipperOptions{Store: store, Gateway: l.Identity(), Source: books.Source{Ledger: l}}).Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := fleet.New(fleet.Options{Store: store, Gateway: l.Identity(), Epoch: 1}).Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	m := joins(t, "another", store)
	const usd = 1_000_000
	type sums map[string]int64
	for name, c := range map[string]struct {
		by, at   sums
		total    int64
		open     int64 // of the second, not ended yet by the store
		aside    int64 // for the second
		problems []string
	}{
		"all counts":          {sums{gateways[0]: usd, gateways[1]: usd}, sums{"acme": 2 * usd}, 2 * usd, 0, 0, nil},
		"more counts":         {sums{gateways[0]: 3 * usd, gateways[1]: usd}, sums{"acme": 4 * usd}, 4 * usd, 0, 0, nil},
		"one is open":         {sums{gateways[0]: usd}, sums{"acme": usd}, usd, usd, 0, nil},
		"one is of set aside": {sums{gateways[0]: usd}, sums{"acme": usd}, usd, 0, usd, nil},
		"one was forgotten":   {sums{gateways[0]: usd}, sums{"acme": usd}, usd, 0, 0, []string{": the books", " at seller acme", " by gateway " + gateways[1]}},
		"at another seller":   {sums{gateways[0]: usd, gateways[1]: usd}, sums{"acme": usd, "best": usd}, 2 * usd, 0, 0, []string{" at seller acme"}},
		"by one alone":        {sums{gateways[0]: 2 * usd}, sums{"acme": 2 * usd}, 2 * usd, 0, 0, []string{" by gateway " + gateways[1]}},
	} {
		t.Run(name, func(t *testing.T) {
			tab := map[string]any{"days": map[string]any{day: map[string]any{"closed": c.total, "sellers": c.at, "gateways": c.by}}}
			if c.open > 0 {
				tab["open"] = map[string]any{"p": map[string]any{"gateway": gateways[1], "seller": "acme", "day": day, "amount": c.open}}
			}
			if c.aside > 0 {
				tab["ahead"] = map[string]any{gateways[1]: map[string]any{"day": day, "amount": c.aside}}
			}
			if err := store.Change(t.Context(), "p/spent", func(fleet.Moment, []byte) ([]byte, error) { return json.Marshal(tab) }); err != nil {
				t.Fatal(err)
			}
			r := verified(t, m)
			if r.OK != (len(c.problems) == 0) || len(r.Problems) != len(c.problems) {
				t.Errorf("%+v", r)
			}
			for _, words := range c.problems {
				if !slices.ContainsFunc(r.Problems, func(p string) bool { return strings.Contains(p, fmt.Sprint("day ", day, words)) }) {
					t.Errorf("nothing says %q: %+v", words, r.Problems)
				}
			}
		})
	}
	for counted, notes := range map[int64]int{0: 1, 2 * usd: 0} {
		tab, err := json.Marshal(map[string]any{"session": 1, "closed": counted, "days": map[string]any{day: map[string]any{
			"closed": 2 * usd, "sellers": sums{"acme": 2 * usd}, "gateways": sums{gateways[0]: usd, gateways[1]: usd},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		session, err := json.Marshal(fleet.Session{N: 1, Since: then.Add(-time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		for k, value := range map[string][]byte{"p/spent": tab, fleet.SessionKey: session} {
			if err := store.Change(t.Context(), k, func(fleet.Moment, []byte) ([]byte, error) { return value, nil }); err != nil {
				t.Fatal(err)
			}
		}
		if r := verified(t, m); !r.OK || len(r.Notes) != notes {
			t.Errorf("of the session %d micros count: %+v", counted, r)
		}
	}
}
