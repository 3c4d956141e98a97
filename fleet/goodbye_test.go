package fleet

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"
)

// A gateway that stops while the store is away for a moment says goodbye as soon as that is back, also where it has nothing to give back: else it would
// be taken for silent, its part of rates would be left out for an hour, and what it has set aside for purchases would count as spent.
func TestGoodbyeInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFake()
		l := store.link()
		f := New(Options{Store: l, Gateway: "g", Boot: "b", Epoch: 1})
		f.Start()
		r := NewRates(RatesOptions{Store: l, Gateway: "g", Boot: "b"})
		r.Start()
		p := NewPurchases(PurchasesOptions{Store: l, Gateway: "g", Boot: "b", Epoch: 1, Books: new(fakeBooks), Ahead: 5})
		p.SetLimits(unlimited)
		p.Start()
		<-time.After(7 * time.Second)
		if p.OwnAside() != 5 {
			t.Fatal("nothing is set aside")
		}
		l.cut(true)
		time.AfterFunc(1200*time.Millisecond, func() { l.cut(false) })
		ctx, stop := context.WithTimeout(t.Context(), 4*time.Second)
		defer stop()
		began, closed := time.Now(), make(chan error, 3)
		go func() { closed <- f.Close(ctx) }()
		go func() { r.Close(); closed <- nil }()
		go func() { p.Close(); closed <- nil }()
		for range 3 {
			if err := <-closed; err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %s", took)
		}
		var said Beat
		if err := json.Unmarshal(store.values[GatewayKey("g")], &said); err != nil || !said.Left {
			t.Errorf("it has not left: %+v, %v", said, err)
		}
		if there := store.values[presenceKey]; there != nil {
			t.Errorf("of rates there is %s", there)
		}
		left := new(tab)
		if err := json.Unmarshal(store.values[tabKey], left); err != nil || left.Ahead["g"] != nil && left.Ahead["g"].Amount > 0 {
			t.Errorf("it keeps %+v, %v", left.Ahead["g"], err)
		}
	})
}
