package market

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// Who has made a response at one gateway is known at the other, over the other's restart too, and no longer once it is deleted.
func TestMakersAreShared(t *testing.T) {
	s := fleettest.NewLink(fleettest.NewMemory())
	a, b := openMarket(t, filepath.Join(t.TempDir(), "books")), openMarket(t, filepath.Join(t.TempDir(), "books"))
	ctx, stop := context.WithCancel(t.Context())
	for _, m := range []*Market{a, b} {
		m.shareResponses(ctx, s)
	}
	defer stop()
	id, now := [16]byte{7}, time.Now()
	want := routing.Made{Seller: routing.SellerKey{ID: "acme", Origin: "https://acme.example"}, Model: "m", Tokens: 40, Owner: 1}
	if _, err := b.Responses.Find(t.Context(), id, true, now); !errors.Is(err, routing.ErrUnmade) {
		t.Errorf("before it was made: %v", err)
	}
	s.Cut(true)
	if _, err := b.Responses.Find(t.Context(), id, true, now); !errors.Is(err, fleet.ErrAway) {
		t.Errorf("while the store is away: %v", err)
	}
	s.Cut(false)
	a.Responses.Put(id, 1, want, now)
	find := func(known bool) (made routing.Made) {
		t.Helper()
		for deadline := now.Add(10 * time.Second); ; {
			made, err := b.Responses.Find(t.Context(), id, true, now)
			if (err == nil) == known {
				return made
			}
			if time.Now().After(deadline) {
				t.Fatalf("known: %v; want %v", err, known)
			}
		}
	}
	made := find(true)
	if made.Until = (time.Time{}); made != want {
		t.Errorf("made by %+v, want %+v", made, want)
	}
	if err := b.Ledger.EachResponse(func(key ledger.ResponseKey, r ledger.Response) {
		if key != id || r.Member != 1 {
			t.Errorf("kept is %x of %d", key, r.Member)
		}
	}); err != nil {
		t.Error(err)
	}
	b.Responses.Forget(id, now)
	for deadline := now.Add(10 * time.Second); ; {
		if raw, err := a.made.fleet.Find(t.Context(), id, false); err == nil && raw == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it is not forgotten")
		}
	}
}
