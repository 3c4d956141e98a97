package gateway

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// A hold that the ledger refuses leaves the one that it was to replace open: it goes once the request is booked.
func TestReleaseReplaced(t *testing.T) {
	l, err := ledger.Open(ledger.Options{Dir: filepath.Join(t.TempDir(), "ledger"), Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	gw := &Gateway{ledger: l, closed: make(chan struct{})}
	gateways.Store(gw, gw)
	gw.references.Store(1)
	var holds []hold
	place := func(id, replaces, token string) {
		placed := l.PlaceHold(ledger.Hold{ID: id, Replaces: replaces, TokenID: token, Seller: "acme"})
		holds = append(holds, hold{id, placed})
	}
	place("first", "", "")
	place("refused", "first", "no such token")
	place("last", "refused", "")
	books{&request{gw: gw}}.releaseReplaced(holds)
	gw.leave()
	<-gw.closed // all that goes on in the background has ended
	if err := l.ReleaseHold("first").Wait(t.Context()); !errors.Is(err, ledger.ErrUnknownHold) {
		t.Errorf("the first hold is still open: %v", err)
	}
	if err := l.ReleaseHold("last").Wait(t.Context()); err != nil {
		t.Errorf("the last hold, which is the entry's, is gone: %v", err)
	}
}
