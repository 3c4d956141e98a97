package fleet_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
)

// A store's clock that was ahead, and is put back, keeps no rate and no seller's purchases waiting for as long as it was ahead.
func TestClockOfTheStoreIsPutBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := fleettest.NewMemory()
		store.SetClock(func() time.Time { return time.Now().Add(time.Hour) })
		var rates [2]*fleet.Rates
		for i, id := range []string{"one", "two"} {
			rates[i] = fleet.NewRates(fleet.RatesOptions{Store: store, Gateway: id, Boot: "b"})
			rates[i].Start()
			defer rates[i].Close()
		}
		<-time.After(time.Minute)
		key, rate := fleet.RateKey{Name: "ann"}, fleet.Rate{Requests: 60, Per: time.Hour}
		allowed := func(r *fleet.Rates) bool {
			return r.Allow(key, rate) == nil
		}
		n := 0
		for allowed(rates[n%2]) {
			n++
		}
		if n != 60 {
			t.Errorf("%d pass at first, want 60", n)
		}
		purchases := fleet.NewPurchases(fleet.PurchasesOptions{Store: store, Gateway: "one", Boot: "b", Epoch: 1})
		begin := func(id, origin string) error {
			return purchases.Begin(t.Context(), fleet.Buy{ID: id, Seller: "acme", Origin: origin})
		}
		other := fleet.NewPurchases(fleet.PurchasesOptions{Store: store, Gateway: "two", Boot: "b", Epoch: 1})
		for _, id := range []string{"a", "b", "c"} {
			if err := begin(id, id); err != nil {
				t.Fatal(err)
			}
		}
		store.SetClock(time.Now)
		if err := begin("d", "d"); err != nil {
			t.Errorf("a fourth purchase: %v", err)
		}
		if err := other.Begin(t.Context(), fleet.Buy{ID: "e", Seller: "acme", Origin: "a"}); err != nil {
			t.Errorf("by another gateway, where one began to buy an hour ahead: %v", err)
		}
		n = 0
		for range 10 {
			<-time.After(time.Minute)
			for _, r := range rates {
				if allowed(r) {
					n++
				}
			}
		}
		if n < 7 || n > 10 {
			t.Errorf("%d pass in ten minutes, of one a minute", n)
		}
	})
}
